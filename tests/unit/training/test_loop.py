from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from brainalign.errors import CorruptDataError, InputError
from brainalign.training.history import EpochRecord
from brainalign.training.loop import build_optimiser, train_module
from brainalign.training.options import TrainingOptions
from unit.training.linear_task import LinearTask

OPTIONS = TrainingOptions(epochs=12, learning_rate=0.05, checkpoint_every=3)


def assert_same(first: dict[str, np.ndarray], second: dict[str, np.ndarray]) -> None:
    assert first.keys() == second.keys()
    for name, value in first.items():
        np.testing.assert_array_equal(value, second[name], err_msg=name)


def fit(task: LinearTask, options: TrainingOptions = OPTIONS, **kwargs) -> dict[str, np.ndarray]:
    train_module(task, options, seed=kwargs.pop("seed", 3), **kwargs)
    return task.get_weights()


class Interrupt:
    """Break off as a kill would, right after an epoch was reported."""

    def __init__(self, epoch: int) -> None:
        self.epoch = epoch

    def __call__(self, record: EpochRecord, epochs: int) -> None:
        if record.epoch == self.epoch:
            raise KeyboardInterrupt


def test_training_recovers_a_linear_map():
    task = LinearTask(n_stimuli=256, dropout=0.0)
    history = train_module(task, TrainingOptions(epochs=60, learning_rate=0.05), seed=0)
    assert history.validation_score.iloc[0] < -0.3
    assert history.validation_score.max() > -0.05


def test_equal_seeds_give_bitwise_equal_weights():
    assert_same(fit(LinearTask()), fit(LinearTask()))


def test_another_seed_gives_other_weights():
    assert not np.array_equal(
        fit(LinearTask(), seed=3)["1.weight"], fit(LinearTask(), seed=4)["1.weight"]
    )


def test_global_generators_do_not_change_the_fit_and_are_not_changed_by_it():
    torch.manual_seed(11)
    np.random.seed(11)  # noqa: NPY002
    state = torch.get_rng_state()
    first = fit(LinearTask())
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(12)
    np.random.seed(12)  # noqa: NPY002
    assert_same(first, fit(LinearTask()))


@pytest.mark.parametrize("epoch", [2, 3, 7, 11])
def test_an_interrupted_fit_ends_in_bitwise_the_same_weights(tmp_path: Path, epoch: int):
    reference = LinearTask()
    expected = train_module(reference, OPTIONS, seed=3)
    with pytest.raises(KeyboardInterrupt):
        fit(LinearTask(), scratch=tmp_path, report=Interrupt(epoch))
    resumed = LinearTask()
    history = train_module(resumed, OPTIONS, seed=3, scratch=tmp_path)
    assert_same(reference.get_weights(), resumed.get_weights())
    columns = [name for name in expected.columns if name != "seconds"]
    np.testing.assert_array_equal(history[columns].to_numpy(), expected[columns].to_numpy())


def test_a_resumed_fit_does_not_start_again(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        fit(LinearTask(), scratch=tmp_path, report=Interrupt(7))
    resumed = LinearTask()
    fit(resumed, scratch=tmp_path)
    assert resumed.n_validations == 12 - 6


def test_a_fit_that_is_killed_resumes_to_the_same_weights(tmp_path: Path):
    program = """
import os, signal, sys
from pathlib import Path
import torch
from unit.training.linear_task import LinearTask
from unit.training.test_loop import OPTIONS
from brainalign.training.loop import train_module
torch.set_num_threads(1)
def kill(record, epochs):
    if record.epoch == 8:
        os.kill(os.getpid(), signal.SIGKILL)
train_module(LinearTask(), OPTIONS, seed=3, scratch=Path(sys.argv[1]), report=kill)
"""
    tests = Path(__file__).parents[2]
    killed = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(tests)},
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL
    resumed = LinearTask()
    weights = fit(resumed, scratch=tmp_path)
    assert resumed.n_validations == 12 - 6
    assert_same(weights, fit(LinearTask()))


def test_a_damaged_newest_checkpoint_falls_back_to_the_one_before(tmp_path: Path):
    with pytest.raises(KeyboardInterrupt):
        fit(LinearTask(), scratch=tmp_path, report=Interrupt(10))
    newest = max(tmp_path.glob("*/epoch_*.safetensors"))
    content = bytearray(newest.read_bytes())
    content[-5] ^= 0xFF
    newest.write_bytes(content)
    resumed = LinearTask()
    weights = fit(resumed, scratch=tmp_path)
    assert resumed.n_validations == 12 - 6
    assert_same(weights, fit(LinearTask()))


