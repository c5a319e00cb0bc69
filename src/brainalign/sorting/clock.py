"""Check that spikes, events and the recording lie on one clock."""

from __future__ import annotations

import numpy as np

from brainalign.errors import CorruptDataError

MAX_RATE_HZ = 1000.0
"""No neuron fires faster: its refractory period is about 1 ms (Kandel et al., ch. 7)."""

LONGEST_SHORTEST_INTERVAL_S = 0.5
"""In `MIN_SPIKES` spikes of one unit, some two lie closer, unless the times are no seconds."""

MIN_SPIKES = 200

MAX_REACH = 10.0
"""Spikes of a recording of unknown length end before this multiple of the last event's time."""


def check_clock(
    spike_times: list[np.ndarray],
    unit: list[str],
    duration_s: float | None,
    onset_s: np.ndarray,
    where: str,
) -> None:
    """Refuse spike times that cannot be seconds of this recording.

    Parameters
    ----------
    spike_times : list of array of shape (n_spikes,)
        Per unit, in s, ascending.
    unit : list of str
        Ids, for messages.
    duration_s : float or None
        Length of the recording, where it is known.
    onset_s : array of shape (n_events,)
        Onsets of what was shown.
    where : str
        The sort, for messages.

    Raises
    ------
    CorruptDataError
        If a rate is impossible, a spike or event lies beyond the recording, or spikes reach so far
        beyond the last event, or all intervals are so long, that the times must be milliseconds
        or samples.
    """
    for name, times in zip(unit, spike_times, strict=True):
        _check_times(times, f"{where} unit {name}")
    _check_rates(spike_times, unit, where)
    _check_intervals(spike_times, unit, where)
    if duration_s is None:
        _check_reach(spike_times, onset_s, where)
        return
    for name, times in zip(unit, spike_times, strict=True):
        n_beyond = int(np.count_nonzero(times > duration_s))
        if n_beyond:
            raise CorruptDataError(
                f"{n_beyond} spikes lie beyond the recording",
                where=f"{where} unit {name}",
                expected=f"at most {duration_s:.3f} s",
                found=f"{times[-1]:.3f} s",
                remedy="Check the sampling rate, and that sort and recording are of one session.",
            )
    n_late = int(np.count_nonzero(onset_s > duration_s))
    if n_late:
        raise CorruptDataError(
            f"{n_late} events lie beyond the recording",
            where=where,
            expected=f"at most {duration_s:.3f} s",
            found=f"{onset_s.max():.3f} s",
            remedy="Check onset_unit (s or samples), and the clock of the events.",
        )


def estimate_duration(
    spike_times: list[np.ndarray], onset_s: np.ndarray, stop_s: np.ndarray
) -> float:
    """Take the last spike or event as the end of a recording whose length nothing tells, in s."""
    last = [float(times[-1]) for times in spike_times if len(times)]
    return max([*last, float(onset_s.max(initial=0.0)), float(stop_s.max(initial=0.0))])


def _check_times(times: np.ndarray, where: str) -> None:
    if len(times) and not (np.isfinite(times).all() and times[0] >= 0):
        raise CorruptDataError(
            "spike times are negative or not finite", where=where, found=f"{times.min()} s"
        )
    if np.any(np.diff(times) < 0):
        raise CorruptDataError(
            "spike times are unsorted",
            where=where,
            remedy="Find out whether two units or two clocks were joined, and sort them.",
        )


def _check_rates(spike_times: list[np.ndarray], unit: list[str], where: str) -> None:
    for name, times in zip(unit, spike_times, strict=True):
        if len(times) < MIN_SPIKES:
            continue
        rate = (len(times) - 1) / max(float(times[-1] - times[0]), 1e-12)
        if rate > MAX_RATE_HZ:
            raise CorruptDataError(
                "the firing rate is impossible",
                where=f"{where} unit {name}",
                expected=f"at most {MAX_RATE_HZ:.0f} Hz",
                found=f"{rate:.0f} Hz",
                remedy="The times are not in the declared unit, or the sampling rate is wrong.",
            )


def _check_reach(spike_times: list[np.ndarray], onset_s: np.ndarray, where: str) -> None:
    last_spike = max((float(times[-1]) for times in spike_times if len(times)), default=0.0)
    last_event = float(onset_s.max(initial=0.0))
    if last_event > 0 and last_spike > MAX_REACH * last_event:
        raise CorruptDataError(
            "spike times reach far beyond the last event",
            where=where,
            expected=f"seconds, up to about {last_event:.1f} s",
            found=f"up to {last_spike:.1f}",
            remedy="They look like milliseconds or samples: set spike_time_unit: ms for this "
            "session, or duration_s if the recording is that long.",
        )


def _check_intervals(spike_times: list[np.ndarray], unit: list[str], where: str) -> None:
    shortest = {
        name: float(np.diff(times).min())
        for name, times in zip(unit, spike_times, strict=True)
        if len(times) >= MIN_SPIKES
    }
    if shortest and min(shortest.values()) > LONGEST_SHORTEST_INTERVAL_S:
        name = min(shortest, key=lambda key: shortest[key])
        raise CorruptDataError(
            f"no two of hundreds of spikes lie closer than {shortest[name]:.2f} s",
            where=f"{where} unit {name}",
            expected="seconds",
            found="intervals as of milliseconds",
            remedy="Set spike_time_unit: ms for this session, or correct its sampling rate.",
        )
