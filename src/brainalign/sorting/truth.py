"""Compare sorted units with planted ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import spikeinterface
import spikeinterface.comparison

from brainalign.errors import CorruptDataError, InputError

WELL_ISOLATED_SNR = 8.0
"""Planted peak over noise from which on a sorter must find a cell."""


def compare_with_truth(
    path: Path, unit: list[str], spike_times: list[np.ndarray], sampling_rate_hz: float
) -> pd.DataFrame:
    """Match units with planted cells.

    Parameters
    ----------
    path : Path
        ``truth.npz`` of simulated electrodes.
    unit : list of str
        Ids of the units.
    spike_times : list of array of shape (n_spikes,)
        In s.
    sampling_rate_hz : float
        Of the recording.

    Returns
    -------
    table : pandas.DataFrame
        One row per planted cell: ``cell``, ``n_spikes``, ``snr``, ``is_well_isolated``, matched
        ``unit`` (empty for none), ``accuracy``, ``precision``, ``recall``.

    Notes
    -----
    SpikeInterface's ``compare_sorter_to_ground_truth``, spikes within 0.4 ms, one unit per cell;
    accuracy is hits / (hits + misses + false positives).
    """
    if not path.is_file():
        raise InputError("no such file of planted spikes", where=path)
    try:
        with np.load(path, allow_pickle=False) as truth:
            cells = [str(name) for name in truth["cell"]]
            ends = np.cumsum(truth["n_spikes"])
            samples = np.split(truth["spike_sample"], ends[:-1])
            snr = truth["snr"]
    except (OSError, ValueError, KeyError) as error:
        raise CorruptDataError("cannot be read", where=path, found=str(error)) from error
    planted = _make_sorting(cells, samples, sampling_rate_hz)
    found = _make_sorting(
        unit, [np.round(times * sampling_rate_hz) for times in spike_times], sampling_rate_hz
    )
    table = pd.DataFrame(
        {
            "cell": cells,
            "n_spikes": [len(times) for times in samples],
            "snr": np.round(snr, 2),
            "is_well_isolated": snr >= WELL_ISOLATED_SNR,
            "unit": "",
            "accuracy": 0.0,
            "precision": 0.0,
            "recall": 0.0,
        }
    )
    if not unit:
        return table
    comparison = spikeinterface.comparison.compare_sorter_to_ground_truth(
        planted, found, delta_time=0.4, exhaustive_gt=True
    )
    performance = comparison.get_performance()
    for name in ("accuracy", "precision", "recall"):
        values = performance[name].loc[cells].to_numpy(dtype=float)
        table[name] = np.round(np.nan_to_num(values), 4)
    # Hungarian matching marks cells without a unit by an empty text or -1.
    matches = comparison.hungarian_match_12.loc[cells].astype(str)
    table["unit"] = [match if match in unit else "" for match in matches]
    return table


def _make_sorting(
    names: list[str], samples: list[np.ndarray], rate: float
) -> spikeinterface.BaseSorting:
    trains = {
        name: np.asarray(times, dtype=np.int64) for name, times in zip(names, samples, strict=True)
    }
    return spikeinterface.NumpySorting.from_unit_dict([trains], rate)
