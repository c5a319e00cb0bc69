"""How far groups of latents are from independent: three forms of group total correlation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import nn
from torch.func import functional_call
from torch.nn.functional import softplus

# Keeps the determinant of a covariance finite where a latent has collapsed.
_RIDGE = 1e-3
SATURATION = 0.98
"""Share of its largest value from which the minibatch estimator has no gradient left."""


def compute_gaussian_correlation(latent: torch.Tensor, groups: Sequence[slice]) -> torch.Tensor:
    """Group total correlation of a Gaussian with the covariance of the batch.

    Parameters
    ----------
    latent : tensor of shape (n_samples, n_latents)
        Samples of the latents; eight times as many as latents or more.
    groups : sequence of slice
        Columns of each group.

    Returns
    -------
    correlation : tensor, scalar
        ``(sum_g log det S_gg - log det S) / 2`` in nats; blind to dependence of higher order.
    """
    centred = latent - latent.mean(dim=0)
    ridge = _RIDGE * torch.eye(latent.shape[1], device=latent.device, dtype=latent.dtype)
    covariance = centred.T @ centred / (len(latent) - 1) + ridge
    parts = sum(torch.logdet(covariance[group, group]) for group in groups)
    return (parts - torch.logdet(covariance)) / 2


def compute_minibatch_correlation(
    latent: torch.Tensor, mean: torch.Tensor, log_variance: torch.Tensor, groups: Sequence[slice]
) -> torch.Tensor:
    """Group total correlation with the aggregated posterior of the batch.

    Parameters
    ----------
    latent, mean, log_variance : tensor of shape (n_samples, n_latents)
        Samples of the posteriors and their moments.
    groups : sequence of slice
        Columns of each group.

    Returns
    -------
    correlation : tensor, scalar
        In nats; never above ``(n_groups - 1) log n_samples``, which it takes, without a gradient,
        where posteriors do not overlap.
    """
    difference = latent[:, None, :] - mean[None, :, :]
    log_density = -0.5 * (
        difference.pow(2) / log_variance.exp() + log_variance + math.log(2 * math.pi)
    )
    by_group = torch.stack([log_density[..., group].sum(dim=2) for group in groups])
    log_count = math.log(len(latent))
    joint = torch.logsumexp(by_group.sum(dim=0), dim=1) - log_count
    parts = (torch.logsumexp(by_group, dim=2) - log_count).sum(dim=0)
    return (joint - parts).mean()


def measure_saturation(correlation: float, n_groups: int, n_samples: int) -> float:
    """Share of its largest possible value that the minibatch estimator has reached.

    Returns
    -------
    share : float
        Above :data:`SATURATION` the penalty does nothing; 0 for a single group.
    """
    if n_groups < 2 or n_samples < 2:
        return 0.0
    return correlation / ((n_groups - 1) * math.log(n_samples))


class GroupDiscriminator(nn.Module):
    """Tells latents of one response from groups that were permuted over the batch.

    Parameters
    ----------
    n_latents : int
        All latents together.
    width : int
        Hidden units.

    Notes
    -----
    Density-ratio trick of FactorVAE (Kim and Mnih 2018), with groups in place of single latents.
    """

    def __init__(self, n_latents: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(n_latents, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, width),
            nn.LeakyReLU(0.2),
            nn.Linear(width, 1),
        )

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """Log odds that latents belong together, one per row."""
        return self.layers(latent)[:, 0]

    def estimate_correlation(self, latent: torch.Tensor) -> torch.Tensor:
        """Estimate the total correlation; gradients reach the latents, not the discriminator."""
        frozen = {name: weight.detach() for name, weight in self.named_parameters()}
        return functional_call(self, frozen, (latent,)).mean()

    def compute_loss(self, latent: torch.Tensor, groups: Sequence[slice]) -> torch.Tensor:
        """Logistic loss of the discriminator itself; gradients do not reach the latents."""
        together = latent.detach()
        permuted = torch.cat(
            [together[torch.randperm(len(together), device=latent.device)][:, g] for g in groups],
            dim=1,
        )
        return (softplus(-self(together)) + softplus(self(permuted))).mean()
