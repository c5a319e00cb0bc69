"""Heads that are trained at once end as they would have ended alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainalign.errors import CorruptDataError
from brainalign.training.history import EpochRecord
from brainalign.training.loop import train_module
from brainalign.training.options import TrainingOptions
from brainalign.training.stacked import HEADS_AT_ONCE, train_modules
from unit.training.linear_task import LinearTask

OPTIONS = TrainingOptions(epochs=12, learning_rate=0.05, warmup_fraction=0.2, gradient_clip=0.5)


def train_alone(
    tasks: Sequence[LinearTask], seeds: Sequence[int], options: TrainingOptions = OPTIONS
) -> list[pd.DataFrame]:
    return [train_module(task, options, seed=seed) for task, seed in zip(tasks, seeds, strict=True)]


def check_equal(
    stacked: Sequence[LinearTask],
    alone: Sequence[LinearTask],
    histories: Sequence[pd.DataFrame],
    references: Sequence[pd.DataFrame],
) -> None:
    for task, other in zip(stacked, alone, strict=True):
        for name, value in other.get_weights().items():
            np.testing.assert_allclose(task.get_weights()[name], value, atol=1e-6, err_msg=name)
    for history, reference in zip(histories, references, strict=True):
        pd.testing.assert_frame_equal(
            history.drop(columns="seconds"), reference.drop(columns="seconds"), rtol=1e-4
        )


def fall_after(best: int):
    """Judge of a task whose validation score rises to an epoch and falls from there on."""
    return lambda epoch: -abs(epoch - best)


def test_each_head_gets_the_weights_that_it_gets_alone():
    seeds = range(HEADS_AT_ONCE + 2)
    stacked, alone = ([LinearTask() for _ in seeds] for _ in range(2))
    histories = train_modules(stacked, OPTIONS, seeds=seeds)
    check_equal(stacked, alone, histories, train_alone(alone, seeds))


def test_different_seeds_give_different_weights():
    tasks = [LinearTask(), LinearTask()]
    train_modules(tasks, OPTIONS, seeds=[0, 1])
    first, second = (task.get_weights()["1.weight"] for task in tasks)
    assert np.abs(first - second).max() > 1e-3


def test_each_head_stops_at_its_own_epoch():
    options = OPTIONS.model_copy(update={"patience": 2})
    bests, seeds = [3, 30, 1], [0, 1, 2]
    stacked, alone = ([LinearTask(judge=fall_after(best)) for best in bests] for _ in range(2))
    histories = train_modules(stacked, options, seeds=seeds)
    assert [len(history) for history in histories] == [5, 12, 3]
    check_equal(stacked, alone, histories, train_alone(alone, seeds, options))


def test_a_bad_batch_of_one_head_is_skipped_by_it_alone():
    def spoil(epoch: int, step: int) -> float:
        return np.nan if (epoch, step) in {(2, 1), (2, 2), (7, 0)} else 0.0

    seeds = [0, 1, 2]
    stacked, alone = ([LinearTask(), LinearTask(spoil=spoil), LinearTask()] for _ in range(2))
    histories = train_modules(stacked, OPTIONS, seeds=seeds)
    assert [history.skipped_steps.sum() for history in histories] == [0, 3, 0]
    check_equal(stacked, alone, histories, train_alone(alone, seeds))


def test_a_head_with_bad_batches_only_ends_the_fit():
    tasks = [LinearTask(), LinearTask(spoil=lambda epoch, step: np.nan)]
    with pytest.raises(CorruptDataError, match="not finite in 10 steps"):
        train_modules(tasks, OPTIONS, seeds=[0, 1])


def test_a_killed_stack_goes_on_to_bitwise_the_same_weights(tmp_path: Path):
    options = OPTIONS.model_copy(update={"patience": 2, "checkpoint_every": 1})
    bests, seeds = [2, 30, 30], [0, 1, 2]

    def make() -> list[LinearTask]:
        return [LinearTask(judge=fall_after(best)) for best in bests]

    def interrupt(record: EpochRecord, epochs: int) -> None:
        if record.epoch == 7:
            raise KeyboardInterrupt

    reference = make()
    expected = train_modules(reference, options, seeds=seeds)
    with pytest.raises(KeyboardInterrupt):
        train_modules(
            make(), options, seeds=seeds, scratch=tmp_path, reports=[None, interrupt, None]
        )
    resumed = make()
    # The judge counts from the start of the process: it goes on where the first one stopped.
    for task in resumed:
        task.n_validations = 7
    histories = train_modules(resumed, options, seeds=seeds, scratch=tmp_path)
    assert [task.n_validations for task in resumed] == [7, 12, 12]
    for history, table in zip(histories, expected, strict=True):
        pd.testing.assert_frame_equal(
            history.drop(columns="seconds"), table.drop(columns="seconds"), check_exact=True
        )
    for task, other in zip(resumed, reference, strict=True):
        for name, value in other.get_weights().items():
            np.testing.assert_array_equal(task.get_weights()[name], value)


def test_other_seeds_never_resume_from_these_checkpoints(tmp_path: Path):
    first, second, alone = ([LinearTask(), LinearTask()] for _ in range(3))
    train_modules(first, OPTIONS, seeds=[0, 1], scratch=tmp_path)
    histories = train_modules(second, OPTIONS, seeds=[1, 0], scratch=tmp_path)
    check_equal(second, alone, histories, train_alone(alone, [1, 0]))


def test_heads_of_another_shape_are_trained_beside_the_stack():
    sizes, seeds = [64, 48, 64, 40], range(4)
    stacked, alone = ([LinearTask(n_stimuli=size) for size in sizes] for _ in range(2))
    histories = train_modules(stacked, OPTIONS, seeds=seeds)
    check_equal(stacked, alone, histories, train_alone(alone, seeds))


def test_each_head_reports_its_own_epochs():
    seen: dict[int, list[int]] = {0: [], 1: []}
    reports = [
        lambda record, epochs: seen[0].append(record.epoch),
        lambda record, epochs: seen[1].append(record.epoch),
    ]
    train_modules(
        [LinearTask(), LinearTask()],
        TrainingOptions(epochs=3),
        seeds=[0, 1],
        reports=reports,
    )
    assert seen == {0: [1, 2, 3], 1: [1, 2, 3]}


def test_modules_own_their_weights_after_the_fit():
    tasks = [LinearTask(), LinearTask()]
    train_modules(tasks, OPTIONS, seeds=[0, 1])
    before = tasks[1].get_weights()
    tasks[0].module.get_parameter("1.weight").data.zero_()
    np.testing.assert_array_equal(tasks[1].get_weights()["1.weight"], before["1.weight"])
    storages = {p.untyped_storage().data_ptr() for t in tasks for p in t.module.parameters()}
    assert len(storages) == 2
