from __future__ import annotations

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.methods.direct.matching import fit_whitening, match_predictions, shrink_covariance
from unit.methods.linear_world import score_matrix


def make_sides(seed: int = 0):
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(6, 6))
    residual, target = rng.normal(size=(300, 6)) @ mixing, rng.normal(size=(300, 6)) * 3
    predicted, candidate = rng.normal(size=(4, 6)), rng.normal(size=(5, 6))
    return residual, target, predicted, candidate


def match(direction: str, variant: str) -> np.ndarray:
    residual, target, predicted, candidate = make_sides()
    whitening = fit_whitening(residual, target, 0.1)
    found = match_predictions(predicted, candidate, direction, [variant], whitening)
    assert list(found) == [variant]
    return score_matrix(found[variant])


def write_out(with_prior: bool) -> np.ndarray:
    """-1/2 (c - p)^T Sig^-1 (c - p) + 1/2 c^T Tot^-1 c, one pair at a time."""
    residual, target, predicted, candidate = make_sides()
    residual_precision = np.linalg.inv(shrink_covariance(residual, 0.1))
    total_precision = np.linalg.inv(shrink_covariance(target, 0.1))
    scores = np.empty((len(predicted), len(candidate)))
    for i, p in enumerate(predicted):
        for j, c in enumerate(candidate):
            scores[i, j] = -0.5 * (c - p) @ residual_precision @ (c - p)
            scores[i, j] += with_prior * 0.5 * c @ total_precision @ c
    return scores


@pytest.mark.parametrize(("variant", "with_prior"), [("mahalanobis", False), ("likelihood", True)])
def test_encoding_agrees_with_the_written_out_formula(variant: str, with_prior: bool):
    np.testing.assert_allclose(match("encoding", variant), write_out(with_prior), rtol=1e-4)


@pytest.mark.parametrize(("variant", "with_prior"), [("mahalanobis", False), ("likelihood", True)])
def test_decoding_is_the_same_with_the_sides_swapped(variant: str, with_prior: bool):
    np.testing.assert_allclose(match("decoding", variant), write_out(with_prior).T, rtol=1e-4)


def test_pearson_agrees_with_the_correlation_of_rows():
    _, _, predicted, candidate = make_sides()
    expected = np.corrcoef(predicted, candidate)[:4, 4:]
    np.testing.assert_allclose(match("encoding", "pearson"), expected, atol=1e-6)


def test_the_prior_is_constant_in_one_direction():
    difference = match("encoding", "likelihood") - match("encoding", "mahalanobis")
    np.testing.assert_allclose(difference, np.tile(difference[0], (4, 1)), atol=1e-4)
    assert np.ptp(difference[0]) > 0.05


def test_shrinkage_keeps_the_mean_variance_and_makes_few_rows_invertible():
    rows = np.random.default_rng(0).normal(size=(4, 30))
    covariance = shrink_covariance(rows, 0.1)
    assert np.trace(covariance) == pytest.approx(np.trace(shrink_covariance(rows, 1.0)))
    assert np.linalg.eigvalsh(covariance).min() > 0
    np.testing.assert_allclose(shrink_covariance(rows, 1e-12), np.cov(rows.T, bias=True), atol=1e-9)


def test_residuals_of_zero_are_an_error():
    with pytest.raises(InputError, match="not positive definite"):
        fit_whitening(np.zeros((10, 3)), np.ones((10, 3)), 0.1)
