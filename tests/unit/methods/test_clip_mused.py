"""CLIP-MUSED on the planted world of labels: the truth about subjects and regions is known."""

from __future__ import annotations

import dataclasses
from functools import cache

import numpy as np
import pytest
import torch

from brainalign.errors import InputError
from brainalign.evaluation.token_metrics import correlate_ranks, rank_dissimilarities
from brainalign.methods.arrays import SubjectResponses, locate_stimuli
from brainalign.methods.clip_mused.model import CLIPMused
from brainalign.methods.clip_mused.options import CLIPMusedOptions
from brainalign.methods.label_baselines.networks import LabelViT, LabelViTPooled
from brainalign.methods.labels.arrays import LabelledResponses
from brainalign.methods.labels.base import LabelMethod
from brainalign.methods.labels.precision import compute_mean_average_precision
from unit.methods.label_world import EARLY, LATE, LabelWorld, simulate_label_world

SHORT = CLIPMusedOptions(epochs=2, width=16, patch_length=8, n_heads=2, checkpoint_every=1)


@cache
def make_world() -> LabelWorld:
    return simulate_label_world()


@cache
def fit_default() -> CLIPMused:
    method = CLIPMused()
    method.fit(make_world().training, make_world().validation, seed=0)
    return method


def score(method: LabelMethod, subject: str, as_subject: str | None = None) -> float:
    test = make_world().test
    responses = test.get_subject(subject)
    predicted = method.predict(subject, responses.response, as_subject=as_subject)
    rows = locate_stimuli(responses.stimulus, test.stimulus, where="test")
    return compute_mean_average_precision(predicted.score, test.label[rows])


def predict(method: LabelMethod, subject: str = "a"):
    return method.predict(subject, make_world().test.get_subject(subject).response)


def test_tokens_of_another_subject_decode_clearly_worse():
    method = fit_default()
    for subject, other in zip("abc", "bca", strict=True):
        assert score(method, subject) > score(method, subject, as_subject=other) + 0.2


def test_with_tokens_alone_another_subject_changes_the_output():
    world = make_world()
    method = CLIPMused(SHORT.model_copy(update={"input_rank": 0, "epochs": 6}))
    method.fit(world.training, world.validation, seed=0)
    response = world.test.get_subject("a").response
    own = method.predict("a", response).token_high
    other = method.predict("a", response, as_subject="b").token_high
    assert np.linalg.norm(other - own) > 0.05 * np.linalg.norm(own)


def test_low_and_high_tokens_differ():
    predicted = predict(fit_default())
    low, high = predicted.token_low, predicted.token_high
    cosine = (low * high).sum(1) / np.linalg.norm(low, axis=1) / np.linalg.norm(high, axis=1)
    assert np.mean(cosine) < 0.8


def test_pooling_without_subject_information_is_clearly_worse():
    world = make_world()
    pooled = LabelViTPooled()
    pooled.fit(world.training, world.validation, seed=0)
    ours = np.mean([score(fit_default(), subject) for subject in "abc"])
    assert ours > np.mean([score(pooled, subject) for subject in "abc"]) + 0.1


def test_it_is_no_worse_than_the_same_network_on_one_subject():
    world = make_world()
    alone = LabelViT()
    alone.fit(
        world.training.select_subjects(["a"]), world.validation.select_subjects(["a"]), seed=0
    )
    assert score(fit_default(), "a") > score(alone, "a") - 0.02


def test_the_low_token_looks_at_early_regions_and_the_high_one_at_late_regions():
    method = fit_default()
    areas = method.get_fitted().areas
    early, late = np.isin(areas, EARLY), np.isin(areas, LATE)
    for subject in "abc":
        low, high = predict(method, subject).occlusion.mean(axis=0)
        assert low[early].sum() / low.sum() > high[early].sum() / high.sum() + 0.1
        assert high[late].mean() > 1.5 * high[early].mean()


