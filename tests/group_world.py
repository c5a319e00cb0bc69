"""A tiny world with planted latents: mixed units driven by category, pose and a nuisance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from brainalign.methods.image_prior.attributes import StimulusAttributes
from brainalign.methods.mig_vis.arrays import ResponseTable, average_presentations

N_CATEGORIES = 4


@dataclass(frozen=True)
class GroupWorld:
    """Stimuli, their attributes, and mean responses to them."""

    known: StimulusAttributes
    table: ResponseTable
    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def make_world(n_stimuli: int = 400, n_units: int = 40, seed: int = 0) -> GroupWorld:
    """Draw a world: responses are linear in category, pose and nuisance, with noise."""
    generator = np.random.default_rng(seed)
    stimulus = np.array([f"image-{number:04d}" for number in range(n_stimuli)])
    number = generator.integers(N_CATEGORIES, size=n_stimuli)
    angle = generator.uniform(-60, 60, size=(n_stimuli, 3))
    nuisance = generator.standard_normal((n_stimuli, 4))
    drive = np.concatenate(
        [2 * np.eye(N_CATEGORIES)[number], 2 * np.sin(np.deg2rad(angle)), nuisance], axis=1
    )
    response = drive @ generator.standard_normal((drive.shape[1], n_units))
    response += generator.standard_normal(response.shape)
    known = StimulusAttributes(
        stimulus,
        np.array([f"kind-{value}" for value in number]),
        ("yaw_deg", "pitch_deg", "roll_deg"),
        angle,
    )
    place = np.arange(n_stimuli)
    return GroupWorld(
        known,
        average_presentations(response, stimulus),
        place % 5 < 3,
        place % 5 == 3,
        place % 5 == 4,
    )
