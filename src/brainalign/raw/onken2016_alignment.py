"""Where the recorded windows of Onken et al. (2016) sit in their movies.

The published package holds 60 windows of 300 ms per trial, glued together, and the movies, but not
the link between them. The table read here is that link; ``docs/retina.md`` tells how it was found,
and :func:`check_overlap_runs` and :func:`measure_shift` check it again on the package.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brainalign.errors import CorruptDataError, InputError
from brainalign.options import suggest_name

WINDOW_MS = 300
FRAME_RATE_HZ = 30.0
FRAMES_PER_WINDOW = 9
# Edges of the frames of a window in ms: 0, 33, 67, 100, … 300.
FRAME_EDGES_MS = np.rint(np.arange(FRAMES_PER_WINDOW + 1) * 100 / 3).astype(int)

_FORMAT = "retina_onken2016_alignment"
_COLUMNS = ["window", "start_bin", "start_frame", "new_ms", "unique", "use"]


@dataclass(frozen=True)
class WindowAlignment:
    """The windows of one recording.

    Attributes
    ----------
    recording : str
        Such as ``Movie1Exp1``.
    movie : str
        Such as ``Movie1``.
    experiment : str
        ``1`` or ``2``.
    n_frames, n_cells, n_trials, n_spikes : int
        What the table was made for.
    start_frame : array of shape (n_windows,)
        Frame at which each window starts, from 0, fractional.
    new_ms : array of shape (n_windows,), int
        End of the window that is not in the previous window, ms.
    is_used : array of shape (n_windows,), bool
        Windows that repeat no other and have a past of 560 ms.
    spikes_sha256, receptive_fields_sha256 : str or None
        Checksums of the files.
    """

    recording: str
    movie: str
    experiment: str
    n_frames: int
    n_cells: int
    n_trials: int
    n_spikes: int
    start_frame: NDArray[np.float64]
    new_ms: NDArray[np.int64]
    is_used: NDArray[np.bool_]
    spikes_sha256: str | None
    receptive_fields_sha256: str | None

    def place_windows(self) -> NDArray[np.int64]:
        """Give the first frame of each window, rounded."""
        return np.rint(self.start_frame).astype(np.int64)


def read_alignment(path: Path) -> dict[str, WindowAlignment]:
    """Read the table of window positions.

    Raises
    ------
    InputError
        If there is no such file.
    CorruptDataError
        If it is no such table, or a window leaves its movie.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(
            "no such alignment table",
            where=path,
            remedy="Set alignment to workflow/datasets/onken2016_alignment.json of the project.",
        ) from None
    except ValueError as error:
        raise CorruptDataError("is no JSON", where=path, found=str(error)) from error
    if content.get("format") != _FORMAT or content.get("columns") != _COLUMNS:
        raise CorruptDataError(
            "is no alignment table of this format", where=path, expected=f"{_FORMAT}, {_COLUMNS}"
        )
    recordings = content["recordings"]
    return {name: _read_recording(name, entry, path) for name, entry in recordings.items()}


def _read_recording(name: str, entry: dict[str, Any], path: Path) -> WindowAlignment:
    rows = np.asarray(entry["rows"], dtype=np.float64)
    alignment = WindowAlignment(
        recording=name,
        movie=str(entry["movie"]),
        experiment=str(entry["experiment"]),
        n_frames=int(entry["n_frames"]),
        n_cells=int(entry["n_cells"]),
        n_trials=int(entry["n_trials"]),
        n_spikes=int(entry["n_spikes"]),
        start_frame=rows[:, 2],
        new_ms=rows[:, 3].astype(np.int64),
        is_used=rows[:, 5] == 1,
        spikes_sha256=entry.get("sha256_spikes"),
        receptive_fields_sha256=entry.get("sha256_receptive_fields"),
    )
    last = alignment.place_windows()[alignment.is_used] + FRAMES_PER_WINDOW
    if len(last) and (last.max() > alignment.n_frames or last.min() < FRAMES_PER_WINDOW):
        raise CorruptDataError(
            "a window leaves its movie",
            where=f"{path} {name}",
            expected=f"frames 0 to {alignment.n_frames}",
            found=f"up to {last.max()}",
        )
    return alignment


def get_recording(
    table: dict[str, WindowAlignment], movie: str, experiment: str
) -> WindowAlignment:
    """Look up the windows of one movie in one experiment.

    Raises
    ------
    InputError
        If the table lacks them.
    """
    name = f"{movie}Exp{experiment}"
    if name not in table:
        raise InputError(
            f"the alignment has no recording '{name}'", remedy=suggest_name(name, table)
        )
    return table[name]


def check_overlap_runs(count: NDArray[np.integer], new_ms: NDArray[np.int64]) -> list[str]:
    """Check which windows repeat the end of the window before, with zero tolerance.

    Parameters
    ----------
    count : array of shape (n_cells, n_trials, n_windows, WINDOW_MS)
        Spikes per ms.
    new_ms : array of shape (n_windows,)
        What of each window is new, by the table.

    Returns
    -------
    problems : list of str
        Empty if every window repeats exactly what the table says: all spikes of all cells and
        trials inside an overlap run, and not outside of it.
    """
    problems = []
    for window in range(1, count.shape[2]):
        new = int(new_ms[window])
        if new < WINDOW_MS:
            before, after = count[:, :, window - 1, new:], count[:, :, window, : WINDOW_MS - new]
            if not np.array_equal(before, after):
                problems.append(f"window {window} does not repeat window {window - 1}")
        elif np.array_equal(count[:, :, window - 1, 10:], count[:, :, window, : WINDOW_MS - 10]):
            problems.append(f"window {window} repeats window {window - 1}, unknown to the table")
    return problems


def measure_shift(
    drive: NDArray[np.float64],
    rate: NDArray[np.float64],
    start_frame: NDArray[np.float64],
    shifts_ms: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Correlate a simple model of the cells with the windows, at shifted positions.

    Parameters
    ----------
    drive : array of shape (n_frames, n_cells)
        Output of a filter under each receptive field.
    rate : array of shape (n_windows, FRAMES_PER_WINDOW, n_cells)
        Mean rate over trials.
    start_frame : array of shape (n_windows,)
        Positions of the windows.
    shifts_ms : array of shape (n_shifts,)
        Shifts of all windows to try, ms.

    Returns
    -------
    correlation : array of shape (n_shifts,)
        Mean over cells of the correlation over all bins.
    """
    correlations = []
    for shift in shifts_ms:
        first = np.rint(start_frame + shift * FRAME_RATE_HZ / 1000).astype(int)
        frames = first[:, np.newaxis] + np.arange(FRAMES_PER_WINDOW)
        predicted = drive[np.clip(frames, 0, len(drive) - 1)].reshape(-1, drive.shape[1])
        recorded = rate.reshape(-1, rate.shape[2])
        predicted = predicted - predicted.mean(axis=0)
        recorded = recorded - recorded.mean(axis=0)
        scale = np.sqrt((predicted**2).sum(axis=0) * (recorded**2).sum(axis=0))
        product = (predicted * recorded).sum(axis=0)
        correlations.append(np.nanmean(np.where(scale > 0, product / scale, np.nan)))
    return np.array(correlations)
