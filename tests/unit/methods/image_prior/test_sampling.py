"""Inversion and guided denoising, with noise that is known exactly."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from diffusers import DDIMInverseScheduler, DDIMScheduler

from brainalign.errors import InputError
from brainalign.methods.image_prior.network import NoiseModel
from brainalign.methods.image_prior.options import EditingOptions
from brainalign.methods.image_prior.sampling import (
    denoise_images,
    estimate_clean,
    invert_images,
)
from brainalign.methods.image_prior.schedule import compute_alpha_bar, compute_betas

N_LEVELS = 150
MEANS = torch.stack([torch.full((1, 2, 2), 0.5), torch.full((1, 2, 2), -0.5)]).double()
SD = 0.2


def predict_exactly(image: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Noise of a mixture of two Gaussians: known in closed form."""
    share = torch.from_numpy(compute_alpha_bar(N_LEVELS))[index + 1].view(-1, 1, 1, 1)
    variance = share * SD**2 + 1 - share
    centres = share.sqrt()[None] * MEANS[:, None]
    distance = ((image[None] - centres) ** 2).sum(dim=(2, 3, 4)) / (2 * variance[None, :, 0, 0, 0])
    weight = torch.softmax(-distance, dim=0)[..., None, None, None]
    expected = (weight * (centres + 0 * image[None])).sum(dim=0)
    return (image - expected) / variance * (1 - share).sqrt()


@pytest.fixture
def model() -> NoiseModel:
    return NoiseModel(predict_exactly, compute_alpha_bar(N_LEVELS))


@pytest.fixture
def images() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mode = torch.randint(0, 2, (16,), generator=generator)
    noise = torch.randn(16, 1, 2, 2, generator=generator, dtype=torch.float64)
    return MEANS[mode] + SD * noise


ALL_STEPS = EditingOptions(n_steps=None)


def test_the_round_trip_is_that_of_diffusers_to_1e_9(
    model: NoiseModel, images: torch.Tensor
) -> None:
    settings = {
        "num_train_timesteps": N_LEVELS,
        "trained_betas": compute_betas(compute_alpha_bar(N_LEVELS)),
        "clip_sample": False,
        "set_alpha_to_one": True,
        "timestep_spacing": "leading",
        "prediction_type": "epsilon",
    }
    forward, inverse = DDIMScheduler(**settings), DDIMInverseScheduler(**settings)
    for scheduler in (forward, inverse):
        scheduler.set_timesteps(N_LEVELS)
        # Both keep their schedule in fp32, which would hide what is compared.
        scheduler.alphas_cumprod = torch.from_numpy(compute_alpha_bar(N_LEVELS)[1:])
        scheduler.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
        scheduler.initial_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
    level, theirs = 135, images
    for step in inverse.timesteps[:level]:
        noise = predict_exactly(theirs, step.repeat(len(theirs)))
        theirs = inverse.step(noise, int(step), theirs).prev_sample
    ours = invert_images(model, images, level)
    assert (ours - theirs).abs().max() < 1e-9
    for step in forward.timesteps[N_LEVELS - level :]:
        noise = predict_exactly(theirs, step.repeat(len(theirs)))
        theirs = forward.step(noise, int(step), theirs, eta=0.0).prev_sample
    back = denoise_images(model, ours, level, ALL_STEPS, clip=False).image
    assert (back - theirs).abs().max() < 1e-9


def test_a_round_trip_without_guidance_changes_no_class(
    model: NoiseModel, images: torch.Tensor
) -> None:
    for n_steps in (None, 25):
        start = invert_images(model, images, 135, n_steps)
        back = denoise_images(model, start, 135, EditingOptions(n_steps=n_steps)).image
        kept = back.mean(dim=(1, 2, 3)).sign() == images.mean(dim=(1, 2, 3)).sign()
        assert kept.all()


def test_corrections_bring_few_steps_back_to_where_they_began(
    model: NoiseModel, images: torch.Tensor
) -> None:
    errors = []
    for n_corrections in (0, 8):
        start = invert_images(model, images, 135, 25, n_corrections)
        back = denoise_images(model, start, 135, EditingOptions(n_steps=25)).image
        errors.append(float((back - images).abs().max()))
    assert errors[1] < 0.01 * errors[0]


def test_guidance_moves_images_to_the_other_class(model: NoiseModel, images: torch.Tensor) -> None:
    options = EditingOptions(n_steps=25, weight=16.0)
    start = invert_images(model, images, 135, 25)
    edited = denoise_images(
        model, start, 135, options, lambda image: -image.mean(dim=(1, 2, 3)) * 4
    )
    assert (edited.image.mean(dim=(1, 2, 3)) < 0).all()
    assert (edited.push > 0).all()


def test_images_of_weight_zero_are_not_guided(model: NoiseModel, images: torch.Tensor) -> None:
    options = EditingOptions(n_steps=25, weight=16.0)
    start = invert_images(model, images, 135, 25)
    weight = torch.zeros(len(images), dtype=torch.float64)
    guided = denoise_images(model, start, 135, options, lambda i: i.sum(dim=(1, 2, 3)), weight)
    plain = denoise_images(model, start, 135, options)
    assert torch.allclose(guided.image, plain.image, rtol=0, atol=1e-12)


@pytest.mark.parametrize("jacobian", ["free", "full"])
def test_one_guided_step_raises_the_objective(
    model: NoiseModel, images: torch.Tensor, jacobian: str
) -> None:
    def prefer(image: torch.Tensor) -> torch.Tensor:
        return -(image - 0.3).pow(2).sum(dim=(1, 2, 3))

    start = invert_images(model, images, 75, 75)
    settings = {"n_steps": 1, "weight": 0.05, "jacobian": jacobian}
    guided = denoise_images(model, start, 75, EditingOptions(**settings), prefer)
    plain = denoise_images(model, start, 75, EditingOptions(**settings))
    assert (prefer(guided.image) > prefer(plain.image)).all()


def test_the_push_has_its_square_root_factor(model: NoiseModel, images: torch.Tensor) -> None:
    level, weight = 75, 0.01
    share = float(compute_alpha_bar(N_LEVELS)[level])
    options = EditingOptions(n_steps=1, weight=weight, gradient="raw")
    plain = denoise_images(model, images, level, options, clip=False).image
    guided = denoise_images(
        model, images, level, options, lambda image: image.sum(dim=(1, 2, 3)), clip=False
    ).image
    # The objective's gradient is 1 / sqrt(share); with its factor sqrt(1 - share) in the noise
    # and the same factor on the way from the noise to the image, (1 - share) / share is left.
    expected = torch.full_like(images, weight * (1 - share) / share)
    assert torch.allclose(guided - plain, expected, rtol=1e-9)


def test_an_objective_that_is_not_finite_is_refused(
    model: NoiseModel, images: torch.Tensor
) -> None:
    options = EditingOptions(n_steps=5)
    with pytest.raises(InputError, match="objective of the guidance is not finite"):
        denoise_images(model, images, 100, options, lambda i: i.sum(dim=(1, 2, 3)) * np.nan)


def test_the_one_step_estimate_of_known_noise_is_near_the_image(
    model: NoiseModel, images: torch.Tensor
) -> None:
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(1)).double()
    assert (estimate_clean(model, images, 1, noise) - images.clamp(-1, 1)).abs().mean() < 0.05
