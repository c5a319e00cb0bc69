"""What is said of every voxel of a response store: training statistics, reliability, ceilings."""

from __future__ import annotations

import numpy as np
import xarray as xr

from brainalign.responses.fmri_options import VoxelResponseOptions
from brainalign.responses.normalisation import apply_session_statistics, compute_session_statistics
from brainalign.responses.reliability import (
    classify_units,
    estimate_noise_ceiling,
    split_half_reliability,
)

# Voxels whose z-scores are in memory while reliabilities are computed: about ten copies of them in
# single precision, so a sixtieth of the voxels costs a sixth of the responses.
_SHARE_PER_BLOCK = 1 / 60
_FEWEST_VOXELS, _MOST_VOXELS = 64, 2048


def summarise_voxels(
    response: np.ndarray,
    unusable: dict[str, np.ndarray],
    stimulus: np.ndarray,
    session: np.ndarray,
    training: np.ndarray,
    options: VoxelResponseOptions,
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Compute training statistics, reliability and noise ceilings, block by block of voxels.

    Parameters
    ----------
    response : array of shape (n_presentations, n_voxels)
        In memory or in a file.
    unusable : dict of str to array of shape (n_voxels,), bool
        Why a voxel cannot be used → which; the last reason wins.
    stimulus, session : array of shape (n_presentations,) of str
        What was shown, and when.
    training : array of shape (n_folds, n_presentations), bool
        Presentations of training stimuli per fold.
    options : VoxelResponseOptions
        Half splits and how many repeated stimuli are needed.

    Returns
    -------
    statistics : dict of str to array of shape (n_folds, n_sessions, n_voxels), float32
        ``training_mean`` and ``training_sd``, sessions sorted by name.
    summary : dict of str to array of shape (n_voxels,)
        ``unit_status``, ``reliability``, ``noise_ceiling``, ``single_trial_ceiling``; of responses
        z-scored per session over all stimuli: they describe the recording and choose nothing.
    """
    names = np.unique(session)
    n_voxels = response.shape[1]
    shape = (len(training), len(names), n_voxels)
    mean, sd = np.empty(shape, np.float32), np.empty(shape, np.float32)
    summary: dict[str, np.ndarray] = {
        name: np.full(n_voxels, np.nan, np.float32)
        for name in ("reliability", "noise_ceiling", "single_trial_ceiling")
    }
    status = np.full(n_voxels, "ok", dtype="<U15")
    everything = np.ones(len(stimulus), dtype=bool)
    share = round(n_voxels * _SHARE_PER_BLOCK)
    n_together = min(max(share, _FEWEST_VOXELS), _MOST_VOXELS)
    for start in range(0, n_voxels, n_together):
        block = slice(start, start + n_together)
        values = np.asarray(response[:, block])
        for fold, row in enumerate(training):
            mean[fold, :, block], sd[fold, :, block] = compute_session_statistics(
                values, session, names, row
            )
        described = apply_session_statistics(
            values, session, names, *compute_session_statistics(values, session, names, everything)
        )
        status[block] = classify_units(values, stimulus, options.min_repeated_stimuli)
        ceiling = estimate_noise_ceiling(
            described, stimulus, min_repeated_stimuli=options.min_repeated_stimuli
        )
        summary["noise_ceiling"][block] = ceiling.repeat_mean
        summary["single_trial_ceiling"][block] = ceiling.single_trial
        summary["reliability"][block] = split_half_reliability(
            described,
            stimulus,
            n_splits=options.n_half_splits,
            seed=options.seed,
            min_repeated_stimuli=options.min_repeated_stimuli,
        )
    for reason, which in unusable.items():
        status[which] = reason
    for values in summary.values():
        values[status != "ok"] = np.nan
    return {"training_mean": mean, "training_sd": sd}, {"unit_status": status, **summary}


def describe_variables(dataset: xr.Dataset, estimate: str, unit: str) -> None:
    """Give every variable of a response store of voxels its long name and units.

    Parameters
    ----------
    dataset : xarray.Dataset
        Changed in place; names that are not known describe themselves.
    estimate : str
        What a response is.
    unit : str
        Of the responses.
    """
    descriptions = {
        "response": (f"response to a presentation ({estimate})", unit),
        "training_mean": ("mean over presentations of training stimuli", unit),
        "training_sd": ("standard deviation over presentations of training stimuli", unit),
        "cleaned_series": ("series without drifts and confounds", unit),
        "onset_locked": ("cleaned series after each onset", unit),
        "reference_volume": ("first volume of the first run", "scanner unit"),
        "affine": ("from voxel indices to mm", "mm"),
        "unit_status": ("ok, or why the voxel is left out of means", "1"),
        "reliability": ("split-half reliability, Spearman-Brown corrected", "1"),
        "noise_ceiling": ("explainable share of the variance of the mean over repeats", "1"),
        "single_trial_ceiling": ("explainable share of the variance of one presentation", "1"),
        "unit": ("voxel id, its indices", "1"),
        "area": ("region of the voxel", "1"),
        "voxel_index": ("voxel indices, from 0", "1"),
        "coordinate_mm": ("place in the space of the volumes", "mm"),
        "axis": ("axes of the volumes", "1"),
        "stimulus": ("id of the presented stimulus", "1"),
        "repeat": ("number of the presentation among those of its stimulus, from 0", "1"),
        "session": ("session of the presentation", "1"),
        "run": ("run of the presentation", "1"),
        "onset": ("stimulus onset after the start of the run", "s"),
        "session_name": ("sessions, for the training statistics", "1"),
        "lag": ("time after the volume of the onset", "s"),
        "volume_run": ("run of the volume", "1"),
        "volume_session": ("session of the volume", "1"),
        "ncsnr": ("published noise ceiling signal-to-noise ratio", "1"),
        "grayordinate": ("column in the CIFTI series, from 0", "1"),
        "structure": ("structure of CIFTI that the unit belongs to", "1"),
        "vertex": ("vertex on the surface, from 0; -1 for a voxel", "1"),
        "volume_time": ("start of the volume after the start of its run", "s"),
    }
    for name, variable in dataset.variables.items():
        long_name, units = descriptions.get(str(name), (str(name).replace("_", " "), "1"))
        variable.attrs.update({"long_name": long_name, "units": units})
