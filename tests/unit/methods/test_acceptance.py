"""Acceptance on worlds in which the truth about each method is known.

The figures in the assertions come from the specification of the method, section 8; each world has
200 test stimuli, so that chance is 0.005. Means over 3 seeds unless a test says otherwise.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from brainalign.methods.base import AlignmentMethod
from brainalign.methods.registry import get_method
from brainalign.methods.vna.model import VNA
from brainalign.methods.vna.options import VNAOptions
from unit.methods.linear_world import (
    LinearWorld,
    pair,
    score_matrix,
    simulate_linear_world,
    top1,
    two_way,
)

pytestmark = pytest.mark.slow

Row = tuple[float, float, int]
ROWS: list[Row] = [(c, n, 2000) for c, n in ((0, 0), (2, 0), (4, 0), (1, 1), (2, 2), (3, 3))]


@cache
def simulate(row: Row, seed: int) -> LinearWorld:
    return simulate_linear_world(*row, seed=seed, n_test_repeats=10)


@cache
def fit(name: str, row: Row, seed: int) -> AlignmentMethod:
    world = simulate(row, seed)
    method = get_method(name)()
    method.fit(world.training, world.validation, seed=seed)
    return method


def score(name: str, variant: str, row: Row, n_seeds: int = 3) -> np.ndarray:
    """Mean top-1 of encoding and decoding on single test trials."""
    found = []
    for seed in range(n_seeds):
        world = simulate(row, seed)
        embeddings = fit(name, row, seed).embed("monkey", world.test.feature, world.test_response())
        found.append(top1(score_matrix(embeddings[variant])))
    mean = np.mean(found, axis=0)
    print(f"\n{name} {variant} W{row}: {mean.round(3)} over {n_seeds} seeds")
    return mean


def test_1_under_noise_on_both_sides_vna_finds_what_pearson_loses():
    row = (2, 2, 2000)
    assert score("vna", "cosine", row).min() > 0.95
    assert score("direct_encoding_ridge", "pearson", row).max() < 0.45
    assert score("direct_decoding_ridge", "pearson", row).max() < 0.45


def test_2_the_same_holds_with_500_stimuli():
    row = (2, 2, 500)
    assert score("vna", "cosine", row).min() > 0.77
    assert score("direct_encoding_ridge", "pearson", row).max() < 0.12
    assert score("direct_decoding_ridge", "pearson", row).max() < 0.12


def test_3_with_neural_noise_alone_direct_decoding_is_no_worse_than_vna():
    row = (4, 0, 2000)
    decoding = score("direct_decoding_ridge", "pearson", row)
    assert (decoding >= score("vna", "cosine", row) - 0.01).all()
    assert score("direct_encoding_ridge", "pearson", row).max() < 0.25


def test_4_the_likelihood_needs_its_prior_over_5_seeds():
    row = (2, 2, 2000)
    likelihood = score("direct_encoding_ridge", "likelihood", row, n_seeds=5)[0]
    assert likelihood > 0.97
    assert likelihood - score("direct_encoding_ridge", "mahalanobis", row, n_seeds=5)[0] > 0.2


@pytest.mark.parametrize("row", ROWS)
def test_5_the_mean_of_ten_repeats_is_identified_in_every_world(row: Row):
    world = simulate(row, 0)
    embeddings = fit("vna", row, 0).embed("monkey", world.test.feature, world.mean_test_response)
    found = top1(score_matrix(embeddings["cosine"]))
    print(f"\nvna mean of 10 repeats W{row}: {found}")
    assert min(found) > 0.99


def test_6_shuffled_responses_teach_nothing_over_5_seeds():
    pairs = []
    for seed in range(5):
        world = simulate_linear_world(2, 2, 2000, seed=seed)
        training = world.training
        order = np.random.default_rng(seed).permutation(2000)
        shuffled = pair(training.stimulus, training.feature, training.subjects[0].response[order])
        method = VNA(VNAOptions(epochs=10))
        method.fit(shuffled, world.validation, seed=seed)
        embeddings = method.embed("monkey", world.test.feature, world.test_response())
        S = score_matrix(embeddings["cosine"])
        assert max(top1(S)) < 0.04
        pairs.append(two_way(S))
    print(f"\nshuffled, 2-way: {np.mean(pairs):.3f} (SD {np.std(pairs):.3f})")
    assert abs(np.mean(pairs) - 0.5) < 0.03
