"""Read what was shown when: event tables and frame triggers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import CorruptDataError, InputError
from brainalign.options import suggest_name

_MISSING = ["", "n/a", "NaN", "nan"]


def read_events(
    path: Path,
    onset_column: str,
    stimulus_column: str,
    duration_column: str | None = None,
    sampling_rate_hz: float | None = None,
) -> pd.DataFrame:
    """Read a table of events.

    Parameters
    ----------
    path : Path
        Tab-separated UTF-8.
    onset_column, stimulus_column : str
        Columns with the onset and with the id of what was shown.
    duration_column : str, optional
        Column with the time that it was on, in s.
    sampling_rate_hz : float, optional
        Given where onsets are samples; None where they are s.

    Returns
    -------
    events : pandas.DataFrame
        ``start_time`` and ``stop_time`` in s (equal where no duration is known), the column of
        ids under its name (text), then all others: numbers where every entry is one, else text.
        In order of onset.

    Raises
    ------
    InputError
        If the file is no such table, or a column is missing.
    CorruptDataError
        If an onset is no number or negative, or an id is empty.
    """
    table = _read_table(path)
    for column in (onset_column, stimulus_column, *([duration_column] if duration_column else [])):
        if column not in table.columns:
            raise InputError(
                f"the events have no column '{column}'",
                where=path,
                remedy=suggest_name(column, table.columns),
            )
    start = _read_times(table[onset_column], path, onset_column, sampling_rate_hz)
    ids = table[stimulus_column].str.strip()
    empty = np.flatnonzero(ids.isin(_MISSING))
    if len(empty):
        raise CorruptDataError(
            f"{len(empty)} events name no {stimulus_column}",
            where=f"{path} line {empty[0] + 2}",
            remedy="Name what was shown, or remove the line.",
        )
    stop = start
    if duration_column:
        stop = start + _read_times(table[duration_column], path, duration_column, None)
    events = pd.DataFrame({"start_time": start, "stop_time": stop, stimulus_column: ids})
    for column in table.columns.difference(
        [onset_column, stimulus_column, duration_column or "", *events.columns], sort=False
    ):
        events[column] = _convert_column(table[column])
    return events.sort_values("start_time", kind="stable").reset_index(drop=True)


def read_frame_triggers(path: Path, sampling_rate_hz: float | None = None) -> np.ndarray:
    """Read the pulses of the display's frames.

    Parameters
    ----------
    path : Path
        Tab-separated with a column ``time``.
    sampling_rate_hz : float, optional
        Given where times are samples; None where they are s.

    Returns
    -------
    time : array of shape (n_pulses,)
        In s, as recorded: missing and double pulses are repaired by the responses stage.
    """
    table = _read_table(path)
    if "time" not in table.columns:
        raise InputError(
            "the frame triggers have no column 'time'",
            where=path,
            remedy=suggest_name("time", table.columns),
        )
    return np.sort(_read_times(table["time"], path, "time", sampling_rate_hz))


def check_known_stimuli(
    events: pd.DataFrame, column: str, known: set[str], policy: str, where: Path
) -> pd.DataFrame:
    """Refuse or drop events of stimuli that nobody knows.

    Parameters
    ----------
    events : pandas.DataFrame
        As :func:`read_events` gives them.
    column : str
        Column of the ids.
    known : set of str
        Ids of the stimulus table.
    policy : {"refuse", "drop"}
        What to do with others.
    where : Path
        The events' file, for messages.

    Raises
    ------
    InputError
        If there are others and they are refused, or none remains.
    """
    is_known = events[column].isin(known).to_numpy()
    if not is_known.all() and policy == "refuse":
        unknown = sorted(set(events[column][~is_known]))
        raise InputError(
            f"{len(unknown)} labels of events are not in the stimulus table",
            where=where,
            found=", ".join(unknown[:5]) + ("…" if len(unknown) > 5 else ""),
            remedy="Correct the labels or the table, or set sorting.unknown_stimuli: drop.",
        )
    if not is_known.any():
        raise InputError("no event shows a stimulus of the stimulus table", where=where)
    return events[is_known].reset_index(drop=True)


def _read_table(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such table", where=path) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError("is no tab-separated UTF-8 table", where=path, found=str(error)) from error
    if not len(table):
        raise InputError("the table has no rows", where=path)
    return table


def _read_times(
    column: pd.Series, path: Path, name: str, sampling_rate_hz: float | None
) -> np.ndarray:
    times = pd.to_numeric(column, errors="coerce").to_numpy(dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(times) | (times < 0))
    if len(wrong):
        raise CorruptDataError(
            f"{len(wrong)} entries of '{name}' are no times",
            where=f"{path} line {wrong[0] + 2}",
            expected="numbers from 0 on",
            found=repr(column.iloc[wrong[0]]),
        )
    return times if sampling_rate_hz is None else times / sampling_rate_hz


def _convert_column(column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column.where(~column.isin(_MISSING), "nan"), errors="coerce")
    is_number = numbers.notna() | column.isin(_MISSING)
    return numbers.astype(np.float64) if is_number.all() else column
