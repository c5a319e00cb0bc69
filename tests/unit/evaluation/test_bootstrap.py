"""Bootstrap intervals: planted coverage, agreement with explicit resampling, pairing."""

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.evaluation import bootstrap
from brainalign.evaluation.bootstrap import bootstrap_interval, paired_bootstrap_difference


def test_intervals_of_a_planted_hit_rate_cover_it_as_often_as_they_say():
    generator = np.random.default_rng(0)
    hits = (generator.random((400, 100)) < 0.3).astype(float)
    intervals = np.array(
        [bootstrap_interval(sample, n_draws=300, seed=i) for i, sample in enumerate(hits)]
    )
    coverage = np.mean((intervals[:, 0] <= 0.3) & (intervals[:, 1] >= 0.3))
    assert 0.91 < coverage < 0.98


@pytest.mark.parametrize("statistic", ["mean", "median"])
@pytest.mark.parametrize("n_queries", [8, 9])
def test_draws_equal_explicit_resampling(statistic, n_queries):
    values = np.random.default_rng(1).standard_normal(n_queries).round(1)
    drawn = np.random.default_rng(7).integers(n_queries, size=(500, n_queries))
    expected = getattr(np, statistic)(values[drawn], axis=1)
    interval = bootstrap_interval(values, statistic, n_draws=500, seed=7)
    np.testing.assert_allclose(interval, np.quantile(expected, [0.025, 0.975]), atol=1e-12)


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_memory_chunks_change_no_interval(statistic, monkeypatch):
    values = np.random.default_rng(1).standard_normal(40)
    whole = bootstrap_interval(values, statistic, n_draws=200)
    monkeypatch.setattr(bootstrap, "_CHUNK_BYTES", 8 * 40 * 7)
    np.testing.assert_allclose(bootstrap_interval(values, statistic, n_draws=200), whole)


def test_metrics_scored_together_get_the_intervals_they_get_alone():
    values = np.random.default_rng(1).standard_normal((30, 3))
    together = bootstrap_interval(values, n_draws=100)
    for metric in range(3):
        alone = bootstrap_interval(values[:, metric], n_draws=100)
        np.testing.assert_allclose(together[:, metric], alone, atol=1e-14)


@pytest.mark.parametrize("statistic", ["mean", "median"])
def test_queries_without_a_value_carry_no_weight(statistic):
    values = np.full(60, 2.0)
    values[::2] = np.nan
    assert bootstrap_interval(values, statistic, n_draws=100).tolist() == [2.0, 2.0]


def test_without_any_value_there_is_no_interval():
    assert np.isnan(bootstrap_interval(np.full(5, np.nan), n_draws=10)).all()


def test_trials_of_one_stimulus_are_drawn_together():
    generator = np.random.default_rng(0)
    values = np.repeat(generator.standard_normal(25), 16)
    groups = np.repeat(np.arange(25), 16)
    alone = np.ptp(bootstrap_interval(values[::16], n_draws=1000))
    together = np.ptp(bootstrap_interval(values, n_draws=1000, groups=groups))
    assert together == pytest.approx(alone, rel=1e-9)
    assert np.ptp(bootstrap_interval(values, n_draws=1000)) < 0.5 * together


def test_a_higher_level_gives_a_wider_interval():
    values = np.random.default_rng(0).standard_normal(50)
    narrow, wide = (bootstrap_interval(values, level=level) for level in (0.5, 0.99))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def test_the_same_seed_gives_the_same_interval_and_another_does_not():
    values = np.random.default_rng(0).standard_normal(50)
    first, again, other = (bootstrap_interval(values, seed=seed) for seed in (3, 3, 4))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_planted_difference_on_shared_queries_is_found_though_intervals_overlap():
    generator = np.random.default_rng(0)
    difficulty = 5 * generator.standard_normal(80)
    first = difficulty + 0.3 + 0.1 * generator.standard_normal(80)
    comparison = paired_bootstrap_difference(first, difficulty, n_draws=1000)
    assert comparison.ci_low <= 0.3 <= comparison.ci_high
    assert comparison.p_value < 0.01
    assert bootstrap_interval(difficulty)[1] > bootstrap_interval(first)[0]


def test_equal_methods_differ_by_nothing():
    values = np.random.default_rng(0).random(20)
    comparison = paired_bootstrap_difference(values, values, n_draws=200)
    assert (comparison.difference, comparison.p_value) == (0.0, 1.0)


def test_swapping_the_methods_flips_the_difference():
    first, second = np.random.default_rng(0).random((2, 31))
    forward = paired_bootstrap_difference(first, second, "median", n_draws=300)
    backward = paired_bootstrap_difference(second, first, "median", n_draws=300)
    assert forward.difference == -backward.difference
    assert forward.ci_low == pytest.approx(-backward.ci_high)
    assert forward.p_value == backward.p_value


def test_p_values_of_equal_methods_are_about_uniform():
    samples = np.random.default_rng(0).standard_normal((200, 2, 60))
    p_values = [paired_bootstrap_difference(*pair, n_draws=300).p_value for pair in samples]
    assert 0.02 < np.mean(np.array(p_values) < 0.1) < 0.19


def test_a_query_missing_in_one_method_is_left_out_of_both():
    first, second = np.array([1.0, 100.0, 3.0]), np.array([0.0, np.nan, 2.0])
    comparison = paired_bootstrap_difference(first, second, n_draws=50)
    assert (comparison.difference, comparison.n_queries) == (1.0, 2)


def test_unpaired_lengths_are_refused():
    with pytest.raises(InputError, match="Align both by query id"):
        paired_bootstrap_difference(np.zeros(3), np.zeros(4))


def test_an_unknown_statistic_names_the_known():
    with pytest.raises(InputError, match="Known: mean, median"):
        bootstrap_interval(np.zeros(3), "mode")


def test_a_level_outside_zero_to_one_is_refused():
    with pytest.raises(InputError, match="level"):
        bootstrap_interval(np.zeros(3), level=95.0)


def test_no_queries_are_refused():
    with pytest.raises(InputError, match="a value per query"):
        bootstrap_interval(np.zeros(0))
