"""Lay out latents, reconstructions and edits of one subject, all variants together."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
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
    fits: Mapping[str, Sequence[FittedPart]],
    workshop: Workshop | None,
) -> xr.Dataset:
    """Lay out all variants and seeds of one subject and area.

    Parameters
    ----------
    experiment : GroupExperiment
        Attributes of stimuli.
    part : RecordedGroup
        The responses.
    options : MIGVisOptions
        Groups and moves.
    fits : mapping of str to sequence of FittedPart
        By variant, one per seed.
    workshop : Workshop or None
        References, where images are made.

    Returns
    -------
    predictions : xarray.Dataset
        One group of a prediction store. Variants are a dimension and no groups: what they share is
        written once, and the store stays at tens of files.
    """
    stimulus, row = np.unique(part.table.stimulus, return_inverse=True)
    known = experiment.known
    place = known.locate(stimulus)
    split_of = dict(zip(part.table.stimulus.tolist(), part.split.tolist(), strict=True))
    groups = options.slice_groups()
    names = options.name_groups()
    variables: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "group_latent": (
            ("variant", "seed", "stimulus", "latent"),
            _stack(fits, lambda fit: _average(fit.latents.mean, row)),
        ),
        "observed_response": (("stimulus", "unit"), _average(part.table.response, row)),
        "reconstructed_response": (
            ("variant", "seed", "stimulus", "unit"),
            _stack(
                fits,
                lambda fit: _average(fit.model.decode(fit.latents.mean, part.table.session), row),
            ),
        ),
        "unit_ceiling": (("unit",), part.ceiling),
    }
    if options.vae.likelihood == "poisson":
        variables |= _measure_likelihood(part, fits, row)
    dataset = xr.Dataset(
        variables,
        coords={
            "variant": list(fits),
            "seed": [fit.seed for fit in next(iter(fits.values()))],
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
            "move": options.move,
            "likelihood": options.vae.likelihood,
            "sessions": options.vae.sessions,
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
    edits = {
        variant: {fit.seed: fit.edits for fit in own if fit.edits is not None}
        for variant, own in fits.items()
    }
    edits = {variant: own for variant, own in edits.items() if own}
    if workshop is not None and edits:
        dataset = _add_edits(dataset, edits, workshop)
    _describe(dataset)
    return dataset


def _stack(
    fits: Mapping[str, Sequence[FittedPart]], measure: Callable[[FittedPart], np.ndarray]
) -> np.ndarray:
    """Measure every fit; variants that share their fits are measured once."""
    measured: dict[int, np.ndarray] = {}
    for own in fits.values():
        for fit in own:
            if id(fit.latents) not in measured:
                measured[id(fit.latents)] = measure(fit)
    return np.stack([np.stack([measured[id(fit.latents)] for fit in own]) for own in fits.values()])


def _add_edits(
    dataset: xr.Dataset, edits: Mapping[str, Mapping[int, ReadEdits]], workshop: Workshop
) -> xr.Dataset:
    columns = workshop.prior.list_reading_columns()
    pixels = ("y", "x", "channel")
    made, controls = ("edited_variant", "edited_seed"), ("control", "reference", "group")
    moved = (*made, "reference", "group", "strength")

    def stack(take: Callable[[ReadEdits], np.ndarray]) -> np.ndarray:
        return np.stack([np.stack([take(one) for one in own.values()]) for own in edits.values()])

    arrays: dict[str, tuple[tuple[str, ...], np.ndarray]] = {
        "synthesised_image": ((*moved, *pixels), stack(lambda one: to_pixels(one.edits.image))),
        "control_image": (
            (*made, *controls, *pixels),
            stack(lambda one: to_pixels(one.edits.control)),
        ),
        "reference_image": (("reference", *pixels), to_pixels(workshop.image)),
        "target_image": (("reference", *pixels), to_pixels(workshop.target_image)),
        "moved_latent": ((*moved, "latent"), stack(lambda one: one.edits.moved_latent)),
        "off_support": (moved, stack(lambda one: one.edits.off_support)),
        "reading": ((*moved, "reading_column"), stack(lambda one: one.reading)),
        "control_reading": (
            (*made, *controls, "reading_column"),
            stack(lambda one: one.control_reading),
        ),
        "reference_reading": (("reference", "reading_column"), workshop.read(workshop.image)),
        "target_reading": (("reference", "reading_column"), workshop.read(workshop.target_image)),
        "reading_quality": (("reading_column",), _list_quality(workshop, columns)),
    }
    return dataset.assign(arrays).assign_coords(
        edited_variant=list(edits),
        edited_seed=list(next(iter(edits.values()))),
        reference=("reference", workshop.stimulus),
        target=("reference", workshop.target),
        strength=("strength", np.asarray(workshop.options.strengths, dtype=np.float64)),
        control=("control", np.array(CONTROLS)),
        attribute=("reading_column", np.array([attribute for attribute, _ in columns])),
        reading_name=("reading_column", np.array([name for _, name in columns])),
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
    part: RecordedGroup, fits: Mapping[str, Sequence[FittedPart]], row: np.ndarray
) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    """Gain in log likelihood over the mean rate of training, and spikes, per stimulus."""
    table = part.table
    count = np.where(np.isfinite(table.response), table.response * table.n_repeats, 0)
    training = part.find("train")
    rate = count[training].sum(axis=0) / np.maximum(table.n_repeats[training].sum(axis=0), 1)
    # A unit without a training spike would have an infinite loss under its mean rate.
    rate = np.maximum(rate, 1e-6)

    def measure(fit: FittedPart) -> np.ndarray:
        expected = np.maximum(fit.model.decode(fit.latents.mean, table.session), 1e-6)
        gain = count * np.log(expected / rate) - table.n_repeats * (expected - rate)
        return _add_up(gain.sum(axis=1), row)

    return {
        "likelihood_gain": (("variant", "seed", "stimulus"), _stack(fits, measure)),
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
        "edited_variant": "variants whose edits were made",
    }
    nats = {"likelihood_gain": "nat"}
    for name, variable in dataset.variables.items():
        long_name = descriptions.get(str(name), str(name).replace("_", " "))
        variable.attrs.update({"long_name": long_name, "units": nats.get(str(name), "1")})
