"""The training loop that all methods share."""

from __future__ import annotations

import math
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from brainalign.errors import CorruptDataError, InputError, ResourceError
from brainalign.stop_signals import StopRequest, defer_stop_signals
from brainalign.training.checkpoint import (
    Checkpoint,
    CheckpointFolder,
    digest_content,
    flatten_state,
    restore_state,
)
from brainalign.training.device import resolve_device, resolve_precision
from brainalign.training.distributed import Processes, get_processes
from brainalign.training.gradients import BatchGradient
from brainalign.training.guard import GradientGuard
from brainalign.training.history import EpochRecord, tabulate_history
from brainalign.training.options import TrainingOptions
from brainalign.training.progress import Report
from brainalign.training.randomness import derive_seed, isolate_torch_randomness
from brainalign.training.schedule import compute_learning_rate
from brainalign.training.task import TrainingTask


def train_module(
    task: TrainingTask,
    options: TrainingOptions,
    *,
    seed: int,
    device: str = "cpu",
    scratch: Path | None = None,
    report: Report | None = None,
) -> pd.DataFrame:
    """Fit the module of a task and leave it with the weights of its best epoch.

    Parameters
    ----------
    task : TrainingTask
        Module, batches, loss and validation score.
    options : TrainingOptions
        Budget, optimiser and safeguards.
    seed : int
        Seed of the order of batches, of what a task draws per epoch, and of dropout. The module
        was initialised before, from a seed of its own.
    device : {"auto", "cpu", "cuda"}
        Where to fit.
    scratch : Path, optional
        Folder for resume checkpoints. A fit that was killed and is called again with the same
        arguments goes on from its newest whole checkpoint, and on the CPU ends in bitwise the
        same weights. SIGTERM and SIGUSR1 end it after the running epoch, with a checkpoint; a
        second signal ends it at once. The caller removes the folder once the result is published.
    report : callable, optional
        Called with the record of each epoch and the number of epochs.

    Returns
    -------
    history : pandas.DataFrame
        One row per epoch; see `brainalign.training.history.EpochRecord`.

    Raises
    ------
    ResourceError
        The device is not there, memory does not suffice, a checkpoint cannot be written, or
        the process was asked to stop.
    CorruptDataError
        Too many steps in a row had a non-finite loss or gradient, or no validation score was
        finite.
    InputError
        An epoch yields no batch.

    Notes
    -----
    Among epochs of equal validation score the last one wins, since a score of few stimuli
    saturates long before the model does; only a strictly better score resets the patience.
    Not bitwise reproducible on CUDA, where some reductions have no fixed order.
    """
    target = resolve_device(device)
    task.prepare(target)
    run = TrainingRun(task, options, seed, target, get_processes())
    if scratch is None:
        # Nothing can be saved: a signal to stop is left to whoever called.
        run.train(None, StopRequest(), report)
    else:
        with defer_stop_signals() as stop:
            run.train(CheckpointFolder(scratch, run.compute_key()), stop, report)
    if not math.isfinite(run.best_score):
        raise CorruptDataError(
            "the validation score was never finite, so no epoch is the best",
            where="training",
            remedy="Look for NaN in the validation split.",
        )
    task.module.load_state_dict(run.best_weights)
    task.module.eval()
    return tabulate_history(run.records)


