"""Train several small modules at once on the CPU, each as it would be trained alone.

Small heads spend most of a step in the calls of torch and not in arithmetic. Those of equal shape
share the calls: one forward pass, one backward pass and one optimiser step for all of them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from brainalign.stop_signals import StopRequest, defer_stop_signals
from brainalign.training.checkpoint import Checkpoint, CheckpointFolder, digest_content
from brainalign.training.course import Course
from brainalign.training.device import resolve_device, resolve_precision
from brainalign.training.distributed import get_processes
from brainalign.training.guard import GradientGuard
from brainalign.training.history import EpochRecord, tabulate_history
from brainalign.training.loop import say_no_batches, say_stopped, train_module
from brainalign.training.options import TrainingOptions
from brainalign.training.progress import Report
from brainalign.training.randomness import derive_seed
from brainalign.training.schedule import compute_learning_rate
from brainalign.training.stack import ModuleStack, flatten_parameters
from brainalign.training.task import TrainingTask

HEADS_AT_ONCE = 8
"""Heads of one stack: more share the calls no better and leave the caches of a core."""

LARGEST_HEAD = 100_000
"""Parameters beyond which heads are trained one by one, since little is left to gain.

Eight heads at once on batches of 256 were 2.2 times faster than one by one with 18,000 parameters
each, and 1.45 times with 44,000.
"""


def train_modules(
    tasks: Sequence[TrainingTask[Any]],
    options: TrainingOptions,
    *,
    seeds: Sequence[int],
    device: str = "cpu",
    scratch: Path | None = None,
    reports: Sequence[Report | None] | None = None,
) -> list[pd.DataFrame]:
    """Fit several modules and leave each with the weights of its best epoch.

    Parameters
    ----------
    tasks : sequence of TrainingTask
        Batches are tuples of tensors, all trainable parameters are trained, no buffer changes in
        training, and all randomness of a module lies in `torch.nn.Dropout` or `UnitDropout`.
    options : TrainingOptions
        Budget, optimiser and safeguards of all fits.
    seeds : sequence of int
        Seed of each fit.
    device : {"auto", "cpu", "cuda"}
        Where to fit.
    scratch : Path, optional
        Folder for resume checkpoints; see `train_module`.
    reports : sequence of callable or None, optional
        Called with each record of the fit at the same position.

    Returns
    -------
    histories : list of pandas.DataFrame
        One per task, as from `train_module`; ``seconds`` is the share of each head.

    Raises
    ------
    ResourceError, CorruptDataError, InputError
        As `train_module`; trouble of one fit ends all.

    Notes
    -----
    Every fit draws the batches and the dropout that it would draw alone, so that weights differ
    from those of `train_module` by rounding only. Fits without a partner of equal shape, large
    ones, and all on a GPU, in bf16 or in several processes go through `train_module`.
    """
    reports = reports if reports is not None else [None] * len(tasks)
    histories: dict[int, pd.DataFrame] = {}
    for heads in _group_heads(tasks, options, device):
        chosen = [tasks[head] for head in heads]
        if len(heads) == 1:
            tables = [
                train_module(
                    chosen[0],
                    options,
                    seed=seeds[heads[0]],
                    device=device,
                    scratch=scratch,
                    report=reports[heads[0]],
                )
            ]
        else:
            tables = _train_stack(
                chosen,
                options,
                [seeds[head] for head in heads],
                scratch,
                [reports[head] for head in heads],
            )
        histories |= dict(zip(heads, tables, strict=True))
    return [histories[head] for head in range(len(tasks))]


def _group_heads(
    tasks: Sequence[TrainingTask[Any]], options: TrainingOptions, device: str
) -> list[list[int]]:
    """Cut the fits into those that are trained at once, in the order of the first of each."""
    target = resolve_device(device)
    precision = resolve_precision(options.precision, target)
    if target.type != "cpu" or precision != "fp32" or get_processes().count > 1:
        return [[head] for head in range(len(tasks))]
    groups: dict[Hashable, list[int]] = {}
    for head, task in enumerate(tasks):
        n_parameters = sum(parameter.numel() for parameter in task.module.parameters())
        # The text of a module names its layers with their sizes and probabilities.
        shape = (task.n_stimuli, type(task), str(task.module))
        groups.setdefault(shape if n_parameters <= LARGEST_HEAD else head, []).append(head)
    return [
        group[start : start + HEADS_AT_ONCE]
        for group in groups.values()
        for start in range(0, len(group), HEADS_AT_ONCE)
    ]


def _train_stack(
    tasks: Sequence[TrainingTask[Any]],
    options: TrainingOptions,
    seeds: Sequence[int],
    scratch: Path | None,
    reports: Sequence[Report | None],
) -> list[pd.DataFrame]:
    for task in tasks:
        task.prepare(torch.device("cpu"))
    run = StackedRun(tasks, options, seeds)
    if scratch is None:
        run.train(None, StopRequest(), reports)
    else:
        with defer_stop_signals() as stop:
            run.train(CheckpointFolder(scratch, run.compute_key()), stop, reports)
    for course in run.courses:
        course.check_best()
    run.load_best()
    return [tabulate_history(course.records) for course in run.courses]


class StackedRun:
    """Several fits under way, in step: all of their state can be captured between two epochs.

    Parameters
    ----------
    tasks : sequence of TrainingTask
        Prepared on the CPU, with modules of equal structure.
    options : TrainingOptions
        Budget, optimiser and safeguards.
    seeds : sequence of int
        Seeds of batches and dropout, one per task.

    Attributes
    ----------
    courses : list of Course
        What happened in each fit.
    active : list of int
        Fits that still go on: the heads of the stack.
    """

    def __init__(
        self,
        tasks: Sequence[TrainingTask[Any]],
        options: TrainingOptions,
        seeds: Sequence[int],
    ) -> None:
        self.tasks, self.options, self.seeds = tasks, options, seeds
        self.epochs = options.count_epochs(tasks[0].n_stimuli)
        self.courses = [Course(self.epochs, options.patience) for _ in tasks]
        self.guards = [GradientGuard(options.max_consecutive_skips) for _ in tasks]
        self.best_weights = torch.stack([flatten_parameters(task.module) for task in tasks])
        self.stack = ModuleStack(tasks, options)
        self.active = list(range(len(tasks)))

    def compute_key(self) -> str:
        """Digest of all that decides the course of these fits.

        Returns
        -------
        key : str
            Equal for equal options, seeds, data and initial weights.
        """
        options = self.options.model_dump(mode="json", exclude={"checkpoint_every"})
        fingerprints = [task.fingerprint() for task in self.tasks]
        settings = ["stack", options, self.epochs, list(self.seeds), *fingerprints]
        return digest_content([*settings, self.best_weights.numpy()])

    def train(
        self,
        checkpoints: CheckpointFolder | None,
        stop: StopRequest,
        reports: Sequence[Report | None],
    ) -> None:
        """Go through the epochs that are left, from the newest whole checkpoint on.

        Parameters
        ----------
        checkpoints : CheckpointFolder or None
            Where to resume from and to save to; None: nowhere.
        stop : StopRequest
            Looked at after each epoch.
        reports : sequence of callable or None
            Called with the record of each epoch of the fit at the same position.

        Raises
        ------
        ResourceError
            The process was asked to stop, and a checkpoint is written.
        """
        newest = None if checkpoints is None else checkpoints.read_newest()
        if newest is not None:
            self.restore(newest)
        while self.active:
            records = self.run_epoch()
            epoch = next(iter(records.values())).epoch
            stopped = stop.signal_name is not None
            due = epoch % self.options.checkpoint_every == 0 or not self.active
            if checkpoints is not None and (due or stopped):
                checkpoints.write(self.capture())
            for head, record in records.items():
                report = reports[head]
                if report is not None:
                    report(record, self.epochs)
            if stop.signal_name is not None:
                raise say_stopped(stop.signal_name, epoch)

    def run_epoch(self) -> dict[int, EpochRecord]:
        """Train the active heads for one epoch, validate, and let the finished ones go.

        Returns
        -------
        records : dict of int to EpochRecord
            Of each head that was active.
        """
        started = time.perf_counter()
        epoch = len(self.courses[self.active[0]].records)
        learning_rate = compute_learning_rate(self.options, epoch, self.epochs)
        losses, skipped = self._take_steps(epoch, learning_rate)
        scores = [self._validate(self.tasks[head]) for head in self.active]
        seconds = (time.perf_counter() - started) / len(self.active)
        records = {
            head: EpochRecord(epoch + 1, loss, score, learning_rate, n_skipped, seconds)
            for head, loss, score, n_skipped in zip(
                self.active, losses, scores, skipped, strict=True
            )
        }
        for row, (head, record) in enumerate(records.items()):
            if self.courses[head].add(record):
                self.best_weights[head] = self.stack.weights[row]
        self._drop_finished()
        return records

    def capture(self) -> Checkpoint:
        """State between two epochs, as a checkpoint.

        Returns
        -------
        checkpoint : Checkpoint
            Enough for `restore` to go on as if nothing had happened.
        """
        tensors = {
            "weights": self.stack.weights,
            "mean": self.stack.mean,
            "square": self.stack.square,
            "n_steps": self.stack.n_steps,
            "best": self.best_weights,
        }
        progress = {
            "active": self.active,
            "courses": [course.describe() for course in self.courses],
            "consecutive_skips": [guard.consecutive_skips for guard in self.guards],
        }
        epoch = max(len(course.records) for course in self.courses)
        return Checkpoint(epoch, tensors, progress)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take up the state of a checkpoint.

        Parameters
        ----------
        checkpoint : Checkpoint
            From `capture` of a run with the same key.
        """
        progress, tensors = checkpoint.progress, checkpoint.tensors
        for course, described in zip(self.courses, progress["courses"], strict=True):
            course.restore(described)
        for guard, skips in zip(self.guards, progress["consecutive_skips"], strict=True):
            guard.consecutive_skips = skips
        self.active = list(progress["active"])
        self.stack.select(self.active)
        self.stack.weights.copy_(tensors["weights"])
        self.stack.mean.copy_(tensors["mean"])
        self.stack.square.copy_(tensors["square"])
        self.stack.n_steps.copy_(tensors["n_steps"])
        self.best_weights.copy_(tensors["best"])

    def load_best(self) -> None:
        """Give every module the weights of its best epoch, as its own."""
        for task, weights in zip(self.tasks, self.best_weights, strict=True):
            self.stack.load(task.module, weights)
            task.module.eval()

    def _take_steps(self, epoch: int, learning_rate: float) -> tuple[list[float], list[int]]:
        seeds = [self.seeds[head] for head in self.active]
        dropout = [
            torch.Generator().manual_seed(derive_seed(seed, "dropout", epoch)) for seed in seeds
        ]
        batches = [
            self.tasks[head].iterate_batches(
                epoch, np.random.default_rng(derive_seed(seed, "batches", epoch))
            )
            for head, seed in zip(self.active, seeds, strict=True)
        ]
        losses = []
        for parts in zip(*batches, strict=True):
            batch = tuple(torch.stack(part) for part in zip(*parts, strict=True))
            step_losses, gradient = self.stack.compute(batch, dropout)
            taken = self.stack.take_step(step_losses, gradient, learning_rate)
            self._guard(taken.tolist())
            losses.append(torch.where(taken, step_losses, math.nan))
        if not losses:
            raise say_no_batches(self.tasks[0].n_stimuli, self.options)
        stacked = torch.stack(losses)
        return stacked.nanmean(dim=0).tolist(), stacked.isnan().sum(dim=0).tolist()

    def _guard(self, taken: Sequence[bool]) -> None:
        for head, was_taken in zip(self.active, taken, strict=True):
            if was_taken:
                self.guards[head].consecutive_skips = 0
            else:
                self.guards[head].count_skip()

    def _validate(self, task: TrainingTask[Any]) -> float:
        task.module.eval()
        with torch.inference_mode():
            return float(task.validate())

    def _drop_finished(self) -> None:
        left = [row for row, head in enumerate(self.active) if not self.courses[head].is_finished()]
        if len(left) < len(self.active):
            self.active = [self.active[row] for row in left]
            self.stack.select(left)
