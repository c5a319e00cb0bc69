"""Layers that silence at random, in a form that can be drawn outside of a forward pass.

A module draws its dropout from torch's global generator, layer by layer. Where several modules
train at once each needs the draws that it would make alone: `fill_factors` makes them from a
generator of its own, and `GivenFactors` takes the layer's place and multiplies by them.
"""

from __future__ import annotations

import torch
from torch import nn


class UnitDropout(nn.Module):
    """Set whole columns to zero at random for a batch, and scale the others up.

    Parameters
    ----------
    p : float
        Probability that a unit is silenced, in [0, 1).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def extra_repr(self) -> str:
        """Show the probability."""
        return f"p={self.p}"

    def forward(self, response: torch.Tensor) -> torch.Tensor:
        """Silence units in training mode.

        Parameters
        ----------
        response : tensor of shape (n_responses, n_units)
            Standardised responses of one batch.

        Returns
        -------
        silenced : tensor of shape (n_responses, n_units)
            Expectation equals the input; the input itself in eval mode.
        """
        if not self.training or self.p == 0:
            return response
        kept = torch.rand(response.shape[1], device=response.device) >= self.p
        return response * (kept / (1 - self.p))


RandomLayer = nn.Dropout | UnitDropout


class GivenFactors(nn.Module):
    """Multiplies by factors that were drawn before; stands in for a layer that silences.

    Attributes
    ----------
    factors : tensor
        Of the shape of the input, or of its last axis.
    """

    factors: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("factors", torch.ones(()))

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Multiply.

        Parameters
        ----------
        hidden : tensor
            Input of the layer.

        Returns
        -------
        silenced : tensor of the same shape
            Input times factors.
        """
        return hidden * self.factors


def choose_factor_shape(layer: RandomLayer, input_shape: torch.Size) -> torch.Size:
    """Shape of what a layer draws for an input.

    Parameters
    ----------
    layer : torch.nn.Dropout or UnitDropout
        Layer that silences.
    input_shape : torch.Size
        Shape of its input.

    Returns
    -------
    shape : torch.Size
        A factor per element, or per unit.
    """
    return input_shape[-1:] if isinstance(layer, UnitDropout) else input_shape


def fill_factors(layer: RandomLayer, out: torch.Tensor, generator: torch.Generator) -> None:
    """Draw the factors of one forward pass.

    Parameters
    ----------
    layer : torch.nn.Dropout or UnitDropout
        Layer that silences.
    out : tensor
        Filled in place; of the shape of `choose_factor_shape`.
    generator : torch.Generator
        Gives the same draws as the global generator gives to the layer in the same state.
    """
    if isinstance(layer, UnitDropout):
        out.copy_(torch.rand(out.shape, generator=generator) >= layer.p)
    else:
        out.bernoulli_(1 - layer.p, generator=generator)
    out.div_(1 - layer.p)