class TrainingRun:
    """One fit under way: all of its state lies here and can be captured between two epochs.

    Parameters
    ----------
    task : TrainingTask
        Prepared on the device.
    options : TrainingOptions
        Budget, optimiser and safeguards.
    seed : int
        Seed of batches and dropout.
    device : torch.device
        Device of the module.
    processes : Processes, optional
        Those that train this module together; a single one by default.
    """

    def __init__(
        self,
        task: TrainingTask,
        options: TrainingOptions,
        seed: int,
        device: torch.device,
        processes: Processes | None = None,
    ) -> None:
        self.task, self.options, self.seed, self.device = task, options, seed, device
        self.processes = processes if processes is not None else Processes()
        self.epochs = options.count_epochs(task.n_stimuli)
        self.parameters = [p for p in task.module.parameters() if p.requires_grad]
        self.optimiser = build_optimiser(task.module, task.undecayed_parameters, options)
        self.guard = GradientGuard(options.max_consecutive_skips, options.gradient_clip)
        self.gradient = BatchGradient(
            task,
            self.parameters,
            device,
            resolve_precision(options.precision, device),
            self.processes,
        )
        self.records: list[EpochRecord] = []
        self.best_score = -math.inf
        self.epochs_since_better = 0
        self.best_weights = copy_weights(task.module)

    def compute_key(self) -> str:
        """Digest of all that decides the course of this fit.

        Returns
        -------
        key : str
            Equal for equal options, seed, device kind, data and initial weights.
        """
        weights = [
            (name, value.detach().cpu().float().numpy())
            for name, value in self.best_weights.items()
        ]
        names = [name for name, _ in weights]
        # How often to checkpoint changes no result, so a rerun may change it and still resume.
        options = self.options.model_dump(mode="json", exclude={"checkpoint_every"})
        settings = [options, self.epochs, self.seed, self.device.type, names]
        if self.processes.count > 1:
            settings.append(self.processes.count)
        return digest_content(
            [*settings, self.task.fingerprint(), *(value for _, value in weights)]
        )

    def train(
        self, checkpoints: CheckpointFolder | None, stop: StopRequest, report: Report | None
    ) -> None:
        """Go through the epochs that are left, from the newest whole checkpoint on.

        Parameters
        ----------
        checkpoints : CheckpointFolder or None
            Where to resume from and to save to; None: nowhere.
        stop : StopRequest
            Looked at after each epoch.
        report : callable or None
            Called with the record of each epoch and the number of epochs, on the first process.

        Raises
        ------
        ResourceError
            The process was asked to stop, and a checkpoint is written.
        """
        if checkpoints is not None:
            self._resume(checkpoints)
        while not self.is_finished():
            record = self.run_epoch()
            stopped = self.processes.is_any(stop.signal_name is not None, self.device)
            due = record.epoch % self.options.checkpoint_every == 0 or self.is_finished()
            if checkpoints is not None and (due or stopped):
                if self.processes.is_first:
                    checkpoints.write(self.capture())
                # A process that leaves now takes the others with it, the writing one included.
                self.processes.is_any(stopped, self.device)
            if report is not None and self.processes.is_first:
                report(record, self.epochs)
            if stopped:
                name = stop.signal_name or "a signal to another process"
                raise ResourceError(
                    f"stopped by {name} after epoch {record.epoch}; run again to go on",
                    where="training",
                )

    def _resume(self, checkpoints: CheckpointFolder) -> None:
        newest = checkpoints.read_newest()
        found = -1 if newest is None else newest.epoch
        if self.processes.share_number(found, self.device) != found:
            raise ResourceError(
                "the processes of this fit see different resume checkpoints",
                where=checkpoints.folder,
                remedy="Use a scratch folder that all nodes share.",
            )
        if newest is not None:
            self.restore(newest)

    def is_finished(self) -> bool:
        """Whether the budget or the patience is spent.

        Returns
        -------
        finished : bool
            True where no further epoch is due.
        """
        patience = self.options.patience
        out_of_patience = patience is not None and self.epochs_since_better >= patience
        return len(self.records) >= self.epochs or out_of_patience

    def run_epoch(self) -> EpochRecord:
        """Train for one epoch, validate, and remember the weights where they are the best.

        Returns
        -------
        record : EpochRecord
            Summary of the epoch.
        """
        started = time.perf_counter()
        epoch = len(self.records)
        learning_rate = compute_learning_rate(self.options, epoch, self.epochs)
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate
        generator = np.random.default_rng(derive_seed(self.seed, "batches", epoch))
        rank = self.processes.rank
        # Each process drops out other parts of its own rows.
        stream = f"dropout of process {rank}" if rank else "dropout"
        dropout_seed = derive_seed(self.seed, stream, epoch)
        with isolate_torch_randomness(dropout_seed, self.device):
            loss, skipped = self._take_steps(epoch, generator)
            score = self.processes.share_number(self._validate(), self.device)
        record = EpochRecord(
            epoch=epoch + 1,
            loss=loss,
            validation_score=score,
            learning_rate=learning_rate,
            skipped_steps=skipped,
            seconds=time.perf_counter() - started,
        )
        self._remember(record)
        return record

    def capture(self) -> Checkpoint:
        """State between two epochs, as a checkpoint.

        Returns
        -------
        checkpoint : Checkpoint
            Enough for `restore` to go on as if nothing had happened.
        """
        progress = {
            "records": [asdict(record) for record in self.records],
            "best_score": self.best_score,
            "epochs_since_better": self.epochs_since_better,
            "consecutive_skips": self.guard.consecutive_skips,
        }
        tensors = flatten_state(self.task.module, self.optimiser, self.best_weights)
        return Checkpoint(len(self.records), tensors, progress)

    def restore(self, checkpoint: Checkpoint) -> None:
        """Take up the state of a checkpoint.

        Parameters
        ----------
        checkpoint : Checkpoint
            From `capture` of a run with the same key.
        """
        progress: dict[str, Any] = checkpoint.progress
        self.best_weights = restore_state(checkpoint.tensors, self.task.module, self.optimiser)
        self.records = [EpochRecord(**record) for record in progress["records"]]
        self.best_score = progress["best_score"]
        self.epochs_since_better = progress["epochs_since_better"]
        self.guard.consecutive_skips = progress["consecutive_skips"]

    def _take_steps(self, epoch: int, generator: np.random.Generator) -> tuple[float, int]:
        self.task.module.train()
        losses: list[torch.Tensor] = []
        n_steps = 0
        for batch in self.task.iterate_batches(epoch, generator):
            n_steps += 1
            loss = self.gradient.compute(batch)
            if self.guard.take_step(loss, self.parameters, self.optimiser):
                losses.append(loss)
        if n_steps == 0:
            raise InputError(
                "an epoch yields no batch",
                where="training",
                found=f"{self.task.n_stimuli} stimuli, batch_size {self.options.batch_size}",
                remedy="Use a smaller batch_size or more stimuli.",
            )
        mean = float(torch.stack(losses).mean()) if losses else math.nan
        return mean, n_steps - len(losses)

    def _validate(self) -> float:
        self.task.module.eval()
        with torch.inference_mode():
            return float(self.task.validate())

    def _remember(self, record: EpochRecord) -> None:
        self.records.append(record)
        score = record.validation_score
        if score > self.best_score:
            self.epochs_since_better = 0
        else:
            self.epochs_since_better += 1
        # A NaN score compares as False and so never becomes the best.
        if score >= self.best_score:
            self.best_score = score
            self.best_weights = copy_weights(self.task.module)


