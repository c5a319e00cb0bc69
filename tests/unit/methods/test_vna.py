from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from brainalign.errors import InputError
from brainalign.methods.arrays import PairedResponses, SubjectResponses
from brainalign.methods.repeats import group_repeats
from brainalign.methods.vna.model import VNA
from brainalign.methods.vna.module import VNAModule
from brainalign.methods.vna.options import VNAOptions
from brainalign.methods.vna.task import SplitPairs, SubjectPairs, VNATask, compute_top1
from brainalign.training.loop import train_module
from unit.methods.linear_world import (
    LinearWorld,
    pair,
    score_matrix,
    simulate_linear_world,
    top1,
)

SHORT = VNAOptions(epochs=6, embedding_dimension=16, checkpoint_every=2)


def make_world(seed: int = 0, n_training: int = 80) -> LinearWorld:
    return simulate_linear_world(
        1, 1, n_training, seed=seed, n_test=20, n_validation=20, n_test_repeats=2
    )


def fit(world: LinearWorld, options: VNAOptions = SHORT, **kwargs) -> VNA:
    method = VNA(options)
    method.fit(world.training, world.validation, seed=kwargs.pop("seed", 0), **kwargs)
    return method


def embed(method: VNA, world: LinearWorld) -> np.ndarray:
    embeddings = method.embed("monkey", world.test.feature, world.test_response())
    assert list(embeddings) == ["cosine"]
    return score_matrix(embeddings["cosine"])


def assert_same_weights(first: VNA, second: VNA) -> None:
    expected = first.get_weights()
    found = second.get_weights()
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def replace_subject(paired: PairedResponses, response: np.ndarray) -> PairedResponses:
    return pair(paired.stimulus, paired.feature, response)


def test_a_saved_model_embeds_bitwise_the_same(tmp_path: Path):
    world = make_world()
    method = fit(world)
    method.save(tmp_path)
    loaded = VNA.load(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "manifest.json",
        "options.json",
        "weights.safetensors",
    ]
    assert loaded.options == method.options
    np.testing.assert_array_equal(embed(loaded, world), embed(method, world))


def test_an_interrupted_fit_resumes_to_bitwise_the_same_weights(tmp_path: Path):
    world = make_world()

    def interrupt(record, epochs) -> None:
        if record.epoch == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(world, scratch=tmp_path, report=interrupt)
    assert list(tmp_path.glob("*/epoch_000004.json"))
    assert_same_weights(fit(world), fit(world, scratch=tmp_path))


def test_checkpoints_of_other_data_are_not_resumed(tmp_path: Path):
    fit(make_world(1), scratch=tmp_path)
    assert_same_weights(fit(make_world(2)), fit(make_world(2), scratch=tmp_path))


@pytest.mark.parametrize("exponent", [-20, 5])
def test_rescaling_a_unit_by_a_power_of_two_changes_no_bit(exponent: int):
    world = make_world()
    factor = np.ones(150, dtype=np.float32)
    factor[7] = 2.0**exponent

    def rescale(paired: PairedResponses) -> PairedResponses:
        return replace_subject(paired, paired.subjects[0].response * factor)

    rescaled = LinearWorld(
        rescale(world.training), rescale(world.validation), rescale(world.test), np.empty(0)
    )
    np.testing.assert_array_equal(embed(fit(world), world), embed(fit(rescaled), rescaled))


def test_test_rows_leave_no_trace_in_what_is_learned():
    world = make_world()
    noise = np.random.default_rng(9).normal(size=world.test_response().shape)
    first, second = fit(world), fit(world)
    embed(first, world)
    second.embed("monkey", 1e3 * world.test.feature, 1e3 * noise)
    assert_same_weights(first, second)


