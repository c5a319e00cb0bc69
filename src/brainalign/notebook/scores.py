"""Load the tidy table of scores, from whichever form it is in."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import CorruptDataError, InputError
from brainalign.evaluation.table import COLUMNS, read_score_table
from brainalign.options import suggest_name
from brainalign.stores.manifest import MANIFEST_NAME
from brainalign.stores.read import read_store

_COUNT = "n_queries"
_NUMBERS = ("value", "ci_low", "ci_high", "chance", "ceiling", "seed_sd", "n_candidates")


def load_scores(path: Path | str = "results", table: str | None = None) -> pd.DataFrame:
    """Load scores as one tidy table.

    Parameters
    ----------
    path : path
        A results folder, its ``scores.zarr`` or ``scores.csv``, or the score store of one
        experiment. A folder's store is preferred: the CSV file has six digits.
    table : str, optional
        A table behind the scores, such as ``queries``; only stores have them.

    Returns
    -------
    scores : pandas.DataFrame
        The columns of ``docs/scores.md``: identities (seeds too, since ``all`` is one) as text,
        ``n_queries`` as integers, everything else as floats with NaN where nothing is known. Or
        the table asked for, with its own columns.

    Raises
    ------
    InputError
        Nothing is there, it holds no scores, or no such table.
    CorruptDataError
        The file is cut short or a number is none.
    """
    place = Path(path)
    if place.is_dir() and not (place / MANIFEST_NAME).is_file():
        place = _find_in_results(place)
    if place.is_dir():
        return _load_store(place, table)
    if not place.is_file():
        raise InputError(
            "no scores here",
            where=place,
            expected="a results folder, scores.zarr or scores.csv",
            remedy="Run snakemake to the end, or correct the path.",
        )
    if table is not None:
        raise InputError(
            "a CSV file has no tables behind the scores",
            where=place,
            remedy=f"Load '{table}' from scores.zarr beside it.",
        )
    return _load_csv(place)


def _find_in_results(folder: Path) -> Path:
    for name in ("scores.zarr", "scores.csv"):
        if (folder / name / MANIFEST_NAME).is_file() or (folder / name).is_file():
            return folder / name
    raise InputError(
        "the folder has no scores",
        where=folder,
        expected="scores.zarr or scores.csv",
        found=", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing",
        remedy="Run snakemake to the end, or name the results folder itself.",
    )


def _load_store(place: Path, table: str | None) -> pd.DataFrame:
    tree = read_store(place, "scores")
    if table is None:
        return _settle(read_score_table(tree), place)
    known = sorted(str(name) for name in tree.children if name != "table")
    if table not in known:
        raise InputError(
            f"no table '{table}' behind these scores",
            where=place,
            remedy=suggest_name(table, known),
        )
    return read_score_table(tree, table)


def _load_csv(place: Path) -> pd.DataFrame:
    try:
        # Text throughout: pandas would read a subject 001 as 1 and a method "none" as missing.
        scores = pd.read_csv(place, dtype=str, keep_default_na=False)
    except (ValueError, pd.errors.ParserError, UnicodeDecodeError) as error:
        raise InputError("is no table of scores", where=place, found=str(error)) from error
    if scores.isna().any(axis=None) or not place.read_bytes().endswith(b"\n"):
        raise CorruptDataError(
            "the table is cut short",
            where=place,
            found=f"row {len(scores) + 1} is not complete",
            remedy="Delete it and run the rule collect again.",
        )
    return _settle(scores, place)


def _settle(scores: pd.DataFrame, place: Path) -> pd.DataFrame:
    """Check the columns, put them into order and give each its kind."""
    missing = [column for column in COLUMNS if column not in scores]
    if missing:
        raise InputError(
            "is no table of scores",
            where=place,
            expected=f"the columns {', '.join(COLUMNS)}",
            found=f"no column {', '.join(missing[:3])}",
        )
    columns: dict[str, pd.Series | np.ndarray] = {}
    for column in COLUMNS:
        if column in _NUMBERS or column == _COUNT:
            number = _parse_numbers(scores[column], place)
            columns[column] = np.nan_to_num(number).astype(int) if column == _COUNT else number
        else:
            columns[column] = scores[column].astype(str)
    return pd.DataFrame(columns)


def _parse_numbers(values: pd.Series, place: Path) -> np.ndarray:
    given = values.replace("", np.nan) if values.dtype.kind not in "fiu" else values
    number = pd.to_numeric(given, errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(np.isnan(number) & given.notna().to_numpy() & (given != "nan"))
    if len(wrong):
        raise CorruptDataError(
            f"column {values.name} holds no number",
            where=f"{place}, row {wrong[0] + 2}",
            found=repr(values.iloc[wrong[0]]),
        )
    return number
