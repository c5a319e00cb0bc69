"""Predictions hold what was shown, by id, in the space of the method."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.methods.arrays import PairedEmbedding
from brainalign.methods.base import AlignmentMethod
from brainalign.methods.prediction import compose_predictions, join_predictions

GALLERY = ["a", "b", "c"]


class Echo(AlignmentMethod):
    """A method whose space is that of the responses; it keeps only some units."""

    def __init__(self, n_kept: int) -> None:
        self.n_kept = n_kept

    def fit(self, training, validation, **_):
        raise AssertionError("not fitted here")

    def embed(self, subject, feature, response):
        return {
            "echo": PairedEmbedding(
                feature[:, : self.n_kept],
                response[:, : self.n_kept],
                "cosine",
                response_bias=response.sum(axis=1),
            )
        }

    def get_weights(self):
        return {}

    def set_weights(self, weights):
        pass


def predict(n_kept: int = 2, n_repeats: int = 4, order: np.random.Generator | None = None):
    stimulus = np.repeat(GALLERY, n_repeats)
    response = np.arange(len(stimulus) * 3, dtype=np.float32).reshape(-1, 3)
    if order is not None:
        rows = order.permutation(len(stimulus))
        stimulus, response = stimulus[rows], response[rows]
    features = dict(zip(GALLERY, np.eye(3, dtype=np.float32), strict=True))
    return compose_predictions(
        Echo(n_kept),
        subject="s",
        stimulus=stimulus,
        response=response,
        take_features=lambda ids: np.stack([features[str(name)] for name in ids]),
        n_half_splits=2,
    )["echo"]


def test_mean_response_of_a_stimulus_is_the_mean_over_its_presentations():
    predictions = predict()
    rows = predictions["presented_stimulus"].values == "b"
    expected = predictions["presentation_embedding"].values[rows].mean(axis=0)
    np.testing.assert_allclose(
        predictions["response_embedding"].sel(stimulus="b").values, expected, rtol=1e-6
    )


def test_order_of_presentations_does_not_change_the_means():
    shuffled = predict(order=np.random.default_rng(0))
    for name in ("response_embedding", "response_bias", "stimulus_embedding"):
        np.testing.assert_allclose(shuffled[name].values, predict()[name].values, rtol=1e-6)


def test_both_halves_together_are_the_mean_response():
    predictions = predict()
    halves = predictions["half_embedding"].values
    expected = np.broadcast_to(predictions["response_embedding"].values, halves[:, 0].shape)
    np.testing.assert_allclose(halves.mean(axis=1), expected, rtol=1e-5)


def test_stimuli_shown_once_have_no_halves():
    assert "half_embedding" not in predict(n_repeats=1)


def test_folds_are_told_apart_and_missing_dimensions_are_nan():
    first, second = predict(n_kept=2), predict(n_kept=1)
    second = second.assign_coords(stimulus=["d", "e", "f"])
    joined = join_predictions({(0, 0): first, (0, 1): second})
    assert joined["fold"].values.tolist() == [0, 0, 0, 1, 1, 1]
    assert joined["presentation_fold"].values.tolist() == [0] * 12 + [1] * 12
    of_second = joined["response_embedding"].sel(stimulus="d").values
    assert np.isfinite(of_second[0, 0])
    assert np.isnan(of_second[0, 1])


def test_seeds_are_stacked_in_order_whatever_the_order_of_the_parts():
    parts = {(7, 0): predict(n_kept=2), (3, 0): predict(n_kept=1)}
    joined = join_predictions(parts)
    assert joined["seed"].values.tolist() == [3, 7]
    assert np.isnan(joined["response_embedding"].sel(seed=3).values[:, 1]).all()
    assert np.isfinite(joined["response_embedding"].sel(seed=7).values).all()


@pytest.mark.parametrize("name", ["stimulus_embedding", "half_bias", "presentation_bias"])
def test_every_variable_is_described(name):
    joined = join_predictions({(0, 0): predict()})
    assert joined[name].attrs["long_name"] != name
    assert joined[name].attrs["units"] == "1"
