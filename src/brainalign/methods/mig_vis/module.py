"""The network of the group-wise autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn.functional import softplus

from brainalign.methods.mig_vis.options import GroupVAEOptions
from brainalign.methods.mig_vis.penalties import GroupDiscriminator

# Beyond these, variances under- or overflow in fp32 without changing any sample.
_LOG_VARIANCE_LIMIT = 12.0


@dataclass(frozen=True)
class LabelShape:
    """What a group is weakly supervised with.

    Attributes
    ----------
    kind : {"category", "factor"}
        Classes, or numbers.
    size : int
        Number of classes or numbers.
    """

    kind: str
    size: int


@dataclass(frozen=True)
class LatentBatch:
    """Posteriors of a batch.

    Attributes
    ----------
    mean, log_variance, sample : tensor of shape (n_rows, n_latents)
        Moments of the posteriors and a draw from each.
    """

    mean: torch.Tensor
    log_variance: torch.Tensor
    sample: torch.Tensor


class ElementwiseScale(nn.Module):
    """One learned factor per latent: a head that keeps latents and labels matched one to one."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.factor = nn.Parameter(torch.empty(size).normal_(std=0.01))

    def forward(self, latent: torch.Tensor) -> torch.Tensor:
        """Scale latents."""
        return latent * self.factor


class GroupVAE(nn.Module):
    """Encoder, linear decoder per session, and one head per labelled group.

    Parameters
    ----------
    n_units, n_sessions : int
        Units, and sessions with layers of their own.
    groups : sequence of slice
        Columns of each group in the latents.
    labels : sequence of LabelShape or None
        What each group is supervised with.
    options : GroupVAEOptions
        Widths and likelihood.
    """

    def __init__(
        self,
        n_units: int,
        n_sessions: int,
        groups: Sequence[slice],
        labels: Sequence[LabelShape | None],
        options: GroupVAEOptions,
    ) -> None:
        super().__init__()
        self.groups, self.labels = list(groups), list(labels)
        self.likelihood = options.likelihood
        n_latents, width = groups[-1].stop, options.hidden_width
        self.read_in = nn.ModuleList(nn.Linear(n_units, width) for _ in range(n_sessions))
        trunk: list[nn.Module] = [nn.ReLU()]
        for _ in range(options.hidden_layers - 1):
            trunk += [nn.Linear(width, width), nn.ReLU()]
        self.trunk = nn.Sequential(*trunk)
        self.moments = nn.Linear(width, 2 * n_latents)
        self.read_out = nn.ModuleList(nn.Linear(n_latents, n_units) for _ in range(n_sessions))
        self.heads = nn.ModuleDict(
            {
                str(number): _make_head(group.stop - group.start, label)
                for number, (group, label) in enumerate(zip(groups, labels, strict=True))
                if label is not None
            }
        )
        self.discriminator = (
            GroupDiscriminator(n_latents) if options.penalty == "adversarial" else None
        )

    def encode(self, response: torch.Tensor, session: torch.Tensor) -> LatentBatch:
        """Encode responses.

        Parameters
        ----------
        response : tensor of shape (n_rows, n_units)
            Standardised, 0 where a unit is missing.
        session : tensor of shape (n_rows,), int64
            Session of each row.

        Returns
        -------
        latents : LatentBatch
            In eval mode the sample is the mean.
        """
        hidden = self.trunk(_select(self.read_in, response, session))
        mean, log_variance = self.moments(hidden).chunk(2, dim=1)
        log_variance = log_variance.clamp(-_LOG_VARIANCE_LIMIT, _LOG_VARIANCE_LIMIT)
        sample = mean
        if self.training:
            sample = mean + torch.randn_like(mean) * (0.5 * log_variance).exp()
        return LatentBatch(mean, log_variance, sample)

    def decode(self, latent: torch.Tensor, session: torch.Tensor) -> torch.Tensor:
        """Decode latents.

        Returns
        -------
        response : tensor of shape (n_rows, n_units)
            Standardised responses, or with a Poisson likelihood expected counts.
        """
        linear = _select(self.read_out, latent, session)
        return softplus(linear) + 1e-4 if self.likelihood == "poisson" else linear

    def read_labels(self, latent: torch.Tensor) -> dict[int, torch.Tensor]:
        """Predict the labels of the labelled groups, each from its own latents."""
        return {
            int(number): head(latent[:, self.groups[int(number)]])
            for number, head in self.heads.items()
        }


def _make_head(size: int, label: LabelShape) -> nn.Module:
    if label.kind == "factor" and label.size == size:
        return ElementwiseScale(size)
    return nn.Linear(size, label.size)


def _select(layers: nn.ModuleList, value: torch.Tensor, session: torch.Tensor) -> torch.Tensor:
    """Send each row through the layer of its session."""
    if len(layers) == 1:
        return layers[0](value)
    every = torch.stack([layer(value) for layer in layers])
    return every[session, torch.arange(len(value), device=value.device)]
