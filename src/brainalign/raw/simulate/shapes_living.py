"""Fish, faces and trees."""

from __future__ import annotations

import numpy as np

from .exemplar import Exemplar
from .mesh import Mesh, join, loft, rotate
from .palette import get_colour, mix
from .render import to_linear
from .solids import (
    circle,
    find_middle,
    make_box,
    make_ellipsoid,
    make_plate,
    make_tube,
    make_turned,
)
from .streams import derive_generator

# Half height of a fish along its body, relative to the middle.
_FISH_PLACE = (-0.75, -0.66, -0.45, -0.3, -0.15, 0.0, 0.2, 0.35, 0.5, 0.62, 0.74, 0.84, 0.92, 1.0)
_FISH_SHARE = (0.15, 0.2, 0.48, 0.7, 0.86, 0.96, 1.0, 0.97, 0.88, 0.76, 0.61, 0.45, 0.29, 0.02)

_SKIN = ((238, 196, 168), (200, 148, 112), (142, 96, 68), (224, 174, 138), (98, 66, 48))
_HAIR = ((58, 38, 28), (196, 158, 92), (30, 28, 30), (150, 84, 44), (180, 178, 176), (86, 54, 34))


def build_fish(exemplar: Exemplar) -> Mesh:
    """Build a fish that swims to the right."""
    height = exemplar.between(0, 0.30, 0.58)
    place = np.concatenate([np.linspace(-0.75, 0.5, 16), [0.62, 0.74, 0.84, 0.92, 0.97, 1.0]])
    share = np.interp(place, _FISH_PLACE, _FISH_SHARE)
    around = circle(18)
    rings = np.zeros((len(place), len(around), 3))
    rings[:, :, 0] = place[:, None]
    rings[:, :, 1] = height * share[:, None] * around[None, :, 1]
    rings[:, :, 2] = 0.22 * share[:, None] * around[None, :, 0]
    body = loft(rings, exemplar.paint, gloss=0.5)
    fin = mix(exemplar.second_paint, exemplar.paint, 0.2)
    parts = [_paint_fish(body, exemplar, height)]
    parts.append(make_plate(_tail_outline(exemplar, height), 0.07, fin, gloss=0.0))
    back = [[-0.4, height * 0.45], [0.45, height * 0.8], [0.05, height * 1.5], [-0.5, height * 1.3]]
    parts.append(make_plate(np.array(back), 0.06, fin, gloss=0.0))
    belly = [[-0.35, -height * 0.4], [-0.5, -height * 1.2], [-0.15, -height * 0.85]]
    parts.append(make_plate(np.array(belly), 0.06, fin, gloss=0.0))
    for side in (-1, 1):
        flipper = np.array([[0.3, -0.02], [0.0, -0.2], [-0.08, 0.0], [0.05, 0.08]])
        turn = rotate(yaw=side * -22.0)
        parts.append(
            make_plate(flipper, 0.05, fin, gloss=0.0).place((0.1, -0.08, side * 0.27), turn)
        )
        parts += _make_fish_eye(side, height)
    return join(parts)


def _paint_fish(body: Mesh, exemplar: Exemplar, height: float) -> Mesh:
    y = body.corner[..., 1]
    pale = mix(exemplar.paint, get_colour("white"), 0.7)
    belly = np.clip(-y / height, 0, 1)[..., None]
    colour = exemplar.paint * (1 - belly) + pale * belly
    if exemplar.style % 2 == 0:
        x = find_middle(body, axis=0)
        striped = (np.sin(x * exemplar.between(3, 9, 13) + 1.0) > 0.25) & (x < 0.45)
        colour = np.where(striped[:, None, None], exemplar.second_paint, colour)
    return body.paint(colour)


def _tail_outline(exemplar: Exemplar, height: float) -> np.ndarray:
    reach, span = exemplar.between(1, 0.36, 0.5), height * exemplar.between(2, 0.85, 1.25)
    notch = (0.16, 0.02, 0.26)[exemplar.style % 3]
    end = -0.68 - reach
    return np.array([[-0.68, 0.08], [end, span], [end + notch, 0.0], [end, -span], [-0.68, -0.08]])


def _make_fish_eye(side: int, height: float) -> list[Mesh]:
    y = height * 0.22
    white = make_ellipsoid((0.66, y, side * 0.15), (0.085, 0.085, 0.05), get_colour("white"), 0.4)
    pupil = make_ellipsoid((0.67, y, side * 0.19), (0.05, 0.05, 0.03), get_colour("dark"), 0.8)
    return [white, pupil]


