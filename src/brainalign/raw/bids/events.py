"""Events of a run: which stimulus came when."""

from __future__ import annotations

from pathlib import Path, PurePosixPath

import numpy as np
import pandas as pd

from brainalign.errors import CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.raw.bids.files import check_present
from brainalign.raw.fmri_options import EventOptions

_MISSING = ("n/a", "N/A", "NaN", "nan", "")


def read_table(path: Path) -> pd.DataFrame:
    """Read a tab-separated table of BIDS as text.

    Parameters
    ----------
    path : Path
        UTF-8 with or without a byte-order mark, with line ends of any system.

    Returns
    -------
    table : pandas.DataFrame
        All values are text; spaces around them are cut off.

    Raises
    ------
    InputError
        If it is missing or a dangling link.
    CorruptDataError
        If it is no table.
    """
    check_present(path)
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise CorruptDataError(
            "is no tab-separated UTF-8 table", where=path, found=str(error)
        ) from error
    table.columns = [str(name).strip() for name in table.columns]
    return table.apply(lambda column: column.astype(str).str.strip())


def read_events(path: Path, options: EventOptions, scan_s: float, run: str) -> pd.DataFrame:
    """Read the presentations of stimuli in one run.

    Parameters
    ----------
    path : Path
        events.tsv.
    options : EventOptions
        Column of the stimulus, and what to do with events outside the scan.
    scan_s : float
        Length of the scan in s.
    run : str
        Name of the run, for messages.

    Returns
    -------
    events : pandas.DataFrame
        ``stimulus`` (text), ``onset_s`` and ``duration_s`` (0 where it is n/a), sorted by onset.

    Raises
    ------
    InputError
        If a column is missing or an event lies outside the scan.
    CorruptDataError
        If an onset or duration is no number, or n/a where it must not be.
    """
    table = read_table(path)
    for column in ("onset", options.stimulus_column):
        if column not in table.columns:
            raise InputError(
                f"the events have no column '{column}'",
                where=path,
                remedy=f"{suggest_name(column, table.columns)} Set events.stimulus_column.",
            )
    named = table[options.stimulus_column]
    kept = ~named.isin([*_MISSING, *options.ignored_stimuli]).to_numpy()
    onset = _read_numbers(table, "onset", kept, path)
    duration = np.zeros(len(table))
    if "duration" in table.columns:
        has_duration = kept & ~table["duration"].isin(_MISSING).to_numpy()
        duration = np.nan_to_num(_read_numbers(table, "duration", has_duration, path))
    if (duration < 0).any():
        row = int(np.flatnonzero(duration < 0)[0])
        raise CorruptDataError(
            "a duration is negative", where=f"{path} line {row + 2}", found=f"{duration[row]:g} s"
        )
    inside = _check_inside(onset, kept, scan_s, options, path, run)
    stimulus = [_make_id(str(name), options.stimulus_column) for name in named[inside]]
    events = pd.DataFrame(
        {"stimulus": stimulus, "onset_s": onset[inside], "duration_s": duration[inside]}
    )
    return events.sort_values("onset_s", kind="stable", ignore_index=True)


def _read_numbers(table: pd.DataFrame, column: str, rows: np.ndarray, path: Path) -> np.ndarray:
    numbers = pd.to_numeric(table[column], errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(rows & ~np.isfinite(numbers))
    if len(wrong):
        raise CorruptDataError(
            f"an {column} is no number" if column == "onset" else f"a {column} is no number",
            where=f"{path} line {wrong[0] + 2}",
            expected="seconds",
            found=table[column].iloc[wrong[0]] or "nothing",
            remedy="Correct the row, or mark it as no presentation with a stimulus of n/a.",
        )
    return numbers


def _check_inside(
    onset: np.ndarray,
    kept: np.ndarray,
    scan_s: float,
    options: EventOptions,
    path: Path,
    run: str,
) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        outside = kept & ((onset < 0) | (onset >= scan_s))
    if outside.any() and options.outside_scan == "refuse":
        row = int(np.flatnonzero(outside)[0])
        side = "before the scan's start" if onset[row] < 0 else "after the scan's end"
        raise InputError(
            f"onset {onset[row]:g} s lies {side}",
            where=f"{path} line {row + 2}",
            expected=f"0 to {scan_s:g} s in {run}",
            remedy=(
                "Most onsets lie outside: are they milliseconds or volumes? Write seconds."
                if outside.sum() > 0.5 * kept.sum()
                else "Correct the events or set events.outside_scan: drop."
            ),
        )
    return kept & ~outside


def _make_id(name: str, column: str) -> str:
    if column != "stim_file":
        return name
    path = PurePosixPath(name.replace("\\", "/"))
    return str(path.with_suffix("")) if path.suffix else str(path)
