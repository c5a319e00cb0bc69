"""Run a spike sorter that comes with SpikeInterface on a raw recording."""

from __future__ import annotations

import contextlib
import functools
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import spikeinterface
import spikeinterface.sorters
from spikeinterface.sortingcomponents.peak_detection import matched_filtering

from brainalign.errors import InputError
from brainalign.sorting.channels import estimate_noise
from brainalign.sorting.options import SorterOptions
from brainalign.sorting.recordings import PreparedRecording
from brainalign.sorting.units import FoundUnits

MS_BEFORE, MS_AFTER = 1.0, 2.0  # of the mean waveforms around a spike
MAX_SPIKES = 500  # of a unit in its mean waveform
NOISE_S = 10.0  # of the recording in the estimate of noise
_JOBS = {"n_jobs": 1, "progress_bar": False, "chunk_duration": "1s"}


def run_sorter(
    prepared: PreparedRecording, options: SorterOptions, seed: int, where: str
) -> FoundUnits:
    """Sort a recording and average the waveforms of its units.

    Parameters
    ----------
    prepared : PreparedRecording
        Filtered and referenced.
    options : SorterOptions
        Name and parameters of the sorter.
    seed : int
        Of what the sorter draws.
    where : str
        The recording, for messages.

    Raises
    ------
    InputError
        If the sorter finds nothing or fails.

    Notes
    -----
    The sorter writes into a temporary folder. Units that share most of their spikes with a
    better one are removed (SpikeInterface's ``remove_redundant_units``).
    """
    recording = prepared.filtered
    parameters = _choose_parameters(options, seed)
    with tempfile.TemporaryDirectory(prefix="brainalign-sorting-") as scratch:
        try:
            with warnings.catch_warnings(), _seed_peak_detection(seed):
                # Sorters warn of every provenance that they cannot save; ours is in the NWB file.
                warnings.simplefilter("ignore")
                sorting = spikeinterface.sorters.run_sorter(
                    options.name,
                    recording,
                    folder=Path(scratch) / "sorter",
                    verbose=False,
                    raise_error=True,
                    **parameters,
                )
        except Exception as error:
            # Sorters raise whatever fails inside them.
            raise InputError(
                f"the sorter {options.name} failed",
                where=where,
                found=f"{type(error).__name__}: {str(error).strip().splitlines()[-1][:300]}",
                remedy="A recording without spikes above threshold cannot be sorted; check the "
                "gain and the filter, or try another sorter.",
            ) from error
        trains = [np.asarray(sorting.get_unit_spike_train(name)) for name in sorting.unit_ids]
    waveform = average_waveforms(recording, trains)
    kept = drop_redundant(trains, waveform, recording.get_sampling_frequency())
    rate = recording.get_sampling_frequency()
    return FoundUnits(
        unit=[str(sorting.unit_ids[row]) for row in kept],
        spike_times=[trains[row] / rate for row in kept],
        label=["unsorted"] * len(kept),
        duration_s=recording.get_num_samples() / rate,
        sampling_rate_hz=rate,
        channel_um=np.asarray(recording.get_channel_locations(), dtype=np.float64),
        waveform=waveform[kept],
        waveform_unit="uV",
        noise=_measure_noise(recording),
        bad_channels=prepared.bad_channels,
        sorter={
            "name": options.name,
            "version": spikeinterface.__version__,
            "parameters": {key: parameters[key] for key in parameters if key != "job_kwargs"},
            "spikeinterface": spikeinterface.__version__,
        },
    )


def average_waveforms(
    recording: spikeinterface.BaseRecording, trains: list[np.ndarray]
) -> np.ndarray:
    """Average the signal around the spikes of every unit.

    Parameters
    ----------
    recording : spikeinterface.BaseRecording
        Filtered recording.
    trains : list of array of shape (n_spikes,)
        Sample numbers per unit.

    Returns
    -------
    waveform : array of shape (n_units, n_times, n_channels), float32
        In microvolts, from `MS_BEFORE` before to `MS_AFTER` after the spike; evenly chosen
        spikes, at most `MAX_SPIKES`; NaN for units without.
    """
    rate = recording.get_sampling_frequency()
    before, after = round(MS_BEFORE * rate / 1000), round(MS_AFTER * rate / 1000)
    n_samples, chunk = recording.get_num_samples(), round(rate)
    total = np.zeros((len(trains), before + after, recording.get_num_channels()))
    count = np.zeros(len(trains))
    chosen = [_choose(times, before, n_samples - after) for times in trains]
    for start in range(0, n_samples, chunk):
        stop = min(start + chunk, n_samples)
        low, high = max(0, start - before), min(n_samples, stop + after)
        signal = None
        for row, times in enumerate(chosen):
            own = times[np.searchsorted(times, start) : np.searchsorted(times, stop)]
            if not len(own):
                continue
            if signal is None:
                signal = recording.get_traces(start_frame=low, end_frame=high, return_in_uV=True)
            window = own[:, None] + np.arange(-before, after) - low
            total[row] += signal[window].sum(axis=0)
            count[row] += len(own)
    with np.errstate(invalid="ignore"):
        return (total / count[:, None, None]).astype(np.float32)


