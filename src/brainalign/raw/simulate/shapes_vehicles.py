"""Cars and planes."""

from __future__ import annotations

import numpy as np

from .exemplar import Exemplar
from .mesh import Mesh, join, loft, rotate
from .palette import get_colour
from .solids import make_box, make_ellipsoid, make_plate, make_tube, make_turned, make_wing

LYING = rotate(roll=90.0)  # turned bodies stand on y; this lays them along x
WHEEL_AXLE = rotate(pitch=90.0)  # and this along z

# Cabin of each car form: bottom rear, top rear, top front, bottom front (x, front is +1), height.
_CABINS = (
    (-0.62, -0.42, 0.12, 0.42, 0.33),  # sedan
    (-0.94, -0.90, 0.38, 0.66, 0.46),  # van
    (-0.90, -0.66, 0.10, 0.44, 0.36),  # hatchback
    (-0.12, -0.06, 0.30, 0.52, 0.38),  # pick-up
    (-0.66, -0.36, -0.06, 0.22, 0.24),  # sports car
    (-0.92, -0.84, 0.16, 0.44, 0.42),  # off-roader
)


def build_car(exemplar: Exemplar) -> Mesh:
    """Build a car that drives to the right."""
    rear, top_rear, top_front, front, cabin_height = _CABINS[exemplar.style % len(_CABINS)]
    width = exemplar.between(0, 0.40, 0.47)
    waist = exemplar.between(1, 0.20, 0.27)
    wheel = exemplar.between(2, 0.185, 0.225)
    parts = [_make_car_body(exemplar, width, waist)]
    bottom = waist - 0.03
    glass_ring = _rectangle(rear, front, width * 0.93)
    roof_ring = _rectangle(top_rear, top_front, width * 0.76)
    roof = bottom + cabin_height
    cabin = np.stack([_lift(glass_ring, bottom), _lift(roof_ring, roof)])
    parts.append(loft(cabin, get_colour("glass"), gloss=0.7))
    lid = np.stack([_lift(roof_ring * 1.04, roof - 0.02), _lift(roof_ring * 0.9, roof + 0.04)])
    parts.append(loft(lid, exemplar.paint, gloss=0.4))
    parts += _make_pillars(cabin, exemplar)
    for x in (-0.60, 0.60):
        for side in (-1, 1):
            parts += _make_wheel(x, side * width * 0.92, wheel)
    for side in (-1, 1):
        z = side * width * 0.66
        parts.append(make_ellipsoid((0.99, 0.06, z), (0.05, 0.06, 0.09), get_colour("lamp"), 0.8))
        parts.append(make_ellipsoid((-0.99, 0.08, z), (0.04, 0.06, 0.09), get_colour("red"), 0.5))
    return join(parts)


def _make_car_body(exemplar: Exemplar, width: float, waist: float) -> Mesh:
    nose = waist - exemplar.between(3, 0.02, 0.10)
    outline = np.array(
        [
            [-0.98, -0.14],
            [0.98, -0.14],
            [1.03, -0.02],
            [1.0, nose - 0.06],
            [0.9, nose],
            [0.45, waist],
            [-0.85, waist],
            [-0.98, waist - 0.05],
            [-1.02, 0.0],
        ]
    )
    return make_plate(outline, 2 * width, exemplar.paint, gloss=0.45, bevel=0.07)


def _make_pillars(cabin: np.ndarray, exemplar: Exemplar) -> list[Mesh]:
    corners = [(cabin[0, index], cabin[1, index]) for index in range(4)]
    for first, second in ((0, 1), (3, 2)):  # one more pillar in the middle of each side
        middle = (cabin[:, first] + cabin[:, second]) / 2
        corners.append((middle[0], middle[1]))
    return [make_tube([low, high], 0.028, exemplar.paint, n_points=6) for low, high in corners]


def _make_wheel(x: float, z: float, radius: float) -> list[Mesh]:
    tyre = [(0.001, -0.08), (0.88, -0.08), (1.0, -0.05), (1.0, 0.05), (0.88, 0.08), (0.001, 0.08)]
    rim = [(0.001, -0.09), (0.55, -0.09), (0.55, 0.09), (0.001, 0.09)]
    turned = []
    for profile, colour, gloss in ((tyre, "tyre", 0.05), (rim, "metal", 0.5)):
        scaled = [(share * radius, height) for share, height in profile]
        wheel = make_turned(scaled, get_colour(colour), gloss, n_points=18)
        turned.append(wheel.place((x, -0.16, z), WHEEL_AXLE))
    return turned


def _rectangle(rear: float, front: float, half_width: float) -> np.ndarray:
    return np.array(
        [[rear, -half_width], [front, -half_width], [front, half_width], [rear, half_width]]
    )


def _lift(outline: np.ndarray, height: float) -> np.ndarray:
    return np.stack([outline[:, 0], np.full(len(outline), height), outline[:, 1]], axis=1)


