"""Find spike times that are in other units than they claim to be, by impossible rates."""

from __future__ import annotations

import numpy as np

from brainalign.errors import CorruptDataError

# Spikes that reach this many times beyond the recording are on another clock; milliseconds taken
# for seconds reach a thousand times.
_MAX_REACH = 10.0
# Cells may fall silent long before the last trial; a thousandth is another unit of time.
_MAX_SILENCE = 100.0
# Fewer spikes than these may come in a burst; a rate needs a train.
_LONGEST_BURST = 100


def check_spike_clock(
    spike_times: list[np.ndarray],
    start_s: float,
    stop_s: float,
    max_rate_hz: float,
    where: str,
) -> None:
    """Refuse spike times that cannot be seconds on the clock of the stimuli.

    Parameters
    ----------
    spike_times : list of array of shape (n_spikes,)
        Per unit, in s, ascending.
    start_s, stop_s : float
        When the first trial starts and the last ends, in s.
    max_rate_hz : float
        Mean rate that no cell reaches.
    where : str
        Name of the file, for messages.

    Raises
    ------
    CorruptDataError
        If spikes reach far beyond the last trial or trials beyond the last spike, a unit fires
        faster than possible, or no spike of any unit falls between first and last trial.

    Notes
    -----
    Milliseconds taken for seconds make the recording a thousand times too long and nearly
    silent during the stimuli; seconds taken for milliseconds give rates beyond any cell's.
    """
    last = max((float(times[-1]) for times in spike_times if len(times)), default=0.0)
    if last > _MAX_REACH * stop_s:
        raise CorruptDataError(
            "spike times reach far beyond the last trial",
            where=where,
            expected=f"seconds, up to about {stop_s:.1f} s",
            found=f"up to {last:.1f}",
            remedy="They look like milliseconds or samples: convert them to seconds.",
        )
    if last and stop_s > _MAX_SILENCE * last:
        raise CorruptDataError(
            "trials reach far beyond the last spike",
            where=where,
            expected=f"seconds, up to about {last:.1f} s",
            found=f"up to {stop_s:.1f}",
            remedy="They look like milliseconds or samples: convert them to seconds.",
        )
    for row, times in enumerate(spike_times):
        if len(times) <= _LONGEST_BURST:
            continue
        span = float(times[-1] - times[0])
        if len(times) > max_rate_hz * span:
            rate = len(times) / span if span > 0 else np.inf
            raise CorruptDataError(
                "an impossible firing rate",
                where=f"{where} unit row {row}",
                expected=f"at most {max_rate_hz:g} Hz",
                found=f"{len(times)} spikes in {span:.3f} s, {rate:.0f} Hz",
                remedy="The spike times look too short: convert them to seconds.",
            )
    if any(map(len, spike_times)) and not any(
        np.searchsorted(times, stop_s) > np.searchsorted(times, start_s) for times in spike_times
    ):
        raise CorruptDataError(
            "no unit has a spike between the first and the last trial",
            where=where,
            expected=f"spikes from {start_s:.1f} to {stop_s:.1f} s",
            found=f"spikes up to {last:.1f} s",
            remedy="Spikes and trials are on different clocks or in different units.",
        )
