"""Encoding by layer: equal to scikit-learn, planted maps are found, noise is not."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from brainalign.errors import InputError
from brainalign.evaluation.yardsticks.layer_encoding import (
    ALPHAS,
    EncodingSplit,
    bootstrap_correlations,
    correlate_units,
    normalise_correlations,
    predict_responses,
)
from brainalign.evaluation.yardsticks.resampling import draw_weights


def plant(seed: int = 0, noise: float = 0.1, n_units: int = 4) -> tuple[EncodingSplit, ...]:
    generator = np.random.default_rng(seed)
    feature = generator.normal(size=(160, 12)) * np.linspace(0.1, 30.0, 12) + 5.0
    signal = (feature - 5.0) / np.linspace(0.1, 30.0, 12) @ generator.normal(size=(12, n_units))
    response = 3.0 + signal + noise * generator.normal(size=signal.shape) * signal.std()
    return (
        EncodingSplit(feature[:120], response[:120]),
        EncodingSplit(feature[120:], response[120:]),
    )


def test_predictions_are_those_of_scikit_learn_at_the_chosen_penalty() -> None:
    training, test = plant(noise=1.0, n_units=1)
    [predicted] = predict_responses(training, [test.feature])
    mean, scale = training.feature.mean(axis=0), training.feature.std(axis=0)
    scaling = np.sqrt(1000.0 / training.feature.shape[1])
    inputs = [(x - mean) / scale * scaling for x in (training.feature, test.feature)]
    candidates = []
    for alpha in ALPHAS:
        model = Ridge(alpha=alpha, fit_intercept=True).fit(inputs[0], training.response[:, 0])
        candidates.append(np.abs(model.predict(inputs[1]) - predicted[:, 0]).max())
    assert min(candidates) < 1e-6


def test_scores_are_those_of_himalayas_kernel_form() -> None:
    from himalaya.kernel_ridge import KernelRidgeCV
    from himalaya.scoring import correlation_score
    from sklearn.preprocessing import StandardScaler

    training, test = plant(noise=1.0, n_units=6)
    scaler = StandardScaler().fit(training.feature)
    # Twelve features, scaled to a sum of squares of 1000.
    inputs = [np.sqrt(1000 / 12) * scaler.transform(one.feature) for one in (training, test)]
    center = training.response.mean(axis=0)
    theirs = KernelRidgeCV(alphas=ALPHAS, kernel="linear", cv=5, warn=False)
    theirs.fit(inputs[0], training.response - center)
    expected = theirs.predict(inputs[1]) + center
    [predicted] = predict_responses(training, [test.feature])
    np.testing.assert_allclose(predicted, expected, atol=1e-6)
    np.testing.assert_allclose(
        correlate_units(predicted, test.response),
        correlation_score(test.response, expected),
        atol=1e-6,
    )


def test_planted_maps_are_found_whatever_the_scale_of_features() -> None:
    training, test = plant()
    [predicted] = predict_responses(training, [test.feature])
    assert correlate_units(predicted, test.response).min() > 0.95
    constant = np.hstack([training.feature, np.full((120, 1), 2.0)])
    wider = np.hstack([test.feature, np.full((40, 1), 2.0)])
    [again] = predict_responses(EncodingSplit(constant, training.response), [wider])
    np.testing.assert_allclose(again, predicted, rtol=1e-6)


def test_features_of_other_stimuli_predict_nothing() -> None:
    training, test = plant(n_units=30)
    order = np.random.default_rng(1).permutation(120)
    shuffled = EncodingSplit(training.feature[order], training.response)
    [predicted] = predict_responses(shuffled, [test.feature])
    assert abs(np.mean(correlate_units(predicted, test.response))) < 0.15


def test_a_constant_prediction_explains_nothing_and_a_silent_unit_has_no_score() -> None:
    recorded = np.random.default_rng(0).normal(size=(20, 3))
    recorded[:, 1] = 0.0
    predicted = recorded.copy()
    predicted[:, 0] = 4.0
    correlation = correlate_units(predicted, recorded)
    assert correlation[0] == 0.0
    assert np.isnan(correlation[1])
    assert correlation[2] == pytest.approx(1.0)


def test_draws_are_correlations_of_resampled_stimuli() -> None:
    generator = np.random.default_rng(0)
    predicted, recorded = generator.normal(size=(2, 15, 2)) + 100.0
    weights = draw_weights(15, 10, seed=2)
    drawn = bootstrap_correlations(predicted, recorded, weights)
    for draw, row in enumerate(weights.astype(int)):
        chosen = np.repeat(np.arange(15), row)
        expected = [np.corrcoef(predicted[chosen, u], recorded[chosen, u])[0, 1] for u in range(2)]
        np.testing.assert_allclose(drawn[draw], expected)


def test_normalised_correlation_of_the_true_signal_is_one() -> None:
    generator = np.random.default_rng(0)
    signal = generator.normal(size=(4000, 1))
    recorded = signal + generator.normal(size=signal.shape)
    ceiling = np.array([0.5])
    normalised = normalise_correlations(correlate_units(signal, recorded), ceiling)
    assert normalised[0] == pytest.approx(1.0, abs=0.03)
    assert np.isnan(normalise_correlations(np.array([0.3]), np.array([0.0]))[0])


def test_missing_responses_are_refused() -> None:
    training, test = plant()
    training.response[0, 0] = np.nan
    with pytest.raises(InputError, match="responses of the training stimuli are not finite"):
        predict_responses(training, [test.feature])
