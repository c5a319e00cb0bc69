"""Guided sampling: the fast mode at 25 evaluations against DDIM over all 150 levels.

Run with ``pytest tests/benchmarks/benchmark_guided_sampling.py -s``. Target: a sixth of the time at
a selectivity that differs by no more than its interval.
"""

from __future__ import annotations

import time

import numpy as np
import torch

from benchmarks.timing import compare_times
from brainalign.evaluation.bootstrap import bootstrap_interval
from brainalign.methods.image_prior.network import NoiseModel
from brainalign.methods.image_prior.options import EditingOptions, ImagePriorOptions
from brainalign.methods.image_prior.schedule import compute_alpha_bar
from brainalign.methods.image_prior.training import train_prior
from brainalign.methods.mig_vis.critic import GroupCritics, train_critics
from brainalign.methods.mig_vis.editing import edit_images, invert_references
from brainalign.methods.mig_vis.options import CriticOptions

N_LEVELS, N_IMAGES, N_REFERENCES, SIDE = 150, 240, 32, 16
GROUPS = [slice(0, 1), slice(1, 2)]
MODES = {
    "all levels": EditingOptions(n_steps=None, gradient="normalised", weight=1.0),
    "25 evaluations": EditingOptions(n_steps=25, gradient="normalised", weight=1.0),
}


def make_squares(n_images: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw grey squares; the first latent is their brightness, the second their column."""
    generator = np.random.default_rng(0)
    latent = generator.uniform(-1, 1, (n_images, 2)).astype(np.float32)
    image = np.full((n_images, 1, SIDE, SIDE), -0.2, dtype=np.float32)
    for row, (brightness, place) in enumerate(latent):
        left = round(5 + 4 * float(place))
        image[row, 0, 5:11, left : left + 6] = 0.3 + 0.6 * brightness
    return image, latent


def measure_brightness(image: np.ndarray) -> np.ndarray:
    """Read the brightness of squares wherever they are, shape of all but the image axes."""
    return np.sort(image.reshape(*image.shape[:-3], -1), axis=-1)[..., -36:].mean(axis=-1)


def measure_transfer(
    model: NoiseModel,
    critics: GroupCritics,
    image: np.ndarray,
    latent: np.ndarray,
    options: EditingOptions,
) -> np.ndarray:
    """Share of the way to the target's brightness, per reference, after moving its group."""
    order = np.argsort(latent[:, 0])
    reference, target = order[:N_REFERENCES], order[-N_REFERENCES:]
    cpu = torch.device("cpu")
    edits = edit_images(
        model,
        critics,
        invert_references(model, image[reference], options, cpu),
        latent[reference],
        latent[target],
        latent,
        kind="mutual_information",
        move="swap",
        strengths=[1.0],
        n_negatives=64,
        options=options,
        seed=0,
        device=cpu,
        with_controls=False,
    )
    start, end = measure_brightness(image[reference]), measure_brightness(image[target])
    moved = measure_brightness(edits.image[:, 0, 0]) - start
    return moved / (end - start).mean()


def test_fast_mode_against_all_levels() -> None:
    image, latent = make_squares(N_IMAGES)
    options = ImagePriorOptions(
        image_size=SIDE,
        channels="grey",
        n_levels=N_LEVELS,
        block_channels=[16, 32],
        epochs=6,
        steps_per_epoch=40,
        batch_size=32,
        patch_size=2,
    )
    predictor, _ = train_prior(image[:-40], image[-40:], options, seed=0)
    model = NoiseModel(predictor, compute_alpha_bar(N_LEVELS))
    critics, _ = train_critics(
        image[np.newaxis, :-40],
        latent[:-40],
        np.full_like(latent[:-40], -6),
        image[-40:],
        latent[-40:],
        GROUPS,
        CriticOptions(epochs=30, batch_size=64, shift_pixels=0),
        seed=0,
    )
    found = {}
    for name, editing in MODES.items():
        share = measure_transfer(model, critics, image, latent, editing)
        interval = bootstrap_interval(share, n_draws=1000, level=0.95, seed=0)
        found[name] = share
        print(f"{name}: transfer {share.mean():.2f} [{interval[0]:.2f}, {interval[1]:.2f}]")
    difference = found["25 evaluations"] - found["all levels"]
    low, high = bootstrap_interval(difference, n_draws=1000, level=0.95, seed=0)
    print(f"difference of the same references: {difference.mean():+.2f} [{low:+.2f}, {high:+.2f}]")
    compare_times(
        "guided sampling, all 135 levels / 25 evaluations",
        lambda: measure_transfer(model, critics, image, latent, MODES["all levels"]),
        lambda: measure_transfer(model, critics, image, latent, MODES["25 evaluations"]),
        n_repeats=3,
        clock=time.process_time,
    )
