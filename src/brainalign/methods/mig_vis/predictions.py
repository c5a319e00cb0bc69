"""Lay out latents, reconstructions and edits of one subject and variant."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from brainalign.methods.image_prior.options import CATEGORY
from brainalign.methods.mig_vis.editing import CONTROLS
from brainalign.methods.mig_vis.model import FittedLatents, MIGVis
from brainalign.methods.mig_vis.options import MIGVisOptions
from brainalign.methods.mig_vis.reading import FOLD, GroupExperiment, RecordedGroup
from brainalign.methods.mig_vis.synthesis import ReadEdits, Workshop, to_pixels


@dataclass(frozen=True)
class FittedPart:
    """One seed of one subject and variant.

    Attributes
    ----------
    seed : int
        Seed of the fit.
    model : MIGVis
        Fitted latents.
    latents : FittedLatents
        Of all rows of the table of responses.
    edits : ReadEdits or None
        Edits, where they are made.
    """

    seed: int
    model: MIGVis
    latents: FittedLatents
    edits: ReadEdits | None


def compose_part(
    experiment: GroupExperiment,
    part: RecordedGroup,
    options: MIGVisOptions,
    variant: str,
    fits: Sequence[FittedPart],
    workshop: Workshop | None,
) -> xr.Dataset:
    """Lay out all seeds of one subject, area and variant.

    Parameters
    ----------
    experiment : GroupExperiment
        Attributes of stimuli.
    part : RecordedGroup
        The responses.
    options : MIGVisOptions
        Groups and moves.
    variant : str
        Name of the variant.
    fits : sequence of FittedPart
        One per seed.
    workshop : Workshop or None
        References, where images are made.

    Returns
    -------
    predictions : xarray.Dataset
        One group of a prediction store.
    """
    stimulus, row = np.unique(part.table.stimulus, return_inverse=True)
    known = experiment.known
    place = known.locate(stimulus)
    split_of = dict(zip(part.table.stimulus.tolist(), part.split.tolist(), strict=True))
    groups = options.slice_groups()
    names = options.name_groups()
    variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "group_latent": (
            ("seed", "stimulus", "latent"),
            np.stack([_average(fit.latents.mean, row) for fit in fits]),
        ),
        "observed_response": (("stimulus", "unit"), _average(part.table.response, row)),
        "reconstructed_response": (
            ("seed", "stimulus", "unit"),
            np.stack(
                [
                    _average(fit.model.decode(fit.latents.mean, part.table.session), row)
                    for fit in fits
                ]
            ),
        ),
        "unit_ceiling": (("unit",), part.ceiling),
    }
    if options.vae.likelihood == "poisson":
        variables |= _measure_likelihood(part, fits, row)
    dataset = xr.Dataset(
        variables,
        coords={
            "seed": [fit.seed for fit in fits],
            "stimulus": stimulus,
            "unit": part.unit,
            "fold": ("stimulus", np.full(len(stimulus), FOLD, dtype=np.int32)),
            "split": ("stimulus", np.array([split_of[str(name)] for name in stimulus])),
            "category": ("stimulus", known.category[place]),
            "latent_group": (
                "latent",
                np.concatenate(
                    [[name] * (g.stop - g.start) for name, g in zip(names, groups, strict=True)]
                ),
            ),
            "group": names,
        },
        attrs={
            "variant": variant,
            "move": options.move,
            "likelihood": options.vae.likelihood,
            "attributes": [
                f"{name}:{factor}"
                for name, factors in options.attributes.items()
                if all(factor in known.factor_name for factor in factors)
                for factor in factors
            ],
        },
    )
    if known.factor_name:
        dataset = dataset.assign_coords(factor_name=list(known.factor_name))
        dataset["factor"] = (("stimulus", "factor_name"), known.factor[place])
    edits = {fit.seed: fit.edits for fit in fits if fit.edits is not None}
    if workshop is not None and edits:
        dataset = _add_edits(dataset, edits, workshop)
    _describe(dataset)
    return dataset


def _add_edits(dataset: xr.Dataset, edits: dict[int, ReadEdits], workshop: Workshop) -> xr.Dataset:
    columns = workshop.prior.list_reading_columns()
    pixels = ("y", "x", "channel")
    arrays: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "synthesised_image": (
            ("edited_seed", "reference", "group", "strength", *pixels),
            to_pixels(np.stack([one.edits.image for one in edits.values()])),
        ),
        "control_image": (
            ("edited_seed", "control", "reference", "group", *pixels),
            to_pixels(np.stack([one.edits.control for one in edits.values()])),
        ),
        "reference_image": (("reference", *pixels), to_pixels(workshop.image)),
        "target_image": (("reference", *pixels), to_pixels(workshop.target_image)),
        "moved_latent": (
            ("edited_seed", "reference", "group", "strength", "latent"),
            np.stack([one.edits.moved_latent for one in edits.values()]),
        ),
        "off_support": (
            ("edited_seed", "reference", "group", "strength"),
            np.stack([one.edits.off_support for one in edits.values()]),
        ),
        "reading": (
            ("edited_seed", "reference", "group", "strength", "reading_column"),
            np.stack([one.reading for one in edits.values()]),
        ),
        "control_reading": (
            ("edited_seed", "control", "reference", "group", "reading_column"),
            np.stack([one.control_reading for one in edits.values()]),
        ),
        "reference_reading": (("reference", "reading_column"), workshop.read(workshop.image)),
        "target_reading": (("reference", "reading_column"), workshop.read(workshop.target_image)),
        "reading_quality": (("reading_column",), _list_quality(workshop, columns)),
    }
    return dataset.assign(arrays).assign_coords(
        edited_seed=list(edits),
        reference=("reference", workshop.stimulus),
        target=("reference", workshop.target),
        strength=("strength", np.asarray(workshop.options.strengths, dtype=np.float64)),
        control=("control", np.array(CONTROLS)),
        attribute=("reading_column", np.array([attribute for attribute, _ in columns])),
        reading_name=("reading_column", np.array([name for _, name in columns])),
        channel=["red", "green", "blue"],
    )


def _list_quality(workshop: Workshop, columns: list[tuple[str, str]]) -> np.ndarray:
    """Accuracy for the columns of categories, R2 for those of factors."""
    quality = workshop.prior.quality
    return np.array(
        [
            quality.get(CATEGORY if attribute == CATEGORY else name, np.nan)
            for attribute, name in columns
        ]
    )


def _measure_likelihood(
    part: RecordedGroup, fits: Sequence[FittedPart], row: np.ndarray
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Gain in log likelihood over the mean rate of training, and spikes, per stimulus."""
    table = part.table
    count = np.where(np.isfinite(table.response), table.response * table.n_repeats, 0)
    training = part.find("train")
    rate = count[training].sum(axis=0) / np.maximum(table.n_repeats[training].sum(axis=0), 1)
    # A unit without a training spike would have an infinite loss under its mean rate.
    rate = np.maximum(rate, 1e-6)
    gains = []
    for fit in fits:
        expected = np.maximum(fit.model.decode(fit.latents.mean, table.session), 1e-6)
        gain = count * np.log(expected / rate) - table.n_repeats * (expected - rate)
        gains.append(_add_up(gain.sum(axis=1), row))
    return {
        "likelihood_gain": (("seed", "stimulus"), np.stack(gains)),
        "n_spikes": (("stimulus",), _add_up(count.sum(axis=1), row)),
    }


