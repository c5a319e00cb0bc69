"""Deterministic inversion of images and guided denoising, both after DDIM."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from brainalign.errors import InputError
from brainalign.methods.image_prior.network import NoiseModel
from brainalign.methods.image_prior.options import EditingOptions
from brainalign.methods.image_prior.schedule import choose_levels

Objective = Callable[[torch.Tensor], torch.Tensor]
"""Takes estimated clean images (n_images, n_channels, y, x), gives one value each."""


@dataclass(frozen=True)
class Trajectory:
    """Where images came to, and how hard they were pushed.

    Attributes
    ----------
    image : tensor of shape (n_images, n_channels, y, x)
        Denoised images between -1 and 1.
    push : array of shape (n_steps,)
        Root mean square of the guidance over that of the predicted noise, a mean over images;
        0 where nothing guided.
    """

    image: torch.Tensor
    push: np.ndarray


@torch.no_grad()
def invert_images(
    model: NoiseModel,
    image: torch.Tensor,
    level: int,
    n_steps: int | None = None,
    n_corrections: int = 0,
) -> torch.Tensor:
    """Carry clean images to a noise level without drawing noise.

    Parameters
    ----------
    model : NoiseModel
        The prior.
    image : tensor of shape (n_images, n_channels, y, x)
        Between -1 and 1.
    level : int
        Where to end, at most T.
    n_steps : int, optional
        Network evaluations; None for one per level.
    n_corrections : int
        Further evaluations per step. Each takes the noise at the image that the last one led to, so
        that the step comes to be the exact inverse of a denoising step; 0 is plain inversion.

    Returns
    -------
    noisy : tensor of the shape of `image`

    Notes
    -----
    Song, Meng and Ermon (2021), eq. 13 in reverse; the noise is predicted from the present image
    at the index of the level that comes next, as `diffusers` does it. The corrections are the
    fixed-point iteration of Pan et al. (2023, "Effective real image editing with accelerated
    iterative diffusion inversion", eq. 6): few large steps bring the image back otherwise changed.
    """
    visited = choose_levels(level, n_steps)
    for here, above in pairwise(visited):
        old, new = float(model.alpha_bar[here]), float(model.alpha_bar[above])
        guess = image
        for _ in range(1 + n_corrections):
            noise = model.predict(guess, int(above))
            clean = (image - np.sqrt(1 - old) * noise) / np.sqrt(old)
            guess = np.sqrt(new) * clean + np.sqrt(1 - new) * noise
        image = guess
    return image


def denoise_images(
    model: NoiseModel,
    image: torch.Tensor,
    level: int,
    options: EditingOptions,
    objective: Objective | None = None,
    weight: torch.Tensor | None = None,
    *,
    clip: bool = True,
) -> Trajectory:
    """Carry images from a noise level back to clean ones, uphill on an objective.

    Parameters
    ----------
    model : NoiseModel
        The prior.
    image : tensor of shape (n_images, n_channels, y, x)
        At the level.
    level : int
        Where the images are.
    options : EditingOptions
        Steps, weight and kind of guidance.
    objective : callable, optional
        What the guidance raises, such as pointwise mutual information; None for no guidance.
    weight : tensor of shape (n_images,), optional
        Factor on the guidance weight of each image; 0 leaves an image unguided.
    clip : bool
        Whether the guidance may not push estimated clean images out of the range of images.

    Returns
    -------
    trajectory : Trajectory

    Raises
    ------
    InputError
        The objective is not finite.

    Notes
    -----
    Classifier guidance (Dhariwal and Nichol 2021, algorithm 2): the predicted noise loses
    ``eta sqrt(1 - alpha_bar)`` times the gradient of the objective, which is taken at the
    one-step estimate of the clean image.
    """
    pushes = []
    visited = choose_levels(level, options.n_steps)[::-1]
    for here, below in pairwise(visited):
        now, next_ = float(model.alpha_bar[here]), float(model.alpha_bar[below])
        guided = objective is not None and here > options.last_guided_level * model.n_levels
        if guided and objective is not None:
            plain, gradient = _differentiate(model, image, int(here), objective, options.jacobian)
            noise, push = _guide(plain, gradient, now, weight, options)
            pushes.append(push)
        else:
            with torch.no_grad():
                plain = noise = model.predict(image, int(here))
            pushes.append(0.0)
        image = _step_down(image, plain, noise, now, next_, clip=clip and guided)
    return Trajectory(image, np.array(pushes))


@torch.no_grad()
def denoise_by_condition(
    model: NoiseModel,
    image: torch.Tensor,
    level: int,
    options: EditingOptions,
    condition: torch.Tensor,
    origin: torch.Tensor,
) -> torch.Tensor:
    """Carry images back to clean ones from what they are to what they shall be.

    Parameters
    ----------
    model : NoiseModel
        A conditional prior.
    image : tensor of shape (n_images, n_channels, y, x)
        At the level.
    level : int
        Where the images are.
    options : EditingOptions
        Steps and `attribute_weight`.
    condition, origin : tensor of shape (n_images, n_condition)
        What the images shall show, and what they show.

    Returns
    -------
    image : tensor of the shape of `image`
        Without clipping between -1 and 1 where the prior itself leaves that range.

    Notes
    -----
    Classifier-free guidance (Ho and Salimans 2022) along a difference of conditions: what both
    have in common cancels, so that an edit to what the image is already is the plain way back.
    """
    visited = choose_levels(level, options.n_steps)[::-1]
    for here, below in pairwise(visited):
        now, next_ = float(model.alpha_bar[here]), float(model.alpha_bar[below])
        plain = noise = model.predict(image, int(here))
        guided = here > options.last_guided_level * model.n_levels
        if guided:
            wanted, present = (
                model.predict(image, int(here), told) for told in (condition, origin)
            )
            noise = plain + options.attribute_weight * (wanted - present)
        image = _step_down(image, plain, noise, now, next_, clip=guided)
    return image


def _step_down(
    image: torch.Tensor,
    plain: torch.Tensor,
    noise: torch.Tensor,
    now: float,
    next_: float,
    *,
    clip: bool,
) -> torch.Tensor:
    """Take one DDIM step with the guided noise, which may not push out of the range of images."""
    clean = (image - np.sqrt(1 - now) * noise) / np.sqrt(now)
    if clip:
        unguided = (image - np.sqrt(1 - now) * plain) / np.sqrt(now)
        # What the prior itself estimates stays as it is: without guidance the way back must be
        # the way there.
        clean = clean.clamp(unguided.clamp(max=-1), unguided.clamp(min=1))
        # The noise must agree with the clipped image: else a strong push that was cut off in the
        # image stays in the noise and comes back with the opposite sign.
        noise = (image - np.sqrt(now) * clean) / np.sqrt(1 - now)
    return np.sqrt(next_) * clean + np.sqrt(1 - next_) * noise


@torch.no_grad()
def estimate_clean(
    model: NoiseModel, image: torch.Tensor, level: int, noise: torch.Tensor
) -> torch.Tensor:
    """Add noise to images and estimate in one step what they were.

    Parameters
    ----------
    model : NoiseModel
        The prior.
    image : tensor of shape (n_images, n_channels, y, x)
        Clean images.
    level : int
        How much noise.
    noise : tensor of the shape of `image`
        Standard normal.

    Returns
    -------
    estimate : tensor of the shape of `image`
        Cut to the range of images: what guidance shows to a critic.
    """
    share = float(model.alpha_bar[level])
    noisy = np.sqrt(share) * image + np.sqrt(1 - share) * noise
    clean = (noisy - np.sqrt(1 - share) * model.predict(noisy, level)) / np.sqrt(share)
    return clean.clamp(-1, 1)


def _differentiate(
    model: NoiseModel, image: torch.Tensor, level: int, objective: Objective, jacobian: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """Predict the noise, and the gradient of the objective with respect to the noisy image."""
    share = float(model.alpha_bar[level])
    full = jacobian == "full"
    with torch.enable_grad():
        noisy = image.detach().requires_grad_(True)
        with torch.set_grad_enabled(full):
            noise = model.predict(noisy, level)
        clean = (noisy - np.sqrt(1 - share) * noise) / np.sqrt(share)
        value = objective(clean)
        if not torch.isfinite(value).all():
            raise InputError(
                "the objective of the guidance is not finite",
                where=f"noise level {level}",
                remedy="Look for NaN in the latents, or lower the guidance weight.",
            )
        (gradient,) = torch.autograd.grad(value.sum(), noisy)
    return noise.detach(), gradient


def _guide(
    noise: torch.Tensor,
    gradient: torch.Tensor,
    share: float,
    weight: torch.Tensor | None,
    options: EditingOptions,
) -> tuple[torch.Tensor, float]:
    axes = tuple(range(1, noise.ndim))
    scale = noise.pow(2).mean(dim=axes, keepdim=True).sqrt()
    if options.gradient == "normalised":
        length = gradient.pow(2).mean(dim=axes, keepdim=True).sqrt().clamp_min(1e-12)
        gradient = gradient / length * scale
    push = options.weight * np.sqrt(1 - share) * gradient
    if weight is not None:
        push = push * weight.view(-1, *[1] * (noise.ndim - 1))
    relative = push.pow(2).mean(dim=axes, keepdim=True).sqrt() / scale.clamp_min(1e-12)
    return noise - push, float(relative.mean())
