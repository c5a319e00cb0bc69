"""Similarities against public implementations, ties of rows without direction, hubness."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import pearsonr
from sklearn.metrics.pairwise import cosine_similarity

from brainalign.errors import CorruptDataError, InputError
from brainalign.evaluation.similarity import apply_csls, compute_compatibility


@pytest.fixture
def embeddings():
    generator = np.random.default_rng(0)
    return generator.standard_normal((7, 5)) + 2.0, generator.standard_normal((9, 5)) - 1.0


def test_cosine_equals_scikit_learn(embeddings):
    scores = compute_compatibility(*embeddings, "cosine")
    np.testing.assert_allclose(scores, cosine_similarity(*embeddings), atol=1e-14)


def test_pearson_equals_scipy(embeddings):
    scores = compute_compatibility(*embeddings, "pearson")
    expected = [[pearsonr(u, v)[0] for v in embeddings[1]] for u in embeddings[0]]
    np.testing.assert_allclose(scores, expected, atol=1e-14)


def test_distance_equals_scipy(embeddings):
    scores = compute_compatibility(*embeddings, "negative_half_squared_distance")
    np.testing.assert_allclose(scores, -0.5 * cdist(*embeddings, "sqeuclidean"), atol=1e-13)


def test_distance_of_float32_far_from_the_origin_keeps_the_order():
    stimuli = (np.eye(6) * 1e-2 + 1e3).astype(np.float32)
    scores = compute_compatibility(stimuli, stimuli, "negative_half_squared_distance")
    expected = -0.5 * cdist(stimuli.astype(float), stimuli.astype(float), "sqeuclidean")
    np.testing.assert_allclose(scores, expected, rtol=1e-6, atol=1e-12)


def test_biases_are_added_along_their_own_axis(embeddings):
    stimulus_bias, response_bias = np.arange(7.0), 10.0 * np.arange(9)
    plain = compute_compatibility(*embeddings, "cosine")
    biased = compute_compatibility(*embeddings, "cosine", stimulus_bias, response_bias)
    np.testing.assert_allclose(biased[2, 4] - plain[2, 4], 42.0)
    np.testing.assert_allclose(biased[6, 0] - plain[6, 0], 6.0)


def test_distance_with_bias_is_the_gaussian_log_density_ratio():
    generator = np.random.default_rng(3)
    predicted, response = generator.standard_normal((4, 3)), generator.standard_normal((5, 3))
    residual = np.cov(generator.standard_normal((3, 40))) + np.eye(3)
    total = residual + 2 * np.eye(3)
    whiten = np.linalg.inv(np.linalg.cholesky(residual))
    bias = 0.5 * np.einsum("jc,cd,jd->j", response, np.linalg.inv(total), response)
    scores = compute_compatibility(
        predicted @ whiten.T,
        response @ whiten.T,
        "negative_half_squared_distance",
        response_bias=bias,
    )
    error = response[None] - predicted[:, None]
    expected = -0.5 * np.einsum("ijc,cd,ijd->ij", error, np.linalg.inv(residual), error) + bias
    np.testing.assert_allclose(scores, expected, atol=1e-12)


@pytest.mark.parametrize(("similarity", "constant"), [("cosine", 0.0), ("pearson", 0.1)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_without_direction_scores_zero_against_everything(similarity, constant, dtype):
    stimuli = np.random.default_rng(0).standard_normal((4, 7)).astype(dtype)
    responses = stimuli.copy()
    stimuli[1] = constant
    responses[2] = constant
    scores = compute_compatibility(stimuli, responses, similarity)
    assert not scores[1].any()
    assert not scores[:, 2].any()
    assert np.count_nonzero(scores) == 9


@pytest.mark.parametrize(("n_stimuli", "n_responses"), [(5, 2), (17, 53), (61, 9)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_equal_embeddings_tie_exactly(n_stimuli, n_responses, dtype):
    # BLAS rounds the last rows of such shapes differently from the first.
    generator = np.random.default_rng(0)
    prediction = np.tile(generator.standard_normal(300), (n_stimuli, 1)).astype(dtype)
    responses = generator.standard_normal((n_responses, 300)).astype(dtype)
    scores = compute_compatibility(prediction, responses, "pearson")
    assert (scores == scores[0]).all()


def test_permuting_items_permutes_scores(embeddings):
    stimuli, responses = embeddings[0], np.concatenate([embeddings[1], embeddings[1][3:5]])
    order = np.random.default_rng(1).permutation(len(responses))
    scores = compute_compatibility(stimuli, responses, "pearson")
    permuted = compute_compatibility(stimuli, responses[order], "pearson")
    np.testing.assert_allclose(permuted, scores[:, order], atol=1e-15)


def test_rescaling_by_a_power_of_two_leaves_cosine_bitwise_unchanged(embeddings):
    scores = compute_compatibility(*embeddings, "cosine")
    rescaled = compute_compatibility(embeddings[0] * 8.0, embeddings[1] * 0.25, "cosine")
    assert np.array_equal(scores, rescaled)


def test_unknown_similarity_names_the_nearest(embeddings):
    with pytest.raises(InputError, match="Did you mean 'pearson'"):
        compute_compatibility(*embeddings, "person")


def test_a_nan_in_an_embedding_is_named(embeddings):
    embeddings[1][3, 2] = np.nan
    with pytest.raises(CorruptDataError, match="response_embedding row 3"):
        compute_compatibility(*embeddings, "cosine")


def test_different_dimensions_are_refused(embeddings):
    with pytest.raises(InputError, match="expected response_embedding of 5 dimensions, found 4"):
        compute_compatibility(embeddings[0], embeddings[1][:, :4], "cosine")


def test_a_bias_of_the_wrong_axis_is_refused(embeddings):
    with pytest.raises(InputError, match="stimulus_bias"):
        compute_compatibility(*embeddings, "cosine", stimulus_bias=np.zeros(9))


def test_csls_equals_its_definition(embeddings):
    scores = compute_compatibility(*embeddings, "cosine")
    corrected = apply_csls(scores, 3)
    for i, j in ((0, 0), (3, 8), (6, 2)):
        stimulus_density = np.sort(scores[i])[-3:].mean()
        response_density = np.sort(scores[:, j])[-3:].mean()
        expected = 2 * scores[i, j] - stimulus_density - response_density
        np.testing.assert_allclose(corrected[i, j], expected, atol=1e-14)


def test_csls_dethrones_a_hub():
    scores = np.eye(6)
    scores[:, 5] = 1.5
    scores[5, 5] = 2.0
    assert (scores[:5].argmax(axis=1) == 5).all()
    assert (apply_csls(scores, 3)[:5].argmax(axis=1) == np.arange(5)).all()


def test_csls_with_more_neighbours_than_items_is_refused():
    with pytest.raises(InputError, match="from 1 to 4"):
        apply_csls(np.eye(4), 5)