def drop_redundant(
    trains: list[np.ndarray], waveform: np.ndarray, rate: float, max_share: float = 0.8
) -> list[int]:
    """List the units that are no copies of another one.

    Parameters
    ----------
    trains : list of array of shape (n_spikes,)
        Sample numbers per unit, ascending.
    waveform : array of shape (n_units, n_times, n_channels)
        Mean waveforms.
    rate : float
        Samples per second.
    max_share : float
        A unit that shares more of its spikes (within 0.4 ms) with a larger one is a copy.

    Returns
    -------
    kept : list of int
        Rows; of two copies that with the larger waveform, else the one with more spikes.
    """
    delta = round(0.0004 * rate)
    size = np.nan_to_num(np.ptp(waveform, axis=1).max(axis=1)) if len(waveform) else np.empty(0)
    order = sorted(range(len(trains)), key=lambda row: (-size[row], -len(trains[row])))
    kept: list[int] = []
    for row in order:
        shares = [_share_spikes(trains[row], trains[other], delta) for other in kept]
        if not shares or max(shares) < max_share:
            kept.append(row)
    return sorted(kept)


@contextlib.contextmanager
def _seed_peak_detection(seed: int) -> Iterator[None]:
    """Let the thresholds of peak detection follow the seed.

    SpikeInterface 0.105.3 draws the stretches for them without one, so that the same recording
    gives other units every time; the version is pinned, and a test says when this is no longer so.
    """
    draw = matched_filtering.get_random_data_chunks
    matched_filtering.get_random_data_chunks = functools.partial(draw, seed=seed)
    try:
        yield
    finally:
        matched_filtering.get_random_data_chunks = draw


def _share_spikes(times: np.ndarray, other: np.ndarray, delta: int) -> float:
    """Share of spikes with a spike of the other unit nearby."""
    if not len(times) or not len(other):
        return 0.0
    place = np.searchsorted(other, times)
    before = np.abs(times - other[np.clip(place - 1, 0, None)])
    after = np.abs(times - other[np.clip(place, None, len(other) - 1)])
    return float(np.mean(np.minimum(before, after) <= delta))


def _choose(times: np.ndarray, low: int, high: int) -> np.ndarray:
    inside = times[(times >= low) & (times < high)]
    if len(inside) <= MAX_SPIKES:
        return inside
    return inside[np.linspace(0, len(inside) - 1, MAX_SPIKES).astype(int)]


def _measure_noise(recording: spikeinterface.BaseRecording) -> np.ndarray:
    n_samples = min(
        recording.get_num_samples(), round(NOISE_S * recording.get_sampling_frequency())
    )
    signal = recording.get_traces(start_frame=0, end_frame=n_samples, return_in_uV=True)
    return estimate_noise(signal)


def _choose_parameters(options: SorterOptions, seed: int) -> dict[str, Any]:
    parameters: dict[str, Any] = {"job_kwargs": _JOBS, "apply_preprocessing": False, "seed": seed}
    if options.name == "spykingcircus2":
        parameters["apply_motion_correction"] = options.motion_correction
    if options.name == "tridesclous2":
        parameters["apply_motion_correction"] = options.motion_correction
    known = spikeinterface.sorters.get_default_sorter_params(options.name)
    unknown = sorted(set(options.parameters) - set(known))
    if unknown:
        raise InputError(
            f"the sorter {options.name} has no parameter '{unknown[0]}'",
            expected=", ".join(sorted(known)),
        )
    return {key: value for key, value in parameters.items() if key in known} | options.parameters
