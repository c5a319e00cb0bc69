"""Half-split ceiling: perfect and empty halves, agreement with one hand-made split."""

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.evaluation.ceiling import estimate_half_split_ceiling
from brainalign.evaluation.discriminative import score_discrimination
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.similarity import compute_compatibility

OPTIONS = EvaluationOptions(top_k=[1, 5], n_way=[2], n_bootstrap=1)
ENCODING, DECODING = "discriminative_encoding", "discriminative_decoding"


@pytest.fixture
def halves():
    generator = np.random.default_rng(0)
    signal = generator.standard_normal((25, 12))
    return signal + 0.9 * generator.standard_normal((4, 2, 25, 12))


def index(table):
    return table.set_index(["task", "metric"])["ceiling"]


def test_equal_halves_reach_one(halves):
    halves[:, 1] = halves[:, 0]
    assert (index(estimate_half_split_ceiling(halves, range(25), "pearson", OPTIONS)) == 1).all()


def test_halves_without_signal_reach_chance():
    noise = np.random.default_rng(0).standard_normal((30, 2, 20, 10))
    ceiling = index(estimate_half_split_ceiling(noise, range(20), "cosine", OPTIONS))
    assert ceiling[(ENCODING, "top_1")] == pytest.approx(0.05, abs=0.025)
    assert ceiling[(ENCODING, "identification_2_way")] == pytest.approx(0.5, abs=0.04)


def test_the_ceiling_is_the_mean_over_splits_and_assignments_of_halves(halves):
    generator = np.random.default_rng(1)
    stimulus_bias, response_bias = generator.standard_normal((2, 4, 2, 25))
    similarity = "negative_half_squared_distance"
    expected = []
    for split in range(4):
        for first, second in ((0, 1), (1, 0)):
            scores = compute_compatibility(
                halves[split, first],
                halves[split, second],
                similarity,
                stimulus_bias[split, first],
                response_bias[split, second],
            )
            table = score_discrimination(scores, range(25), range(25), OPTIONS)[0]
            expected.append(table["value"].to_numpy())
    table = estimate_half_split_ceiling(
        halves, range(25), similarity, OPTIONS, stimulus_bias, response_bias
    )
    np.testing.assert_allclose(table["ceiling"], np.mean(expected, axis=0), atol=1e-14)


def test_without_biases_both_directions_have_one_ceiling(halves):
    ceiling = index(estimate_half_split_ceiling(halves, range(25), "cosine", OPTIONS))
    assert 0.1 < ceiling[(ENCODING, "top_1")] < 1
    assert ceiling[ENCODING].equals(ceiling[DECODING])


def test_a_noiseless_prediction_can_lie_above_the_ceiling():
    generator = np.random.default_rng(0)
    signal = generator.standard_normal((40, 10))
    noisy = signal + 1.2 * generator.standard_normal((6, 2, 40, 10))
    ceiling = index(estimate_half_split_ceiling(noisy, range(40), "pearson", OPTIONS))
    scores = compute_compatibility(signal, noisy.mean(axis=(0, 1)), "pearson")
    table = score_discrimination(scores, range(40), range(40), OPTIONS)[0]
    assert table["value"][0] > ceiling[(ENCODING, "top_1")]


def test_stimuli_without_two_repeats_are_refused(halves):
    halves[2, 1, 3] = np.nan
    with pytest.raises(InputError, match="fewer than two repeats"):
        estimate_half_split_ceiling(halves, range(25), "cosine", OPTIONS)


def test_a_missing_axis_is_refused(halves):
    with pytest.raises(InputError, match="wrong shape"):
        estimate_half_split_ceiling(halves[:, 0], range(25), "cosine", OPTIONS)
