from __future__ import annotations

import warnings

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.methods.direct.options import RidgeOptions
from brainalign.methods.direct.regression import FitContext, RegressionPairs
from brainalign.methods.direct.ridge import RidgeRegression, draw_folds, solve_ridge


def make_pairs(n_rows: int, n_inputs: int, noise: float, seed: int = 0) -> RegressionPairs:
    rng = np.random.default_rng(seed)
    inputs = rng.normal(size=(n_rows, n_inputs))
    map_ = np.random.default_rng(99).normal(size=(n_inputs, 3)) / np.sqrt(n_inputs)
    targets = inputs @ map_ + noise * rng.normal(size=(n_rows, 3))
    return RegressionPairs(inputs.astype(np.float32), targets.astype(np.float32))


@pytest.mark.parametrize("n_inputs", [8, 90])
def test_both_forms_agree_with_the_normal_equations(n_inputs: int):
    pairs = make_pairs(40, n_inputs, 0.5)
    inputs = pairs.inputs - pairs.inputs.mean(0)
    targets = pairs.targets - pairs.targets.mean(0)
    alpha = np.array([0.5, 30.0, 30.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = solve_ridge(inputs.astype(float), targets.astype(float), alpha)
    for column, penalty in enumerate(alpha):
        gram = inputs.T.astype(float) @ inputs + penalty * np.eye(n_inputs)
        expected = np.linalg.solve(gram, inputs.T.astype(float) @ targets[:, column])
        np.testing.assert_allclose(found[:, column], expected, atol=1e-8)


@pytest.mark.parametrize("selection", ["shared_holdout", "per_target_cv"])
@pytest.mark.parametrize("n_inputs", [8, 90])
def test_clean_targets_get_a_small_and_noisy_ones_a_large_penalty(selection: str, n_inputs: int):
    alpha = {}
    for noise in (0.01, 30.0):
        ridge = RidgeRegression(RidgeOptions(alpha_selection=selection))
        pairs = make_pairs(60, n_inputs, noise)
        ridge.fit(pairs, pairs, FitContext(seed=0))
        alpha[noise] = ridge.alpha.mean()
    assert alpha[0.01] < alpha[30.0]


def test_the_shared_penalty_is_the_best_candidate_on_the_held_out_tenth():
    pairs, seed = make_pairs(200, 30, 2.0), 4
    options = RidgeOptions()
    ridge = RidgeRegression(options)
    ridge.fit(pairs, pairs, FitContext(seed=seed))
    kept, held_out = ridge._draw_splits(200, seed)[0]
    assert len(held_out) == 20
    errors = []
    for alpha in options.alphas:
        candidate = RidgeRegression(options)
        candidate.alpha = np.full(3, alpha)
        refitted = candidate.refit(pairs.take(kept))
        difference = pairs.targets[held_out] - refitted.predict(pairs.inputs[held_out])
        errors.append((difference**2).mean())
    assert set(ridge.alpha) == {options.alphas[int(np.argmin(errors))]}


def test_per_target_penalties_differ_where_the_noise_does():
    rng = np.random.default_rng(0)
    pairs = make_pairs(100, 20, 0.01)
    targets = pairs.targets.copy()
    targets[:, 1] = rng.normal(size=100)
    ridge = RidgeRegression(RidgeOptions(alpha_selection="per_target_cv"))
    ridge.fit(RegressionPairs(pairs.inputs, targets), pairs, FitContext(seed=0))
    assert ridge.alpha[0] < ridge.alpha[1]


def test_an_offset_of_the_inputs_is_absorbed():
    pairs = make_pairs(50, 5, 0.1)
    shifted = RegressionPairs(pairs.inputs + 7, pairs.targets + 3)
    predictions = []
    for training in (pairs, shifted):
        ridge = RidgeRegression(RidgeOptions())
        ridge.fit(training, training, FitContext(seed=0))
        predictions.append(ridge.predict(training.inputs))
    np.testing.assert_allclose(predictions[1], predictions[0] + 3, atol=1e-5)


def test_folds_hold_out_each_stimulus_once():
    folds = draw_folds(23, 5, seed=0)
    assert sorted(np.concatenate([held for _, held in folds])) == list(range(23))
    for kept, held_out in folds:
        assert sorted([*kept, *held_out]) == list(range(23))


def test_too_few_stimuli_are_an_error():
    pairs = make_pairs(9, 3, 0.1)
    with pytest.raises(InputError, match="expected 10 or more, found 9"):
        RidgeRegression(RidgeOptions()).fit(pairs, pairs, FitContext(seed=0))
