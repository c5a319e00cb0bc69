"""From the pulses of a frame clock to the time of every frame of a movie.

A photodiode or a trigger line gives one pulse per frame (or per some frames), on the clock of the
spikes. Pulses get lost and come twice; which ones is decided here by rule, counted, and refused
where it is more than a few.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainalign.errors import CorruptDataError, InputError

# A pulse that follows the last one by less than this share of the interval is its double.
_DOUBLE_SHARE = 0.5
# A gap may differ from a whole number of intervals by this share of one.
_GAP_TOLERANCE = 0.3
# The median interval may differ from the movie's by this share before it is another rate.
_RATE_TOLERANCE = 0.05


@dataclass(frozen=True)
class FrameClock:
    """The repaired clock of one trial.

    Attributes
    ----------
    start_s, stop_s : array of shape (n_frames,)
        When each frame came and went, in s.
    n_missing, n_double : int
        Pulses that were added and removed.
    """

    start_s: np.ndarray
    stop_s: np.ndarray
    n_missing: int
    n_double: int


def repair_frame_clock(
    pulse_s: np.ndarray,
    start_s: float,
    n_frames: int,
    frame_rate_hz: float,
    *,
    frames_per_pulse: int = 1,
    max_repaired_share: float = 0.02,
    where: str = "frame triggers",
) -> FrameClock:
    """Give the time of every frame of one trial from the pulses of its frame clock.

    Parameters
    ----------
    pulse_s : array of shape (n_pulses,)
        Times of the pulses of the trial, in s.
    start_s : float
        Start of the trial by the trials table, in s; tells whether first or last pulses are gone.
    n_frames : int
        Frames of the movie.
    frame_rate_hz : float
        Frames per second, as the movie states it.
    frames_per_pulse : int
        Frames between two pulses.
    max_repaired_share : float
        Largest share of pulses that may be added or removed.
    where : str
        Name of the trial, for messages.

    Returns
    -------
    clock : FrameClock
        Every frame of the movie has a time.

    Raises
    ------
    CorruptDataError
        If pulses are not finite or not ascending, their intervals are no whole multiples of one
        frame, or more of them are missing or double than allowed.
    InputError
        If there are more pulses than the movie has frames, or their rate is not the movie's.

    Notes
    -----
    A pulse less than half an interval after another is its double and removed. A gap of about k
    intervals lacks k - 1 pulses, which are set evenly into it. Pulses that are missing in total are
    missing at the start, as far as the first pulse lies whole intervals behind `start_s`, and else
    at the end; these are continued at the median interval.
    """
    pulse_s = _check_pulses(np.asarray(pulse_s, dtype=np.float64), where)
    nominal_s = frames_per_pulse / frame_rate_hz
    n_expected = -(-n_frames // frames_per_pulse)
    if len(pulse_s) < 2:
        raise CorruptDataError(
            "no frame clock", where=where, expected=f"{n_expected} pulses", found=len(pulse_s)
        )
    # Of all pulses, so that a clock of twice the rate is not taken for doubles.
    interval_s = _check_rate(pulse_s, nominal_s, where)
    kept = _drop_doubles(pulse_s, nominal_s)
    n_double = len(pulse_s) - len(kept)
    times, n_inside = _fill_gaps(kept, interval_s, where)
    if len(times) > n_expected:
        raise InputError(
            "frame times do not match the movie",
            where=where,
            expected=f"{n_expected} pulses for {n_frames} frames",
            found=len(times),
            remedy="Name the movie that was shown, or correct the start and stop of the trial.",
        )
    n_outside = n_expected - len(times)
    n_repaired = n_inside + n_outside + n_double
    if n_repaired > max(1, max_repaired_share * n_expected):
        raise CorruptDataError(
            f"{n_inside + n_outside} frame triggers are missing and {n_double} double",
            where=where,
            expected=f"at most {max(1, int(max_repaired_share * n_expected))} repairs in "
            f"{n_expected} triggers",
            found=n_repaired,
            remedy="Leave the trial out with valid_column, or raise "
            "responses.max_repaired_share if the pulses are known to be right.",
        )
    n_before = min(n_outside, max(0, round((times[0] - start_s) / interval_s)))
    before = times[0] - interval_s * np.arange(n_before, 0, -1)
    after = times[-1] + interval_s * np.arange(1, n_outside - n_before + 1)
    times = np.concatenate([before, times, after])
    edges = np.append(times, times[-1] + interval_s)
    frame_edges = np.interp(
        np.arange(n_frames + 1) / frames_per_pulse, np.arange(len(edges)), edges
    )
    return FrameClock(frame_edges[:-1], frame_edges[1:], n_inside + n_outside, n_double)


def make_frame_clock(start_s: float, n_frames: int, frame_rate_hz: float) -> FrameClock:
    """Let frames follow the start of a trial at an even rate, where there is no frame clock."""
    edges = start_s + np.arange(n_frames + 1) / frame_rate_hz
    return FrameClock(edges[:-1], edges[1:], 0, 0)


def _check_pulses(pulse_s: np.ndarray, where: str) -> np.ndarray:
    if not np.isfinite(pulse_s).all():
        raise CorruptDataError(
            f"{int((~np.isfinite(pulse_s)).sum())} frame triggers are not finite", where=where
        )
    if np.any(np.diff(pulse_s) < 0):
        raise CorruptDataError(
            "frame triggers are not in the order of time",
            where=where,
            remedy="Find out whether two recordings were joined.",
        )
    return pulse_s


def _drop_doubles(pulse_s: np.ndarray, interval_s: float) -> np.ndarray:
    """Keep a pulse unless it follows the last kept one too soon."""
    if np.diff(pulse_s).min() >= _DOUBLE_SHARE * interval_s:
        return pulse_s
    kept = [pulse_s[0]]
    for time in pulse_s[1:]:
        if time - kept[-1] >= _DOUBLE_SHARE * interval_s:
            kept.append(time)
    return np.array(kept)


def _check_rate(pulse_s: np.ndarray, nominal_s: float, where: str) -> float:
    interval_s = float(np.median(np.diff(pulse_s)))
    if not abs(interval_s - nominal_s) <= _RATE_TOLERANCE * nominal_s:
        raise InputError(
            "frame times do not match the movie: another frame rate",
            where=where,
            expected=f"{nominal_s * 1000:.3f} ms between triggers",
            found=f"{interval_s * 1000:.3f} ms",
            remedy="Correct frame_rate_hz of the movie or responses.frames_per_trigger.",
        )
    return interval_s


def _fill_gaps(pulse_s: np.ndarray, interval_s: float, where: str) -> tuple[np.ndarray, int]:
    steps = np.diff(pulse_s) / interval_s
    n_steps = np.rint(steps).astype(int)
    odd = np.flatnonzero(np.abs(steps - n_steps) > _GAP_TOLERANCE)
    if len(odd):
        raise CorruptDataError(
            "the gap between two frame triggers is no whole number of frames",
            where=where,
            expected=f"a multiple of {interval_s * 1000:.2f} ms",
            found=f"{np.diff(pulse_s)[odd[0]] * 1000:.2f} ms at {pulse_s[odd[0]]:.3f} s",
            remedy="Leave the trial out with valid_column.",
        )
    place = np.concatenate([[0], np.cumsum(n_steps)])
    times = np.interp(np.arange(place[-1] + 1), place, pulse_s)
    return times, int(place[-1] + 1 - len(pulse_s))
