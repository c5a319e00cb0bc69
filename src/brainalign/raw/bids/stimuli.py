"""Pictures in the folder ``stimuli`` of a BIDS data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import InputError
from brainalign.raw.images import check_image_file, decode_image_file
from brainalign.raw.recording import StimulusCollection

_EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")


def open_stimulus_folder(
    folder: Path, shown: list[str], max_pixels: int
) -> StimulusCollection | None:
    """Open the shown pictures of a data set.

    Parameters
    ----------
    folder : Path
        The folder ``stimuli``.
    shown : list of str
        Ids: paths below the folder, without extension.
    max_pixels : int
        Limit per image, see :func:`brainalign.raw.images.decode_image_file`.

    Returns
    -------
    collection : StimulusCollection or None
        None if none of the ids is a picture there, as for designs of categories.

    Raises
    ------
    InputError
        If some ids are pictures and others are not, or one names several files.
    """
    files: dict[str, Path] = {}
    if folder.is_dir():
        for path in sorted(folder.rglob("*")):
            if path.suffix.lower() not in _EXTENSIONS:
                continue
            name = path.relative_to(folder).with_suffix("").as_posix()
            if name in files:
                raise InputError(
                    f"stimulus '{name}' has several files", where=path, found=files[name].name
                )
            files[name] = path
    found = [name for name in shown if name in files]
    if not found:
        return None
    missing = sorted(set(shown) - set(found))
    if missing:
        raise InputError(
            f"{len(missing)} stimuli of events have no picture",
            where=folder,
            found=", ".join(missing[:5]),
            remedy="Add the files, or list the ids as events.ignored_stimuli.",
        )

    def read_image(stimulus: str) -> np.ndarray:
        return decode_image_file(files[stimulus], max_pixels)

    def check_image(stimulus: str) -> None:
        check_image_file(files[stimulus], max_pixels)

    table = pd.DataFrame(index=pd.Index(found, name="stimulus"))
    return StimulusCollection(table, (), read_image, check_image)