def build_face(exemplar: Exemplar) -> Mesh:
    """Build a head that looks at the viewer."""
    skin = to_linear(np.array(_SKIN[exemplar.style % len(_SKIN)]) / 255)
    hair = to_linear(np.array(_HAIR[exemplar.style % len(_HAIR)]) / 255)
    width = exemplar.between(0, 0.62, 0.74)
    jaw = exemplar.between(1, 0.56, 0.78)
    parts = [_make_head(skin, width, jaw)]
    parts += _make_eyes(exemplar, hair, width)
    parts += _make_nose_and_mouth(exemplar, skin)
    for side in (-1, 1):
        parts.append(
            make_ellipsoid((side * width * 0.99, 0.0, -0.08), (0.09, 0.19, 0.12), skin, 0.05)
        )
    parts.append(make_tube([(0, -0.6, -0.12), (0, -1.15, -0.16)], 0.33, skin, 0.05, n_points=16))
    parts.append(make_ellipsoid((0, -1.2, -0.16), (0.55, 0.16, 0.38), exemplar.paint, 0.05))
    parts += _make_hair(exemplar, hair, width)
    return join(parts)


def _make_head(skin: np.ndarray, width: float, jaw: float) -> Mesh:
    level = np.array([-0.92, -0.88, -0.76, -0.55, -0.3, 0.0, 0.3, 0.55, 0.76, 0.88, 0.93])
    share = np.array([0.16, 0.36, 0.60, 0.82, 0.94, 1.0, 1.0, 0.93, 0.74, 0.46, 0.1])
    narrow = np.where(level < 0, 1 - (1 - jaw) * np.clip(-level / 0.9, 0, 1) ** 1.3, 1.0)
    around = circle(24)
    rings = np.zeros((len(level), 24, 3))
    rings[:, :, 0] = (width * share * narrow)[:, None] * around[None, :, 0]
    rings[:, :, 1] = level[:, None]
    rings[:, :, 2] = (0.74 * share * (0.5 + 0.5 * narrow))[:, None] * around[None, :, 1]
    return loft(rings, skin, gloss=0.06)


def _make_eyes(exemplar: Exemplar, hair: np.ndarray, width: float) -> list[Mesh]:
    gap = exemplar.between(2, 0.25, 0.31)
    iris = get_colour(("brown", "blue", "green", "brown", "dark", "teal")[exemplar.style % 6])
    brow = mix(hair, get_colour("dark"), 0.45)
    parts = []
    for side in (-1, 1):
        x = side * gap
        parts += [
            make_ellipsoid((x, 0.06, 0.60), (0.15, 0.085, 0.1), get_colour("white"), 0.2),
            make_ellipsoid((x, 0.06, 0.66), (0.072, 0.08, 0.06), iris, 0.5),
            make_ellipsoid((x, 0.06, 0.70), (0.036, 0.042, 0.035), get_colour("dark"), 0.9),
        ]
        ends = [(x - side * 0.14, 0.20, 0.68), (x, 0.26, 0.69), (x + side * 0.17, 0.21, 0.60)]
        parts.append(make_tube(ends, (0.03, 0.04, 0.02), brow, 0.0))
    return parts


def _make_nose_and_mouth(exemplar: Exemplar, skin: np.ndarray) -> list[Mesh]:
    length = exemplar.between(3, 0.24, 0.34)
    tip = 0.02 - length
    nose = make_tube(
        [(0, 0.12, 0.66), (0, tip / 2, 0.76), (0, tip, 0.86)], (0.05, 0.075, 0.11), skin, 0.1, 10
    )
    tip_ball = make_ellipsoid((0, tip, 0.82), (0.13, 0.085, 0.12), skin, 0.1)
    smile = exemplar.between(4, -0.02, 0.07)
    across = np.linspace(-1, 1, 7)
    mouth_y = tip - 0.24
    path = np.stack([0.22 * across, mouth_y + smile * across**2, 0.685 - 0.07 * across**2], axis=1)
    lips = make_tube(path, 0.05 - 0.035 * across**2, get_colour("lip"), 0.2)
    return [nose, tip_ball, lips]


def _make_hair(exemplar: Exemplar, hair: np.ndarray, width: float) -> list[Mesh]:
    style = exemplar.style % 4
    cap = make_ellipsoid((0, 0.42, -0.13), (width * 1.12, 0.66, 0.80), hair, 0.15, detail=12)
    if style == 0:  # short
        return [cap]
    if style == 1:  # long
        sides = [
            make_ellipsoid((s * width * 0.98, -0.25, -0.2), (0.22, 0.85, 0.42), hair, 0.15)
            for s in (-1, 1)
        ]
        back = make_ellipsoid((0, -0.25, -0.45), (width, 0.85, 0.35), hair, 0.15)
        return [cap, back, *sides]
    if style == 2:  # beard and little hair
        chin = make_ellipsoid((0, -0.74, 0.12), (width * 0.74, 0.26, 0.50), hair, 0.0, detail=12)
        cheeks = [
            make_ellipsoid((s * width * 0.80, -0.36, 0.10), (0.14, 0.36, 0.24), hair, 0.0)
            for s in (-1, 1)
        ]
        return [chin, *cheeks, cap]
    generator = derive_generator(exemplar.number, "curls")
    curls = [cap]
    for angle in np.linspace(-0.2, np.pi + 0.2, 13):
        radius = generator.uniform(0.17, 0.23)
        place = (width * 1.05 * np.cos(angle), 0.40 + 0.52 * np.sin(angle), -0.02)
        curls.append(make_ellipsoid(place, (radius, radius, radius), hair, 0.1, detail=6))
    return curls


