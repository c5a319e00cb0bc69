"""Training task of the group-wise autoencoder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import cross_entropy

from brainalign.errors import InputError
from brainalign.methods.mig_vis.arrays import GroupLabel, ResponseTable
from brainalign.methods.mig_vis.module import GroupVAE, LatentBatch
from brainalign.methods.mig_vis.options import GroupVAEOptions
from brainalign.methods.mig_vis.penalties import (
    compute_gaussian_correlation,
    compute_minibatch_correlation,
)
from brainalign.training.batches import draw_batches
from brainalign.training.checkpoint import digest_content


@dataclass(frozen=True)
class GroupRows:
    """Rows of a fit as tensors.

    Attributes
    ----------
    input : tensor of shape (n_rows, n_units)
        What the encoder sees: standardised, 0 where missing.
    target, weight : tensor of shape (n_rows, n_units)
        What the decoder is compared with, and presentations behind it; weight 0 where missing.
    session : tensor of shape (n_rows,), int64
        Session.
    labels : tuple of tensor or None
        One per group.
    """

    input: torch.Tensor
    target: torch.Tensor
    weight: torch.Tensor
    session: torch.Tensor
    labels: tuple[torch.Tensor | None, ...]

    def take(self, rows: torch.Tensor) -> GroupRows:
        """Take some rows."""
        return GroupRows(
            self.input[rows],
            self.target[rows],
            self.weight[rows],
            self.session[rows],
            tuple(None if label is None else label[rows] for label in self.labels),
        )

    def to(self, device: torch.device) -> GroupRows:
        """Move all tensors to a device."""
        return GroupRows(
            self.input.to(device),
            self.target.to(device),
            self.weight.to(device),
            self.session.to(device),
            tuple(None if label is None else label.to(device) for label in self.labels),
        )


def make_rows(
    table: ResponseTable,
    standardised: np.ndarray,
    labels: Sequence[GroupLabel | None],
    likelihood: str,
) -> GroupRows:
    """Make tensors of a table.

    Parameters
    ----------
    table : ResponseTable
        Mean responses.
    standardised : array of shape (n_rows, n_units), float32
        The same, z-scored with training statistics; NaN where missing.
    labels : sequence of GroupLabel or None
        Weak labels of the same rows.
    likelihood : {"gaussian", "poisson"}
        Gaussian compares z-scores, each observed unit alike; Poisson compares counts, weighted by
        their presentations.
    """
    missing = ~np.isfinite(standardised)
    filled = np.where(missing, 0, standardised).astype(np.float32)
    if likelihood == "poisson":
        target = np.where(missing, 0, table.response).astype(np.float32)
        weight = np.where(missing, 0, table.n_repeats).astype(np.float32)
    else:
        target, weight = filled, (~missing).astype(np.float32)
    return GroupRows(
        input=torch.from_numpy(filled),
        target=torch.from_numpy(target),
        weight=torch.from_numpy(weight),
        session=torch.from_numpy(table.session),
        labels=tuple(None if label is None else torch.from_numpy(label.value) for label in labels),
    )


class GroupVAETask:
    """Reconstruction, weak labels, divergence to the prior and independence of groups.

    Parameters
    ----------
    module : GroupVAE
        What is trained.
    options : GroupVAEOptions
        Weights of the parts and form of the penalty.
    training, validation : GroupRows
        Rows of both splits.
    """

    def __init__(
        self,
        module: GroupVAE,
        options: GroupVAEOptions,
        training: GroupRows,
        validation: GroupRows,
    ) -> None:
        n_latents = module.groups[-1].stop
        if len(training.input) < 2 or not len(validation.input):
            raise InputError(
                "a fit needs at least two training rows and one validation row",
                where="MIG-Vis",
                found=f"{len(training.input)} and {len(validation.input)}",
            )
        self.module, self.options = module, options
        self.n_stimuli = len(training.input)
        self.undecayed_parameters: frozenset[str] = frozenset()
        # A covariance of fewer rows than latents has no determinant to speak of.
        self._batch_size = max(
            options.limit_batch_size(self.n_stimuli), min(2 * n_latents, self.n_stimuli)
        )
        self._training, self._validation = training, validation

    def prepare(self, device: torch.device) -> None:
        """Move the module and all tensors to the device."""
        self.module.to(device)
        self._training, self._validation = self._training.to(device), self._validation.to(device)

    def fingerprint(self) -> str:
        """Digest of rows and options."""
        options = self.options.model_dump(mode="json", exclude={"checkpoint_every"})
        rows = [
            tensor.cpu().numpy()
            for part in (self._training, self._validation)
            for tensor in (part.input, part.target, part.weight, part.session, *part.labels)
            if tensor is not None
        ]
        return digest_content([options, *rows])

    def iterate_batches(self, epoch: int, generator: np.random.Generator) -> Iterator[GroupRows]:
        """Yield batches of training rows."""
        for rows in draw_batches(self.n_stimuli, self._batch_size, generator):
            yield self._training.take(torch.from_numpy(rows))

    def compute_loss(self, batch: GroupRows) -> torch.Tensor:
        """Loss of section 1.3 of the specification."""
        latents = self.module.encode(batch.input, batch.session)
        predicted = self.module.decode(latents.sample, batch.session)
        loss = self._compare(predicted, batch)
        loss = loss + self.options.label_weight * self._compare_labels(latents.sample, batch)
        loss = loss + self.options.kl_weight * compute_divergence(latents)
        penalty = self.compute_penalty(latents)
        if penalty is not None:
            loss = loss + self.options.penalty_weight * penalty
        discriminator = self.module.discriminator
        if discriminator is not None:
            # Its own loss has gradients of its own parameters only, so one optimiser serves both.
            loss = loss + discriminator.compute_loss(latents.sample, self.module.groups)
        return loss

    def compute_penalty(self, latents: LatentBatch) -> torch.Tensor | None:
        """Group total correlation in the form of the options; None where there is no penalty."""
        groups = self.module.groups
        if len(groups) < 2 or self.options.penalty == "none" or not self.options.penalty_weight:
            return None
        if self.options.penalty == "gaussian":
            return compute_gaussian_correlation(latents.sample, groups)
        if self.options.penalty == "minibatch":
            return compute_minibatch_correlation(
                latents.sample, latents.mean, latents.log_variance, groups
            )
        discriminator = self.module.discriminator
        return None if discriminator is None else discriminator.estimate_correlation(latents.sample)

    def validate(self) -> float:
        """Minus reconstruction and label loss of held-out rows, from means and not from draws."""
        rows = self._validation
        latents = self.module.encode(rows.input, rows.session)
        loss = self._compare(self.module.decode(latents.mean, rows.session), rows)
        loss = loss + self.options.label_weight * self._compare_labels(latents.mean, rows)
        return -float(loss)

    @torch.no_grad()
    def measure_minibatch_correlation(self) -> tuple[float, int]:
        """Take the minibatch estimate on as many training rows as a batch holds."""
        rows = self._training.take(torch.arange(min(self._batch_size, self.n_stimuli)))
        self.module.train()
        latents = self.module.encode(rows.input, rows.session)
        self.module.eval()
        estimate = compute_minibatch_correlation(
            latents.sample, latents.mean, latents.log_variance, self.module.groups
        )
        return float(estimate), len(rows.input)

    def _compare(self, predicted: torch.Tensor, rows: GroupRows) -> torch.Tensor:
        total = rows.weight.sum().clamp_min(1)
        if self.module.likelihood == "poisson":
            # Terms without the prediction are left out; counts are means over presentations.
            error = predicted - rows.target * predicted.log()
        else:
            error = (predicted - rows.target).pow(2)
        return (error * rows.weight).sum() / total

    def _compare_labels(self, latent: torch.Tensor, rows: GroupRows) -> torch.Tensor:
        loss = latent.new_zeros(())
        if not self.options.label_weight:
            return loss
        for number, predicted in self.module.read_labels(latent).items():
            label = rows.labels[number]
            if label is None:
                continue
            if label.dtype == torch.int64:
                if bool((label >= 0).any()):
                    distance = cross_entropy(predicted, label, ignore_index=-1)
                    loss = loss + self.options.category_weight * distance
                continue
            known = torch.isfinite(label)
            if bool(known.any()):
                error = (predicted - torch.where(known, label, 0)).pow(2)
                loss = loss + (error * known).sum() / known.sum()
        return loss


def compute_divergence(latents: LatentBatch) -> torch.Tensor:
    """Divergence of the posteriors from a standard normal, a mean over rows and latents."""
    variance = latents.log_variance.exp()
    return 0.5 * (latents.mean.pow(2) + variance - latents.log_variance - 1).mean()
