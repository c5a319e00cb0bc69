"""Optional parts of stage 2: a specific branch per modality, its decoder, and CLUB."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.func import functional_call

from brainalign.methods.neuroalign.options import NeuroAlignOptions

_ESTIMATOR_WIDTH = 128


class InformationBound(nn.Module):
    """Upper bound of the mutual information of two vectors (CLUB, Cheng et al. 2020).

    Parameters
    ----------
    n_first, n_second : int
        Widths; the second is predicted from the first.

    Notes
    -----
    ``q(y|x)`` is Gaussian with mean and log variance from four-layer networks, the latter through a
    tanh, as in Uni-Code. There the estimator takes five steps of its own optimiser per batch; here
    it takes part in the common step, by the loss of its likelihood on detached vectors.
    """

    def __init__(self, n_first: int, n_second: int) -> None:
        super().__init__()
        self.mean = _make_network(n_first, n_second)
        self.log_variance = nn.Sequential(_make_network(n_first, n_second), nn.Tanh())

    def forward(self, first: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Mean and log variance of the second vector, each (..., n_second)."""
        return self.mean(first), self.log_variance(first)

    def estimate(
        self, first: torch.Tensor, second: torch.Tensor, order: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Bound with a gradient for the vectors, and the estimator's own loss.

        Parameters
        ----------
        first, second : tensor of shape (n_clips, n_steps, width)
            Pairs.
        order : tensor of shape (n_clips,), int64
            A permutation, which makes pairs that do not belong together.

        Returns
        -------
        bound : tensor of shape ()
            Squared errors and log variances are averaged over steps first.
        likelihood_loss : tensor of shape ()
        """
        mean, log_variance = self(first.detach())
        error = (mean - second.detach()).square()
        own_loss = 0.5 * (error / log_variance.exp() + log_variance).sum(-1).mean()
        fixed = {name: value.detach() for name, value in self.named_parameters()}
        mean, log_variance = functional_call(self, fixed, (first,))
        variance = log_variance.mean(1).exp()
        paired = (mean - second).square().mean(1) / variance
        shuffled = (mean - second[order]).square().mean(1) / variance
        return 0.5 * (shuffled - paired).sum(-1).mean(), own_loss


class Reconstruction(nn.Module):
    """Rebuild each modality from its codes and from a branch of its own.

    Parameters
    ----------
    widths : sequence of int
        Width of each modality's input per TR.
    options : NeuroAlignOptions
        Width of the shared space and weights.
    """

    def __init__(self, widths: Sequence[int], options: NeuroAlignOptions) -> None:
        super().__init__()
        width = options.dimension
        self.options = options
        self.specific = nn.ModuleList(
            nn.Sequential(nn.Linear(n_inputs, width), nn.ReLU()) for n_inputs in widths
        )
        self.mapping = nn.ModuleList(nn.Linear(width, width) for _ in widths)
        self.decoder = nn.ModuleList(nn.Linear(2 * width, n_inputs) for n_inputs in widths)
        self.bounds = nn.ModuleList(
            InformationBound(width, width) for _ in (widths if options.information_weight else [])
        )

    def forward(
        self,
        inputs: Sequence[torch.Tensor],
        token: torch.Tensor,
        quantised: torch.Tensor,
        order: torch.Tensor,
    ) -> torch.Tensor:
        """Loss of a batch, weighted.

        Parameters
        ----------
        inputs : sequence of tensor of shape (n_clips, n_steps, n_inputs)
            Per modality.
        token : tensor of shape (n_modalities, n_clips, n_steps, dimension)
            Shared tokens.
        quantised : tensor of the same shape
            Their codes.
        order : tensor of shape (n_clips,), int64
            A permutation, for CLUB.
        """
        loss = token.new_zeros(())
        for number, values in enumerate(inputs):
            # Straight through: the token gets the gradient of its code.
            through = token[number] + (quantised[number] - token[number]).detach()
            specific = self.specific[number](values)
            rebuilt = self.decoder[number](
                torch.cat([self.mapping[number](through), specific], dim=-1)
            )
            error = (rebuilt - values).square().mean()
            loss = loss + self.options.reconstruction_weight * error
            if self.options.information_weight:
                estimator = self.bounds[number]
                assert isinstance(estimator, InformationBound)
                bound, own_loss = estimator.estimate(token[number], specific, order)
                loss = loss + self.options.information_weight * bound + own_loss
        return loss


def _make_network(n_inputs: int, n_outputs: int) -> nn.Sequential:
    width = _ESTIMATOR_WIDTH
    return nn.Sequential(
        nn.Linear(n_inputs, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, width),
        nn.ReLU(),
        nn.Linear(width, n_outputs),
    )