def build_tree(exemplar: Exemplar) -> Mesh:
    """Build a tree that leans to the right."""
    style = exemplar.style % 3
    if style == 0:
        return _make_broadleaf(exemplar)
    if style == 1:
        return _make_conifer(exemplar)
    return _make_palm(exemplar)


def _make_broadleaf(exemplar: Exemplar) -> Mesh:
    generator = derive_generator(exemplar.number, "crown", exemplar.category)
    bark = get_colour("bark")
    lean = exemplar.between(0, 0.1, 0.3)
    parts = [
        make_tube(
            [(0, -1, 0), (lean * 0.4, -0.4, 0), (lean, 0.1, 0)], (0.14, 0.1, 0.07), bark, 0.0
        ),
        make_tube([(lean * 0.5, -0.35, 0), (0.55, 0.05, 0.1)], (0.07, 0.04), bark, 0.0),
    ]
    crown = exemplar.between(1, 0.5, 0.62)
    middle = np.array([lean, 0.42, 0.0])
    for direction in _spread_directions(11):
        place = middle + direction * np.array([crown, crown * 0.75, crown]) * 0.75
        radius = crown * generator.uniform(0.42, 0.6)
        leaves = exemplar.paint * generator.uniform(0.8, 1.2)
        parts.append(make_ellipsoid(place, (radius, radius * 0.85, radius), leaves, 0.0, detail=6))
    low = make_ellipsoid((0.62, 0.1, 0.12), (0.26, 0.2, 0.26), exemplar.paint, 0.0, detail=6)
    return join([*parts, low])


def _spread_directions(n_directions: int) -> np.ndarray:
    """Spread unit vectors evenly over the sphere (Fibonacci lattice)."""
    index = np.arange(n_directions) + 0.5
    height = 1 - 2 * index / n_directions
    angle = np.pi * (1 + 5**0.5) * index
    radius = np.sqrt(1 - height**2)
    return np.stack([radius * np.cos(angle), height, radius * np.sin(angle)], axis=1)


def _make_conifer(exemplar: Exemplar) -> Mesh:
    width = exemplar.between(1, 0.5, 0.66)
    lean = exemplar.between(0, 0.08, 0.22)
    parts = [make_tube([(0, -1, 0), (0, -0.4, 0)], (0.12, 0.1), get_colour("bark"), 0.0)]
    for index, level in enumerate((-0.7, -0.25, 0.2, 0.6)):
        radius = width * (1.0, 0.82, 0.6, 0.38)[index]
        cone = make_turned(
            [(0.001, 0.06), (radius, 0.0), (radius * 0.55, 0.3), (0.001, 0.68)],
            exemplar.paint * (0.85 + 0.1 * index),
            0.0,
            n_points=14,
        )
        parts.append(cone.place((lean * (level + 0.7), level, 0)))
    stump = make_tube([(0, -0.75, 0.05), (0.5, -0.62, 0.1)], (0.06, 0.03), get_colour("bark"), 0.0)
    return join([*parts, stump])


def _make_palm(exemplar: Exemplar) -> Mesh:
    lean = exemplar.between(0, 0.2, 0.45)
    trunk = [(0, -1, 0), (lean * 0.2, -0.5, 0), (lean * 0.6, 0.0, 0), (lean, 0.45, 0)]
    parts = [make_tube(trunk, (0.13, 0.1, 0.085, 0.08), get_colour("wood"), 0.0)]
    length = exemplar.between(1, 0.75, 0.92)
    for index, (x, z) in enumerate(circle(9)):
        parts.append(_make_frond(exemplar, lean, np.array([x, z]), length, index))
    nuts = [
        make_ellipsoid((lean + x * 0.1, 0.4, z * 0.1), (0.07, 0.08, 0.07), get_colour("bark"), 0.1)
        for x, z in circle(3)
    ]
    return join([*parts, *nuts, make_box((0, -1.0, 0), (0.34, 0.06, 0.34), get_colour("beige"))])


def _make_frond(
    exemplar: Exemplar, lean: float, towards: np.ndarray, length: float, index: int
) -> Mesh:
    along = np.linspace(0, 1, 6)
    lift = 0.32 if index % 2 else 0.14
    middle = np.stack(
        [
            lean + towards[0] * length * along,
            0.46 + 4 * lift * along * (0.62 - along),
            towards[1] * length * along,
        ],
        axis=1,
    )
    side = np.array([-towards[1], 0.0, towards[0]])
    half_width = 0.15 * np.sin(np.pi * (0.12 + 0.86 * along))
    ring = np.array([[-1, -0.35], [0, 0.15], [1, -0.35], [0, -0.1]])
    rings = middle[:, None] + half_width[:, None, None] * ring[None, :, :1] * side
    rings[..., 1] += half_width[:, None] * ring[None, :, 1]
    return loft(rings, exemplar.paint * (0.85 + 0.05 * (index % 4)), gloss=0.05)