def test_validation_rows_leave_no_trace_in_statistics_and_selection():
    world = make_world()
    response = world.training.subjects[0].response.copy()
    response[:, 3] = 1.0
    training = replace_subject(world.training, response)
    noise = np.random.default_rng(9).normal(size=world.validation.subjects[0].response.shape)
    canary = replace_subject(world.validation, noise)
    weights = []
    for validation in (world.validation, canary):
        method = VNA(SHORT)
        history = method.fit(training, validation, seed=0)
        assert history.attrs["dropped_units"] == {"monkey": 1}
        weights.append(method.get_weights())
    learned = [name for name in weights[0] if not name.startswith("module/")]
    assert len(learned) == 6
    for name in learned:
        np.testing.assert_array_equal(weights[0][name], weights[1][name])
    assert weights[0]["response/monkey/kept"][3] == 0


def test_validation_rows_only_choose_among_equal_epochs():
    """With one epoch there is nothing to choose, so all weights are bitwise the same."""
    world = make_world()
    noise = np.random.default_rng(9).normal(size=world.validation.subjects[0].response.shape)
    canary = LinearWorld(
        world.training, replace_subject(world.validation, noise), world.test, np.empty(0)
    )
    options = SHORT.model_copy(update={"epochs": 1})
    assert_same_weights(fit(world, options), fit(canary, options))


def test_the_order_of_stimuli_in_a_gallery_only_permutes_the_scores():
    world = make_world()
    method = fit(world)
    order = np.random.default_rng(0).permutation(20)
    embedding = method.embed("monkey", world.test.feature[order], world.test_response())["cosine"]
    np.testing.assert_allclose(score_matrix(embedding), embed(method, world)[order], atol=1e-6)


def make_two_animals(n_training: int, seed: int = 0) -> tuple[PairedResponses, ...]:
    """Animals with 150 and 40 units; the second sees two thirds of the stimuli, twice each."""
    world = simulate_linear_world(0, 0, n_training, seed=seed, n_test=50, n_validation=50)

    def pair_two(paired: PairedResponses) -> PairedResponses:
        response = paired.subjects[0].response
        shown = np.arange(len(response)) % 3 > 0
        few = np.concatenate([response[shown, :40]] * 2)
        ids = np.concatenate([paired.stimulus[shown]] * 2)
        second = SubjectResponses("mouse.2", few, ids)
        return PairedResponses(paired.stimulus, paired.feature, (*paired.subjects, second))

    return pair_two(world.training), pair_two(world.validation), pair_two(world.test)


def test_two_animals_with_different_units_are_learned_together(tmp_path: Path):
    training, validation, test = make_two_animals(400)
    method = VNA(VNAOptions(epochs=25))
    method.fit(training, validation, seed=0)
    method.save(tmp_path)
    loaded = VNA.load(tmp_path)
    response = test.subjects[0].response
    scores = {
        "monkey": loaded.embed("monkey", test.feature, response)["cosine"],
        "mouse.2": loaded.embed("mouse.2", test.feature, response[:, :40])["cosine"],
    }
    assert min(top1(score_matrix(scores["monkey"]))) > 0.7
    assert min(top1(score_matrix(scores["mouse.2"]))) > 0.3


def test_the_order_of_subjects_changes_nothing():
    training, validation, _ = make_two_animals(90)
    reversed_training = PairedResponses(
        training.stimulus, training.feature, training.subjects[::-1]
    )
    methods = []
    for paired in (training, reversed_training):
        methods.append(VNA(SHORT))
        methods[-1].fit(paired, validation, seed=0)
    assert_same_weights(*methods)


def make_task(resampling: bool) -> VNATask:
    """Ten stimuli with three repeats; a response names its presentation."""
    stimulus = np.array([f"s{row}" for row in range(10)])
    presented = np.repeat(stimulus, 3)
    response = np.arange(30, dtype=np.float32)[:, None]
    feature = np.arange(10, dtype=np.float32)[:, None]
    paired = PairedResponses(stimulus, feature, (SubjectResponses("a", response, presented),))
    repeats = group_repeats(paired, "a")
    options = VNAOptions(trial_resampling=resampling, largest_batch_fraction=1.0)
    split = SplitPairs(feature, [SubjectPairs(response, np.repeat(np.arange(10), 3), repeats)])
    task = VNATask(VNAModule(1, [1], options), options, split, split)
    task.prepare(torch.device("cpu"))
    return task


