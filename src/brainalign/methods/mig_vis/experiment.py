"""Experiments of MIG-Vis: latents, critics and edits of every subject, seed and variant."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray as xr

from brainalign.errors import InputError
from brainalign.methods.experiment import ExperimentJob, FittedExperiment
from brainalign.methods.image_prior.fit import estimate_versions
from brainalign.methods.image_prior.folder import ImagePrior, read_prior
from brainalign.methods.mig_vis.arrays import GroupLabel, make_labels
from brainalign.methods.mig_vis.critic import GroupCritics, train_critics
from brainalign.methods.mig_vis.model import MIGVis
from brainalign.methods.mig_vis.options import (
    CLASSIFIER_FREE,
    WITHOUT_CRITIC,
    GroupVAEOptions,
    MIGVisOptions,
)
from brainalign.methods.mig_vis.predictions import FittedPart, compose_part
from brainalign.methods.mig_vis.reading import (
    GroupExperiment,
    RecordedGroup,
    read_group_experiment,
    read_images,
)
from brainalign.methods.mig_vis.synthesis import Workshop, open_workshop
from brainalign.methods.weights import Weights, prefix_weights, select_weights
from brainalign.training.randomness import derive_seed, isolate_torch_randomness

FULL = "full"
ALL_VARIANTS = "variants"
_OBJECTIVES: dict[str, dict[str, float | str]] = {
    FULL: {},
    "standard_vae": {"label_weight": 0.0, "penalty": "none"},
    "no_supervision": {"label_weight": 0.0},
    "no_penalty": {"penalty": "none"},
}
"""Fits of the latents; other variants differ in how images are made and share the full fit."""


@dataclass(frozen=True)
class CriticImages:
    """Images that critics are trained on; the same for all subjects, seeds and variants.

    Attributes
    ----------
    stimulus : array of shape (n_stimuli,) of str
        Ids.
    image : array of shape (n_versions, n_stimuli, n_channels, y, x), float32
        Images first, then one-step estimates of them.
    """

    stimulus: np.ndarray
    image: np.ndarray

    def take(self, stimuli: np.ndarray) -> np.ndarray:
        """Take all versions of some stimuli."""
        place = {str(name): row for row, name in enumerate(self.stimulus)}
        return self.image[:, [place[str(name)] for name in stimuli]]


def choose_objective(variant: str) -> str:
    """Name the fit of the latents that a variant uses."""
    return variant if variant in _OBJECTIVES else FULL


def make_vae_options(options: GroupVAEOptions, objective: str) -> GroupVAEOptions:
    """Options of one fit of the latents."""
    return options.model_copy(update=_OBJECTIVES[objective])


def fit_experiment(job: ExperimentJob) -> FittedExperiment:
    """Fit latents and critics of every subject, area, seed and objective.

    Raises
    ------
    InputError
        The method names a prior and the job has none, or the stimuli have no images for it.
    """
    options = MIGVisOptions.model_validate(job.method_options)
    experiment = _read(job, options)
    prior = _read_prior(job, options)
    weights: Weights = {}
    histories, saturation, information = [], {}, {}
    images = {} if prior is None else _prepare_images(job, options, experiment, prior)
    if prior is None:
        print("no image prior: latents and read-outs are fitted, no image is made")
    for part in experiment.parts:
        for seed in job.options["seeds"]:
            for objective in dict.fromkeys(map(choose_objective, options.variants)):
                name = name_part(part, seed, objective)
                model, history = _fit_latents(job, options, experiment, part, seed, objective)
                weights |= prefix_weights(model.get_weights(), f"{name}latents/")
                histories.append(
                    history.assign(
                        subject=part.subject, area=part.area, seed=seed, objective=objective
                    )
                )
                saturation[name] = model.saturation
                is_edited = _is_edited(options, part) and seed in _list_edited_seeds(job, options)
                if images and is_edited and _needs_critic(options, objective):
                    critics, bound = _fit_critics(job, options, part, model, images, seed)
                    weights |= prefix_weights(critics.take_trained(), f"{name}critics/")
                    information[name] = [round(float(value), 4) for value in bound]
    description = {
        "method": job.method,
        "options": options.model_dump(mode="json"),
        "normalisation": job.options["normalisation"],
        "by_area": job.options["by_area"],
        "seeds": job.options["seeds"],
        "units": {f"{p.subject}/{p.area}": p.unit.tolist() for p in experiment.parts},
        "saturation": saturation,
        "information_nats": information,
    }
    return FittedExperiment(weights, description, pd.concat(histories, ignore_index=True))


def predict_experiment(job: ExperimentJob, fitted: FittedExperiment) -> xr.DataTree:
    """Infer latents, reconstruct responses and edit references with every fit.

    Returns
    -------
    predictions : xarray.DataTree
        Groups ``/{subject}/{area}/variants``, in which variants are a dimension.

    Raises
    ------
    InputError
        The model was fitted to other units.
    """
    options = MIGVisOptions.model_validate(fitted.description["options"])
    experiment = _read(job, options)
    prior = _read_prior(job, options)
    conditional = None if prior is None else _read_conditional_prior(job, options, prior)
    groups: dict[str, xr.Dataset] = {}
    for part in experiment.parts:
        if fitted.description["units"].get(f"{part.subject}/{part.area}") != part.unit.tolist():
            raise InputError(
                f"the model was fitted to other units of subject '{part.subject}'",
                remedy="Fit the model again.",
            )
        workshop = None
        if prior is not None and _is_edited(options, part):
            workshop = open_workshop(prior, job, options, experiment, part, conditional)
        seeds = fitted.description["seeds"]
        latents = {
            (objective, seed): _restore_latents(options, fitted, part, seed, objective)
            for objective in dict.fromkeys(map(choose_objective, options.variants))
            for seed in seeds
        }
        fits: dict[str, list[FittedPart]] = {
            variant: [
                _complete(
                    job,
                    options,
                    fitted,
                    name_part(part, seed, choose_objective(variant)),
                    latents[choose_objective(variant), seed],
                    variant,
                    workshop,
                )
                for seed in seeds
            ]
            for variant in options.variants
        }
        path = f"/{part.subject}/{part.area}/{ALL_VARIANTS}"
        groups[path] = compose_part(experiment, part, options, fits, workshop)
    return xr.DataTree.from_dict({"/": xr.Dataset(), **groups})


def name_part(part: RecordedGroup, seed: int, objective: str) -> str:
    """Name one fit, as its weights and checkpoints are prefixed."""
    return f"subject-{part.subject}/area-{part.area}/seed-{seed}/{objective}/"


def _read(job: ExperimentJob, options: MIGVisOptions) -> GroupExperiment:
    return read_group_experiment(
        job.stimuli,
        job.responses,
        options,
        job.options["normalisation"],
        by_area=job.options["by_area"],
    )


def _read_prior(job: ExperimentJob, options: MIGVisOptions) -> ImagePrior | None:
    if options.image_prior is None:
        return None
    if job.prior is None:
        raise InputError(
            f"the method asks for the image prior '{options.image_prior}'",
            where=job.method,
            remedy="Give its folder as --prior, or set image_prior: null for latents alone.",
        )
    return read_prior(job.prior)


def _read_conditional_prior(
    job: ExperimentJob, options: MIGVisOptions, prior: ImagePrior
) -> ImagePrior | None:
    if CLASSIFIER_FREE not in options.list_edited():
        return None
    if job.conditional_prior is None:
        raise InputError(
            f"the method asks for the conditional prior '{options.conditional_prior}'",
            where=job.method,
            remedy=f"Give its folder as --conditional, or leave out the variant {CLASSIFIER_FREE}.",
        )
    conditional = read_prior(job.conditional_prior)
    if not conditional.is_conditional:
        raise InputError(
            f"the prior '{options.conditional_prior}' is told nothing of images",
            where=job.conditional_prior,
            expected="condition: attributes",
            found="condition: none",
        )
    shapes = [(one.options.image_size, one.options.n_channels) for one in (prior, conditional)]
    if shapes[0] != shapes[1]:
        raise InputError(
            "the conditional prior sees images of another size than the image prior",
            where=job.conditional_prior,
            expected=f"{shapes[0][0]} pixels, {shapes[0][1]} channels",
            found=f"{shapes[1][0]} pixels, {shapes[1][1]} channels",
        )
    return conditional


def _is_edited(options: MIGVisOptions, part: RecordedGroup) -> bool:
    return options.subjects is None or part.subject in options.subjects


def _list_edited_seeds(job: ExperimentJob, options: MIGVisOptions) -> list[int]:
    return list(job.options["seeds"])[: options.n_edited_seeds]


def _needs_critic(options: MIGVisOptions, objective: str) -> bool:
    guided = [name for name in options.list_edited() if name not in WITHOUT_CRITIC]
    return objective in map(choose_objective, guided)


def _make_labels(
    options: MIGVisOptions, experiment: GroupExperiment, part: RecordedGroup, seed: int
) -> list[GroupLabel | None]:
    return make_labels(
        options,
        experiment.known,
        part.table.stimulus,
        part.find("train"),
        options.vae.label_fraction,
        derive_seed(seed, "labels"),
    )


def _fit_latents(
    job: ExperimentJob,
    options: MIGVisOptions,
    experiment: GroupExperiment,
    part: RecordedGroup,
    seed: int,
    objective: str,
) -> tuple[MIGVis, pd.DataFrame]:
    labels = _make_labels(options, experiment, part, seed)
    rows = {name: part.find(name) for name in ("train", "validation")}
    for name, chosen in rows.items():
        if not chosen.any():
            raise InputError(
                f"subject '{part.subject}' saw no stimulus of the {name} split",
                remedy="Change the split, or leave the subject out.",
            )
    model = MIGVis(make_vae_options(options.vae, objective), options.slice_groups())
    part_name = name_part(part, seed, objective)
    history = model.fit(
        part.table.take(rows["train"]),
        part.table.take(rows["validation"]),
        [label and label.take(rows["train"]) for label in labels],
        [label and label.take(rows["validation"]) for label in labels],
        seed=seed,
        device=job.device,
        scratch=job.scratch / part_name if job.scratch else None,
        report=job.watch(part_name),
    )
    return model, history


def _prepare_images(
    job: ExperimentJob, options: MIGVisOptions, experiment: GroupExperiment, prior: ImagePrior
) -> dict[str, CriticImages]:
    """Images of the training split with one-step estimates, and of the validation split."""
    device = torch.device(job.device)
    names = {
        split: np.unique(
            np.concatenate([part.table.stimulus[part.find(split)] for part in experiment.parts])
        )
        for split in ("train", "validation")
    }
    training = prior.prepare(read_images(job.stimuli, names["train"]))
    versions = estimate_versions(
        prior.make_noise_model(device),
        training,
        options.critic.n_estimates,
        options.editing.edit_level,
        0,
        device,
    )
    held_out = prior.prepare(read_images(job.stimuli, names["validation"]))
    return {
        "train": CriticImages(names["train"], versions),
        "validation": CriticImages(names["validation"], held_out[np.newaxis]),
    }


def _fit_critics(
    job: ExperimentJob,
    options: MIGVisOptions,
    part: RecordedGroup,
    model: MIGVis,
    images: dict[str, CriticImages],
    seed: int,
) -> tuple[GroupCritics, np.ndarray]:
    tables = {name: part.table.take(part.find(name)) for name in ("train", "validation")}
    latents = {name: model.encode(table) for name, table in tables.items()}
    return train_critics(
        images["train"].take(tables["train"].stimulus),
        latents["train"].mean,
        latents["train"].log_variance,
        images["validation"].take(tables["validation"].stimulus)[0],
        latents["validation"].mean,
        options.slice_groups(),
        options.critic,
        seed=seed,
        device=job.device,
        report=job.watch(f"subject-{part.subject}/critics/seed-{seed}"),
    )


def _restore_latents(
    options: MIGVisOptions,
    fitted: FittedExperiment,
    part: RecordedGroup,
    seed: int,
    objective: str,
) -> FittedPart:
    """Make the fitted latents of one seed again; variants share them."""
    model = MIGVis(make_vae_options(options.vae, objective), options.slice_groups())
    name = name_part(part, seed, objective)
    model.set_weights(select_weights(fitted.weights, f"{name}latents/"))
    return FittedPart(seed, model, model.encode(part.table), None)


def _complete(
    job: ExperimentJob,
    options: MIGVisOptions,
    fitted: FittedExperiment,
    name: str,
    part: FittedPart,
    variant: str,
    workshop: Workshop | None,
) -> FittedPart:
    """Add the edits of one variant to fitted latents, where they are made."""
    is_edited = part.seed in _list_edited_seeds(job, options) and variant in options.list_edited()
    if workshop is None or not is_edited:
        return part
    critics = None
    if variant not in WITHOUT_CRITIC:
        critics = _restore_critics(
            options, workshop, select_weights(fitted.weights, f"{name}critics/")
        )
    edits = workshop.make_edits(variant, part.latents, critics, part.seed)
    return dataclasses.replace(part, edits=edits)


def _restore_critics(options: MIGVisOptions, workshop: Workshop, weights: Weights) -> GroupCritics:
    with isolate_torch_randomness(0):
        critics = GroupCritics(
            workshop.prior.options.n_channels, options.slice_groups(), options.critic
        )
    # A frozen pretrained encoder is loaded from its own folder and not stored again.
    state = {key: torch.from_numpy(value.copy()) for key, value in weights.items()}
    critics.load_state_dict(state, strict=options.critic.encoder == "cnn")
    return critics.eval()
