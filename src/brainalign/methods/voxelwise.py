"""Linear encoding models and noise ceilings of many units, block by block.

A unit's result depends on no other unit, so that blocks give what all units at once would.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from brainalign.methods.direct.options import RidgeOptions
from brainalign.methods.direct.regression import FitContext, RegressionPairs
from brainalign.methods.direct.ridge import RidgeRegression
from brainalign.methods.normalisation import fit_standardisation
from brainalign.responses.build import normalise_responses
from brainalign.responses.reliability import estimate_noise_ceiling, split_half_reliability
from brainalign.responses.repeats import mean_over_repeats
from brainalign.stimuli.read import StimulusSplits
from brainalign.stores.blocks import UnitBlocks
from brainalign.stores.read import read_labels


@dataclass(frozen=True)
class VoxelwiseJob:
    """What the blocks of one subject share.

    Attributes
    ----------
    described : xarray.Dataset
        The response store without its responses: stimuli, sessions and statistics.
    splits : StimulusSplits
        Training, validation and test stimuli per fold.
    stimulus : array of shape (n_stimuli,) of str
        Stimuli of the features.
    feature : array of shape (n_stimuli, n_features), float32
        Features, in this order.
    normalisation : {"session_zscore", "none"}
        As for `normalise_responses`.
    alphas : list of float
        Penalties to choose from, one per unit by cross-validation.
    seed : int
        Of the folds in training and of the half splits.
    n_half_splits : int
        Random halves of the repeats for the reliability.
    min_repeated_stimuli : int
        Repeated stimuli that a unit needs for ceiling and reliability.
    """

    described: xr.Dataset
    splits: StimulusSplits
    stimulus: np.ndarray
    feature: np.ndarray
    normalisation: str
    alphas: list[float]
    seed: int
    n_half_splits: int
    min_repeated_stimuli: int


def encode_block(blocks: UnitBlocks, units: slice, job: VoxelwiseJob) -> dict[str, np.ndarray]:
    """Fit and judge the encoding models of one block of units, and estimate their ceilings.

    Parameters
    ----------
    blocks : UnitBlocks
        Raw responses.
    units : slice
        Units of the block.
    job : VoxelwiseJob
        What all blocks share.

    Returns
    -------
    results : dict of str to array
        ``correlation (fold, unit)``, ``penalty (fold, unit)`` as of `encode_units`, and
        ``noise_ceiling (unit)``, ``reliability (unit)`` of the first fold's responses.
    """
    response = blocks.read(units)
    presented = read_labels(job.described, "stimulus")
    folds = []
    described: dict[str, np.ndarray] = {}
    for fold in range(job.splits.n_folds):
        part = job.described.isel(unit=units, missing_dims="ignore").assign(
            response=(("presentation", "unit"), response)
        )
        normalised = normalise_responses(part, fold, job.normalisation)
        if not fold:
            described = describe_units(normalised, presented, job)
        folds.append(encode_units(normalised, presented, fold, job))
    stacked = {name: np.stack([result[name] for result in folds]) for name in folds[0]}
    return {**stacked, **described}


def describe_units(
    response: np.ndarray, presented: np.ndarray, job: VoxelwiseJob
) -> dict[str, np.ndarray]:
    """Estimate noise ceiling and reliability.

    Parameters
    ----------
    response : array of shape (n_presentations, n_units)
        Normalised responses.
    presented : array of shape (n_presentations,) of str
        Stimulus of each presentation.
    job : VoxelwiseJob
        Numbers of splits and of repeated stimuli.

    Returns
    -------
    described : dict of str to array of shape (n_units,)
        ``noise_ceiling`` (share of the variance of means over repeats that can be explained) and
        ``reliability``; NaN for silent, constant and unrepeated units.
    """
    ceiling = estimate_noise_ceiling(
        response, presented, min_repeated_stimuli=job.min_repeated_stimuli
    )
    reliability = split_half_reliability(
        response,
        presented,
        n_splits=job.n_half_splits,
        seed=job.seed,
        min_repeated_stimuli=job.min_repeated_stimuli,
    )
    return {"noise_ceiling": ceiling.repeat_mean, "reliability": reliability}


def encode_units(
    response: np.ndarray, presented: np.ndarray, fold: int, job: VoxelwiseJob
) -> dict[str, np.ndarray]:
    """Fit a ridge regression per unit and correlate its predictions with the test responses.

    Parameters
    ----------
    response : array of shape (n_presentations, n_units)
        Normalised responses.
    presented : array of shape (n_presentations,) of str
        Stimulus of each presentation.
    fold : int
        Fold of the splits.
    job : VoxelwiseJob
        Features, splits and penalties.

    Returns
    -------
    scores : dict of str to array of shape (n_units,)
        ``correlation``: Pearson over test stimuli between prediction and mean response;
        ``penalty``: that of the unit, chosen by cross-validation in training. Both are NaN for
        units that do not vary in training or lack a response to a stimulus.

    Notes
    -----
    himalaya solves the regressions (Dupré la Tour et al. 2022). Validation stimuli are left
    out: the penalty is chosen within training.
    """
    means = [
        _average(response, presented, job.splits.list_stimuli(fold, split))
        for split in ("train", "test")
    ]
    (train_stimuli, train), (test_stimuli, test) = means
    spread = train.std(axis=0)
    usable = np.isfinite(spread) & (spread > 0) & np.isfinite(test).all(axis=0)
    correlation, penalty = (np.full(response.shape[1], np.nan) for _ in range(2))
    if usable.any():
        scale = fit_standardisation(_take(job, train_stimuli), where="features")
        inputs = scale.apply(_take(job, train_stimuli), where="features")
        targets = (train[:, usable] - train[:, usable].mean(axis=0)) / spread[usable]
        pairs = RegressionPairs(inputs, targets.astype(np.float32))
        ridge = RidgeRegression(RidgeOptions(alphas=job.alphas, alpha_selection="per_target_cv"))
        ridge.fit(pairs, pairs, FitContext(seed=job.seed))
        predicted = ridge.predict(scale.apply(_take(job, test_stimuli), where="features"))
        correlation[usable] = _correlate(predicted, test[:, usable].astype(np.float64))
        penalty[usable] = ridge.alpha
    return {"correlation": correlation, "penalty": penalty}


def _average(
    response: np.ndarray, presented: np.ndarray, stimuli: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    shown = stimuli[np.isin(stimuli, presented)]
    return shown, mean_over_repeats(response, presented, shown)[0]


def _take(job: VoxelwiseJob, stimuli: np.ndarray) -> np.ndarray:
    order = np.argsort(job.stimulus)
    return job.feature[order[np.searchsorted(job.stimulus, stimuli, sorter=order)]]


def _correlate(predicted: np.ndarray, measured: np.ndarray) -> np.ndarray:
    first, second = predicted - predicted.mean(axis=0), measured - measured.mean(axis=0)
    scale = np.sqrt((first**2).sum(axis=0) * (second**2).sum(axis=0))
    undefined = np.full(predicted.shape[1], np.nan)
    return np.divide((first * second).sum(axis=0), scale, out=undefined, where=scale > 0)
