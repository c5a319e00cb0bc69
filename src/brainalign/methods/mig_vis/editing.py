"""Edits of reference images along each group, with the controls that an effect must beat."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from brainalign.methods.image_prior.network import NoiseModel
from brainalign.methods.image_prior.options import EditingOptions
from brainalign.methods.image_prior.sampling import Objective, denoise_images, invert_images
from brainalign.methods.mig_vis.critic import GroupCritics
from brainalign.methods.mig_vis.moves import plan_moves, shuffle_rows
from brainalign.training.randomness import derive_seed, isolate_torch_randomness

CONTROLS = ("no_guidance", "own_latent", "shuffled_latents", "random_critic")
"""Round trip without guidance; towards the own latent; towards the moved latent of another
reference; towards the moved latent with a critic whose weights are random."""

CHUNK = 64
"""Images that are denoised together; bounds memory."""


@dataclass(frozen=True)
class EditRequest:
    """Images to make in one go: each has a start, a group and a latent to move towards.

    Attributes
    ----------
    row : array of shape (n_edits,), int64
        Reference.
    group : array of shape (n_edits,), int64
        Group whose objective guides.
    latent : array of shape (n_edits, n_latents), float32
        Where to.
    """

    row: np.ndarray
    group: np.ndarray
    latent: np.ndarray


@dataclass(frozen=True)
class Edits:
    """Everything that one fit makes of the references.

    Attributes
    ----------
    image : array of shape (n_references, n_groups, n_strengths, n_channels, y, x), float32
        Edits.
    control : array of shape (n_controls, n_references, n_groups, n_channels, y, x), float32
        Controls at the last strength.
    moved_latent : array of shape (n_references, n_groups, n_strengths, n_latents), float32
        Where the edits were sent.
    off_support : array of shape (n_references, n_groups, n_strengths), bool
        Latents farther out than nearly all of training.
    """

    image: np.ndarray
    control: np.ndarray
    moved_latent: np.ndarray
    off_support: np.ndarray


@dataclass(frozen=True)
class InvertedReferences:
    """References carried to noise, where all of their edits start.

    Attributes
    ----------
    start : tensor of shape (n_references, n_channels, y, x)
        At the level of the edits, on the device.
    plain : array of shape (n_references, n_channels, y, x), float32
        Carried back without guidance.
    level : int
        Noise level of the start.
    """

    start: torch.Tensor
    plain: np.ndarray
    level: int


def invert_references(
    model: NoiseModel, image: np.ndarray, options: EditingOptions, device: torch.device
) -> InvertedReferences:
    """Carry references to noise and back; the same for all seeds and variants.

    Parameters
    ----------
    model : NoiseModel
        The image prior, on the device.
    image : array of shape (n_references, n_channels, y, x), float32
        References between -1 and 1.
    options : EditingOptions
        Sampling.
    device : torch.device
        Where to compute.
    """
    level = max(1, round(options.edit_level * model.n_levels))
    given = torch.from_numpy(image).to(device)
    start = invert_images(model, given, level, options.n_steps, options.n_corrections)
    plain = _to_array(denoise_images(model, start, level, options).image)
    return InvertedReferences(start, plain, level)


class Guide:
    """Objectives of the guidance: how well images fit a latent, for the group of each image.

    Parameters
    ----------
    critics : GroupCritics
        Trained critics, on the device.
    negatives : array of shape (n_negatives, n_latents), float32
        Training latents; the same in every step of a run.
    kind : {"mutual_information", "likelihood", "activation"}
        Pointwise mutual information; minus half the squared distance of the regressed latents in
        SD; the regressed latents along the direction of the move.
    """

    def __init__(self, critics: GroupCritics, negatives: np.ndarray, kind: str) -> None:
        self.critics, self.kind = critics, kind
        device = next(critics.parameters()).device
        self.negatives = torch.from_numpy(negatives).to(device)
        self.spread = self.negatives.std(dim=0).clamp_min(1e-3)

    def make_objective(
        self, group: torch.Tensor, latent: torch.Tensor, origin: torch.Tensor
    ) -> Objective:
        """Make the objective of some images.

        Parameters
        ----------
        group : tensor of shape (n_images,), int64
            Group of each image.
        latent, origin : tensor of shape (n_images, n_latents)
            Where each is sent, and where it comes from.
        """
        n_groups = len(self.critics.groups)

        def evaluate(image: torch.Tensor) -> torch.Tensor:
            code = self.critics.encoder(image)
            value = torch.stack(
                [self._evaluate_group(code, latent, origin, number) for number in range(n_groups)]
            )
            return value[group, torch.arange(len(image), device=image.device)]

        return evaluate

    def _evaluate_group(
        self, code: torch.Tensor, latent: torch.Tensor, origin: torch.Tensor, number: int
    ) -> torch.Tensor:
        columns = self.critics.groups[number]
        if self.kind == "mutual_information":
            view = self.critics.view_images(code, number)
            scale = self.critics.get_scale(number)
            own = scale * (view * self.critics.view_latents(latent, number)).sum(dim=1)
            other = scale * view @ self.critics.view_latents(self.negatives, number).T
            return own - torch.logsumexp(torch.cat([own[:, None], other], dim=1), dim=1)
        regressed = self.critics.regression(code)[:, columns]
        if self.kind == "likelihood":
            distance = (regressed - latent[:, columns]) / self.spread[columns]
            return -0.5 * distance.pow(2).sum(dim=1)
        direction = latent[:, columns] - origin[:, columns]
        length = direction.norm(dim=1, keepdim=True).clamp_min(1e-6)
        return (regressed / self.spread[columns] * direction / length).sum(dim=1)


def edit_images(
    model: NoiseModel,
    critics: GroupCritics,
    references: InvertedReferences,
    latent: np.ndarray,
    target: np.ndarray,
    training: np.ndarray,
    *,
    kind: str,
    move: str,
    strengths: Sequence[float],
    n_negatives: int,
    options: EditingOptions,
    seed: int,
    device: torch.device,
    with_controls: bool = True,
) -> Edits:
    """Edit references along every group.

    Parameters
    ----------
    model : NoiseModel
        The image prior, on the device.
    critics : GroupCritics
        Trained critics.
    references : InvertedReferences
        Where edits start.
    latent, target : array of shape (n_references, n_latents), float32
        Latents of the references and of the stimuli to move towards.
    training : array of shape (n_stimuli, n_latents), float32
        Latents of training stimuli.
    kind : str
        Objective, see `Guide`.
    move, strengths
        See `move_group`.
    n_negatives : int
        Training latents behind the marginal.
    options : EditingOptions
        Sampling.
    seed : int
        Of negatives, shuffles and the random critic.
    device : torch.device
        Where to compute.
    with_controls : bool
        Whether controls are made.

    Returns
    -------
    edits : Edits
    """
    groups = critics.groups
    generator = np.random.default_rng(derive_seed(seed, "edits"))
    moved, off = plan_moves(latent, target, training, groups, move, strengths)
    drawn = generator.choice(len(training), size=min(n_negatives, len(training)), replace=False)
    guide = Guide(critics.to(device), training[drawn], kind)
    n_references, n_groups, n_strengths = moved.shape[:3]
    row, group, _ = np.meshgrid(*map(np.arange, moved.shape[:3]), indexing="ij")
    wanted = EditRequest(row.ravel(), group.ravel(), moved.reshape(-1, moved.shape[-1]))
    edited = _sample(model, guide, references, latent, wanted, options)
    shape = references.plain.shape[1:]
    control = np.full((len(CONTROLS), n_references, n_groups, *shape), np.nan, dtype=np.float32)
    if with_controls:
        control[0] = references.plain[:, np.newaxis]
        last = moved[:, :, -1]
        pairs = np.meshgrid(np.arange(n_references), np.arange(n_groups), indexing="ij")
        rows, numbers = (axis.ravel() for axis in pairs)
        shuffled = shuffle_rows(n_references, generator)
        with isolate_torch_randomness(derive_seed(seed, "random critic")):
            random = copy.deepcopy(critics).apply(_forget)
        for place, (latents, guided_by) in enumerate(
            (
                (np.repeat(latent[:, np.newaxis], n_groups, axis=1), guide),
                (last[shuffled], guide),
                (last, Guide(random.to(device), training[drawn], kind)),
            ),
            start=1,
        ):
            request = EditRequest(rows, numbers, latents.reshape(-1, latent.shape[1]))
            made = _sample(model, guided_by, references, latent, request, options)
            control[place] = made.reshape(n_references, n_groups, *shape)
    return Edits(
        image=edited.reshape(n_references, n_groups, n_strengths, *shape),
        control=control,
        moved_latent=moved,
        off_support=off,
    )


def _sample(
    model: NoiseModel,
    guide: Guide,
    references: InvertedReferences,
    latent: np.ndarray,
    request: EditRequest,
    options: EditingOptions,
) -> np.ndarray:
    """Denoise the starts of a request, in chunks that bound memory."""
    made = []
    start, level = references.start, references.level
    origin = torch.from_numpy(latent).to(start.device)
    wanted = torch.from_numpy(np.ascontiguousarray(request.latent)).to(start.device)
    row, group = (
        torch.from_numpy(array).to(start.device) for array in (request.row, request.group)
    )
    for part in torch.arange(len(row), device=start.device).split(CHUNK):
        objective = guide.make_objective(group[part], wanted[part], origin[row[part]])
        made.append(
            _to_array(denoise_images(model, start[row[part]], level, options, objective).image)
        )
    return np.concatenate(made)


def _forget(module: torch.nn.Module) -> None:
    """Draw new weights for a layer that can."""
    reset = getattr(module, "reset_parameters", None)
    if callable(reset):
        reset()


def _to_array(image: torch.Tensor) -> np.ndarray:
    return image.clamp(-1, 1).cpu().numpy()
