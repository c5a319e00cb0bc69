"""Single-trial responses of one run by general linear models.

LSA models all trials at once; LSS models each trial against the sum of all others (Mumford,
Turner, Ashby & Poldrack 2012). Both are solved for all voxels at once after drifts and confounds
have been projected out of signals and regressors, which by the theorem of Frisch, Waugh and Lovell
gives the weights of the full models; tests compare them with nilearn's own fits.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from nilearn.glm.first_level import run_glm
from nilearn.glm.first_level.hemodynamic_models import compute_regressor

from brainalign.errors import InputError
from brainalign.responses.fmri_cleaning import find_basis, project_out

_STEPS_PER_TR = 20  # of the grid on which events are convolved
_INDEPENDENT = 1e-6  # share of a regressor's power that must be its own


def compute_trial_regressors(
    events: pd.DataFrame, n_volumes: int, tr_s: float, hrf_model: str
) -> np.ndarray:
    """Convolve every trial with the canonical response.

    Parameters
    ----------
    events : pandas.DataFrame
        Columns ``onset_s`` and ``duration_s``.
    n_volumes : int
        Volumes of the run.
    tr_s : float
        Repetition time in s; volumes count at their start.
    hrf_model : {"glover", "spm"}
        As nilearn names it.

    Returns
    -------
    regressors : array of shape (n_volumes, n_trials)
        Scaled to a peak of 1, so that a weight has the unit of the signal at the response's peak.
    """
    frame_times = np.arange(n_volumes) * tr_s
    columns = [
        compute_regressor(
            (np.array([onset]), np.array([duration]), np.array([1.0])),
            hrf_model,
            frame_times,
            oversampling=_STEPS_PER_TR,
        )[0][:, 0]
        for onset, duration in zip(events["onset_s"], events["duration_s"], strict=True)
    ]
    regressors = np.stack(columns, axis=1)
    # One scale for all: a trial cut off by the scan's end keeps its true size.
    peak = np.abs(regressors).max()
    return regressors / (peak if peak > 0 else 1.0)


def estimate_lsa(
    series: np.ndarray, regressors: np.ndarray, nuisance: np.ndarray, noise_model: str = "ols"
) -> np.ndarray:
    """Estimate the weights of all trials in one model.

    Parameters
    ----------
    series : array of shape (n_volumes, n_voxels)
        Signals.
    regressors : array of shape (n_volumes, n_trials)
        From :func:`compute_trial_regressors`.
    nuisance : array of shape (n_volumes, n_regressors)
        Drifts, confounds and the mean.
    noise_model : {"ols", "ar1"}
        White noise, or nilearn's AR(1) model.

    Returns
    -------
    weight : array of shape (n_trials, n_voxels), float32

    Raises
    ------
    InputError
        If trials cannot be told apart from each other and from the nuisance.
    """
    n_trials = regressors.shape[1]
    basis = find_basis(nuisance)
    own = regressors - basis @ (basis.T @ regressors)
    values = np.linalg.svd(own, compute_uv=False)
    if n_trials > len(series) - basis.shape[1] or values[-1] < _INDEPENDENT * values[0]:
        raise InputError(
            "a model of all trials cannot tell them apart",
            expected=f"fewer trials than volumes less regressors "
            f"({len(series)} - {basis.shape[1]})",
            found=f"{n_trials} trials",
            remedy="Set responses.estimate: lss.",
        )
    if noise_model == "ar1":
        return _fit_autoregressive(series, np.concatenate([regressors, nuisance], axis=1), n_trials)
    estimator = np.linalg.pinv(own).astype(np.float32)
    return estimator @ series.astype(np.float32, copy=False)


def _fit_autoregressive(series: np.ndarray, design: np.ndarray, n_trials: int) -> np.ndarray:
    labels, results = run_glm(series.astype(np.float64), design, noise_model="ar1")
    weight = np.empty((n_trials, series.shape[1]), dtype=np.float32)
    for label in np.unique(labels):
        weight[:, labels == label] = results[label].theta[:n_trials]
    return weight


def estimate_lss(series: np.ndarray, regressors: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
    """Estimate each trial's weight in a model of its own.

    Parameters
    ----------
    series, regressors, nuisance
        As :func:`estimate_lsa`.

    Returns
    -------
    weight : array of shape (n_trials, n_voxels), float32
        Weight of the trial beside the sum of all other trials and the nuisance; NaN for a trial
        that cannot be told apart from those.

    Notes
    -----
    With x a trial's regressor and z the others' sum, both without nuisance, the weight is
    (x'y z'z - z'y x'z) / (x'x z'z - (x'z)²).
    """
    basis = find_basis(nuisance)
    own = regressors - basis @ (basis.T @ regressors)
    total = own.sum(axis=1, keepdims=True)
    others = total - own
    own_power = np.einsum("ti,ti->i", own, own)
    others_power = np.einsum("ti,ti->i", others, others)
    shared = np.einsum("ti,ti->i", own, others)
    determinant = own_power * others_power - shared**2
    if regressors.shape[1] == 1:
        estimator = (own / own_power).T
    else:
        usable = determinant > _INDEPENDENT * own_power * others_power
        scale = np.where(usable, determinant, np.nan)
        estimator = ((own * others_power - others * shared) / scale).T
    return estimator.astype(np.float32) @ series.astype(np.float32, copy=False)


def prepare_series(series: np.ndarray, nuisance: np.ndarray, standardisation: str) -> np.ndarray:
    """Bring signals into their unit before a model is fitted, in place.

    Returns
    -------
    series : array of shape (n_volumes, n_voxels), float32
        Without their mean; in percent of it, in standard deviations of what drifts and confounds
        leave, or as they were. Voxels that do not vary are 0.
    """
    mean = series.mean(axis=0, dtype=np.float64)
    series -= mean.astype(series.dtype)
    deviation = series.std(axis=0, dtype=np.float64)
    constant = deviation <= 1e-7 * np.maximum(np.abs(mean), 1e-12)
    series[:, constant] = 0
    if standardisation == "percent":
        series *= np.where(mean > 0, 100 / np.where(mean > 0, mean, 1), 0).astype(series.dtype)
    if standardisation == "zscore":
        left = project_out(series.copy(), find_basis(nuisance)).std(axis=0, ddof=1)
        series /= np.where(left > 0, left, 1)
    return series
