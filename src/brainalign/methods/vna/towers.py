"""Towers that bring features and responses to vectors of one width."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from brainalign.training.dropout import UnitDropout


class ResidualHead(nn.Module):
    """What follows the first linear map of a projection: a residual branch and a norm.

    ``LayerNorm(y + Dropout(Linear(GELU(y))))``.

    Parameters
    ----------
    dimension : int
        Width of input and output.
    dropout : float
        Probability of dropout on the branch.
    """

    def __init__(self, dimension: int, dropout: float) -> None:
        super().__init__()
        self.branch = nn.Sequential(nn.GELU(), nn.Linear(dimension, dimension), nn.Dropout(dropout))
        self.norm = nn.LayerNorm(dimension)

    def forward(self, projected: torch.Tensor) -> torch.Tensor:
        """Apply the head.

        Parameters
        ----------
        projected : tensor of shape (n_rows, dimension)
            Output of the linear projection.

        Returns
        -------
        embedding : tensor of shape (n_rows, dimension)
            Not normalised to unit length.
        """
        return self.norm(projected + self.branch(projected))


class VisualTower(nn.Module):
    """Precomputed features to an embedding: a linear projection and a residual head.

    Parameters
    ----------
    n_features : int
        Number of features.
    dimension : int
        Width of the embedding.
    dropout : float
        Probability of dropout in the head.
    """

    def __init__(self, n_features: int, dimension: int, dropout: float) -> None:
        super().__init__()
        self.projection = nn.Linear(n_features, dimension)
        self.head = ResidualHead(dimension, dropout)

    def forward(self, feature: torch.Tensor) -> torch.Tensor:
        """Embed stimuli.

        Parameters
        ----------
        feature : tensor of shape (n_stimuli, n_features)
            Standardised features.

        Returns
        -------
        embedding : tensor of shape (n_stimuli, dimension)
            Not normalised to unit length.
        """
        return self.head(self.projection(feature))


class NeuralTrunk(nn.Module):
    """Shared hidden layers between the units of a subject and the head.

    ``h = Dropout(GELU(x))``, then ``Linear(LayerNorm(h + Linear(h)))`` to the embedding's width.

    Parameters
    ----------
    hidden_width : int
        Width of the input and of the hidden layer.
    dimension : int
        Width of the output.
    dropout : float
        Probability of dropout on the input.
    """

    def __init__(self, hidden_width: int, dimension: int, dropout: float) -> None:
        super().__init__()
        self.entry = nn.Sequential(nn.GELU(), nn.Dropout(dropout))
        self.branch = nn.Linear(hidden_width, hidden_width)
        self.norm = nn.LayerNorm(hidden_width)
        self.projection = nn.Linear(hidden_width, dimension)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """Apply the trunk.

        Parameters
        ----------
        hidden : tensor of shape (n_responses, hidden_width)
            Output of the input layer of a subject.

        Returns
        -------
        projected : tensor of shape (n_responses, dimension)
            Input of the head.
        """
        entered = self.entry(hidden)
        return self.projection(self.norm(entered + self.branch(entered)))


class NeuralTower(nn.Module):
    """Responses to an embedding: one input layer per subject, then shared layers.

    Parameters
    ----------
    n_units : sequence of int
        Number of units of each subject.
    dimension : int
        Width of the embedding.
    hidden_width : int or None
        Width of the shared trunk; None leaves the trunk out, so that the input layers project
        straight to the head.
    dropout : float
        Probability of dropout in trunk and head.
    unit_dropout : float
        Probability that a unit is silenced for a whole batch in training.
    """

    def __init__(
        self,
        n_units: Sequence[int],
        dimension: int,
        *,
        hidden_width: int | None,
        dropout: float,
        unit_dropout: float,
    ) -> None:
        super().__init__()
        width = dimension if hidden_width is None else hidden_width
        self.input_layers = nn.ModuleList(nn.Linear(count, width) for count in n_units)
        self.trunk = (
            nn.Identity() if hidden_width is None else NeuralTrunk(hidden_width, dimension, dropout)
        )
        self.head = ResidualHead(dimension, dropout)
        self.unit_dropout = UnitDropout(unit_dropout)

    def forward(self, response: torch.Tensor, subject: int) -> torch.Tensor:
        """Embed responses of one subject.

        Parameters
        ----------
        response : tensor of shape (n_responses, n_units)
            Standardised responses.
        subject : int
            Position of the subject in `n_units`.

        Returns
        -------
        embedding : tensor of shape (n_responses, dimension)
            Not normalised to unit length.
        """
        silenced = self.unit_dropout(response)
        return self.head(self.trunk(self.input_layers[subject](silenced)))
