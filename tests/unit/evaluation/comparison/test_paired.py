"""Sign flips and bootstrap of paired differences: planted truth, plain loops, scipy."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import kstest, permutation_test

from brainalign.errors import InputError
from brainalign.evaluation.comparison.paired import bootstrap_means, flip_signs


def _draw(n_units: int = 10, n_pairs: int = 4, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal((n_units, n_pairs))


def _flip_plainly(total: NDArray[np.float64]) -> tuple[list[float], list[float]]:
    """Every flip, pair by pair, with sums over the root of the sum of squares."""
    scale = [np.sqrt(sum(value**2 for value in column)) for column in total.T]
    observed = [abs(sum(column)) / s for column, s in zip(total.T, scale, strict=True)]
    alone = [0] * len(scale)
    together = [0] * len(scale)
    flips = list(itertools.product((1, -1), repeat=len(total)))
    for signs in flips:
        drawn = [
            abs(sum(sign * value for sign, value in zip(signs, column, strict=True))) / s
            for column, s in zip(total.T, scale, strict=True)
        ]
        for pair, bar in enumerate(observed):
            alone[pair] += drawn[pair] >= bar - 1e-9
            together[pair] += max(drawn) >= bar - 1e-9
    return [n / len(flips) for n in alone], [n / len(flips) for n in together]


def test_all_flips_give_what_plain_loops_give() -> None:
    total = _draw(7, 3)
    result = flip_signs(total)
    alone, together = _flip_plainly(total)
    assert result.is_exact
    np.testing.assert_allclose(result.p_value, alone, atol=1e-6)
    np.testing.assert_allclose(result.p_corrected, together, atol=1e-6)


def test_all_flips_give_what_scipy_gives() -> None:
    total = _draw(9, 3, seed=1) + 0.4
    for pair, p_value in enumerate(flip_signs(total).p_value):
        other = permutation_test(
            (total[:, pair],),
            lambda sample, axis: sample.mean(axis=axis),
            permutation_type="samples",
            n_resamples=np.inf,
        )
        assert p_value == pytest.approx(other.pvalue, abs=1e-6)


def test_random_flips_come_near_all_of_them() -> None:
    total = _draw(12, 3) + 0.3
    exact, random = flip_signs(total, 4096), flip_signs(total, 4000)
    assert exact.is_exact
    assert not random.is_exact
    np.testing.assert_allclose(random.p_value, exact.p_value, atol=0.03)
    np.testing.assert_allclose(random.p_corrected, exact.p_corrected, atol=0.03)


def test_without_a_difference_p_is_uniform_and_errors_are_held() -> None:
    # Differences of pairs of methods on the same stimuli are correlated, as here.
    generator = np.random.default_rng(0)
    results = []
    for _ in range(400):
        score = generator.exponential(size=(30, 1)) * generator.standard_normal((30, 3))
        total = score[:, [0, 0, 1]] - score[:, [1, 2, 2]]
        results.append(flip_signs(total, 199, seed=int(generator.integers(1 << 30))))
    p_value = np.stack([result.p_value for result in results])
    assert kstest(p_value[:, 0], "uniform").pvalue > 0.01
    assert (p_value < 0.05).mean() < 0.065
    family_wise = np.stack([result.p_corrected for result in results]).min(axis=1)
    assert (family_wise <= 0.05).mean() < 0.085
    assert (family_wise <= 0.05).mean() > 0.015


def test_a_planted_difference_is_found_beside_others_that_are_none() -> None:
    total = _draw(40, 6)
    total[:, 2] += 1.0
    result = flip_signs(total, 1999)
    assert result.p_corrected[2] < 0.01
    assert (np.delete(result.p_corrected, 2) > 0.05).all()
    low, high = bootstrap_means(total[None], np.ones((1, *total.shape)))
    assert low[2] > 0
    assert low[2] < 1.0 < high[2]


def test_correction_never_lowers_a_p_value() -> None:
    result = flip_signs(_draw(20, 8), 499)
    assert (result.p_corrected >= result.p_value).all()
    alone = flip_signs(_draw(20, 1), 499)
    np.testing.assert_array_equal(alone.p_value, alone.p_corrected)


def test_exchanged_methods_give_the_mirrored_result() -> None:
    total, count = _draw(20, 3)[None], np.ones((1, 20, 3))
    first, second = flip_signs(total[0], 999), flip_signs(-total[0], 999)
    np.testing.assert_array_equal(first.p_value, second.p_value)
    np.testing.assert_array_equal(first.p_corrected, second.p_corrected)
    low, high = bootstrap_means(total, count)
    mirrored = bootstrap_means(-total, count)
    np.testing.assert_allclose(mirrored, [-high, -low], atol=1e-12)


def test_equal_methods_differ_by_nothing() -> None:
    result = flip_signs(np.zeros((12, 2)), 99)
    np.testing.assert_array_equal(result.p_value, 1.0)
    np.testing.assert_array_equal(result.p_corrected, 1.0)


def test_a_difference_that_is_not_finite_is_refused() -> None:
    with pytest.raises(InputError, match="not finite"):
        flip_signs(np.array([[np.nan], [1.0]]))


def _bootstrap_plainly(
    total: NDArray[np.float64], count: NDArray[np.float64], n_draws: int
) -> NDArray[np.float64]:
    n_subjects, n_units, n_pairs = total.shape
    generator = np.random.default_rng(0)
    units = generator.multinomial(n_units, np.full(n_units, 1 / n_units), size=n_draws)
    subjects = generator.multinomial(n_subjects, np.full(n_subjects, 1 / n_subjects), size=n_draws)
    means = np.full((n_draws, n_pairs), np.nan)
    for draw in range(n_draws):
        for pair in range(n_pairs):
            summed = number = 0.0
            for subject in range(n_subjects):
                for unit in range(n_units):
                    times = subjects[draw, subject] * units[draw, unit]
                    summed += times * total[subject, unit, pair]
                    number += times * count[subject, unit, pair]
            means[draw, pair] = summed / number if number else np.nan
    return np.nanquantile(means, [0.025, 0.975], axis=0)


def test_intervals_are_those_of_plain_loops() -> None:
    generator = np.random.default_rng(3)
    count = generator.integers(0, 3, (3, 8, 2)).astype(np.float64)
    total = generator.standard_normal(count.shape) * count
    interval = bootstrap_means(total, count, 60, draw_subjects=True)
    np.testing.assert_allclose(interval, _bootstrap_plainly(total, count, 60), atol=1e-6)


def test_drawing_subjects_widens_the_interval_where_they_differ() -> None:
    total = _draw(50, 1)[None] * 0.1 + np.array([-1.0, 0.0, 1.0])[:, None, None]
    count = np.ones_like(total)
    widths = [
        np.diff(bootstrap_means(total, count, draw_subjects=drawn), axis=0)[0, 0]
        for drawn in (False, True)
    ]
    assert widths[1] > 5 * widths[0]


def test_a_pair_without_a_query_has_no_interval() -> None:
    assert np.isnan(bootstrap_means(np.zeros((1, 4, 1)), np.zeros((1, 4, 1)), 20)).all()
