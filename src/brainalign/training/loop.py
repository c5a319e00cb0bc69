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

from brainalign.errors import CorruptDataError, InputError
from brainalign.training.checkpoint import (
    Checkpoint,
    CheckpointFolder,
    digest_content,
    flatten_state,
    restore_state,
)
from brainalign.training.device import resolve_device
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
        same weights. The caller removes the folder once the result is published.
    report : callable, optional
        Called with the record of each epoch and the number of epochs.

    Returns
    -------
    history : pandas.DataFrame
        One row per epoch; see `brainalign.training.history.EpochRecord`.

    Raises
    ------
    ResourceError
        The device is not there, or a checkpoint cannot be written.
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
    run = TrainingRun(task, options, seed, target)
    checkpoints = CheckpointFolder(scratch, run.compute_key()) if scratch is not None else None
    newest = checkpoints.read_newest() if checkpoints is not None else None
    if newest is not None:
        run.restore(newest)
    while not run.is_finished():
        record = run.run_epoch()
        due = record.epoch % options.checkpoint_every == 0 or run.is_finished()
        if checkpoints is not None and due:
            checkpoints.write(run.capture())
        if report is not None:
            report(record, run.epochs)
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
    """

    def __init__(
        self, task: TrainingTask, options: TrainingOptions, seed: int, device: torch.device
    ) -> None:
        self.task, self.options, self.seed, self.device = task, options, seed, device
        self.epochs = options.count_epochs(task.n_stimuli)
        self.parameters = [p for p in task.module.parameters() if p.requires_grad]
        self.optimiser = build_optimiser(task.module, task.undecayed_parameters, options)
        self.guard = GradientGuard(options.max_consecutive_skips, options.gradient_clip)
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
        return digest_content(
            [*settings, self.task.fingerprint(), *(value for _, value in weights)]
        )

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
        dropout_seed = derive_seed(self.seed, "dropout", epoch)
        with isolate_torch_randomness(dropout_seed, self.device):
            loss, skipped = self._take_steps(epoch, generator)
            score = self._validate()
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
            with torch.autocast(
                self.device.type, torch.bfloat16, enabled=self.options.precision == "bf16"
            ):
                loss = self.task.compute_loss(batch)
            if self.guard.take_step(loss, self.parameters, self.optimiser):
                losses.append(loss.detach())
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
