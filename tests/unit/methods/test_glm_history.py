"""The spike history of the GLM, on planted cells that silence or excite themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.methods.movies.arrays import RateTargets
from brainalign.methods.rate_baselines.glm import PoissonGLM
from brainalign.methods.rate_baselines.history import make_history_basis
from brainalign.methods.rate_baselines.options import GLMOptions
from planted_retina import FRAME_RATE, PlantedRetina, make_retina

PLANTED = np.array([-12.0, 8.0, 0.0])
"""Change of the rate in Hz per spike one frame back; half of it two frames back."""

TRAINED, VALIDATED = slice(0, 500), slice(500, 600)


@pytest.fixture(scope="module")
def retina() -> PlantedRetina:
    """Three cells whose rates depend on their own spikes of the last two frames."""
    plain = make_retina((600, 300), n_units=len(PLANTED), n_trials=20)
    drive = 12 + plain.true_rate
    generator = np.random.default_rng(1)
    count = np.zeros_like(plain.count)
    for span in plain.movies.list_spans():
        for frame in range(span.start, span.stop):
            past = np.zeros(count.shape[::2])
            for lag, share in ((1, 1.0), (2, 0.5)):
                if frame - lag >= span.start:
                    past += share * PLANTED * count[:, frame - lag]
            rate = np.clip(drive[frame] + past, 0, 60)
            count[:, frame] = generator.poisson(rate / FRAME_RATE)
    return dataclasses.replace(plain, count=count)


@pytest.fixture(scope="module")
def fits(retina: PlantedRetina) -> dict[bool, PoissonGLM]:
    return {history: fit(retina, history) for history in (True, False)}


def fit(retina: PlantedRetina, history: bool) -> PoissonGLM:
    method = PoissonGLM(GLMOptions(history=history))
    parts = (retina.take(part.start, part.stop) for part in (TRAINED, VALIDATED))
    method.fit(retina.movies, retina.cells, *parts, seed=0)
    return method


def compute_likelihood(retina: PlantedRetina, method: PoissonGLM) -> np.ndarray:
    """Log likelihood per cell of the trials of the second movie, each given its own past."""
    tested = retina.movies.movie == "movie-1"
    rate = method.predict_given_past(retina.movies, retina.cells, retina.count)[:, tested]
    expected = rate.astype(np.float64) / FRAME_RATE
    return (retina.count[:, tested] * np.log(expected) - expected).sum((0, 1))


def test_the_sign_of_the_planted_history_is_recovered(fits):
    first = fits[True].get_weights()["history"][:, 0]
    assert first[0] < -2
    assert first[1] > 2
    assert abs(first[2]) < 2


def test_own_spikes_raise_the_likelihood_of_trials_of_another_movie(retina, fits):
    gain = compute_likelihood(retina, fits[True]) - compute_likelihood(retina, fits[False])
    assert (gain[:2] > 20).all()
    # Nothing was planted in the last cell: little may be lost.
    assert gain[2] > -10


def test_simulated_trials_have_the_recorded_mean_rate(retina, fits):
    tested = retina.movies.movie == "movie-1"
    predicted = fits[True].predict(retina.movies, retina.cells)[tested].mean(0)
    np.testing.assert_allclose(predicted, retina.rate[tested].mean(0), rtol=0.15)


def test_predictions_know_no_recorded_spike(retina, fits):
    """A prediction takes movies only, and is the same whenever it is made."""
    first, second = (fits[True].predict(retina.movies, retina.cells) for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_spikes_of_another_split_are_no_history(retina):
    count = retina.count.copy()
    count[:, VALIDATED.stop :] = 9
    polluted = dataclasses.replace(retina, count=count)
    weights = [fit(source, True).get_weights() for source in (retina, polluted)]
    for name, values in weights[0].items():
        np.testing.assert_array_equal(values, weights[1][name])


def test_without_trials_a_history_is_refused(retina):
    targets = retina.take(0, 100)
    means = RateTargets(targets.rate, targets.stretch)
    with pytest.raises(InputError, match=r"needs single trials.*history: false"):
        PoissonGLM().fit(retina.movies, retina.cells, means, means, seed=0)


def test_the_basis_has_its_first_peak_one_frame_back():
    basis = make_history_basis(9, 4)
    assert basis[0].argmax() == 0
    assert basis[-1].argmax() == 8
    np.testing.assert_allclose(basis.max(1), 1, atol=0.2)