def _add_up(value: np.ndarray, row: np.ndarray) -> np.ndarray:
    return np.bincount(row, weights=value)


def _average(value: np.ndarray, row: np.ndarray) -> np.ndarray:
    """Average rows of one stimulus, leaving out what is missing."""
    n_rows = int(row.max()) + 1
    total = np.zeros((n_rows, value.shape[1]))
    count = np.zeros_like(total)
    there = np.isfinite(value)
    np.add.at(total, row, np.where(there, value, 0))
    np.add.at(count, row, there)
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return mean.astype(np.float32)


def _describe(dataset: xr.Dataset) -> None:
    descriptions = {
        "group_latent": "mean of the posterior of each stimulus",
        "latent_group": "group of each latent",
        "observed_response": "mean response over repeats",
        "reconstructed_response": "response decoded from the latents",
        "unit_ceiling": "explainable share of the variance of the mean over repeats",
        "likelihood_gain": "log likelihood above that of the mean rates of training",
        "n_spikes": "spikes of all units in all presentations",
        "synthesised_image": "edited reference",
        "control_image": "reference edited without a reason, at the last strength",
        "reference_image": "test stimulus before the edit",
        "target_image": "stimulus whose latents a swap goes to",
        "moved_latent": "latents that the edit was sent to",
        "off_support": "moved latents lie beyond 99.9 % of training",
        "reading": "attributes that the predictors read in edits",
        "control_reading": "attributes read in controls",
        "reference_reading": "attributes read in references",
        "target_reading": "attributes read in targets",
        "reading_quality": "accuracy or R2 of the predictors on test stimuli",
        "strength": "how far the group was moved",
        "edited_seed": "seeds whose edits were made",
    }
    nats = {"likelihood_gain": "nat"}
    for name, variable in dataset.variables.items():
        long_name = descriptions.get(str(name), str(name).replace("_", " "))
        variable.attrs.update({"long_name": long_name, "units": nats.get(str(name), "1")})
