"""Cleaning and trial models give nilearn's own numbers, on random data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from nilearn import signal
from nilearn.glm.first_level import make_first_level_design_matrix, run_glm
from nilearn.glm.first_level.design_matrix import create_cosine_drift

from brainalign.errors import InputError
from brainalign.responses.fmri_blocks import average_windows, join_blocks, lock_to_onsets
from brainalign.responses.fmri_cleaning import clean_series, compose_nuisance
from brainalign.responses.fmri_glm import (
    compute_trial_regressors,
    estimate_lsa,
    estimate_lss,
    prepare_series,
)

N_VOLUMES, N_VOXELS, TR_S, HIGH_PASS = 150, 30, 2.0, 1 / 128


@pytest.fixture
def series() -> np.ndarray:
    generator = np.random.default_rng(0)
    walk = np.cumsum(generator.standard_normal((N_VOLUMES, N_VOXELS)), axis=0)
    return (800 + 3 * walk + 5 * generator.standard_normal(walk.shape)).astype(np.float32)


@pytest.fixture
def confounds() -> np.ndarray:
    values = np.random.default_rng(1).standard_normal((N_VOLUMES, 24))
    return values - values.mean(axis=0)


@pytest.fixture
def events() -> pd.DataFrame:
    onset = np.arange(20) * 13.0 + np.random.default_rng(2).uniform(2, 6, 20)
    return pd.DataFrame({"stimulus": "s", "onset_s": onset, "duration_s": 3.0})


@pytest.mark.parametrize("ours", ["zscore", "none"])
def test_cleaning_is_that_of_nilearn(ours: str, series: np.ndarray, confounds: np.ndarray) -> None:
    expected = signal.clean(
        series.astype(np.float64),
        detrend=False,
        standardize="zscore_sample" if ours == "zscore" else None,
        confounds=confounds,
        standardize_confounds=True,
        filter="cosine",
        high_pass=HIGH_PASS,
        t_r=TR_S,
    )
    # nilearn leaves the mean in where it neither detrends nor standardises.
    expected = expected - expected.mean(axis=0)
    cleaned = clean_series(series.copy(), confounds, TR_S, HIGH_PASS, ours)
    np.testing.assert_allclose(cleaned, expected, atol=1e-4 if ours == "zscore" else 2e-3)


def test_scrubbed_volumes_do_not_enter_the_fit(series: np.ndarray, confounds: np.ndarray) -> None:
    kept = np.ones(N_VOLUMES, dtype=bool)
    kept[[10, 70]] = False
    spoilt = series.copy()
    spoilt[~kept] = 1e6
    plain = clean_series(series, confounds, TR_S, HIGH_PASS, "zscore", kept)
    again = clean_series(spoilt, confounds, TR_S, HIGH_PASS, "zscore", kept)
    np.testing.assert_array_equal(plain, again)
    assert np.isnan(plain[~kept]).all()


def test_regressors_are_those_of_nilearn(events: pd.DataFrame) -> None:
    frame_times = np.arange(N_VOLUMES) * TR_S
    table = pd.DataFrame(
        {
            "onset": events["onset_s"],
            "duration": events["duration_s"],
            "trial_type": [f"t{number:02d}" for number in range(len(events))],
        }
    )
    expected = make_first_level_design_matrix(
        frame_times, table, hrf_model="glover", drift_model=None, oversampling=20
    ).to_numpy()[:, : len(events)]
    ours = compute_trial_regressors(events, N_VOLUMES, TR_S, "glover")
    np.testing.assert_allclose(ours, expected / np.abs(expected).max(), atol=1e-10)


def _compose(events: pd.DataFrame, confounds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    regressors = compute_trial_regressors(events, N_VOLUMES, TR_S, "glover")
    return regressors, compose_nuisance(confounds[:, :6], N_VOLUMES, TR_S, HIGH_PASS)


def _fit_with_nilearn(
    series: np.ndarray, regressors: np.ndarray, confounds: np.ndarray, noise_model: str = "ols"
) -> np.ndarray:
    drift = create_cosine_drift(HIGH_PASS, np.arange(N_VOLUMES) * TR_S)
    design = np.concatenate([regressors, confounds[:, :6], drift], axis=1)
    labels, results = run_glm(series.astype(np.float64), design, noise_model=noise_model)
    weight = np.empty((regressors.shape[1], series.shape[1]))
    for label in np.unique(labels):
        weight[:, labels == label] = results[label].theta[: len(weight)]
    return weight


@pytest.mark.parametrize("noise_model", ["ols", "ar1"])
def test_the_model_of_all_trials_is_that_of_nilearn(
    noise_model: str, series: np.ndarray, confounds: np.ndarray, events: pd.DataFrame
) -> None:
    regressors, nuisance = _compose(events, confounds)
    series = prepare_series(series, nuisance, "none")
    expected = _fit_with_nilearn(series, regressors, confounds, noise_model)
    ours = estimate_lsa(series, regressors, nuisance, noise_model)
    np.testing.assert_allclose(ours, expected, rtol=1e-3, atol=1e-3)


def test_separate_models_are_those_of_nilearn(
    series: np.ndarray, confounds: np.ndarray, events: pd.DataFrame
) -> None:
    regressors, nuisance = _compose(events, confounds)
    series = prepare_series(series, nuisance, "percent")
    ours = estimate_lss(series, regressors, nuisance)
    for trial in (0, 7, 19):
        others = np.delete(regressors, trial, axis=1).sum(axis=1)
        both = np.stack([regressors[:, trial], others], axis=1)
        expected = _fit_with_nilearn(series, both, confounds)[0]
        np.testing.assert_allclose(ours[trial], expected, atol=1e-4)


def test_trials_that_cannot_be_told_apart_are_refused(
    series: np.ndarray, confounds: np.ndarray
) -> None:
    events = pd.DataFrame({"stimulus": "s", "onset_s": [10.0, 10.0], "duration_s": 1.0})
    regressors, nuisance = _compose(events, confounds)
    with pytest.raises(InputError, match="cannot tell them apart"):
        estimate_lsa(series, regressors, nuisance)


def test_blocks_join_events_of_one_stimulus_without_a_gap() -> None:
    events = pd.DataFrame(
        {
            "stimulus": ["a", "a", "a", "b", "b", "a"],
            "onset_s": [0.0, 2.0, 20.0, 24.0, 26.0, 28.0],
            "duration_s": 0.5,
        }
    )
    blocks = join_blocks(events, 6.0)
    assert blocks["stimulus"].tolist() == ["a", "a", "b", "a"]
    assert blocks["onset_s"].tolist() == [0.0, 20.0, 24.0, 28.0]
    assert blocks["duration_s"].tolist() == [2.5, 0.5, 2.5, 0.5]


def test_windows_hold_the_volumes_that_start_inside() -> None:
    series = np.arange(10, dtype=np.float32)[:, np.newaxis]
    mean = average_windows(series, np.array([2.0, 3.0, 30.0]), np.array([6.0, 7.0, 34.0]), 2.0)
    np.testing.assert_array_equal(mean[:, 0], [1.5, 2.5, np.nan])


def test_locked_series_end_with_the_run() -> None:
    series = np.arange(5, dtype=np.float32)[:, np.newaxis]
    windows = lock_to_onsets(series, np.array([2.0, 7.0]), np.arange(3), 2.0)
    np.testing.assert_array_equal(windows[..., 0], [[1, 2, 3], [3, 4, np.nan]])