@pytest.mark.parametrize(
    ("options", "seed"),
    [(OPTIONS.model_copy(update={"learning_rate": 0.01}), 3), (OPTIONS, 4)],
)
def test_checkpoints_of_other_options_or_seeds_are_not_resumed(
    tmp_path: Path, options: TrainingOptions, seed: int
):
    fit(LinearTask(), scratch=tmp_path)
    other = LinearTask()
    fit(other, options, seed=seed, scratch=tmp_path)
    assert other.n_validations == 12


def test_a_nan_batch_is_skipped_and_counted():
    task = LinearTask(spoil=lambda epoch, step: np.nan if (epoch, step) == (4, 1) else 0.0)
    history = train_module(task, OPTIONS, seed=3)
    assert history.skipped_steps.tolist() == [0, 0, 0, 0, 1] + [0] * 7
    assert all(np.isfinite(value).all() for value in task.get_weights().values())
    assert np.isfinite(history.loss).all()


def test_a_nan_batch_leaves_weights_and_optimiser_as_if_it_had_not_been_there():
    spoiled = LinearTask(spoil=lambda epoch, step: np.nan if (epoch, step) == (11, 3) else 0.0)
    shortened = LinearTask()
    full = shortened.iterate_batches
    shortened.iterate_batches = lambda epoch, generator: (  # type: ignore[method-assign]
        batch for step, batch in enumerate(full(epoch, generator)) if (epoch, step) != (11, 3)
    )
    assert_same(fit(spoiled), fit(shortened))


def test_only_nan_batches_end_the_fit_with_an_error():
    task = LinearTask(spoil=lambda epoch, step: np.nan if epoch >= 2 else 0.0)
    with pytest.raises(CorruptDataError, match="10 steps in a row"):
        fit(task)


def test_a_validation_score_that_is_never_finite_is_an_error():
    with pytest.raises(CorruptDataError, match="never finite"):
        fit(LinearTask(judge=lambda epoch: np.nan))


def test_the_weights_of_the_best_epoch_are_restored():
    until_best = LinearTask()
    snapshots = []

    def remember(record: EpochRecord, epochs: int) -> None:
        snapshots.append(until_best.get_weights())

    until_best.judge = lambda epoch: 1.0 if epoch == 5 else 0.0
    weights = fit(until_best, report=remember)
    assert_same(weights, snapshots[4])
    assert not np.array_equal(weights["1.weight"], snapshots[-1]["1.weight"])


def test_of_equal_scores_the_last_epoch_wins():
    task = LinearTask(judge=lambda epoch: 0.5)
    snapshots = []
    weights = fit(task, report=lambda record, epochs: snapshots.append(task.get_weights()))
    assert_same(weights, snapshots[-1])


def test_equal_scores_use_up_the_patience():
    options = OPTIONS.model_copy(update={"patience": 4})
    history = train_module(LinearTask(judge=lambda epoch: 0.5), options, seed=0)
    assert len(history) == 1 + 4


def test_a_fit_that_stopped_early_is_not_continued_by_a_rerun(tmp_path: Path):
    options = OPTIONS.model_copy(update={"patience": 2})
    first = LinearTask(judge=lambda epoch: -float(epoch))
    weights = fit(first, options, scratch=tmp_path)
    again = LinearTask(judge=lambda epoch: -float(epoch))
    assert_same(weights, fit(again, options, scratch=tmp_path))
    assert again.n_validations == 0


def test_an_epoch_without_a_batch_is_an_error():
    with pytest.raises(InputError, match="no batch"):
        fit(LinearTask(n_stimuli=7, batch_size=16))


def test_named_parameters_are_kept_out_of_weight_decay():
    task = LinearTask()
    optimiser = build_optimiser(task.module, task.undecayed_parameters, OPTIONS)
    decay = {id(p): g["weight_decay"] for g in optimiser.param_groups for p in g["params"]}
    named = dict(task.module.named_parameters())
    assert decay[id(named["1.weight"])] == OPTIONS.weight_decay
    assert decay[id(named["1.bias"])] == 0


def test_bf16_trains_with_fp32_weights():
    task = LinearTask(n_stimuli=256, dropout=0.0)
    options = TrainingOptions(epochs=30, learning_rate=0.05, precision="bf16")
    history = train_module(task, options, seed=0)
    assert task.output_dtypes == {torch.bfloat16}
    assert history.validation_score.max() > -0.1
    assert task.get_weights()["1.weight"].dtype == np.float32


def test_history_has_one_row_per_epoch_and_survives_csv(tmp_path: Path):
    history = train_module(LinearTask(), OPTIONS, seed=0)
    history.to_csv(tmp_path / "training.csv", index=False)
    header, *rows = (tmp_path / "training.csv").read_text().splitlines()
    assert header == "epoch,loss,validation_score,learning_rate,skipped_steps,seconds"
    assert [row.split(",")[0] for row in rows] == [str(epoch) for epoch in range(1, 13)]
