"""Decide which units to keep, by thresholds, and say why others were left out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from brainalign.sorting.metrics import (
    compute_isi_violation_share,
    compute_presence_ratio,
    compute_snr,
)
from brainalign.sorting.options import CurationOptions
from brainalign.sorting.units import FoundUnits


def curate(found: FoundUnits, duration_s: float, options: CurationOptions) -> pd.DataFrame:
    """Compute the quality metrics of all units and choose among them.

    Parameters
    ----------
    found : FoundUnits
        Units of one session.
    duration_s : float
        Length of the recording.
    options : CurationOptions
        Thresholds.

    Returns
    -------
    table : pandas.DataFrame
        One row per unit, in their order: ``unit``, ``n_spikes``, ``firing_rate_hz``,
        ``presence_ratio``, ``isi_violation_share``, ``snr``, ``label``, ``quality`` (good or
        mua), ``kept`` and ``reason`` (why not; empty for kept ones). Metrics that nothing tells
        are NaN and exclude nothing.
    """
    trains = found.spike_times
    snr = np.full(len(trains), np.nan)
    if found.waveform is not None and found.noise is not None and len(trains):
        known = np.isfinite(found.waveform).all(axis=(1, 2))
        snr[known] = compute_snr(found.waveform[known], found.noise)
    table = pd.DataFrame(
        {
            "unit": found.unit,
            "n_spikes": [len(times) for times in trains],
            "firing_rate_hz": [len(times) / duration_s for times in trains],
            "presence_ratio": [
                compute_presence_ratio(times, duration_s, options.presence_bin_s)
                for times in trains
            ],
            "isi_violation_share": [
                compute_isi_violation_share(times, options.refractory_ms) for times in trains
            ],
            "snr": snr,
            "label": found.label,
        }
    )
    table["quality"] = [_name_quality(row, options) for row in table.itertuples()]
    table["reason"] = [_find_reason(row, options) for row in table.itertuples()]
    table["kept"] = table["reason"] == ""
    return table


def _name_quality(row: object, options: CurationOptions) -> str:
    label = getattr(row, "label", "unsorted")
    if options.trust_labels and label in ("good", "mua"):
        return str(label)
    violations = getattr(row, "isi_violation_share", np.nan)
    return "mua" if violations > options.max_isi_violation_share else "good"


def _find_reason(row: object, options: CurationOptions) -> str:
    """Name the first threshold that a unit misses."""
    if getattr(row, "n_spikes", 0) == 0:
        return "no spikes"
    if options.trust_labels and getattr(row, "label", "") == "noise":
        return "labelled noise"
    if getattr(row, "firing_rate_hz", 0.0) < options.min_firing_rate_hz:
        return f"rate below {options.min_firing_rate_hz:g} Hz"
    if getattr(row, "presence_ratio", 0.0) < options.min_presence_ratio:
        return f"presence ratio below {options.min_presence_ratio:g}"
    if getattr(row, "snr", np.nan) < options.min_snr:
        return f"SNR below {options.min_snr:g}"
    if getattr(row, "quality", "") == "mua" and not options.keep_multi_unit:
        return "multi-unit"
    return ""
