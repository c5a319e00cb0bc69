"""A batch that does not fit into memory is computed in parts, with the same loss and gradient."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from brainalign.errors import ResourceError
from brainalign.methods.direct.nonlinear import DecodingRegression, RegressionTask
from brainalign.methods.direct.options import NonlinearDecodingOptions
from brainalign.methods.direct.regression import RegressionPairs
from brainalign.methods.normalisation import fit_standardisation
from brainalign.methods.vna.model import standardise_pairs
from brainalign.methods.vna.module import VNAModule
from brainalign.methods.vna.options import VNAOptions
from brainalign.methods.vna.task import VNATask
from brainalign.training.distributed import Processes
from brainalign.training.gradients import BatchGradient
from brainalign.training.loop import train_module
from brainalign.training.options import TrainingOptions
from unit.methods.linear_world import simulate_linear_world
from unit.training.linear_task import LinearTask

NO_DROPOUT = {"visual_dropout": 0.0, "neural_dropout": 0.0, "unit_dropout": 0.0}
CPU = torch.device("cpu")


def make_vna_task(**options: float) -> VNATask:
    world = simulate_linear_world(1, 1, 60, seed=0, n_test=20, n_validation=20)
    chosen = VNAOptions(epochs=4, embedding_dimension=8, batch_size=30, **options)
    feature = fit_standardisation(world.training.feature, where="features")
    units = fit_standardisation(world.training.get_subject("monkey").response, where="units")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        module = VNAModule(feature.n_kept, [units.n_kept], chosen)
    pairs = [
        standardise_pairs(split, feature, {"monkey": units}, average=average)
        for split, average in ((world.training, False), (world.validation, True))
    ]
    return VNATask(module, chosen, *pairs)


def make_regression_task() -> RegressionTask:
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(40, 6)).astype(np.float32)
    targets = generator.normal(size=(40, 5)).astype(np.float32)
    options = NonlinearDecodingOptions(
        epochs=4, batch_size=16, embedding_dimension=8, neural_dropout=0.0, unit_dropout=0.0
    )
    scale = fit_standardisation(targets, where="targets")
    module = DecodingRegression(options, scale)._build(6, 5, seed=0)
    pairs = RegressionPairs(inputs, targets)
    return RegressionTask(module, options, pairs, pairs)


def limit_rows(task, largest: int) -> list[int]:
    """Let the task run out of memory above so many rows; gives the sizes that it computed."""
    seen: list[int] = []
    compute = task.compute_outputs

    def compute_outputs(batch):
        if task.count_rows(batch) > largest:
            raise torch.OutOfMemoryError("CUDA out of memory")
        seen.append(task.count_rows(batch))
        return compute(batch)

    task.compute_outputs = compute_outputs
    task.compute_loss = lambda batch: task.compute_loss_of_outputs(compute_outputs(batch), batch)
    return seen


def measure(task) -> tuple[float, list[torch.Tensor], int]:
    task.prepare(CPU)
    parameters = list(task.module.parameters())
    gradient = BatchGradient(task, parameters, CPU, "fp32", Processes())
    batch = next(iter(task.iterate_batches(0, np.random.default_rng(0))))
    loss = float(gradient.compute(batch))
    return loss, [p.grad for p in parameters if p.grad is not None], gradient.n_parts


@pytest.mark.parametrize("largest", [15, 7, 1])
@pytest.mark.parametrize("make", [lambda: make_vna_task(**NO_DROPOUT), make_regression_task])
def test_parts_give_the_loss_and_gradient_of_the_whole_batch(make, largest: int):
    whole_loss, whole, n_parts = measure(make())
    assert n_parts == 1
    divided = make()
    seen = limit_rows(divided, largest)
    loss, gradients, n_parts = measure(divided)
    assert n_parts > 1
    assert max(seen) <= largest
    assert loss == pytest.approx(whole_loss, rel=1e-5)
    assert len(gradients) == len(whole)
    for found, expected in zip(gradients, whole, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-6)


def test_a_fit_that_runs_out_of_memory_ends_where_the_undisturbed_one_does(
    capsys: pytest.CaptureFixture[str],
):
    whole, divided = make_vna_task(**NO_DROPOUT), make_vna_task(**NO_DROPOUT)
    limit_rows(divided, 10)
    expected = train_module(whole, whole.options, seed=0)
    found = train_module(divided, divided.options, seed=0)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=1e-4)
    lines = [line for line in capsys.readouterr().err.splitlines() if "out of memory" in line]
    assert lines == [f"out of memory on cpu: batches are now computed in {n} parts" for n in (2, 4)]


def test_both_passes_over_a_part_draw_the_same_dropout():
    first, second = make_vna_task(), make_vna_task()
    losses = []
    for task in (first, second):
        limit_rows(task, 10)
        torch.manual_seed(0)
        losses.append(measure(task))
    assert losses[0][0] == losses[1][0]
    # A gradient with other masks than those of its loss would not be that of any function.
    task = make_vna_task()
    limit_rows(task, 10)
    task.prepare(CPU)
    task.module.double()
    task._feature = task._feature.double()
    task._responses = [response.double() for response in task._responses]
    parameter = task.module.visual.projection.bias
    gradient = BatchGradient(task, list(task.module.parameters()), CPU, "fp32", Processes())
    gradient.n_parts = 4
    batch = next(iter(task.iterate_batches(0, np.random.default_rng(0))))

    def compute_loss() -> float:
        torch.manual_seed(3)
        return float(gradient.compute(batch))

    compute_loss()
    analytic, step = float(parameter.grad[0]), 1e-2
    parameter.data[0] += step
    above = compute_loss()
    parameter.data[0] -= 2 * step
    below = compute_loss()
    assert analytic == pytest.approx((above - below) / (2 * step), rel=0.02)


def test_a_method_that_cannot_be_divided_says_so():
    task = LinearTask()

    def fail(batch):
        raise torch.OutOfMemoryError("CUDA out of memory")

    task.compute_loss = fail
    with pytest.raises(ResourceError, match="lower batch_size"):
        train_module(task, TrainingOptions(epochs=1), seed=0)


def test_memory_that_not_even_one_row_fits_into_is_an_error():
    task = make_vna_task()
    limit_rows(task, 0)
    with pytest.raises(ResourceError, match="Not even one row"):
        train_module(task, task.options, seed=0)