def test_tokens_follow_the_features_of_their_own_level():
    method, test = fit_default(), make_world().test
    predicted = predict(method)
    rows = locate_stimuli(test.get_subject("a").stimulus, test.stimulus, where="test")
    target = {level: values[rows] for level, values in method.process_targets(test).items()}
    ranks = {
        "low": rank_dissimilarities(predicted.token_low),
        "high": rank_dissimilarities(predicted.token_high),
    }
    weight = np.ones((1, len(rows)))

    def compare(token: str, level: str) -> float:
        return correlate_ranks(ranks[token], rank_dissimilarities(target[level]), weight)[0]

    assert compare("low", "low") > compare("high", "low") + 0.1
    assert compare("high", "high") > compare("low", "high") + 0.1


def fit_two_and_add_the_third() -> CLIPMused:
    world = make_world()
    method = CLIPMused()
    both = ["a", "b"]
    method.fit(world.training.select_subjects(both), world.validation.select_subjects(both), seed=0)
    method.add_subject(world.training, "c")
    return method


def test_fitting_the_own_parameters_of_a_new_subject_beats_no_fitting_and_leaves_the_rest():
    world = make_world()
    method = fit_two_and_add_the_third()
    untuned = score(method, "c")
    before = {name: value.copy() for name, value in method.get_weights().items()}
    known = predict(method, "a").score
    method.tune_subject(world.training, world.validation, "c", seed=0)
    assert score(method, "c") > untuned + 0.1
    np.testing.assert_array_equal(predict(method, "a").score, known)
    own = method.get_fitted().module.list_subject_parameters()
    for name, value in method.get_weights().items():
        if name.removeprefix("module/") in own:
            np.testing.assert_array_equal(value[:2], before[name][:2], err_msg=name)
            assert np.any(value[2] != before[name][2])
        else:
            np.testing.assert_array_equal(value, before[name], err_msg=name)


def test_tokens_alone_of_a_new_subject_can_be_fitted():
    world = make_world()
    method = CLIPMused(SHORT.model_copy(update={"input_rank": 0}))
    both = ["a", "b"]
    method.fit(world.training.select_subjects(both), world.validation.select_subjects(both), seed=0)
    method.add_subject(world.training, "c")
    assert method.get_fitted().module.list_subject_parameters() == ["token"]
    before = method.get_weights()["module/token"].copy()
    method.tune_subject(world.training, world.validation, "c", seed=0)
    after = method.get_weights()["module/token"]
    np.testing.assert_array_equal(after[:2], before[:2])
    assert np.any(after[2] != before[2])


def test_one_subject_more_costs_two_tokens():
    modules = []
    for subjects in (["a", "b"], ["a", "b", "c"]):
        world = make_world()
        method = CLIPMused(SHORT.model_copy(update={"input_rank": 0, "epochs": 1}))
        method.fit(
            world.training.select_subjects(subjects),
            world.validation.select_subjects(subjects),
            seed=0,
        )
        modules.append(sum(p.numel() for p in method.get_fitted().module.parameters()))
    assert modules[1] - modules[0] == 2 * SHORT.width


def fit_short(training: LabelledResponses, validation: LabelledResponses) -> CLIPMused:
    method = CLIPMused(SHORT)
    method.fit(training, validation, seed=0)
    return method


def test_equal_seeds_give_equal_weights_whatever_the_order_of_subjects():
    world = make_world()
    turned = dataclasses.replace(world.training, subjects=world.training.subjects[::-1])
    first = fit_short(world.training, world.validation).get_weights()
    second = fit_short(turned, world.validation).get_weights()
    for name, value in first.items():
        np.testing.assert_array_equal(second[name], value, err_msg=name)


def test_the_order_of_test_responses_changes_no_prediction():
    method, responses = fit_default(), make_world().test.get_subject("b").response
    order = np.random.default_rng(0).permutation(len(responses))
    shuffled = method.predict("b", responses[order])
    np.testing.assert_allclose(
        shuffled.score, method.predict("b", responses).score[order], atol=1e-5
    )


def test_the_order_of_units_changes_no_prediction():
    world = make_world()
    order = np.random.default_rng(0).permutation(world.training.get_subject("a").n_units)

    def turn(split: LabelledResponses) -> LabelledResponses:
        subjects = tuple(
            SubjectResponses(s.subject, s.response[:, order], s.stimulus) if s.subject == "a" else s
            for s in split.subjects
        )
        area = {**split.area, "a": split.area["a"][order]}
        return dataclasses.replace(split, subjects=subjects, area=area, voxel_index={})

    plain = fit_short(world.training, world.validation)
    turned = fit_short(turn(world.training), turn(world.validation))
    response = world.test.get_subject("a").response
    np.testing.assert_allclose(
        turned.predict("a", response[:, order]).score, plain.predict("a", response).score, atol=1e-3
    )


