"""Torch modules of the nonlinear maps, each with its loss."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import cosine_similarity, mse_loss, poisson_nll_loss, softplus

from brainalign.methods.direct.options import NonlinearDecodingOptions, NonlinearEncodingOptions
from brainalign.methods.normalisation import Standardisation
from brainalign.methods.vna.towers import NeuralTower, VisualTower


class EncodingModule(nn.Module):
    """Features to responses: visual tower and linear readout.

    Parameters
    ----------
    n_inputs, n_targets : int
        Number of kept features and of kept units.
    options : NonlinearEncodingOptions
        Width, dropout and loss.
    targets : Standardisation
        Mean and standard deviation of the units, to go between counts and z-scores.
    """

    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(
        self,
        n_inputs: int,
        n_targets: int,
        options: NonlinearEncodingOptions,
        targets: Standardisation,
    ) -> None:
        super().__init__()
        dimension = options.choose_embedding_dimension(n_targets)
        self.poisson = options.response_loss == "poisson"
        self.tower = VisualTower(n_inputs, dimension, options.visual_dropout)
        self.readout = nn.Linear(dimension, n_targets)
        self.register_buffer("mean", torch.from_numpy(targets.mean).float(), persistent=False)
        self.register_buffer("scale", torch.from_numpy(targets.scale).float(), persistent=False)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Predict standardised responses.

        Parameters
        ----------
        inputs : tensor of shape (n_rows, n_inputs)
            Standardised features.

        Returns
        -------
        prediction : tensor of shape (n_rows, n_targets)
            Rates, put on the scale of the z-scores, with the Poisson loss.
        """
        readout = self.readout(self.tower(inputs)).float()
        return (softplus(readout) - self.mean) / self.scale if self.poisson else readout

    def compute_loss(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Squared error, or negative log-likelihood of a Poisson process up to a constant.

        Parameters
        ----------
        inputs, targets : tensors of shape (n_rows, n_inputs) and (n_rows, n_targets)
            Standardised pairs.

        Returns
        -------
        loss : tensor of shape ()
            Mean over rows and units.
        """
        return self.compare(self(inputs), targets)

    def compare(self, prediction: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Loss of a prediction.

        Parameters
        ----------
        prediction, targets : tensors of shape (n_rows, n_targets)
            Standardised responses.

        Returns
        -------
        loss : tensor of shape ()
            Mean over rows and units.
        """
        if not self.poisson:
            return mse_loss(prediction, targets)
        rate = prediction * self.scale + self.mean
        count = targets * self.scale + self.mean
        return poisson_nll_loss(rate, count, log_input=False)


class DecodingModule(nn.Module):
    """Responses to features: neural tower and a hidden layer.

    Parameters
    ----------
    n_inputs, n_targets : int
        Number of kept units and of kept features.
    options : NonlinearDecodingOptions
        Widths and dropouts.
    targets : Standardisation
        Not needed: the loss is taken on z-scores.
    """

    def __init__(
        self,
        n_inputs: int,
        n_targets: int,
        options: NonlinearDecodingOptions,
        targets: Standardisation,
    ) -> None:
        super().__init__()
        dimension = options.choose_embedding_dimension(n_inputs)
        self.tower = NeuralTower(
            [n_inputs],
            dimension,
            hidden_width=options.hidden_width,
            dropout=options.neural_dropout,
            unit_dropout=options.unit_dropout,
        )
        self.readout = nn.Sequential(
            nn.Linear(dimension, 2 * dimension), nn.GELU(), nn.Linear(2 * dimension, n_targets)
        )

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Predict standardised features.

        Parameters
        ----------
        inputs : tensor of shape (n_rows, n_inputs)
            Standardised responses.

        Returns
        -------
        prediction : tensor of shape (n_rows, n_targets)
            Standardised features.
        """
        return self.readout(self.tower(inputs, 0)).float()

    def compute_loss(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Squared error plus cosine distance.

        Parameters
        ----------
        inputs, targets : tensors of shape (n_rows, n_inputs) and (n_rows, n_targets)
            Standardised pairs.

        Returns
        -------
        loss : tensor of shape ()
            Mean over rows.
        """
        return self.compare(self(inputs), targets)

    def compare(self, prediction: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Loss of a prediction.

        Parameters
        ----------
        prediction, targets : tensors of shape (n_rows, n_targets)
            Standardised features.

        Returns
        -------
        loss : tensor of shape ()
            Mean over rows.
        """
        distance = 1 - cosine_similarity(prediction, targets, dim=1)
        return mse_loss(prediction, targets) + distance.mean()
