"""The planted latents of a stimulus: four groups that every simulated recording is driven by.

A recording may weigh, mix and distort them, but knows nothing else about a stimulus.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .categories import CATEGORIES
from .exemplar import Exemplar
from .options import WorldOptions
from .render import View
from .streams import derive_generator

LATENT_GROUPS: dict[str, int] = {
    "category": len(CATEGORIES) - 1,
    "pose": 3,
    "position": 2,
    "size": 1,
}
EXEMPLAR_SPREAD = 0.35  # standard deviation of objects around their category, in category units


@dataclass(frozen=True)
class CategoryCode:
    """Places of categories and objects in the category group.

    Parameters
    ----------
    category : array of shape (n_categories, 7)
        Corners of a regular simplex with unit variance per dimension: all categories are equally
        far from each other.
    exemplar : array of shape (n_exemplars, 7)
        Category plus the object's own offset, scaled to unit variance together.
    """

    category: np.ndarray
    exemplar: np.ndarray


def make_category_code(seed: int, exemplars: Sequence[Exemplar]) -> CategoryCode:
    """Place categories and objects in the category group.

    Parameters
    ----------
    seed : int
        Seed of the world.
    exemplars : sequence of Exemplar
        All objects of the world.

    Returns
    -------
    code : CategoryCode
    """
    n_categories = len(CATEGORIES)
    centred = np.eye(n_categories) - 1 / n_categories
    # The singular vectors of a projector are defined up to rotation: fix it by a QR of our own.
    generator = derive_generator(seed, "category-code")
    basis, triangular = np.linalg.qr(centred @ generator.standard_normal((n_categories, 7)))
    simplex = centred @ (basis * np.sign(np.diag(triangular))) * np.sqrt(n_categories)
    index = [list(CATEGORIES).index(exemplar.category) for exemplar in exemplars]
    offset = np.stack(
        [
            derive_generator(seed, "exemplar-code", exemplar.name).standard_normal(7)
            for exemplar in exemplars
        ]
    )
    scale = 1 / np.sqrt(1 + EXEMPLAR_SPREAD**2)
    return CategoryCode(
        category=simplex * scale, exemplar=(simplex[index] + EXEMPLAR_SPREAD * offset) * scale
    )


def compute_view_latents(options: WorldOptions, view: View) -> dict[str, np.ndarray]:
    """Standardise the pose, position and size of one object.

    Parameters
    ----------
    options : WorldOptions
        Ranges of the single-object stimuli; over those each latent has mean 0 and variance 1.
    view : View
        How the object is seen.

    Returns
    -------
    latents : dict of str to array
        ``pose`` (yaw, pitch, roll), ``position`` (x, y) and ``size``.

    Notes
    -----
    A uniform variable between -a and a has the standard deviation a / sqrt(3).
    """
    root = np.sqrt(3)
    middle = (options.smallest_size + options.largest_size) / 2
    half = (options.largest_size - options.smallest_size) / 2
    return {
        "pose": root
        * np.array(
            [
                view.yaw / options.max_yaw_deg,
                view.pitch / options.max_pitch_deg,
                view.roll / options.max_roll_deg,
            ]
        ),
        "position": root * np.array([view.x, view.y]) / options.max_shift,
        "size": root * np.array([(view.size - middle) / half]),
    }


def compute_stimulus_latents(
    options: WorldOptions,
    code: CategoryCode,
    exemplar_index: dict[str, int],
    objects: Sequence[tuple[Exemplar, View]],
) -> np.ndarray:
    """Compute the latents of one stimulus.

    Parameters
    ----------
    options : WorldOptions
        Ranges of the factors.
    code : CategoryCode
        Places in the category group.
    exemplar_index : dict of str to int
        Row of each object in ``code.exemplar``.
    objects : sequence of (Exemplar, View)
        One object, or those of a scene.

    Returns
    -------
    latents : array of shape (13,)
        The groups of ``LATENT_GROUPS`` one after the other. A scene has the mean over its
        objects (Zoccolan, Cox & DiCarlo 2005: IT responses to several objects are near the mean).
    """
    rows = []
    for exemplar, view in objects:
        parts = {"category": code.exemplar[exemplar_index[exemplar.name]]}
        parts |= compute_view_latents(options, view)
        rows.append(np.concatenate([parts[group] for group in LATENT_GROUPS]))
    return np.mean(rows, axis=0)


def slice_group(group: str) -> slice:
    """Columns of one latent group."""
    names = list(LATENT_GROUPS)
    start = sum(LATENT_GROUPS[name] for name in names[: names.index(group)])
    return slice(start, start + LATENT_GROUPS[group])