def build_optimiser(
    module: nn.Module, undecayed_parameters: frozenset[str], options: TrainingOptions
) -> torch.optim.Optimizer:
    """AdamW with weight decay on all parameters but the named ones.

    Parameters
    ----------
    module : torch.nn.Module
        Module whose trainable parameters are optimised.
    undecayed_parameters : frozenset of str
        Names of parameters without weight decay.
    options : TrainingOptions
        Learning rate and weight decay.

    Returns
    -------
    optimiser : torch.optim.AdamW
        Two groups: decayed, undecayed.
    """
    trainable = {name: p for name, p in module.named_parameters() if p.requires_grad}
    decayed = [p for name, p in trainable.items() if name not in undecayed_parameters]
    undecayed = [p for name, p in trainable.items() if name in undecayed_parameters]
    groups = [
        {"params": decayed, "weight_decay": options.weight_decay},
        {"params": undecayed, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=options.learning_rate)


def copy_weights(module: nn.Module) -> dict[str, torch.Tensor]:
    """Copy the state of a module, on its device.

    Parameters
    ----------
    module : torch.nn.Module
        Module to copy from.

    Returns
    -------
    weights : dict of str to tensor
        Parameters and buffers, detached from the module.
    """
    return {name: value.detach().clone() for name, value in module.state_dict().items()}
