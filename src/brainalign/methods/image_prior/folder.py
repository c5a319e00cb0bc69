"""A trained prior as a folder: averaged weights, attribute predictors, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from brainalign.methods.image_prior.attributes import StimulusAttributes
from brainalign.methods.image_prior.condition import count_condition
from brainalign.methods.image_prior.images import prepare_images
from brainalign.methods.image_prior.network import NoiseModel, NoisePredictor
from brainalign.methods.image_prior.options import CATEGORY, ImagePriorOptions, read_prior_options
from brainalign.methods.image_prior.reader import AttributeReader
from brainalign.methods.image_prior.schedule import compute_alpha_bar
from brainalign.methods.weights import (
    check_weights,
    prefix_weights,
    read_weights,
    select_weights,
    write_weights,
)
from brainalign.training.randomness import isolate_torch_randomness


@dataclass(frozen=True)
class ImagePrior:
    """A diffusion model of stimuli with predictors of their attributes.

    Attributes
    ----------
    options : ImagePriorOptions
        Network and image size.
    predictor : NoisePredictor
        Averaged weights, in eval mode.
    reader : AttributeReader
        Predictors of attributes, in eval mode.
    categories : tuple of str
        Meaning of the first columns of a reading.
    factors : tuple of (str, str)
        Attribute and factor of the columns that follow.
    factor_mean, factor_sd : array of shape (n_factors,), float64
        Statistics of training stimuli that readings are standardised with.
    quality : dict of str to float
        Accuracy and R2 of the predictors on test stimuli.
    """

    options: ImagePriorOptions
    predictor: NoisePredictor
    reader: AttributeReader
    categories: tuple[str, ...]
    factors: tuple[tuple[str, str], ...]
    factor_mean: np.ndarray
    factor_sd: np.ndarray
    quality: dict[str, float]

    def make_noise_model(self, device: torch.device) -> NoiseModel:
        """Put the prior on a device, ready for sampling."""
        # bf16 helps the training along; rounding would add up over an inversion.
        return NoiseModel(
            self.predictor.to(device),
            compute_alpha_bar(self.options.n_levels),
        )

    def prepare(self, image: np.ndarray) -> np.ndarray:
        """Turn stimuli into what the prior sees; see `prepare_images`."""
        return prepare_images(image, self.options.image_size, self.options.n_channels)

    @property
    def n_categories(self) -> int:
        """Number of categories that it knows."""
        return len(self.categories)

    @property
    def is_conditional(self) -> bool:
        """Whether it can be told what an image shows."""
        return self.options.condition != "none"

    def standardise(
        self, known: StimulusAttributes, stimulus: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Give what is known of stimuli in the prior's own numbers.

        Returns
        -------
        category : array of shape (n_stimuli,), int64
            -1 where unknown.
        factor : array of shape (n_stimuli, n_factors), float64
            NaN where unknown.
        """
        rows = known.locate(stimulus)
        number = {name: place for place, name in enumerate(self.categories)}
        category = np.array([number.get(str(name), -1) for name in known.category[rows]])
        factor = known.take_factors([name for _, name in self.factors])[rows]
        return category.astype(np.int64), (factor - self.factor_mean) / self.factor_sd

    def list_reading_columns(self) -> list[tuple[str, str]]:
        """List attribute and name of each column of a reading."""
        return [(CATEGORY, name) for name in self.categories] + list(self.factors)


def write_prior(folder: Path, prior: ImagePrior) -> None:
    """Write a prior into a folder that is about to be published.

    Parameters
    ----------
    folder : Path
        Gets ``weights.safetensors`` and ``options.json``.
    prior : ImagePrior
        What was trained.
    """
    weights = _take_weights(prior.predictor, "predictor/") | _take_weights(prior.reader, "reader/")
    weights |= {"factor_mean": prior.factor_mean, "factor_sd": prior.factor_sd}
    description = {
        "options": prior.options.model_dump(mode="json"),
        "categories": list(prior.categories),
        "factors": [list(pair) for pair in prior.factors],
        "quality": prior.quality,
    }
    write_weights(folder, weights, description)


def read_prior(folder: Path) -> ImagePrior:
    """Read what `write_prior` wrote.

    Raises
    ------
    InputError
        There is no prior in the folder, or its weights are of another shape than its options say.
    CorruptDataError
        A file is damaged.
    """
    weights, description = read_weights(folder)
    options = read_prior_options(description["options"])
    categories: Sequence[str] = description["categories"]
    factors = [(str(attribute), str(name)) for attribute, name in description["factors"]]
    # Weights are overwritten at once; no draw may depend on or change the caller's generator.
    with isolate_torch_randomness(0):
        n_condition = (
            count_condition(len(categories), len(factors)) if options.condition != "none" else 0
        )
        predictor = NoisePredictor(options, n_condition)
        reader = AttributeReader(options.n_channels, len(categories), len(factors))
    _put_weights(predictor, select_weights(weights, "predictor/"), folder)
    _put_weights(reader, select_weights(weights, "reader/"), folder)
    return ImagePrior(
        options=options,
        predictor=predictor.eval(),
        reader=reader.eval(),
        categories=tuple(map(str, categories)),
        factors=tuple(factors),
        factor_mean=weights["factor_mean"],
        factor_sd=weights["factor_sd"],
        quality={str(name): float(value) for name, value in description["quality"].items()},
    )


def _take_weights(module: nn.Module, prefix: str) -> dict[str, np.ndarray]:
    state = {name: value.cpu().numpy().copy() for name, value in module.state_dict().items()}
    return prefix_weights(state, prefix)


def _put_weights(module: nn.Module, state: dict[str, Any], folder: Path) -> None:
    shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
    check_weights(state, shapes, where=str(folder))
    module.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in state.items()})
