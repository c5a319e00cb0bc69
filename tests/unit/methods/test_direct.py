from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.methods.arrays import PairedResponses, SubjectResponses
from brainalign.methods.direct.base import DirectMethod
from brainalign.methods.direct.methods import (
    DirectDecodingNonlinear,
    DirectDecodingRidge,
    DirectEncodingNonlinear,
    DirectEncodingRidge,
)
from brainalign.methods.direct.options import (
    NonlinearDecodingOptions,
    NonlinearEncodingOptions,
    RidgeOptions,
)
from brainalign.methods.direct.regression import FitContext, MapFit, RegressionPairs
from brainalign.methods.direct.residuals import fit_maps_in_turn
from brainalign.methods.direct.ridge import RidgeRegression
from brainalign.training import stacked
from unit.methods.linear_world import LinearWorld, pair, score_matrix, simulate_linear_world, top1

RIDGES = [DirectEncodingRidge, DirectDecodingRidge]


def make_world(n_training: int = 120, seed: int = 0) -> LinearWorld:
    return simulate_linear_world(0, 0, n_training, seed=seed, n_test=30, n_validation=30)


def embed(method: DirectMethod, world: LinearWorld) -> dict[str, np.ndarray]:
    embeddings = method.embed("monkey", world.test.feature, world.test_response())
    return {variant: score_matrix(embedding) for variant, embedding in embeddings.items()}


@pytest.mark.parametrize("method_class", RIDGES)
@pytest.mark.parametrize("n_training", [120, 600])
def test_without_nuisance_all_variants_find_partners(
    method_class: type[DirectMethod], n_training: int
):
    world = make_world(n_training)
    method = method_class()
    method.fit(world.training, world.validation, seed=0)
    scores = embed(method, world)
    assert list(scores) == ["pearson", "mahalanobis", "likelihood"]
    for variant, S in scores.items():
        assert max(top1(S)) > 0.6, variant


@pytest.mark.parametrize("method_class", RIDGES)
def test_rescaling_a_unit_by_a_power_of_two_changes_no_bit(method_class: type[DirectMethod]):
    world = make_world()
    factor = np.ones(150, dtype=np.float32)
    factor[3] = 2.0**-9
    scores = []
    for scale in (1.0, factor):
        training, validation, test = (
            pair(split.stimulus, split.feature, split.subjects[0].response * scale)
            for split in (world.training, world.validation, world.test)
        )
        method = method_class()
        method.fit(training, validation, seed=0)
        scores.append(embed(method, LinearWorld(training, validation, test, np.empty(0))))
    for variant in scores[0]:
        np.testing.assert_array_equal(scores[0][variant], scores[1][variant])


@pytest.mark.parametrize("method_class", RIDGES)
def test_validation_and_test_rows_leave_no_trace_in_any_weight(method_class: type[DirectMethod]):
    world = make_world()
    noise = np.random.default_rng(1).normal(size=(30, 150))
    canary = pair(world.validation.stimulus, 1e3 * world.validation.feature, noise)
    weights = []
    for validation in (world.validation, canary):
        method = method_class()
        method.fit(world.training, validation, seed=0)
        method.embed("monkey", validation.feature, validation.subjects[0].response)
        weights.append(method.get_weights())
    for name, value in weights[0].items():
        np.testing.assert_array_equal(weights[1][name], value, err_msg=name)


@pytest.mark.parametrize("method_class", RIDGES)
def test_each_subject_gets_the_map_it_would_get_alone(method_class: type[DirectMethod]):
    world = make_world()
    response = world.training.subjects[0].response
    shown = np.arange(len(response)) % 3 > 0

    def add_mouse(paired: PairedResponses, rows: np.ndarray) -> PairedResponses:
        few = paired.subjects[0].response[rows, :40]
        mouse = SubjectResponses("mouse", few, paired.stimulus[rows])
        return PairedResponses(paired.stimulus, paired.feature, (*paired.subjects, mouse))

    both = method_class()
    history = both.fit(
        add_mouse(world.training, shown), add_mouse(world.validation, np.arange(30)), seed=0
    )
    assert history.subject.tolist() == ["monkey", "mouse"]
    alone = method_class()
    alone.fit(world.training, world.validation, seed=0)
    for variant, S in embed(alone, world).items():
        np.testing.assert_array_equal(embed(both, world)[variant], S)
    mouse = both.embed("mouse", world.test.feature, world.test_response()[:, :40])
    assert max(top1(score_matrix(mouse["likelihood"]))) > 0.3


def test_repeats_count_as_their_mean():
    world = make_world()
    response = world.training.subjects[0].response
    jitter = np.random.default_rng(0).integers(-4, 5, response.shape).astype(np.float32) / 8
    doubled = SubjectResponses(
        "monkey",
        np.concatenate([response + jitter, response - jitter]),
        np.tile(world.training.stimulus, 2),
    )
    repeated = PairedResponses(world.training.stimulus, world.training.feature, (doubled,))
    scores = []
    for training in (world.training, repeated):
        method = DirectEncodingRidge()
        method.fit(training, world.validation, seed=0)
        scores.append(embed(method, world)["pearson"])
    np.testing.assert_allclose(scores[0], scores[1], atol=1e-5)


