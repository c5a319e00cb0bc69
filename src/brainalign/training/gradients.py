"""Loss and gradient of a batch, in parts where memory or the number of processes asks for it."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from brainalign.errors import InputError, ResourceError
from brainalign.training.distributed import Processes
from brainalign.training.randomness import isolate_torch_randomness
from brainalign.training.task import RowwiseTask, TrainingTask

Outputs = tuple[torch.Tensor, ...]


class BatchGradient:
    """Computes the gradient of a batch's loss, dividing the rows when memory runs out.

    The loss stays that of the whole batch, negatives of a contrastive loss included: the outputs
    of all parts are computed without a graph, the loss and its gradient with respect to these
    outputs are taken at once, and each part is then computed again to carry its share of that
    gradient to the parameters (GradCache; Gao et al. 2021, arXiv 2101.06983). Dropout draws other
    masks in parts than in one piece, each the same in both passes.

    Parameters
    ----------
    task : TrainingTask
        Prepared on the device; a `RowwiseTask` can be divided.
    parameters : sequence of torch.nn.Parameter
        All trainable parameters.
    device : torch.device
        Where the task computes.
    precision : {"fp32", "bf16"}
        Arithmetic of the forward pass.
    processes : Processes
        Those that share each batch.

    Attributes
    ----------
    n_parts : int
        Parts that each process cuts its rows into; doubles at each lack of memory and stays so.

    Raises
    ------
    InputError
        Several processes, but the task cannot be divided.
    """

    def __init__(
        self,
        task: TrainingTask,
        parameters: Sequence[nn.Parameter],
        device: torch.device,
        precision: str,
        processes: Processes,
    ) -> None:
        self.task, self.parameters, self.device = task, parameters, device
        self.precision, self.processes = precision, processes
        self.n_parts = 1
        if processes.count > 1 and not isinstance(task, RowwiseTask):
            raise InputError(
                "this method cannot be trained by several processes",
                where=type(task).__name__,
                found=f"{processes.count} processes",
                remedy="Run it without torchrun.",
            )

    def compute(self, batch: Any) -> torch.Tensor:
        """Leave the gradient of the loss of one batch in the parameters.

        Parameters
        ----------
        batch : batch of the task
            The same on all processes.

        Returns
        -------
        loss : tensor of shape ()
            Detached.

        Raises
        ------
        ResourceError
            Memory does not suffice for a single row, or the task cannot be divided.
        """
        while True:
            for parameter in self.parameters:
                parameter.grad = None
            try:
                loss = self._compute(batch)
                self.processes.average_gradients(self.parameters)
                return loss
            except torch.OutOfMemoryError:
                self._divide_further(batch)
            # Behind the except block, when its frames no longer hold the tensors of the try.
            if self.device.type == "cuda":
                torch.cuda.empty_cache()

    def _compute(self, batch: Any) -> torch.Tensor:
        if not isinstance(self.task, RowwiseTask) or (
            self.n_parts == 1 and self.processes.count == 1
        ):
            with self._autocast():
                loss = self.task.compute_loss(batch)
            loss.backward()
            return loss.detach()
        return self._compute_divided(self.task, batch)

    def _compute_divided(self, task: RowwiseTask, batch: Any) -> torch.Tensor:
        n_rows = task.count_rows(batch)
        share = self.processes.divide_rows(n_rows)[self.processes.rank]
        if self.n_parts == 1:
            with self._autocast():
                own = task.compute_outputs(task.take_rows(batch, share))
            return self._reduce(task, own, batch, n_rows)
        parts = _divide(share, self.n_parts)
        seeds = [int(torch.randint(1 << 62, ())) for _ in parts]
        with torch.no_grad():
            outputs = [
                self._compute_part(task, batch, part, seed)
                for part, seed in zip(parts, seeds, strict=True)
            ]
        own = tuple(torch.cat(kind).requires_grad_() for kind in zip(*outputs, strict=True))
        loss = self._reduce(task, own, batch, n_rows)
        gradients = [output.grad for output in own]
        start = 0
        for part, seed in zip(parts, seeds, strict=True):
            computed = self._compute_part(task, batch, part, seed)
            stop = start + part.stop - part.start
            torch.autograd.backward(
                computed, [None if g is None else g[start:stop] for g in gradients]
            )
            start = stop
        return loss

    def _compute_part(self, task: RowwiseTask, batch: Any, part: slice, seed: int) -> Outputs:
        with isolate_torch_randomness(seed, self.device), self._autocast():
            return task.compute_outputs(task.take_rows(batch, part))

    def _reduce(self, task: RowwiseTask, own: Outputs, batch: Any, n_rows: int) -> torch.Tensor:
        gathered = tuple(self.processes.gather_rows(output, n_rows) for output in own)
        loss = task.compute_loss_of_outputs(gathered, batch)
        loss.backward()
        return loss.detach()

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def _divide_further(self, batch: Any) -> None:
        if self.processes.count > 1:
            # The others wait in a collective and cannot be told.
            raise _say_out_of_memory("Start more processes or lower batch_size.")
        if not isinstance(self.task, RowwiseTask):
            raise _say_out_of_memory("This method cannot divide a batch: lower batch_size.")
        if self.n_parts >= self.task.count_rows(batch):
            raise _say_out_of_memory("Not even one row fits: use a smaller model.")
        self.n_parts *= 2
        print(
            f"out of memory on {self.device}: batches are now computed in {self.n_parts} parts",
            file=sys.stderr,
            flush=True,
        )


def _divide(rows: slice, n_parts: int) -> list[slice]:
    n_rows = rows.stop - rows.start
    n_parts = min(n_parts, n_rows)
    bounds = [rows.start + n_rows * part // n_parts for part in range(n_parts + 1)]
    return [slice(start, stop) for start, stop in itertools.pairwise(bounds)]


def _say_out_of_memory(remedy: str) -> ResourceError:
    return ResourceError("out of memory", where="training", remedy=remedy)