def test_resampling_shows_each_stimulus_once_per_epoch_with_another_repeat():
    task = make_task(resampling=True)
    epochs = []
    for epoch in range(2):
        batches = list(task.iterate_batches(epoch, np.random.default_rng(epoch)))
        stimulus = torch.cat([batch.stimulus for batch in batches])
        shown = torch.cat([batch.response for batch in batches])[:, 0]
        assert sorted(stimulus.tolist()) == list(range(10))
        assert torch.equal(shown.long() // 3, stimulus)
        epochs.append(set(shown.tolist()))
    assert epochs[0] != epochs[1]


def test_without_resampling_all_presentations_are_shown():
    task = make_task(resampling=False)
    batches = list(task.iterate_batches(0, np.random.default_rng(0)))
    shown = torch.cat([batch.response for batch in batches])[:, 0]
    assert sorted(shown.tolist()) == list(range(30))


def test_features_in_a_batch_belong_to_their_stimuli():
    for batch in make_task(resampling=True).iterate_batches(0, np.random.default_rng(0)):
        assert torch.equal(batch.feature[:, 0].long(), batch.stimulus)


@pytest.mark.parametrize(
    ("similarity", "expected"),
    [
        (torch.eye(4), 1.0),
        (torch.zeros(4, 4), 0.25),
        (torch.eye(4).flip(0), 0.0),
        (torch.full((4, 4), torch.nan), 0.0),
        (torch.tensor([[1.0, 1.0], [0.0, 1.0]]), 0.75),
    ],
)
def test_ties_count_by_their_chance(similarity: torch.Tensor, expected: float):
    assert compute_top1(similarity) == expected


def test_a_nan_response_is_refused_and_dropped_on_request():
    world = make_world()
    response = world.training.subjects[0].response.copy()
    response[4, 2] = np.nan
    training = replace_subject(world.training, response)
    with pytest.raises(InputError, match=r"units of monkey.*nan_policy"):
        VNA(SHORT).fit(training, world.validation, seed=0)
    method = VNA(SHORT.model_copy(update={"nan_policy": "drop_units"}))
    history = method.fit(training, world.validation, seed=0)
    assert history.attrs["dropped_units"] == {"monkey": 1}
    assert np.isfinite(embed(method, world)).all()


def test_a_nan_feature_is_refused():
    world = make_world()
    feature = world.training.feature.copy()
    feature[0, 0] = np.nan
    training = pair(world.training.stimulus, feature, world.training.subjects[0].response)
    with pytest.raises(InputError, match="features"):
        VNA(SHORT).fit(training, world.validation, seed=0)


def test_too_few_stimuli_for_a_contrast_are_an_error():
    world = make_world(n_training=3)
    with pytest.raises(InputError, match="two stimuli or more"):
        fit(world)


def test_an_unknown_subject_names_the_known_ones():
    world = make_world()
    with pytest.raises(InputError, match="Known: monkey"):
        fit(world).embed("monky", world.test.feature, world.test_response())


def test_an_unfitted_model_says_so():
    with pytest.raises(InputError, match="not fitted"):
        VNA().get_weights()


def test_global_randomness_is_neither_used_nor_changed():
    world = make_world()
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = fit(world)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert_same_weights(first, fit(world))


def test_the_learned_scale_is_trained_but_not_decayed():
    task = make_task(resampling=True)
    options = VNAOptions(epochs=5, learning_rate=1e-9, weight_decay=1e6)
    before = task.module.scale.log_scale.item()
    train_module(task, options, seed=0)
    assert task.module.scale.log_scale.item() == pytest.approx(before, abs=1e-6)
    options = VNAOptions(epochs=5, learning_rate=1e-2)
    train_module(task, options, seed=0)
    assert task.module.scale.log_scale.item() != pytest.approx(before, abs=1e-3)


def test_the_paper_like_preset_trains():
    world = make_world()
    options = VNAOptions(preset="paper_like", epochs=2)
    assert np.isfinite(embed(fit(world, options), world)).all()
