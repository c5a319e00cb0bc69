"""The tables of the simulated world: written once, read by every recording of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from brainalign.errors import InputError

MISSING = "n/a"  # as in BIDS

TABLES: dict[str, str] = {
    "stimuli": "one row per image: factors, labels, caption, checksum",
    "scene_objects": "one row per object of a scene",
    "captions": "three captions per image",
    "exemplars": "one row per object of the world",
    "backgrounds": "one row per place behind the objects",
    "movies": "one row per movie",
    "movie_shots": "one row per shot between two cuts",
    "movie_frames": "one row per frame: factors, checksum",
}


def write_table(
    folder: Path, name: str, rows: Sequence[dict[str, Any]], columns: list[str]
) -> None:
    """Write a table as tab-separated text.

    Parameters
    ----------
    folder : Path
        The world's folder.
    name : str
        Key of ``TABLES``.
    rows : sequence of dict
        One per row.
    columns : list of str
        Names in their order; a value that a row lacks is written as ``n/a``.
    """
    table = pd.DataFrame(list(rows), columns=columns)
    table.to_csv(folder / f"{name}.tsv", sep="\t", index=False, na_rep=MISSING, lineterminator="\n")


def read_table(folder: Path, name: str) -> pd.DataFrame:
    """Read one table of a world.

    Parameters
    ----------
    folder : Path
        The world's folder.
    name : str
        Key of ``TABLES``.

    Returns
    -------
    table : pandas.DataFrame
        ``n/a`` is missing; every other text stays as it stands in the file.

    Raises
    ------
    InputError
        If the folder holds no such table.
    """
    path = folder / f"{name}.tsv"
    if not path.is_file():
        raise InputError(
            "the table is missing",
            where=path,
            expected=f"a simulated world with {name}.tsv ({TABLES.get(name, 'unknown table')})",
            remedy="Simulate the world first.",
        )
    return pd.read_csv(path, sep="\t", na_values=[MISSING], keep_default_na=False)
