"""The references of one subject, and everything that edits of them need."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from brainalign.errors import InputError
from brainalign.methods.experiment import ExperimentJob
from brainalign.methods.image_prior.attributes import StimulusAttributes
from brainalign.methods.image_prior.folder import ImagePrior
from brainalign.methods.image_prior.images import restore_images
from brainalign.methods.image_prior.reader import read_attributes
from brainalign.methods.mig_vis.attribute_editing import edit_attributes
from brainalign.methods.mig_vis.critic import GroupCritics
from brainalign.methods.mig_vis.editing import (
    CONTROLS,
    Edits,
    InvertedReferences,
    edit_images,
    invert_references,
)
from brainalign.methods.mig_vis.model import FittedLatents
from brainalign.methods.mig_vis.moves import choose_references, plan_moves
from brainalign.methods.mig_vis.options import CLASSIFIER_FREE, MIGVisOptions
from brainalign.methods.mig_vis.reading import GroupExperiment, RecordedGroup, read_images

# References are the same for all seeds, variants and subjects that saw the same stimuli.
_REFERENCE_SEED = 0
_GUIDES = {"likelihood": "likelihood", "activation": "activation"}
# Share of the largest eigenvalue that the ridge of the pixel decoder adds.
_RIDGE = 1e-2


@dataclass(frozen=True)
class ReadEdits:
    """Edits with what the attribute predictors read in them.

    Attributes
    ----------
    edits : Edits
        Images and latents.
    reading : array of shape (n_references, n_groups, n_strengths, n_columns), float32
        Of the edits.
    control_reading : array of shape (n_controls, n_references, n_groups, n_columns), float32
        Of the controls.
    """

    edits: Edits
    reading: np.ndarray
    control_reading: np.ndarray


@dataclass(frozen=True)
class ConditionalPrior:
    """A prior that can be told what an image shows, and the references that it inverted.

    Attributes
    ----------
    prior : ImagePrior
        The prior.
    references : InvertedReferences
        The references carried to noise by it, while it was told nothing.
    """

    prior: ImagePrior
    references: InvertedReferences


@dataclass(frozen=True)
class Workshop:
    """References, their targets and the prior, for one subject and area.

    Attributes
    ----------
    prior : ImagePrior
        Diffusion model and predictors.
    options : MIGVisOptions
        Moves and guidance.
    device : torch.device
        Where to compute.
    stimulus, target : array of shape (n_references,) of str
        References, and the stimuli that they are moved towards.
    row, target_row : array of shape (n_references,), int64
        Their rows in the table of responses.
    image, target_image : array of shape (n_references, n_channels, y, x), float32
        As the prior sees them.
    references : InvertedReferences
        The references carried to noise.
    training_row : array of shape (n_training,), int64
        Training rows in the table of responses.
    training_image : array of shape (n_training, n_channels, y, x), float32
        Their images.
    training_stimulus : array of shape (n_training,) of str
        Their ids.
    known : StimulusAttributes
        Categories and factors of the stimuli.
    conditional : ConditionalPrior or None
        For classifier-free editing, where it is asked for.
    """

    prior: ImagePrior
    options: MIGVisOptions
    device: torch.device
    stimulus: np.ndarray
    target: np.ndarray
    row: np.ndarray
    target_row: np.ndarray
    image: np.ndarray
    target_image: np.ndarray
    references: InvertedReferences
    training_row: np.ndarray
    training_image: np.ndarray
    training_stimulus: np.ndarray
    known: StimulusAttributes
    conditional: ConditionalPrior | None

    def make_edits(
        self, variant: str, latents: FittedLatents, critics: GroupCritics | None, seed: int
    ) -> ReadEdits:
        """Edit all references as one variant does it, and read the images."""
        mean = latents.mean
        latent, target = mean[self.row], mean[self.target_row]
        training = mean[self.training_row]
        if variant == CLASSIFIER_FREE:
            edits = self._edit_attributes(latent, target, training, seed)
        elif critics is None:
            edits = self._traverse(latent, target, training)
        else:
            edits = edit_images(
                self.prior.make_noise_model(self.device),
                critics,
                self.references,
                latent,
                target,
                training,
                kind=_GUIDES.get(variant, "mutual_information"),
                move=self.options.move,
                strengths=self.options.strengths,
                n_negatives=self.options.critic.n_negatives,
                options=self.options.editing,
                seed=seed,
                device=self.device,
            )
        return ReadEdits(edits, self.read(edits.image), self.read(edits.control))

    def read(self, image: np.ndarray) -> np.ndarray:
        """Read attributes of images of any leading shape; NaN images give NaN."""
        flat = image.reshape(-1, *image.shape[-3:])
        reading = read_attributes(self.prior.reader, torch.from_numpy(flat))
        reading[~np.isfinite(flat).all(axis=(1, 2, 3))] = np.nan
        return reading.reshape(*image.shape[:-3], -1)

    def _edit_attributes(
        self, latent: np.ndarray, target: np.ndarray, training: np.ndarray, seed: int
    ) -> Edits:
        """Tell a conditional prior what the moved latents say."""
        if self.conditional is None:
            raise InputError(f"the variant {CLASSIFIER_FREE} needs a conditional prior")
        return edit_attributes(
            self.conditional.prior,
            self.known,
            self.conditional.references,
            latent,
            target,
            training,
            self.training_stimulus,
            groups=self.options.slice_groups(),
            move=self.options.move,
            strengths=self.options.strengths,
            options=self.options.editing,
            seed=seed,
            device=self.device,
        )

    def _traverse(self, latent: np.ndarray, target: np.ndarray, training: np.ndarray) -> Edits:
        """Decode moved latents to pixels by ridge regression, without diffusion."""
        groups = self.options.slice_groups()
        moved, off = plan_moves(
            latent, target, training, groups, self.options.move, self.options.strengths
        )
        decode = _fit_pixel_decoder(training, self.training_image)
        image = decode(moved.reshape(-1, moved.shape[-1])).reshape(
            *moved.shape[:-1], *self.image.shape[1:]
        )
        control = np.full(
            (len(CONTROLS), len(latent), len(groups), *self.image.shape[1:]),
            np.nan,
            dtype=np.float32,
        )
        own = decode(latent).reshape(len(latent), 1, *self.image.shape[1:])
        # Without guidance and with the own latent the decoder gives the same image.
        control[0], control[1] = own, own
        control[2] = np.roll(image[:, :, -1], 1, axis=0)
        return Edits(image, control, moved, off)


def open_workshop(
    prior: ImagePrior,
    job: ExperimentJob,
    options: MIGVisOptions,
    experiment: GroupExperiment,
    part: RecordedGroup,
    conditional: ImagePrior | None = None,
) -> Workshop:
    """Choose references among the test stimuli of a subject and read their images.

    Raises
    ------
    InputError
        The subject saw no test stimulus.
    """
    row_of: dict[str, int] = {}
    for row, name in enumerate(part.table.stimulus.tolist()):
        row_of.setdefault(name, row)
    tested = np.unique(part.table.stimulus[part.find("test")])
    if not len(tested):
        raise InputError(f"subject '{part.subject}' saw no test stimulus to edit")
    category = experiment.known.category[experiment.known.locate(tested)]
    reference, target = choose_references(
        tested, category, min(options.n_references, len(tested)), _REFERENCE_SEED
    )
    training = np.flatnonzero(part.find("train"))
    device = torch.device(job.device)
    image = prior.prepare(read_images(job.stimuli, tested[reference]))
    inverted = None
    if conditional is not None:
        model = conditional.make_noise_model(device)
        inverted = ConditionalPrior(
            conditional, invert_references(model, image, options.editing, device)
        )
    return Workshop(
        prior=prior,
        options=options,
        device=device,
        stimulus=tested[reference],
        target=tested[target],
        row=np.array([row_of[str(name)] for name in tested[reference]]),
        target_row=np.array([row_of[str(name)] for name in tested[target]]),
        image=image,
        target_image=prior.prepare(read_images(job.stimuli, tested[target])),
        references=invert_references(
            prior.make_noise_model(device), image, options.editing, device
        ),
        training_row=training,
        training_image=prior.prepare(read_images(job.stimuli, part.table.stimulus[training])),
        training_stimulus=part.table.stimulus[training],
        known=experiment.known,
        conditional=inverted,
    )


def to_pixels(image: np.ndarray) -> np.ndarray:
    """Turn images of a prior into RGB pixels; images that were not made are black."""
    return restore_images(np.nan_to_num(image, nan=-1.0))


class _PixelDecoder:
    """Ridge regression from latents to pixels."""

    def __init__(self, mean: np.ndarray, centre: np.ndarray, weight: np.ndarray) -> None:
        self._mean, self._centre, self._weight = mean, centre, weight

    def __call__(self, latent: np.ndarray) -> np.ndarray:
        pixels = (latent - self._mean) @ self._weight + self._centre
        return np.clip(pixels, -1, 1).astype(np.float32)


def _fit_pixel_decoder(latent: np.ndarray, image: np.ndarray) -> _PixelDecoder:
    flat = image.reshape(len(image), -1).astype(np.float64)
    mean, centre = latent.mean(axis=0), flat.mean(axis=0)
    covariance = (latent - mean).T @ (latent - mean)
    ridge = _RIDGE * np.linalg.eigvalsh(covariance)[-1] * np.eye(len(covariance))
    weight = np.linalg.solve(covariance + ridge, (latent - mean).T @ (flat - centre))
    return _PixelDecoder(mean, centre, weight)
