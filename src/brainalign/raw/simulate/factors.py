"""Which factors the single-object stimuli have, and how the splits are made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .backgrounds import BACKGROUNDS
from .exemplar import Exemplar
from .options import WorldOptions
from .render import Lighting, View
from .streams import derive_generator, draw_stratified

MAX_LIGHT_AZIMUTH = 65.0  # degrees
LIGHT_ELEVATION = (20.0, 60.0)  # degrees
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class ObjectStimulus:
    """One picture of one object.

    Parameters
    ----------
    stimulus : str
        Id such as ``car-03_view-07``.
    exemplar : Exemplar
        The object.
    view : View
        Pose, place and size.
    lighting : Lighting
        The lamp.
    background : str
        Key of ``BACKGROUNDS``.
    split : str
        One of ``SPLITS``.
    """

    stimulus: str
    exemplar: Exemplar
    view: View
    lighting: Lighting
    background: str
    split: str


def draw_object_stimuli(options: WorldOptions, exemplar: Exemplar) -> list[ObjectStimulus]:
    """Draw the views of one object: a Latin hypercube over all factors.

    Parameters
    ----------
    options : WorldOptions
        Ranges, number of views and seed.
    exemplar : Exemplar
        The object.

    Returns
    -------
    stimuli : list of ObjectStimulus
        Factors are uniform in their ranges and independent of each other and of the object.
    """
    generator = derive_generator(options.seed, "views", exemplar.name)
    n_views = options.views_per_exemplar
    design = draw_stratified(generator, n_views, 8)
    places = _deal_backgrounds(generator, n_views)
    splits = assign_splits(generator, n_views, options.validation_share, options.test_share)
    return [
        ObjectStimulus(
            stimulus=f"{exemplar.name}_view-{index + 1:02d}",
            exemplar=exemplar,
            view=_scale_view(options, design[index]),
            lighting=scale_lighting(design[index, 6], design[index, 7]),
            background=places[index],
            split=splits[index],
        )
        for index in range(n_views)
    ]


def _scale_view(options: WorldOptions, share: np.ndarray) -> View:
    signed = 2 * share - 1
    return View(
        yaw=round(float(options.max_yaw_deg * signed[0]), 2),
        pitch=round(float(options.max_pitch_deg * signed[1]), 2),
        roll=round(float(options.max_roll_deg * signed[2]), 2),
        x=round(float(options.max_shift * signed[3]), 4),
        y=round(float(options.max_shift * signed[4]), 4),
        size=round(
            float(
                options.smallest_size + (options.largest_size - options.smallest_size) * share[5]
            ),
            4,
        ),
    )


def scale_lighting(azimuth_share: float, elevation_share: float) -> Lighting:
    """Turn two numbers in [0, 1) into a lamp within the world's ranges."""
    low, high = LIGHT_ELEVATION
    return Lighting(
        azimuth=round(float(MAX_LIGHT_AZIMUTH * (2 * azimuth_share - 1)), 2),
        elevation=round(float(low + (high - low) * elevation_share), 2),
    )


def _deal_backgrounds(generator: np.random.Generator, n_views: int) -> list[str]:
    """Deal shuffled decks, so that an object meets every background equally often."""
    names = list(BACKGROUNDS)
    n_decks = -(-n_views // len(names))
    deck = [name for _ in range(n_decks) for name in generator.permutation(names)]
    return [str(name) for name in deck[:n_views]]


def assign_splits(
    generator: np.random.Generator, n_stimuli: int, validation_share: float, test_share: float
) -> list[str]:
    """Assign stimuli to splits at random.

    Parameters
    ----------
    generator : numpy.random.Generator
        Source of randomness.
    n_stimuli : int
        At least 3, so that no split is empty.
    validation_share, test_share : float
        Wanted shares, rounded to whole stimuli, at least one each.

    Returns
    -------
    splits : list of str
        One of ``SPLITS`` per stimulus.
    """
    n_validation = max(1, round(validation_share * n_stimuli))
    n_test = max(1, round(test_share * n_stimuli))
    n_train = n_stimuli - n_validation - n_test
    labels = np.repeat(SPLITS, [n_train, n_validation, n_test])
    return [str(label) for label in generator.permutation(labels)]
