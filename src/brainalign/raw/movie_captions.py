"""Read captions of movies: a table of sentences, each from one frame until the next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import InputError


def read_captions(path: Path, n_frames: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Read the captions of some movies.

    Parameters
    ----------
    path : Path
        Tab-separated table with the columns ``movie``, ``frame`` and ``caption``; it may be absent.
    n_frames : mapping of str to int
        Length of each movie that is used.

    Returns
    -------
    captions : dict of str to array of shape (n_frames,) of str
        A caption holds until the next one of its movie. Empty where there is no table.

    Raises
    ------
    InputError
        If a column is missing, a frame lies outside its movie or stands twice, or some movies have
        captions and others, or their first frames, have none.
    """
    if not path.is_file():
        return {}
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError("is no tab-separated UTF-8 table", where=path, found=str(error)) from error
    for column in ("movie", "frame", "caption"):
        if column not in table.columns:
            raise InputError(f"the table has no column '{column}'", where=path)
    captions = {}
    for name, length in n_frames.items():
        rows = table[table["movie"] == name]
        frame = pd.to_numeric(rows["frame"], errors="coerce").to_numpy(dtype=np.float64)
        order = np.argsort(frame, kind="stable")
        frame, text = frame[order], rows["caption"].to_numpy(dtype=np.str_)[order]
        if not len(frame) or frame[0] != 0 or (text == "").any():
            raise InputError(
                f"movie '{name}' has missing captions",
                where=path,
                expected="a caption from frame 0 on, none empty",
                found=f"{len(frame)} rows, {int((text == '').sum())} empty",
                remedy="Add them, or remove the table to go without captions.",
            )
        if not np.isfinite(frame).all() or frame[-1] >= length or (np.diff(frame) <= 0).any():
            raise InputError(
                f"frames of the captions of movie '{name}' are wrong",
                where=path,
                expected=f"each once, from 0 to {length - 1}",
                found=f"{len(frame)} rows up to {frame[-1]:g}",
            )
        captions[name] = np.repeat(text, np.diff([*frame.astype(int).tolist(), length]))
    return captions
