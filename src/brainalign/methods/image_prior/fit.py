"""Train the prior of a data set and the predictors that read its images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brainalign.errors import InputError
from brainalign.methods.image_prior.attributes import (
    StimulusAttributes,
    list_attribute_factors,
    read_stimulus_attributes,
)
from brainalign.methods.image_prior.condition import ConditionTable, encode_table
from brainalign.methods.image_prior.folder import ImagePrior
from brainalign.methods.image_prior.images import prepare_images
from brainalign.methods.image_prior.network import NoiseModel
from brainalign.methods.image_prior.options import ImagePriorOptions
from brainalign.methods.image_prior.reader import (
    AttributeTable,
    ImageSymmetry,
    train_reader,
    validate_reader,
)
from brainalign.methods.image_prior.sampling import estimate_clean
from brainalign.methods.image_prior.schedule import compute_alpha_bar
from brainalign.methods.image_prior.training import train_prior
from brainalign.stimuli.read import read_splits
from brainalign.stores.read import open_store, take_rows
from brainalign.training.device import resolve_device
from brainalign.training.progress import ProgressReport
from brainalign.training.randomness import derive_seed

SPLITS = ("train", "validation", "test")


def fit_prior(
    stimuli: Path,
    options: ImagePriorOptions,
    *,
    seed: int,
    device: str,
    scratch: Path | None = None,
) -> tuple[ImagePrior, pd.DataFrame]:
    """Train a prior and its attribute predictors on the training stimuli of a data set.

    Parameters
    ----------
    stimuli : Path
        Stimulus store with images; of several folds, the split of the first is taken.
    options : ImagePriorOptions
        Network, training and attributes.
    seed : int
        Of everything that is drawn.
    device : {"auto", "cpu", "cuda"}
        Where to train.
    scratch : Path, optional
        Folder for resume checkpoints; the caller removes it.

    Returns
    -------
    prior : ImagePrior
        On the CPU.
    history : pandas.DataFrame
        One row per epoch of the diffusion model.

    Raises
    ------
    InputError
        The data set has no images, or a split has none.
    """
    store = open_store(stimuli, "stimuli")
    if "image" not in store.variables:
        raise InputError("an image prior needs images", where=stimuli, found="no variable 'image'")
    splits = read_splits(stimuli)
    known = read_stimulus_attributes(store)
    rows = {name: known.locate(splits.list_stimuli(0, name)) for name in SPLITS}
    images = {
        name: prepare_images(
            take_rows(store.variables["image"], chosen),
            options.image_size,
            options.n_channels,
        )
        for name, chosen in rows.items()
        if len(chosen)
    }
    for name in ("train", "validation"):
        if name not in images:
            raise InputError(f"no stimulus in the {name} split", where=stimuli)
    factors = list_attribute_factors(options.attributes, known)
    categories, tables, mean, sd = _standardise_attributes(known, factors, rows)
    symmetry = _describe_symmetry(options, factors, mean, sd)
    condition = None
    if options.condition == "attributes":
        condition = _make_conditions(tables, len(categories), symmetry, stimuli)
    predictor, history = train_prior(
        images["train"],
        images["validation"],
        options,
        seed=seed,
        condition=condition,
        device=device,
        scratch=scratch,
        report=ProgressReport("image prior"),
    )
    target = resolve_device(device)
    model = NoiseModel(predictor.to(target), compute_alpha_bar(options.n_levels), options.precision)
    versions = estimate_versions(model, images["train"], options.n_estimates, 1.0, seed, target)
    reader = train_reader(
        versions,
        tables["train"],
        images["validation"],
        tables["validation"],
        len(categories),
        symmetry=symmetry,
        epochs=options.reader_epochs,
        seed=seed,
        device=device,
        report=ProgressReport("attribute predictors"),
    )
    judged = "test" if "test" in images else "validation"
    quality = validate_reader(
        reader, images[judged], tables[judged], [factor for _, factor in factors]
    )
    prior = ImagePrior(
        options=options,
        predictor=predictor.cpu(),
        reader=reader,
        categories=tuple(categories),
        factors=tuple(factors),
        factor_mean=mean,
        factor_sd=sd,
        quality=quality,
    )
    return prior, history


def estimate_versions(
    model: NoiseModel,
    image: np.ndarray,
    n_estimates: int,
    highest_level: float,
    seed: int,
    device: torch.device,
) -> np.ndarray:
    """Put one-step estimates of images beside the images, at noise levels drawn by chance.

    Parameters
    ----------
    model : NoiseModel
        The prior.
    image : array of shape (n_images, n_channels, y, x), float32
        Between -1 and 1.
    n_estimates : int
        Estimates of each image.
    highest_level : float
        Share of all levels up to which noise is added.
    seed : int
        Of levels and noise.
    device : torch.device
        Where the model is.

    Returns
    -------
    versions : array of shape (1 + n_estimates, n_images, n_channels, y, x), float32
        The images themselves come first.
    """
    generator = np.random.default_rng(derive_seed(seed, "estimates"))
    top = max(1, int(highest_level * model.n_levels))
    versions = [image]
    for _ in range(n_estimates):
        estimates = np.empty_like(image)
        # All images of a batch share a level: one call of the network each.
        for rows in np.array_split(generator.permutation(len(image)), max(1, len(image) // 32)):
            noise = generator.standard_normal((len(rows), *image.shape[1:]), dtype=np.float32)
            estimate = estimate_clean(
                model,
                torch.from_numpy(image[rows]).to(device),
                int(generator.integers(1, top + 1)),
                torch.from_numpy(noise).to(device),
            )
            estimates[rows] = estimate.float().cpu().numpy()
        versions.append(estimates)
    return np.stack(versions)


def _make_conditions(
    tables: dict[str, AttributeTable], n_categories: int, symmetry: ImageSymmetry, where: Path
) -> ConditionTable:
    """Lay out what a conditional prior is told of training and held-out images."""
    told = {name: encode_table(tables[name], n_categories) for name in ("train", "validation")}
    if not told["train"].any():
        raise InputError(
            "a conditional prior needs stimuli with a category or factors",
            where=where,
            remedy="Set condition: none, or describe the stimuli.",
        )
    return ConditionTable(told["train"], told["validation"], n_categories, symmetry.mirror)


def _describe_symmetry(
    options: ImagePriorOptions, factors: list[tuple[str, str]], mean: np.ndarray, sd: np.ndarray
) -> ImageSymmetry:
    """Standardised change of each factor per pixel that the content moves, and in a mirror."""
    names = [name for _, name in factors]
    mirror = None
    if options.mirrored_factors is not None:
        turns = np.array([name in options.mirrored_factors for name in names], dtype=bool)
        # -(z sd + mean), standardised again.
        mirror = np.stack([np.where(turns, -1, 1), np.where(turns, -2 * mean / sd, 0)])
        mirror = mirror.astype(np.float32)
    if not {options.horizontal_factor, options.vertical_factor} <= set(names):
        # Shifting would make the labels wrong without anybody knowing by how much.
        still = np.zeros(len(names), np.float32)
        return ImageSymmetry(still, still, mirror)
    per_pixel = options.factor_per_width / options.image_size
    column, row = (
        np.array([per_pixel / s if name == axis else 0 for name, s in zip(names, sd, strict=True)])
        for axis in (options.horizontal_factor, options.vertical_factor)
    )
    return ImageSymmetry(column.astype(np.float32), row.astype(np.float32), mirror)


def _standardise_attributes(
    known: StimulusAttributes, factors: list[tuple[str, str]], rows: dict[str, np.ndarray]
) -> tuple[list[str], dict[str, AttributeTable], np.ndarray, np.ndarray]:
    """Give categories numbers and standardise factors by those of the training stimuli."""
    named = known.category[rows["train"]]
    categories = sorted(set(named.tolist()) - {""})
    number = {name: place for place, name in enumerate(categories)}
    category = np.array([number.get(str(name), -1) for name in known.category], dtype=np.int64)
    factor = known.take_factors([name for _, name in factors])
    mean, sd = np.zeros(factor.shape[1]), np.ones(factor.shape[1])
    training = factor[rows["train"]]
    for column in range(factor.shape[1]):
        there = training[np.isfinite(training[:, column]), column]
        if len(there) and there.std() > 0:
            mean[column], sd[column] = there.mean(), there.std()
    standardised = ((factor - mean) / sd).astype(np.float32)
    tables = {
        name: AttributeTable(category, standardised).take(chosen) for name, chosen in rows.items()
    }
    return categories, tables, mean, sd
