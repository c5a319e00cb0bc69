"""Chairs, mugs and houses."""

from __future__ import annotations

import numpy as np

from .exemplar import Exemplar
from .mesh import Mesh, join, loft
from .palette import get_colour, mix
from .solids import (
    circle,
    find_middle,
    make_box,
    make_ellipsoid,
    make_plate,
    make_tube,
    make_turned,
)


def build_chair(exemplar: Exemplar) -> Mesh:
    """Build a chair that faces the viewer."""
    width = exemplar.between(0, 0.44, 0.54)
    depth = exemplar.between(1, 0.42, 0.5)
    height = exemplar.between(2, 0.75, 1.0)
    frame = exemplar.paint
    parts = [make_box((0, 0, 0), (2 * width, 0.12, 2 * depth), exemplar.paint)]
    if exemplar.style % 3 == 1:
        parts.append(
            make_ellipsoid(
                (0, 0.09, 0), (width * 0.95, 0.09, depth * 0.95), exemplar.second_paint, exponent=4
            )
        )
    parts += _make_backrest(exemplar, width, depth, height)
    parts += _make_legs(exemplar, width, depth)
    if exemplar.style % 2 == 1:
        for side in (-1, 1):
            x = side * (width + 0.02)
            parts.append(make_box((x, 0.36, 0), (0.1, 0.08, 2 * depth), frame))
            parts.append(make_box((x, 0.17, depth - 0.06), (0.09, 0.34, 0.09), frame))
    return join(parts)


def _make_backrest(exemplar: Exemplar, width: float, depth: float, height: float) -> list[Mesh]:
    z = -depth + 0.05
    posts = [
        make_box((side * (width - 0.05), height / 2, z), (0.1, height, 0.1), exemplar.paint)
        for side in (-1, 1)
    ]
    style = exemplar.style % 3
    if style == 0:  # slats
        top = make_box((0, height - 0.08, z), (2 * width, 0.18, 0.09), exemplar.paint)
        slats = [
            make_box((x, height / 2, z), (0.08, height, 0.05), exemplar.paint)
            for x in np.linspace(-width * 0.55, width * 0.55, 3)
        ]
        return [*posts, top, *slats]
    if style == 1:  # cushion
        centre, radii = (0, height * 0.56, z), (width * 0.97, height * 0.46, 0.12)
        return [make_ellipsoid(centre, radii, exemplar.second_paint, exponent=4)]
    rails = [
        make_box((0, level * height, z), (2 * width, 0.15, 0.06), exemplar.paint)
        for level in (0.42, 0.68, 0.94)
    ]
    return [*posts, *rails]


def _make_legs(exemplar: Exemplar, width: float, depth: float) -> list[Mesh]:
    length = exemplar.between(3, 0.62, 0.85)
    if exemplar.style % 6 == 4:  # swivel chair
        steel = get_colour("metal")
        column = make_tube([(0, 0, 0), (0, -length, 0)], 0.07, steel, 0.6)
        spokes = []
        for x, z in circle(5) * 0.5:
            spokes.append(make_tube([(0, -length + 0.1, 0), (x, -length, z)], 0.05, steel, 0.6))
            spokes.append(
                make_ellipsoid((x, -length - 0.04, z), (0.07, 0.07, 0.07), get_colour("tyre"))
            )
        return [column, *spokes]
    splay = exemplar.between(4, 0.0, 0.1)
    legs = []
    for side_x in (-1, 1):
        for side_z in (-1, 1):
            top = (side_x * (width - 0.07), 0, side_z * (depth - 0.07))
            foot = (side_x * (width - 0.07 + splay), -length, side_z * (depth - 0.07 + splay))
            legs.append(make_tube([top, foot], (0.065, 0.05), exemplar.paint))
    return legs


def build_mug(exemplar: Exemplar) -> Mesh:
    """Build a mug with its handle to the right."""
    height = exemplar.between(0, 1.05, 1.5)
    style = exemplar.style % 3
    bottom, belly, rim = ((0.5, 0.5, 0.5), (0.36, 0.48, 0.58), (0.40, 0.60, 0.50))[style]
    levels = np.linspace(0, 1, 15)
    # Through the three radii: a parabola in the height.
    radius = (
        bottom * 2 * (levels - 0.5) * (levels - 1)
        + belly * 4 * levels * (1 - levels)
        + rim * 2 * levels * (levels - 0.5)
    )
    outer = [(float(r), float(level * height)) for r, level in zip(radius, levels, strict=True)]
    wall = 0.05
    inner = [(r - wall, h) for r, h in reversed(outer[2:])]
    profile = [(0.001, 0.0), (bottom - 0.04, 0.0), *outer[1:], *inner, (0.001, inner[-1][1])]
    body = make_turned(profile, exemplar.paint, gloss=0.5, n_points=28)
    drink = make_turned(
        [(0.001, 0.78 * height), (rim - wall, 0.78 * height), (0.001, 0.79 * height)],
        get_colour("coffee"),
        gloss=0.3,
        n_points=24,
    )
    parts = [_paint_stripes(body, exemplar, height), drink]
    parts.append(_make_handle(exemplar, height, float(radius[7])))
    return join(parts)