def build_plane(exemplar: Exemplar) -> Mesh:
    """Build a plane that flies to the right."""
    style = exemplar.style % 3  # 0 airliner, 1 propeller plane, 2 fighter
    girth = exemplar.between(0, 0.155, 0.195) * (1.0, 1.1, 0.9)[style]
    parts = [_make_fuselage(exemplar, girth, pointed=style == 2)]
    parts += _make_wings(exemplar, style, girth)
    parts += _make_tail(exemplar, style)
    if style == 0:
        parts += _make_jets(exemplar, girth)
        parts += [
            make_box((x, girth * 0.35, 0), (0.055, 0.05, girth * 1.95), get_colour("dark"))
            for x in np.linspace(-0.5, 0.55, 8)
        ]
    if style == 1:
        parts += _make_propeller(girth)
    canopy = ((0.74, 0.55), (0.42, 0.75), (0.36, 0.9))[style]
    parts.append(
        make_ellipsoid(
            (canopy[0], girth * canopy[1], 0),
            ((0.12, 0.2, 0.24)[style], girth * 0.62, girth * 0.62),
            get_colour("glass"),
            gloss=0.8,
        )
    )
    return join(parts)


def _make_fuselage(exemplar: Exemplar, girth: float, pointed: bool) -> Mesh:
    nose = 0.45 if pointed else 0.8
    profile = [
        (0.001, -1.02),
        (girth * 0.30, -0.98),
        (girth * 0.62, -0.7),
        (girth, -0.3),
        (girth, 0.6),
        (girth * nose, 0.84),
        (girth * nose * 0.55, 0.96),
        (0.001, 1.02),
    ]
    return make_turned(profile, exemplar.paint, gloss=0.4, n_points=16).place(
        rotation=rotate(roll=-90.0)
    )


def _make_wings(exemplar: Exemplar, style: int, girth: float) -> list[Mesh]:
    sweep = exemplar.between(1, 0.25, 0.42) * (1.0, 0.1, 1.2)[style]
    span = exemplar.between(2, 0.82, 0.95) * (1.0, 1.0, 0.7)[style]
    chord = exemplar.between(3, 0.44, 0.54) * (1.0, 0.9, 1.7)[style]
    height = (-0.05, girth * 0.85, -0.01)[style]
    colour = exemplar.second_paint
    wings = []
    for side in (-1, 1):
        tip = (0.12 - sweep, height + 0.06, side * span)
        root = (0.12 if style < 2 else -0.05, height, 0.0)
        wings.append(make_wing(root, tip, (chord, chord * 0.5), 0.09, colour))
    return wings


def _make_tail(exemplar: Exemplar, style: int) -> list[Mesh]:
    height = exemplar.between(4, 0.42, 0.52)
    parts = [
        make_wing(
            (-0.82, 0.02, 0), (-1.0, height, 0), (0.34, 0.2), 0.06, exemplar.second_paint, (0, 0, 1)
        )
    ]
    high = exemplar.proportion[5] > 0.6 and style == 0
    level = height - 0.02 if high else 0.04
    paint = exemplar.paint
    parts += [
        make_wing((-0.88, level, 0), (-1.0, level, side * 0.36), (0.26, 0.15), 0.05, paint)
        for side in (-1, 1)
    ]
    return parts


def _make_jets(exemplar: Exemplar, girth: float) -> list[Mesh]:
    profile = [(0.05, -0.17), (0.08, -0.14), (0.1, 0.12), (0.08, 0.17), (0.06, 0.12)]
    offsets = (0.36,) if exemplar.proportion[5] < 0.5 else (0.3, 0.58)
    jets = []
    for offset in offsets:
        for side in (-1, 1):
            place = (0.18 - 0.3 * (offset - 0.3), -girth * 0.75, side * offset)
            turned = make_turned(profile, get_colour("metal"), 0.5, n_points=12)
            jets.append(turned.place(place, rotate(roll=-90.0)))
    return jets


def _make_propeller(girth: float) -> list[Mesh]:
    hub = make_ellipsoid((1.03, 0, 0), (0.07, 0.05, 0.05), get_colour("metal"), 0.6, detail=6)
    blades = [
        make_wing((1.05, 0, 0), (1.05, *reach), (0.03, 0.03), 0.08, get_colour("dark"), across)
        for reach, across in (
            ((0.3, 0.0), (0, 0, 1)),
            ((-0.3, 0.0), (0, 0, 1)),
        )
    ]
    legs = []
    for side in (-1, 1):
        foot = (0.35, -girth - 0.17, side * 0.2)
        legs.append(make_tube([(0.3, -girth * 0.6, 0), foot], 0.02, get_colour("metal")))
        wheel = make_ellipsoid(foot, (0.08, 0.08, 0.035), get_colour("tyre"), detail=6)
        legs.append(wheel)
    return [hub, *blades, *legs]
