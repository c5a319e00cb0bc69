"""RSA and CKA: equal to public libraries and to plain loops, and right where truth is planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import spearmanr

from brainalign.errors import InputError
from brainalign.evaluation.yardsticks.permutation import compare_by_permutation, square_rdms
from brainalign.evaluation.yardsticks.resampling import (
    bootstrap_rdm_correlation,
    draw_halves,
    draw_weights,
    resample_cka,
)
from brainalign.evaluation.yardsticks.similarity_analysis import (
    compare_rdms,
    compute_centred_gram,
    compute_linear_cka,
    compute_rdm,
    estimate_rdm_ceiling,
)

N_STIMULI = 14
UPPER = np.triu_indices(N_STIMULI, k=1)


def draw_patterns(n_sets: int, seed: int = 0, n_dimensions: int = 9) -> list[np.ndarray]:
    """Patterns that share a part, so that their similarities are neither 0 nor 1."""
    generator = np.random.default_rng(seed)
    common = generator.normal(size=(N_STIMULI, n_dimensions))
    return [common + generator.normal(size=common.shape) for _ in range(n_sets)]


def test_rdms_comparisons_and_ceilings_are_those_of_rsatoolbox() -> None:
    rsatoolbox = pytest.importorskip("rsatoolbox", reason="rsatoolbox is in envs/dev.txt")
    patterns = draw_patterns(4)
    datasets = [rsatoolbox.data.Dataset(pattern) for pattern in patterns]
    theirs = rsatoolbox.rdm.calc_rdm(datasets, method="correlation")
    ours = np.stack([compute_rdm(pattern) for pattern in patterns])
    np.testing.assert_allclose(ours, theirs.get_vectors(), atol=1e-10)
    for method, by_rank in (("spearman", True), ("corr", False)):
        expected = rsatoolbox.rdm.compare(theirs.subset("index", [0]), theirs, method=method)
        np.testing.assert_allclose(compare_rdms(ours[:1], ours, by_rank), expected, atol=1e-10)
        ceiling = estimate_rdm_ceiling(ours, by_rank)
        lower, upper = rsatoolbox.inference.boot_noise_ceiling(theirs, method=method)
        assert ceiling.lower == pytest.approx(float(np.mean(lower)), abs=1e-6)
        assert ceiling.upper == pytest.approx(float(np.mean(upper)), abs=1e-6)


def test_cka_is_that_of_a_plain_loop() -> None:
    first, second = draw_patterns(3), draw_patterns(2, seed=1, n_dimensions=5)
    grams = [np.stack([compute_centred_gram(x) for x in part]) for part in (first, second)]
    batched = compute_linear_cka(*grams)
    for row, x in enumerate(first):
        for column, y in enumerate(second):
            a, b = x - x.mean(axis=0), y - y.mean(axis=0)
            norms = np.linalg.norm(a.T @ a) * np.linalg.norm(b.T @ b)
            assert batched[row, column] == pytest.approx(
                np.linalg.norm(a.T @ b) ** 2 / norms, abs=1e-10
            )


def test_cka_ignores_rotation_and_scale_and_rsa_ignores_gain() -> None:
    [pattern] = draw_patterns(1)
    rotation, _ = np.linalg.qr(np.random.default_rng(3).normal(size=(9, 9)))
    grams = [compute_centred_gram(p)[None] for p in (pattern, 7.0 * pattern @ rotation + 2.0)]
    assert compute_linear_cka(*grams)[0, 0] == pytest.approx(1.0)
    np.testing.assert_allclose(compute_rdm(pattern), compute_rdm(5.0 * pattern + 1.0), atol=1e-12)


def test_order_of_stimuli_changes_nothing() -> None:
    first, second = draw_patterns(2)
    order = np.random.default_rng(5).permutation(N_STIMULI)
    for a, b in ((first, second), (first[order], second[order])):
        rho = compare_rdms(compute_rdm(a), compute_rdm(b))[0, 0]
        cka = compute_linear_cka(compute_centred_gram(a)[None], compute_centred_gram(b)[None])
        if a is first:
            expected = rho, cka
    assert rho == pytest.approx(expected[0])
    np.testing.assert_allclose(cka, expected[1])


def test_constant_patterns_have_no_distances() -> None:
    [pattern] = draw_patterns(1)
    pattern[0] = 4.2
    rdm = compute_rdm(pattern)
    assert np.isnan(rdm[: N_STIMULI - 1]).all()
    assert np.isfinite(rdm[N_STIMULI - 1 :]).all()
    assert np.isnan(compare_rdms(rdm, rdm)).all()


@pytest.mark.parametrize("shape", [(2, 5), (5, 1)])
def test_too_few_patterns_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(InputError, match="too few patterns"):
        compute_rdm(np.ones(shape))


def test_missing_values_are_refused() -> None:
    [pattern] = draw_patterns(1)
    pattern[3, 4] = np.nan
    with pytest.raises(InputError, match="not finite"):
        compute_rdm(pattern)


def test_one_subject_has_no_ceiling() -> None:
    rdm = compute_rdm(draw_patterns(1)[0])
    ceiling = estimate_rdm_ceiling(rdm[None])
    assert np.isnan([ceiling.lower, ceiling.upper]).all()


def test_bootstrap_draws_are_those_of_resampled_matrices() -> None:
    first, second = draw_patterns(2)
    weights = draw_weights(N_STIMULI, 20, seed=0)
    assert (weights.sum(axis=1) == N_STIMULI).all()
    squares = [np.zeros((N_STIMULI, N_STIMULI)) for _ in range(2)]
    for square, pattern in zip(squares, (first, second), strict=True):
        square[UPPER] = compute_rdm(pattern)
        square += square.T
    rsa = bootstrap_rdm_correlation(*squares, weights)
    grams = [compute_centred_gram(pattern) for pattern in (first, second)]
    cka = resample_cka(*grams, weights)
    for draw, row in enumerate(weights.astype(int)):
        chosen = np.repeat(np.arange(N_STIMULI), row)
        distinct = chosen[:, None] != chosen[None, :]
        cut = [square[np.ix_(chosen, chosen)][distinct] for square in squares]
        assert rsa[draw] == pytest.approx(np.corrcoef(*cut)[0, 1])
        drawn = [compute_centred_gram(pattern[chosen])[None] for pattern in (first, second)]
        assert cka[draw] == pytest.approx(compute_linear_cka(*drawn)[0, 0])


def test_permutation_test_is_that_of_a_plain_loop() -> None:
    first = np.stack([compute_centred_gram(x) for x in draw_patterns(3)])
    second = np.stack([compute_centred_gram(x) for x in draw_patterns(2, seed=1)])
    result = compare_by_permutation(first, second, n_permutations=60, seed=4)
    observed = compute_linear_cka(first, second)
    generator = np.random.default_rng(4)
    drawn = []
    for _ in range(60):
        order = generator.permutation(N_STIMULI)
        drawn.append([[np.sum(a * b[np.ix_(order, order)]) for b in second] for a in first])
    values = np.asarray(drawn)
    np.testing.assert_allclose(result.chance, values.mean(axis=0), atol=1e-6)
    expected = (1 + (values >= observed).sum(axis=0)) / 61
    np.testing.assert_allclose(result.p_value, expected)
    highest = values.max(axis=(1, 2))[:, None, None]
    np.testing.assert_allclose(result.p_corrected, (1 + (highest >= observed).sum(axis=0)) / 61)


def test_related_representations_are_found_and_unrelated_ones_are_not() -> None:
    generator = np.random.default_rng(0)
    pattern = generator.normal(size=(40, 10))
    related = pattern + 0.5 * generator.normal(size=pattern.shape)
    unrelated = [generator.normal(size=pattern.shape) for _ in range(9)]
    first = np.stack([compute_centred_gram(x) for x in (related, *unrelated)])
    result = compare_by_permutation(first, compute_centred_gram(pattern)[None], 400, seed=1)
    assert result.p_corrected[0, 0] == pytest.approx(1 / 401)
    assert result.p_corrected[1:].min() > 0.05


def test_corrected_errors_keep_their_rate() -> None:
    """Of 60 experiments without any relation, about 5 % may find one among 12 pairs."""
    found = 0
    for seed in range(60):
        generator = np.random.default_rng(seed)
        grams = [
            np.stack([compute_centred_gram(generator.normal(size=(12, 6))) for _ in range(n)])
            for n in (4, 3)
        ]
        result = compare_by_permutation(*grams, n_permutations=99, seed=seed)
        found += bool((result.p_corrected <= 0.05).any())
    # Binomial(60, .05): more than 9 happens once in 1,000.
    assert found <= 9


def test_squared_rdms_multiply_to_their_correlation() -> None:
    rdms = np.stack([compute_rdm(pattern) for pattern in draw_patterns(2)])
    squares = square_rdms(rdms, N_STIMULI)
    assert np.sum(squares[0] * squares[1]) == pytest.approx(np.corrcoef(rdms)[0, 1])
    ranks = np.argsort(np.argsort(rdms, axis=1), axis=1).astype(float)
    squares = square_rdms(ranks, N_STIMULI)
    assert np.sum(squares[0] * squares[1]) == pytest.approx(spearmanr(*rdms).statistic)


def test_halves_hold_every_stimulus_once_or_not() -> None:
    halves = draw_halves(15, 200, seed=0)
    assert set(np.unique(halves)) == {0.0, 1.0}
    assert (halves.sum(axis=1) == 7).all()
    assert np.abs(halves.mean(axis=0) - 7 / 15).max() < 0.15


def test_spread_over_halves_is_that_over_new_samples() -> None:
    """Of representations that share a part, drawn anew 150 times."""

    def draw_pair(seed: int) -> list[np.ndarray]:
        generator = np.random.default_rng(seed)
        common = generator.normal(size=(60, 4))
        return [
            compute_centred_gram(common + generator.normal(size=common.shape)) for _ in range(2)
        ]

    values = [float(np.sum(np.multiply(*draw_pair(seed)))) for seed in range(150)]
    spreads = [
        resample_cka(*draw_pair(seed), draw_halves(60, 200, seed)).std() for seed in range(20)
    ]
    assert np.mean(spreads) == pytest.approx(np.std(values), rel=0.3)
