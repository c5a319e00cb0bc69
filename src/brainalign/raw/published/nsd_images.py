"""Pictures of the Natural Scenes Dataset and what is known of them.

``nsd_stimuli.hdf5`` holds ``/imgBrick`` of 3 x 425 x 425 x 73000 uint8 in MATLAB's order, which is
(73000, 425, 425, 3) in Python; ``nsd_stim_info_merged.csv`` has, per picture, ``nsdId`` (from 0),
``cocoId`` and ``cropBox``: the shares that were cut off at the top, bottom, left and right (NSD
Data Manual, page Experiments).
"""

from __future__ import annotations

import ast
import os
from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import CorruptDataError
from brainalign.raw.published.coco import read_captions, read_visible_categories
from brainalign.raw.published.nsd_betas import open_hdf5
from brainalign.raw.published.options import NSDDataset
from brainalign.raw.published.recording import require_file
from brainalign.raw.recording import StimulusCollection


def _locate_images(folder: Path) -> Path:
    return folder / "nsddata_stimuli" / "stimuli" / "nsd" / "nsd_stimuli.hdf5"


def count_images(folder: Path) -> int | None:
    """Count the pictures; None where the copy lacks them: responses can do without.

    Raises
    ------
    CorruptDataError
        If the file is damaged.
    """
    path = _locate_images(folder)
    return len_of_brick(path) if path.is_file() else None


def len_of_brick(path: Path) -> int:
    """Read the number of pictures of a file and check their form.

    Raises
    ------
    CorruptDataError
        If the file is damaged or holds no pictures.
    """
    with open_hdf5(path) as file:
        shape = file["imgBrick"].shape if "imgBrick" in file else None
        if shape is None or len(shape) != 4 or shape[3] != 3 or file["imgBrick"].dtype != np.uint8:
            raise CorruptDataError(
                "holds no pictures",
                where=path,
                expected="/imgBrick of (picture, y, x, 3) uint8",
                found=shape or list(file),
            )
        return int(shape[0])


def open_nsd_images(
    folder: Path, shown: list[int], shared: set[int], options: NSDDataset, terms: str
) -> StimulusCollection:
    """Open the pictures that were shown.

    Parameters
    ----------
    folder : Path
        The local copy.
    shown : list of int
        ``nsdId`` of pictures, sorted, so that the file is read from its start to its end.
    shared : set of int
        Pictures that all subjects see: the test split.
    options : NSDDataset
        Annotations, captions, and seed and share of the validation split.
    terms : str
        Where missing files come from.

    Raises
    ------
    InputError
        If a file is missing.
    CorruptDataError
        If there are fewer pictures than were shown, or the table does not know one.
    """
    path = require_file(_locate_images(folder), "pictures", terms)
    n_pictures = len_of_brick(path)
    if shown and shown[-1] >= n_pictures:
        raise CorruptDataError(
            "holds fewer pictures than were shown",
            where=path,
            expected=f"more than {shown[-1]}",
            found=n_pictures,
            remedy="Copy the file again.",
        )
    names = [f"nsd-{number:05d}" for number in shown]
    table = pd.DataFrame(index=pd.Index(names, name="stimulus"))
    table["split"] = _divide(np.array([number in shared for number in shown]), options)
    if options.annotations or options.captions:
        coco, crops = _read_table(folder, shown, terms)
        if options.annotations:
            by_picture = dict(zip(coco, crops, strict=True))
            found = read_visible_categories(
                [_locate(folder, one) for one in options.annotations],
                by_picture,
                options.min_visible_share,
            )
            table["labels"] = [";".join(sorted(found[one])) for one in coco]
        if options.captions:
            captions = read_captions([_locate(folder, one) for one in options.captions], coco)
            table["caption"] = [captions[one] for one in coco]
    numbers = dict(zip(names, shown, strict=True))

    def read_image(stimulus: str) -> np.ndarray:
        with open_hdf5(path) as file:
            return np.asarray(file["imgBrick"][numbers[stimulus]])

    return StimulusCollection(table=table, factors=(), read_image=read_image)


def _locate(folder: Path, text: str) -> Path:
    return folder / Path(os.path.expandvars(text)).expanduser()


def _divide(is_shared: np.ndarray, options: NSDDataset) -> np.ndarray:
    split = np.where(is_shared, "test", "train").astype("<U10")
    own = np.flatnonzero(~is_shared)
    settings = options.stimuli.split
    order = np.random.default_rng(settings.seed).permutation(len(own))
    split[own[order[: round(len(own) * settings.validation_share)]]] = "validation"
    return split


def _read_table(
    folder: Path, shown: list[int], terms: str
) -> tuple[list[int], list[tuple[float, float, float, float]]]:
    path = folder / "nsddata" / "experiments" / "nsd" / "nsd_stim_info_merged.csv"
    require_file(path, "table of pictures", terms)
    try:
        table = pd.read_csv(path, usecols=["nsdId", "cocoId", "cropBox"]).set_index("nsdId")
        rows = table.loc[shown]
        crops = [tuple(map(float, ast.literal_eval(text))) for text in rows["cropBox"]]
        coco = [int(number) for number in rows["cocoId"]]
        if any(len(crop) != 4 for crop in crops):
            raise ValueError("a cropBox has not four numbers")
    except (KeyError, ValueError, SyntaxError, TypeError, pd.errors.ParserError) as error:
        raise CorruptDataError(
            "cannot be read as NSD's table of pictures",
            where=path,
            expected="nsdId, cocoId and cropBox of every picture",
            found=" ".join(str(error).split())[:200],
            remedy="Copy the file again.",
        ) from error
    return coco, crops  # type: ignore[return-value]
