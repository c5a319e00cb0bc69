"""Named colours of the simulated objects, in linear light."""

from __future__ import annotations

import numpy as np

from .render import to_linear

_SRGB: dict[str, tuple[int, int, int]] = {
    "red": (206, 52, 46),
    "orange": (232, 138, 48),
    "yellow": (236, 204, 66),
    "green": (62, 148, 78),
    "teal": (46, 156, 160),
    "blue": (54, 98, 190),
    "purple": (128, 78, 164),
    "pink": (226, 128, 164),
    "white": (236, 234, 228),
    "grey": (142, 146, 150),
    "black": (44, 44, 50),
    "brown": (132, 84, 52),
    "beige": (214, 190, 150),
    "olive": (128, 136, 52),
    "lime": (132, 186, 64),
    "forest": (36, 98, 60),
    "golden": (224, 172, 46),
    "dark": (34, 36, 42),
    "glass": (74, 104, 128),
    "metal": (176, 180, 186),
    "wood": (158, 108, 64),
    "bark": (96, 68, 48),
    "coffee": (70, 42, 26),
    "brick": (168, 88, 68),
    "slate": (88, 92, 104),
    "lip": (178, 78, 76),
    "tyre": (38, 38, 42),
    "lamp": (250, 240, 190),
}

OBJECT_COLOURS = (
    "red",
    "blue",
    "yellow",
    "green",
    "white",
    "orange",
    "purple",
    "teal",
    "pink",
    "brown",
    "grey",
    "beige",
)


COLOUR_WORDS = {"forest": "dark green", "lime": "light green"}  # others are called by their name


def get_colour(name: str) -> np.ndarray:
    """Linear RGB of a named colour, shape (3,)."""
    return to_linear(np.array(_SRGB[name]) / 255)


def mix(first: np.ndarray, second: np.ndarray, share: float) -> np.ndarray:
    """Blend two linear colours; ``share`` is that of the second."""
    return (1 - share) * first + share * second