def _paint_stripes(body: Mesh, exemplar: Exemplar, height: float) -> Mesh:
    """Paint a band of the second colour: whole rings, so that its edges stay sharp."""
    if exemplar.proportion[3] < 0.35:
        return body
    centre = exemplar.between(4, 0.35, 0.6) * height
    banded = np.abs(find_middle(body, axis=1) - centre) < height * exemplar.between(5, 0.10, 0.22)
    colour = np.where(banded[:, None, None], exemplar.second_paint, body.colour)
    return body.paint(colour)


def _make_handle(exemplar: Exemplar, height: float, radius: float) -> Mesh:
    reach = exemplar.between(1, 0.34, 0.46)
    span = exemplar.between(2, 0.27, 0.36) * height
    angle = np.linspace(-np.pi / 2, np.pi / 2, 13)
    path = np.stack(
        [radius - 0.06 + reach * np.cos(angle), height * 0.52 + span * np.sin(angle), 0 * angle],
        axis=1,
    )
    return make_tube(path, 0.075, exemplar.paint, gloss=0.5, n_points=10)


def build_house(exemplar: Exemplar) -> Mesh:
    """Build a house whose door faces the viewer."""
    width = exemplar.between(0, 0.7, 0.92)
    depth = exemplar.between(1, 0.55, 0.7)
    storeys = 2 if exemplar.style % 3 == 1 else 1
    wall = 0.62 + 0.48 * (storeys - 1)
    # House walls are plaster: the object's colour, whitened.
    plaster = mix(exemplar.paint, get_colour("white"), 0.35)
    parts = [make_box((0, wall / 2, 0), (2 * width, wall, 2 * depth), plaster, gloss=0.0)]
    parts += _make_roof(exemplar, plaster, width, depth, wall)
    parts += _make_front(exemplar, width, depth, storeys)
    chimney = (width * 0.5, wall + 0.42, -depth * 0.35)
    parts.append(make_box(chimney, (0.18, 0.6, 0.18), get_colour("brick"), gloss=0.0))
    return join(parts)


def _make_roof(
    exemplar: Exemplar, plaster: np.ndarray, width: float, depth: float, wall: float
) -> list[Mesh]:
    rise = exemplar.between(2, 0.45, 0.62)
    tile = get_colour(("brick", "slate", "brown", "dark", "red", "slate")[exemplar.style % 6])
    eaves_x, eaves_z = width + 0.12, depth + 0.12
    if exemplar.style % 2 == 0:  # gable towards the viewer
        gable = np.array([[-width, wall], [width, wall], [0.0, wall + rise]])
        parts = [make_plate(gable, 2 * depth, plaster, gloss=0.0)]
        drop = rise * eaves_x / width
        for side in (-1, 1):
            ridge, eave = (0.0, wall + rise), (side * eaves_x, wall + rise - drop)
            slab = np.array([ridge, eave, (eave[0], eave[1] + 0.09), (0.0, wall + rise + 0.11)])
            parts.append(make_plate(slab, 2 * eaves_z, tile, gloss=0.0))
        return [*parts, *_make_window(0.0, wall + 0.16, depth, facing_side=False)]
    ridge_x = width * 0.55
    base = [[-eaves_x, -eaves_z], [eaves_x, -eaves_z], [eaves_x, eaves_z], [-eaves_x, eaves_z]]
    top = [[-ridge_x, -0.01], [ridge_x, -0.01], [ridge_x, 0.01], [-ridge_x, 0.01]]
    rings = np.zeros((2, 4, 3))
    for index, (outline, level) in enumerate([(base, wall), (top, wall + rise)]):
        rings[index][:, [0, 2]] = outline
        rings[index][:, 1] = level
    return [loft(rings, tile, gloss=0.0)]


def _make_front(exemplar: Exemplar, width: float, depth: float, storeys: int) -> list[Mesh]:
    door_x = (-0.35, 0.0, 0.35)[exemplar.style % 3] * width
    parts = [
        make_box((door_x, 0.24, depth), (0.30, 0.48, 0.06), get_colour("wood")),
        make_box((door_x, 0.02, depth + 0.08), (0.42, 0.05, 0.2), get_colour("grey")),
    ]
    for storey in range(storeys):
        level = 0.37 + 0.5 * storey
        places = [x for x in (-0.62, 0.0, 0.62) if storey or abs(x * width - door_x) > 0.3]
        for x in places:
            parts += _make_window(x * width, level, depth, facing_side=False)
        for z in (-0.45, 0.45):
            parts += _make_window(width, level, z * depth, facing_side=True)
            parts += _make_window(-width, level, z * depth, facing_side=True)
    return parts


def _make_window(x: float, y: float, z: float, facing_side: bool) -> list[Mesh]:
    def size(extent: float, thickness: float) -> tuple[float, float, float]:
        wide, thick = extent, thickness
        return (thick, extent * 1.1, wide) if facing_side else (wide, extent * 1.1, thick)

    frame = make_box((x, y, z), size(0.30, 0.05), get_colour("white"), gloss=0.0)
    pane = make_box((x, y, z), size(0.22, 0.08), get_colour("glass"), gloss=0.6)
    return [frame, pane]
