"""Responses to the presentations of one run, by the configured estimate."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainalign.errors import InputError
from brainalign.raw.bids.dataset import BIDSFolder, BOLDRun
from brainalign.raw.bids.volumes import VolumeHeader, read_voxels
from brainalign.responses.fmri_blocks import average_windows, join_blocks, lock_to_onsets
from brainalign.responses.fmri_cleaning import clean_series, compose_nuisance, read_confounds
from brainalign.responses.fmri_glm import (
    compute_trial_regressors,
    estimate_lsa,
    estimate_lss,
    prepare_series,
)
from brainalign.responses.fmri_options import FMRIResponseOptions
from brainalign.responses.fmri_regions import Voxels

_ROUNDING = 1e-7  # of a constant voxel that was scaled in single precision


@dataclass(frozen=True)
class RunPlan:
    """A run and what is known before its volumes are read.

    Parameters
    ----------
    run : BOLDRun
        The files.
    header : VolumeHeader
        Of the volumes.
    tr_s : float
        Repetition time in s.
    presentations : pandas.DataFrame
        ``stimulus``, ``onset_s`` and ``duration_s``: events, or blocks of events.
    """

    run: BOLDRun
    header: VolumeHeader
    tr_s: float
    presentations: pd.DataFrame


@dataclass(frozen=True)
class RunResponses:
    """What one run gives.

    Parameters
    ----------
    response : array of shape (n_presentations, n_voxels), float32
        NaN throughout for a presentation that could not be estimated.
    not_finite, constant : array of shape (n_voxels,), bool
        Voxels that cannot be used.
    cleaned : array of shape (n_volumes, n_voxels), float32, or None
        The cleaned series, for ``estimate: time_series``.
    windows : array of shape (n_presentations, n_lags, n_voxels), float32, or None
        The series after each onset, likewise.
    """

    response: np.ndarray
    not_finite: np.ndarray
    constant: np.ndarray
    cleaned: np.ndarray | None = None
    windows: np.ndarray | None = None


def plan_runs(
    dataset: BIDSFolder, runs: list[BOLDRun], options: FMRIResponseOptions
) -> list[RunPlan]:
    """Read headers and events of all runs; runs may differ in length.

    Raises
    ------
    InputError
        If runs lie on different grids, or no run shows a stimulus.
    """
    plans = []
    for run in runs:
        header, tr_s = dataset.read_run_header(run)
        events = dataset.read_run_events(run, header.n_volumes * tr_s)
        if options.estimate == "block_mean":
            events = join_blocks(events, options.block_gap_s)
        plans.append(RunPlan(run, header, tr_s, events))
    if not any(len(plan.presentations) for plan in plans):
        raise InputError(
            f"no presentation of a stimulus in any run of sub-{runs[0].subject}",
            where=runs[0].events,
            remedy="Set events.stimulus_column to the column that names stimuli.",
        )
    return plans


def list_lags(options: FMRIResponseOptions, tr_s: float) -> np.ndarray:
    """List the lags of onset-locked windows, in volumes from that of the onset."""
    return np.arange(int(np.ceil(options.window_s[1] / tr_s)) + 1)


def read_signals(plan: RunPlan, voxels: Voxels) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Read the signals of a run; voxels that are not finite are 0 and marked.

    Returns
    -------
    series : array of shape (n_volumes, n_voxels), float32
    not_finite, constant : array of shape (n_voxels,), bool
    """
    series = read_voxels(plan.header, voxels.index)
    not_finite = ~np.isfinite(series.sum(axis=0, dtype=np.float64))
    series[:, not_finite] = 0
    low, high = series.min(axis=0), series.max(axis=0)
    constant = (high - low) <= _ROUNDING * np.maximum(np.abs(high), 1e-12)
    return series, not_finite, constant & ~not_finite


def estimate_run(plan: RunPlan, voxels: Voxels, options: FMRIResponseOptions) -> RunResponses:
    """Read, clean and estimate the responses of one run.

    Parameters
    ----------
    plan : RunPlan
        The run.
    voxels : Voxels
        What is read of its volumes.
    options : FMRIResponseOptions
        Cleaning and estimate; ``glmsingle`` works on all runs at once and not here.

    Notes
    -----
    Holds the series of one run, which is overwritten step by step, and its responses.
    """
    series, not_finite, constant = read_signals(plan, voxels)
    n_volumes, tr_s = len(series), plan.tr_s
    confounds, kept = read_confounds(plan.run, n_volumes, options.confounds)
    events = plan.presentations
    onset = events["onset_s"].to_numpy(dtype=np.float64)
    if options.estimate in ("lsa", "lss"):
        if not len(events):
            return RunResponses(np.empty((0, series.shape[1]), np.float32), not_finite, constant)
        nuisance = compose_nuisance(confounds, n_volumes, tr_s, options.high_pass_hz)[kept]
        regressors = compute_trial_regressors(events, n_volumes, tr_s, options.hrf_model)[kept]
        # Leaving scrubbed volumes out is the same as a regressor for each of them.
        series = series if kept.all() else series[kept]
        series = prepare_series(series, nuisance, options.standardisation)
        if options.estimate == "lsa":
            response = estimate_lsa(series, regressors, nuisance, options.noise_model)
        else:
            response = estimate_lss(series, regressors, nuisance)
        return RunResponses(response, not_finite, constant)
    series = clean_series(
        series, confounds, tr_s, options.high_pass_hz, options.standardisation, kept
    )
    if options.estimate == "block_mean":
        start = onset + options.window_s[0]
        stop = start + np.maximum(events["duration_s"].to_numpy(dtype=np.float64), tr_s)
        response = average_windows(series, start, stop, tr_s)
        return RunResponses(response, not_finite, constant)
    start, stop = (onset + edge for edge in options.window_s)
    response = average_windows(series, start, stop, tr_s)
    windows = lock_to_onsets(series, onset, list_lags(options, tr_s), tr_s)
    return RunResponses(response, not_finite, constant, series, windows)