def test_out_of_fold_residuals_do_not_shrink_as_training_residuals_do():
    """Pure noise: an interpolating map has no training residuals, but predicts nothing."""
    rng = np.random.default_rng(0)
    noise = RegressionPairs(
        rng.normal(size=(60, 80)).astype(np.float32), rng.normal(size=(60, 4)).astype(np.float32)
    )
    ridge = RidgeRegression(RidgeOptions(alphas=[1e-6]))
    ridge.fit(noise, noise, FitContext(seed=0))
    assert (noise.targets - ridge.predict(noise.inputs)).std() < 1e-3
    (fitted,) = fit_maps_in_turn([MapFit(ridge, noise, noise, FitContext(seed=0), n_folds=5)])
    assert fitted.residual is not None
    assert fitted.residual.std() > 1.0


def test_matching_by_pearson_alone_learns_no_covariance():
    world = make_world()
    method = DirectEncodingRidge(RidgeOptions(matching=["pearson"]))
    method.fit(world.training, world.validation, seed=0)
    assert list(embed(method, world)) == ["pearson"]
    assert not [name for name in method.get_weights() if "whitening" in name]


NONLINEAR = [
    (DirectEncodingNonlinear, NonlinearEncodingOptions),
    (DirectDecodingNonlinear, NonlinearDecodingOptions),
]


@pytest.mark.parametrize(("method_class", "options"), NONLINEAR)
def test_nonlinear_maps_learn_the_clean_world(method_class: type[DirectMethod], options: type):
    world = make_world(600)
    method = method_class(options(epochs=60, matching=["pearson"]))
    history = method.fit(world.training, world.validation, seed=0)
    assert history.validation_score.max() > history.validation_score.iloc[0] + 0.1
    assert max(top1(embed(method, world)["pearson"])) > 0.6


@pytest.mark.parametrize(("method_class", "options"), NONLINEAR)
def test_nonlinear_maps_resume_to_bitwise_the_same_weights(
    method_class: type[DirectMethod], options: type, tmp_path: Path
):
    world = make_world()
    splits = world.training, world.validation
    chosen = options(epochs=3, checkpoint_every=1, residual_folds=2)
    calls = []

    def interrupt(record, epochs) -> None:
        calls.append(record.epoch)
        if len(calls) == 4:
            raise KeyboardInterrupt

    def fit(scratch: Path | None, report: object = None) -> list[DirectMethod]:
        methods = [method_class(chosen), method_class(chosen)]
        given = {"scratches": [scratch, scratch], "reports": [report, report]}
        method_class.fit_together(methods, *splits, seeds=[0, 1], **given)
        return methods

    with pytest.raises(KeyboardInterrupt):
        fit(tmp_path, interrupt)
    assert calls == [1, 1, 2, 2]
    for resumed, reference in zip(fit(tmp_path), fit(None), strict=True):
        expected = reference.get_weights()
        for name, value in resumed.get_weights().items():
            np.testing.assert_array_equal(value, expected[name], err_msg=name)


@pytest.mark.parametrize(("method_class", "options"), NONLINEAR)
def test_seeds_fitted_together_get_the_weights_that_each_gets_alone(
    method_class: type[DirectMethod], options: type, monkeypatch: pytest.MonkeyPatch
):
    world = make_world()
    splits = world.training, world.validation
    chosen = options(epochs=4, residual_folds=2)
    together = [method_class(chosen) for _ in range(3)]
    nothing = {"scratches": [None] * 3, "reports": [None] * 3}
    histories = method_class.fit_together(together, *splits, seeds=[0, 1, 2], **nothing)
    # Heads that are too large for a stack go through the loop for a single module.
    monkeypatch.setattr(stacked, "LARGEST_HEAD", 0)
    weights = []
    for seed, method in enumerate(together):
        alone = method_class(chosen)
        history = alone.fit(*splits, seed=seed)
        np.testing.assert_allclose(histories[seed].loss, history.loss, rtol=1e-4)
        weights.append(method.get_weights())
        for name, value in alone.get_weights().items():
            np.testing.assert_allclose(weights[-1][name], value, atol=1e-4, err_msg=name)
    changed = [name for name, value in weights[0].items() if (value != weights[1][name]).any()]
    assert any("map/" in name for name in changed)


def make_counts(seed: int = 0) -> LinearWorld:
    world = make_world(600, seed)
    rng = np.random.default_rng(seed)

    def count(paired: PairedResponses) -> PairedResponses:
        rate = np.exp(0.7 * np.clip(paired.subjects[0].response, -3, 3))
        return pair(paired.stimulus, paired.feature, rng.poisson(rate))

    return LinearWorld(
        count(world.training), count(world.validation), count(world.test), np.empty(0)
    )


def test_the_poisson_loss_predicts_rates_that_are_not_negative():
    world = make_counts()
    options = NonlinearEncodingOptions(response_loss="poisson", epochs=60, matching=["pearson"])
    method = DirectEncodingNonlinear(options)
    method.fit(world.training, world.validation, seed=0)
    fitted = method._maps["monkey"]
    z = fitted.regression.predict(fitted.feature.apply(world.test.feature, where="features"))
    rate = z * fitted.response.scale + fitted.response.mean
    assert rate.min() > -1e-4
    assert abs(rate.mean() / world.test_response().mean() - 1) < 0.1
    assert max(top1(embed(method, world)["pearson"])) > 0.3


def test_the_poisson_loss_refuses_negative_responses():
    world = make_world()
    method = DirectEncodingNonlinear(NonlinearEncodingOptions(response_loss="poisson", epochs=1))
    with pytest.raises(InputError, match=r"not negative.*response_loss: mse"):
        method.fit(world.training, world.validation, seed=0)
