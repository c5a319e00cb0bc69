"""Network of VNA: a tower for stimuli, one for responses, and the scale of their similarity."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn
from torch.nn.functional import normalize

from brainalign.methods.vna.losses import LogitScale
from brainalign.methods.vna.options import VNAOptions
from brainalign.methods.vna.towers import NeuralTower, VisualTower


class VNAModule(nn.Module):
    """Both towers and the learned scale of the loss.

    Parameters
    ----------
    n_features : int
        Number of kept features.
    n_units : sequence of int
        Number of kept units of each subject.
    options : VNAOptions
        Widths, dropouts and the initial scale.
    """

    def __init__(self, n_features: int, n_units: Sequence[int], options: VNAOptions) -> None:
        super().__init__()
        dimension = options.choose_embedding_dimension(max(n_units))
        self.visual = VisualTower(n_features, dimension, options.visual_dropout)
        self.neural = NeuralTower(
            n_units,
            dimension,
            hidden_width=options.hidden_width,
            dropout=options.neural_dropout,
            unit_dropout=options.unit_dropout,
        )
        self.scale = LogitScale(options.initial_scale)

    def embed_stimuli(self, feature: torch.Tensor) -> torch.Tensor:
        """Embed stimuli as unit vectors.

        Parameters
        ----------
        feature : tensor of shape (n_stimuli, n_features)
            Standardised features.

        Returns
        -------
        embedding : tensor of shape (n_stimuli, dimension)
            Rows of length 1, in fp32.
        """
        return normalize(self.visual(feature).float(), dim=1)

    def embed_responses(self, response: torch.Tensor, subject: int) -> torch.Tensor:
        """Embed responses as unit vectors.

        Parameters
        ----------
        response : tensor of shape (n_responses, n_units)
            Standardised responses.
        subject : int
            Position of the subject.

        Returns
        -------
        embedding : tensor of shape (n_responses, dimension)
            Rows of length 1, in fp32.
        """
        return normalize(self.neural(response, subject).float(), dim=1)
