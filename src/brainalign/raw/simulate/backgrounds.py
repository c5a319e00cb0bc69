"""What lies behind the objects: blurred places, drawn once per world and independent of objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .render import to_linear
from .streams import derive_generator
from .textures import make_natural_texture

HORIZON_BLUR = 0.02  # image widths
BLURRED_SLOPE = 2.8  # of power: steeper than the 2 of sharp natural images, as if out of focus


@dataclass(frozen=True)
class Background:
    """A place.

    Parameters
    ----------
    name : str
        Id in the stimulus table.
    phrase : str
        How captions call it.
    above, below : tuple of 3 ints
        sRGB above and below the horizon.
    horizon : float
        Share of the picture above the horizon.
    contrast_above, contrast_below : float
        Standard deviation of the texture in log luminance.
    """

    name: str
    phrase: str
    above: tuple[int, int, int]
    below: tuple[int, int, int]
    horizon: float
    contrast_above: float
    contrast_below: float


BACKGROUNDS: dict[str, Background] = {
    place.name: place
    for place in (
        Background("meadow", "on a meadow", (158, 196, 232), (104, 142, 72), 0.45, 0.10, 0.28),
        Background("beach", "on a beach", (150, 200, 226), (214, 196, 152), 0.4, 0.06, 0.16),
        Background("sea", "by the sea", (196, 214, 228), (62, 112, 146), 0.5, 0.10, 0.26),
        Background("snow", "in the snow", (142, 160, 186), (226, 230, 238), 0.5, 0.14, 0.08),
        Background("clouds", "in front of clouds", (128, 170, 220), (176, 200, 226), 0.5, 0.3, 0.3),
        Background("room", "in a room", (198, 184, 164), (124, 92, 70), 0.62, 0.05, 0.18),
        Background("street", "on a street", (150, 146, 144), (92, 94, 98), 0.52, 0.34, 0.14),
        Background("desert", "in a desert", (224, 206, 176), (190, 140, 92), 0.42, 0.06, 0.18),
        Background("forest", "in a forest", (58, 84, 58), (76, 66, 48), 0.66, 0.5, 0.34),
        Background("night", "at night", (30, 36, 62), (40, 42, 50), 0.55, 0.3, 0.26),
    )
}


def draw_background(seed: int, name: str, image_size: int) -> np.ndarray:
    """Draw one place.

    Parameters
    ----------
    seed : int
        Seed of the world.
    name : str
        Key of ``BACKGROUNDS``.
    image_size : int
        Height and width in pixels.

    Returns
    -------
    picture : array of shape (image_size, image_size, 3)
        Linear light.
    """
    place = BACKGROUNDS[name]
    generator = derive_generator(seed, "background", name)
    row = (np.arange(image_size) + 0.5) / image_size
    ground = 1 / (1 + np.exp(-np.clip((row - place.horizon) / HORIZON_BLUR, -50, 50)))
    ground = ground[:, None, None]
    sky_shade = np.interp(row, [0, place.horizon], [0.8, 1.1])[:, None, None]
    ground_shade = np.interp(row, [place.horizon, 1], [1.1, 0.75])[:, None, None]
    above, below = (to_linear(np.array(rgb) / 255) for rgb in (place.above, place.below))
    colour = (1 - ground) * above * sky_shade + ground * below * ground_shade
    luminance, tint = (
        make_natural_texture(generator, image_size, image_size, BLURRED_SLOPE) for _ in range(2)
    )
    contrast = (1 - ground) * place.contrast_above + ground * place.contrast_below
    modulation = contrast * (luminance[..., None] + 0.25 * tint[..., None] * [1.0, 0.0, -1.0])
    return colour * np.exp(modulation)
