"""What a sorter found in one session."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class FoundUnits:
    """Units of one session before curation.

    Parameters
    ----------
    unit : list of str
        Cluster ids of the sorter.
    spike_times : list of array of shape (n_spikes,)
        In s, ascending, one per unit; empty for clusters without spikes.
    label : list of str
        ``good``, ``mua``, ``noise``, or ``unsorted`` where nobody labelled.
    duration_s : float or None
        Length of the recording; None where only spikes are known.
    sampling_rate_hz : float or None
        Of the recording.
    channel_um : array of shape (n_channels, 2) or None
        Places of the good channels in micrometres.
    waveform : array of shape (n_units, n_times, n_channels) or None
        Mean waveforms; NaN for units without.
    waveform_unit : str
        ``uV`` or ``a.u.``.
    noise : array of shape (n_channels,) or None
        Noise of the filtered channels in the waveforms' unit, where a recording tells it.
    bad_channels : dict of str to str
        What is wrong with channels that were left out, by id.
    sorter : dict
        Name, version and parameters; JSON values.
    """

    unit: list[str]
    spike_times: list[np.ndarray]
    label: list[str]
    duration_s: float | None
    sampling_rate_hz: float | None
    channel_um: np.ndarray | None = None
    waveform: np.ndarray | None = None
    waveform_unit: str = "uV"
    noise: np.ndarray | None = None
    bad_channels: dict[str, str] = field(default_factory=dict)
    sorter: dict[str, Any] = field(default_factory=dict)
