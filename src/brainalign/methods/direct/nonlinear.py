"""Nonlinear maps that share towers, optimiser and budget with VNA."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import torch

from brainalign.errors import InputError
from brainalign.methods.direct.modules import DecodingModule, EncodingModule
from brainalign.methods.direct.regression import FitContext, RegressionPairs
from brainalign.methods.normalisation import Standardisation
from brainalign.methods.tower_options import TowerOptions
from brainalign.methods.weights import Weights, check_weights
from brainalign.training.batches import draw_batches
from brainalign.training.checkpoint import digest_content
from brainalign.training.loop import train_module
from brainalign.training.randomness import derive_seed, isolate_torch_randomness


class RegressionTask:
    """Training task of a nonlinear map; the validation score is minus the validation loss.

    Parameters
    ----------
    module : EncodingModule or DecodingModule
        Map with its loss.
    options : TowerOptions
        Batch size.
    training, validation : RegressionPairs
        Standardised pairs.
    """

    undecayed_parameters: frozenset[str] = frozenset()

    def __init__(
        self,
        module: EncodingModule | DecodingModule,
        options: TowerOptions,
        training: RegressionPairs,
        validation: RegressionPairs,
    ) -> None:
        self.module, self.options = module, options
        self.training, self.validation = training, validation
        self.n_stimuli = len(training.inputs)
        self._batch_size = options.limit_batch_size(self.n_stimuli)
        if self._batch_size < 1:
            raise InputError(
                "too few training stimuli for a batch", where="training", found=self.n_stimuli
            )

    def prepare(self, device: torch.device) -> None:
        """Move module and pairs to the device.

        Parameters
        ----------
        device : torch.device
            Where to train.
        """
        self.module.to(device)
        self._device = device
        self._training = _to_tensors(self.training, device)
        self._validation = _to_tensors(self.validation, device)

    def fingerprint(self) -> str:
        """Digest of options and pairs.

        Returns
        -------
        digest : str
            Keys the resume checkpoints.
        """
        options = self.options.model_dump(mode="json", exclude={"checkpoint_every"})
        arrays = [
            array
            for pairs in (self.training, self.validation)
            for array in (pairs.inputs, pairs.targets)
        ]
        return digest_content([type(self.module).__name__, options, *arrays])

    def iterate_batches(
        self, epoch: int, generator: np.random.Generator
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield inputs and targets in random order.

        Parameters
        ----------
        epoch : int
            Not used: the generator is another one in each epoch.
        generator : numpy.random.Generator
            Source of the order.

        Yields
        ------
        inputs, targets : tensors of shape (n_batch, n_inputs) and (n_batch, n_targets)
            One batch.
        """
        inputs, targets = self._training
        for rows in draw_batches(self.n_stimuli, self._batch_size, generator):
            chosen = torch.from_numpy(rows).to(self._device)
            yield inputs[chosen], targets[chosen]

    def compute_loss(self, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        """Loss of one batch.

        Parameters
        ----------
        batch : pair of tensors
            Inputs and targets.

        Returns
        -------
        loss : tensor of shape ()
            In fp32.
        """
        return self.module.compute_loss(*batch)

    def count_rows(self, batch: tuple[torch.Tensor, torch.Tensor]) -> int:
        """Count the pairs of a batch.

        Parameters
        ----------
        batch : pair of tensors
            Inputs and targets.

        Returns
        -------
        n_rows : int
            Pairs.
        """
        return len(batch[0])

    def take_rows(
        self, batch: tuple[torch.Tensor, torch.Tensor], rows: slice
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Part of a batch.

        Parameters
        ----------
        batch : pair of tensors
            Inputs and targets.
        rows : slice
            Which of them.

        Returns
        -------
        inputs, targets : tensors of shape (n_rows, n_inputs) and (n_rows, n_targets)
            The part.
        """
        return batch[0][rows], batch[1][rows]

    def compute_outputs(self, batch: tuple[torch.Tensor, torch.Tensor]) -> tuple[torch.Tensor, ...]:
        """Predict the targets.

        Parameters
        ----------
        batch : pair of tensors
            Inputs and targets.

        Returns
        -------
        prediction : tuple of one tensor of shape (n_rows, n_targets)
            Standardised targets.
        """
        return (self.module(batch[0]),)

    def compute_loss_of_outputs(
        self, outputs: tuple[torch.Tensor, ...], batch: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        """Loss of the predictions for a whole batch.

        Parameters
        ----------
        outputs : tuple of one tensor of shape (n_rows, n_targets)
            As from `compute_outputs`.
        batch : pair of tensors
            Inputs and targets of the whole batch.

        Returns
        -------
        loss : tensor of shape ()
            In fp32.
        """
        return self.module.compare(outputs[0], batch[1])

    def validate(self) -> float:
        """Minus the loss on the validation pairs.

        Returns
        -------
        score : float
            Larger is better.
        """
        return -float(self.module.compute_loss(*self._validation))


class NonlinearRegression:
    """Map trained by the shared loop.

    Parameters
    ----------
    options : TowerOptions
        Options of the module and of the training.
    targets : Standardisation
        Statistics of the targets.
    """

    module_class: type[EncodingModule] | type[DecodingModule]

    def __init__(self, options: Any, targets: Standardisation) -> None:
        self.options, self.targets = options, targets
        self._module: EncodingModule | DecodingModule | None = None

    def fit(
        self, training: RegressionPairs, validation: RegressionPairs, context: FitContext
    ) -> pd.DataFrame:
        """Train the map.

        Parameters
        ----------
        training : RegressionPairs
            Standardised pairs.
        validation : RegressionPairs
            Decides which epoch is the best.
        context : FitContext
            Seed, device, scratch folder and report.

        Returns
        -------
        history : pandas.DataFrame
            One row per epoch.
        """
        self._check_targets(training)
        module = self._build(
            training.inputs.shape[1],
            training.targets.shape[1],
            derive_seed(context.seed, "initialisation"),
        )
        history = train_module(
            RegressionTask(module, self.options, training, validation),
            self.options,
            seed=context.seed,
            device=context.device,
            scratch=context.scratch,
            report=context.report,
        )
        self._module = module.cpu()
        return history

    def refit(
        self, training: RegressionPairs, validation: RegressionPairs, context: FitContext
    ) -> NonlinearRegression:
        """Train a new map on other pairs with the same options.

        Parameters
        ----------
        training, validation : RegressionPairs
            Standardised pairs.
        context : FitContext
            Seed, device, scratch folder and report.

        Returns
        -------
        regression : NonlinearRegression
            A new map.
        """
        other = type(self)(self.options, self.targets)
        other.fit(training, validation, context)
        return other

    def predict(self, inputs: np.ndarray) -> np.ndarray:
        """Predict standardised targets.

        Parameters
        ----------
        inputs : array of shape (n_rows, n_inputs)
            Standardised inputs.

        Returns
        -------
        prediction : array of shape (n_rows, n_targets), float64
            Standardised targets.
        """
        with torch.inference_mode():
            return self._get_module()(torch.from_numpy(inputs)).double().numpy()

    def get_weights(self) -> Weights:
        """Parameters of the module.

        Returns
        -------
        weights : dict of str to array
            By the names of torch.
        """
        state = self._get_module().state_dict()
        return {name: value.numpy().copy() for name, value in state.items()}

    def set_weights(self, weights: Weights, n_inputs: int, n_targets: int) -> None:
        """Take up the weights of another fit.

        Parameters
        ----------
        weights : dict of str to array
            As from `get_weights`.
        n_inputs, n_targets : int
            Widths that are expected.

        Raises
        ------
        InputError
            A name or a width is another one.
        """
        module = self._build(n_inputs, n_targets, seed=0)
        shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
        check_weights(weights, shapes, where=type(module).__name__)
        module.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in weights.items()})
        self._module = module.eval()

    def _build(self, n_inputs: int, n_targets: int, seed: int) -> EncodingModule | DecodingModule:
        with isolate_torch_randomness(seed):
            return self.module_class(n_inputs, n_targets, self.options, self.targets)

    def _check_targets(self, training: RegressionPairs) -> None:
        """Refuse targets that the loss is not made for; by default there are none."""

    def _get_module(self) -> EncodingModule | DecodingModule:
        if self._module is None:
            raise InputError("the map is not fitted", where=type(self).__name__)
        return self._module


class EncodingRegression(NonlinearRegression):
    """Nonlinear map from features to responses."""

    module_class = EncodingModule

    def _check_targets(self, training: RegressionPairs) -> None:
        smallest = training.targets * self.targets.scale + self.targets.mean
        # Going to z-scores and back leaves rounding errors around a count of 0.
        tolerance = 1e-4 * float(self.targets.scale.max())
        if self.options.response_loss == "poisson" and smallest.min() < -tolerance:
            raise InputError(
                "a Poisson loss needs counts, which are not negative",
                where="direct_encoding_nonlinear",
                found=f"smallest response {smallest.min():.4g}",
                remedy="Set response_loss: mse.",
            )


class DecodingRegression(NonlinearRegression):
    """Nonlinear map from responses to features."""

    module_class = DecodingModule


def _to_tensors(pairs: RegressionPairs, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    inputs, targets = torch.from_numpy(pairs.inputs), torch.from_numpy(pairs.targets)
    return inputs.to(device), targets.to(device)
