"""What the factors of the world mean, in words and ranges, for ``truth.json``."""

from __future__ import annotations

from typing import Any

from .backgrounds import BACKGROUNDS
from .factors import LIGHT_ELEVATION, MAX_LIGHT_AZIMUTH
from .options import WorldOptions


def describe_factors(options: WorldOptions) -> dict[str, dict[str, Any]]:
    """Describe the factor columns of ``stimuli.tsv``.

    Parameters
    ----------
    options : WorldOptions
        Ranges of the world.

    Returns
    -------
    factors : dict of str to dict
        Per column: description, units, range of the single-object stimuli.
    """
    shift = options.max_shift

    def describe(text: str, units: str, low: float, high: float) -> dict[str, Any]:
        return {"description": text, "units": units, "range": [low, high]}

    def describe_angle(text: str, limit: float) -> dict[str, Any]:
        return describe(text, "degree", -limit, limit)

    return {
        "yaw_deg": describe_angle(
            "turn about the vertical axis; positive: front to the viewer's right",
            options.max_yaw_deg,
        ),
        "pitch_deg": describe_angle(
            "tip about the horizontal axis; positive: seen from above", options.max_pitch_deg
        ),
        "roll_deg": describe_angle(
            "turn in the picture; positive: counter-clockwise", options.max_roll_deg
        ),
        "x": describe("object's middle right of the image's middle", "image width", -shift, shift),
        "y": describe("object's middle above the image's middle", "image width", -shift, shift),
        "size": describe(
            "diameter of the bounding sphere",
            "image width",
            options.smallest_size,
            options.largest_size,
        ),
        "light_azimuth_deg": describe_angle(
            "lamp's direction; 0: viewer, positive: right", MAX_LIGHT_AZIMUTH
        ),
        "light_elevation_deg": describe("lamp's height", "degree", *LIGHT_ELEVATION),
        "background": {
            "description": "number of the place behind the object",
            "levels": list(BACKGROUNDS),
        },
    }
