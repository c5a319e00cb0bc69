"""Classifier-free editing of attributes: what moved latents say goes to a conditional prior."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from brainalign.methods.image_prior.attributes import StimulusAttributes
from brainalign.methods.image_prior.condition import encode_condition
from brainalign.methods.image_prior.folder import ImagePrior
from brainalign.methods.image_prior.options import EditingOptions
from brainalign.methods.image_prior.sampling import denoise_by_condition
from brainalign.methods.mig_vis.editing import CHUNK, CONTROLS, Edits, InvertedReferences
from brainalign.methods.mig_vis.moves import plan_moves, shuffle_rows
from brainalign.training.randomness import derive_seed

_RIDGE = 1e-2


class ConditionReadout:
    """What one group of latents says of category and factors, as a conditional prior is told it.

    Parameters
    ----------
    latent : array of shape (n_training, n_group)
        Latents of training stimuli.
    category : array of shape (n_training,), int64
        Number of the category; -1 where unknown.
    factor : array of shape (n_training, n_factors)
        Standardised factors; NaN where unknown.
    n_categories : int
        Categories of the prior.

    Notes
    -----
    Posterior of a linear discriminant analysis with the categories' shares as prior, and ridge
    regressions. A group that tells nothing gives the same for all latents, and such attributes
    cancel in the guidance.
    """

    def __init__(
        self, latent: np.ndarray, category: np.ndarray, factor: np.ndarray, n_categories: int
    ) -> None:
        self._centre = latent.mean(axis=0)
        centred = (latent - self._centre).astype(np.float64)
        self._classifier = _fit_classifier(centred, category, n_categories)
        self._regression = [_fit_line(centred, column) for column in factor.T]

    def read(self, latent: np.ndarray) -> np.ndarray:
        """Give conditions of latents.

        Parameters
        ----------
        latent : array of shape (n_rows, n_group)
            Latents of the group.

        Returns
        -------
        condition : array of shape (n_rows, n_condition), float32
        """
        centred = (latent - self._centre).astype(np.float64)
        weight, offset = self._classifier
        logits = centred @ weight + offset
        logits = logits - logits.max(axis=1, keepdims=True, initial=-np.inf)
        share = np.exp(logits)
        with np.errstate(invalid="ignore"):
            share = share / share.sum(axis=1, keepdims=True)
        factor = np.empty((len(latent), len(self._regression)))
        for column, (slope, level) in enumerate(self._regression):
            factor[:, column] = centred @ slope + level
        return encode_condition(share, factor)


def edit_attributes(
    prior: ImagePrior,
    known: StimulusAttributes,
    references: InvertedReferences,
    latent: np.ndarray,
    target: np.ndarray,
    training: np.ndarray,
    training_stimulus: np.ndarray,
    *,
    groups: Sequence[slice],
    move: str,
    strengths: Sequence[float],
    options: EditingOptions,
    seed: int,
    device: torch.device,
) -> Edits:
    """Edit references along every group by classifier-free guidance.

    Parameters
    ----------
    prior : ImagePrior
        A conditional prior.
    known : StimulusAttributes
        Categories and factors of the stimuli.
    references : InvertedReferences
        Where edits start, inverted by this prior.
    latent, target : array of shape (n_references, n_latents), float32
        Latents of the references and of the stimuli to move towards.
    training : array of shape (n_training, n_latents), float32
        Latents of training stimuli.
    training_stimulus : array of shape (n_training,) of str
        Their ids.
    groups, move, strengths
        As `plan_moves` takes them.
    options : EditingOptions
        Sampling.
    seed : int
        Of shuffles.
    device : torch.device
        Where to compute.

    Returns
    -------
    edits : Edits
        In place of the random critic, read-outs are fitted to attributes of other stimuli. The
        own latent changes nothing by construction.
    """
    generator = np.random.default_rng(derive_seed(seed, "attribute edits"))
    moved, off = plan_moves(latent, target, training, groups, move, strengths)
    category, factor = prior.standardise(known, training_stimulus)
    wrong = shuffle_rows(len(training), generator)
    shuffled = shuffle_rows(len(latent), generator)
    n_references, n_groups, n_strengths = moved.shape[:3]
    shape = references.plain.shape[1:]
    image = np.empty((n_references, n_groups, n_strengths, *shape), dtype=np.float32)
    control = np.empty((len(CONTROLS), n_references, n_groups, *shape), dtype=np.float32)
    control[:2] = references.plain[:, np.newaxis]
    for number, group in enumerate(groups):
        right, random = (
            ConditionReadout(training[:, group], category[rows], factor[rows], prior.n_categories)
            for rows in (np.arange(len(training)), wrong)
        )
        own, last = latent[:, group], moved[:, number, -1][:, group]
        for place in range(n_strengths):
            wanted = right.read(moved[:, number, place][:, group])
            image[:, number, place] = _sample(
                prior, references, wanted, right.read(own), options, device
            )
        control[2, :, number] = _sample(
            prior, references, right.read(last[shuffled]), right.read(own), options, device
        )
        control[3, :, number] = _sample(
            prior, references, random.read(last), random.read(own), options, device
        )
    return Edits(image=image, control=control, moved_latent=moved, off_support=off)


def _sample(
    prior: ImagePrior,
    references: InvertedReferences,
    wanted: np.ndarray,
    present: np.ndarray,
    options: EditingOptions,
    device: torch.device,
) -> np.ndarray:
    model = prior.make_noise_model(device)
    condition, origin = (torch.from_numpy(one).to(device) for one in (wanted, present))
    made = [
        denoise_by_condition(
            model, references.start[rows], references.level, options, condition[rows], origin[rows]
        )
        for rows in torch.arange(len(wanted), device=device).split(CHUNK)
    ]
    return torch.cat(made).clamp(-1, 1).cpu().numpy()


def _fit_classifier(
    latent: np.ndarray, category: np.ndarray, n_categories: int
) -> tuple[np.ndarray, np.ndarray]:
    rows = category >= 0
    weight = np.zeros((latent.shape[1], n_categories))
    # A category that was never seen has no share.
    offset = np.full(n_categories, -np.inf)
    if not rows.any():
        return weight, offset
    names, number = np.unique(category[rows], return_inverse=True)
    means = np.stack([latent[rows][number == place].mean(axis=0) for place in range(len(names))])
    centred = latent[rows] - means[number]
    weight[:, names] = np.linalg.solve(_regularise(centred.T @ centred / len(centred)), means.T)
    share = np.bincount(number) / len(number)
    offset[names] = np.log(share) - 0.5 * np.sum(means.T * weight[:, names], axis=0)
    return weight, offset


def _fit_line(latent: np.ndarray, factor: np.ndarray) -> tuple[np.ndarray, float]:
    there = np.isfinite(factor)
    if not there.any():
        return np.zeros(latent.shape[1]), float("nan")
    fitted, level = latent[there], float(factor[there].mean())
    mean = fitted.mean(axis=0)
    covariance = _regularise((fitted - mean).T @ (fitted - mean) / len(fitted))
    slope = np.linalg.solve(covariance, (fitted - mean).T @ (factor[there] - level) / len(fitted))
    return slope, level - float(mean @ slope)


def _regularise(covariance: np.ndarray) -> np.ndarray:
    size = len(covariance)
    return covariance + (_RIDGE * np.trace(covariance) / size + 1e-9) * np.eye(size)
