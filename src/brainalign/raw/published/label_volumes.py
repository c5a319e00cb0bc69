"""Volumes of integer labels, and the tables that name them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.bids.events import read_table
from brainalign.raw.bids.volumes import VolumeHeader, read_header, read_volume

_COLOUR_TABLE_LINE = re.compile(r"\s*(-?\d+)\s+(\S+)")


def read_label_volume(path: Path, shape: tuple[int, ...] | None, of: str) -> np.ndarray:
    """Read a volume of labels.

    Parameters
    ----------
    path : Path
        NIfTI of one volume.
    shape : tuple of int or None
        Shape (x, y, z) that it must have.
    of : str
        What has that shape, for the message.

    Returns
    -------
    labels : array of shape (x, y, z), int32

    Raises
    ------
    InputError
        If it has another shape.
    """
    header = read_header(path)
    check_shape(header, shape, of)
    return np.rint(np.nan_to_num(read_volume(header))).astype(np.int32)


def check_shape(header: VolumeHeader, shape: tuple[int, ...] | None, of: str) -> None:
    """Refuse a volume of another shape.

    Raises
    ------
    InputError
        With both shapes.
    """
    if shape is not None and header.shape != tuple(shape):
        raise InputError(
            f"has another shape than {of}",
            where=header.path,
            expected=tuple(shape),
            found=header.shape,
            remedy="Take volumes of the same preparation.",
        )


def read_label_names(path: Path) -> dict[int, str]:
    """Read the names of labels.

    Parameters
    ----------
    path : Path
        A tab-separated table with the columns ``index`` and ``name``, or a colour table as
        FreeSurfer writes it: number and name on each line, colours after them.

    Returns
    -------
    names : dict of int to str
        Of positive labels.

    Raises
    ------
    InputError
        If a column is missing.
    CorruptDataError
        If a number is no number, or nothing is named.
    """
    if path.suffix == ".tsv":
        table = read_table(path)
        for column in ("index", "name"):
            if column not in table.columns:
                raise InputError(f"the names of regions have no column '{column}'", where=path)
        pairs = list(zip(map(str, table["index"]), map(str, table["name"]), strict=True))
    else:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        pairs = [(one[1], one[2]) for one in map(_COLOUR_TABLE_LINE.match, lines) if one]
    try:
        names = {int(label): name for label, name in pairs if int(label) > 0}
    except ValueError as error:
        raise CorruptDataError("an index is no number", where=path, found=error) from error
    if not names:
        raise CorruptDataError("names no region", where=path, expected="number and name per line")
    return names


def check_named(labels: np.ndarray, names: dict[int, str], path: Path) -> None:
    """Refuse labels without a name.

    Raises
    ------
    CorruptDataError
        With the first of them.
    """
    unnamed = sorted(set(np.unique(labels[labels > 0]).tolist()) - set(names))
    if unnamed:
        raise CorruptDataError(
            f"{len(unnamed)} labels have no name",
            where=path,
            found=", ".join(map(str, unnamed[:5])),
        )