def test_weights_restore_bitwise_the_same_predictions():
    method = fit_default()
    restored = CLIPMused(method.options)
    restored.set_weights(method.get_weights())
    first, second = predict(method), predict(restored)
    for name in ("score", "token_low", "token_high", "attention", "occlusion"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_an_interrupted_fit_resumes_to_bitwise_the_same_weights(tmp_path):
    world = make_world()

    def interrupt(record, epochs):
        raise KeyboardInterrupt

    method = CLIPMused(SHORT)
    with pytest.raises(KeyboardInterrupt):
        method.fit(world.training, world.validation, seed=0, scratch=tmp_path, report=interrupt)
    method = CLIPMused(SHORT)
    method.fit(world.training, world.validation, seed=0, scratch=tmp_path)
    expected = fit_short(world.training, world.validation).get_weights()
    for name, value in method.get_weights().items():
        np.testing.assert_array_equal(value, expected[name], err_msg=name)


def test_attention_is_a_share_of_the_regions_that_a_subject_has():
    world = simulate_label_world(areas={"a": ("LOC",), "b": ("V1", "V2")}, n_own=20, n_shared=40)
    method = fit_short(world.training, world.validation)
    areas = method.get_fitted().areas
    attention = method.predict("a", world.test.get_subject("a").response).attention
    np.testing.assert_allclose(attention[:, :, areas.index("LOC")], 1, atol=1e-5)
    assert np.isnan(attention[:, :, areas.index("V1")]).all()


def test_subjects_without_a_region_in_common_are_fitted_together():
    world = simulate_label_world(
        areas={"a": ("LOC",), "b": ("FFA",), "c": ("V1",)}, n_own=20, n_shared=40
    )
    method = fit_short(world.training, world.validation)
    for subject in "abc":
        predicted = method.predict(subject, world.test.get_subject(subject).response)
        assert np.isfinite(predicted.score).all()


def test_a_new_subject_without_a_known_region_is_refused():
    world = simulate_label_world(
        areas={"a": ("LOC",), "b": ("LOC",), "c": ("V1",)}, n_own=20, n_shared=40
    )
    both = ["a", "b"]
    method = fit_short(world.training.select_subjects(both), world.validation.select_subjects(both))
    with pytest.raises(InputError, match="no region in common"):
        method.add_subject(world.training, "c")


def test_a_class_without_positives_in_training_is_scored_as_absent():
    world = make_world()
    label = world.training.label.copy()
    label[:, 0] = False
    training = dataclasses.replace(world.training, label=label)
    method = fit_short(training, world.validation)
    assert (predict(method).score[:, 0] == 0).all()
    assert np.ptp(predict(method).score[:, 1]) > 0


def test_training_without_any_class_is_refused():
    world = make_world()
    training = dataclasses.replace(world.training, label=np.zeros_like(world.training.label))
    with pytest.raises(InputError, match="no class has stimuli with and without it"):
        fit_short(training, world.validation)


def test_validation_without_positives_is_refused():
    world = make_world()
    nothing = np.zeros_like(world.validation.label)
    with pytest.raises(InputError, match="validation split can tell no epoch"):
        fit_short(world.training, dataclasses.replace(world.validation, label=nothing))


def test_missing_features_of_a_level_are_named():
    world = make_world()
    training = dataclasses.replace(world.training, target={"low": world.training.target["low"]})
    with pytest.raises(InputError, match="no features guide the high level"):
        fit_short(training, world.validation)


def test_an_unknown_subject_is_named_with_the_known_ones():
    with pytest.raises(InputError, match=r"not fitted on subject 'd'.*Known: a, b, c"):
        fit_default().predict("d", np.zeros((1, 80), np.float32))


def test_global_randomness_is_neither_used_nor_changed():
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    fit_short(make_world().training, make_world().validation)
    assert torch.rand(1) == expected
