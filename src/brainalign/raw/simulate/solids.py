"""The building blocks of the simulated objects: boxes, ellipsoids, turned and bent bodies."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from .mesh import Mesh, loft


def circle(n_points: int) -> np.ndarray:
    """Points of the unit circle, shape (n_points, 2)."""
    angle = 2 * np.pi * np.arange(n_points) / n_points
    return np.stack([np.cos(angle), np.sin(angle)], axis=1)


def find_middle(mesh: Mesh, axis: int) -> np.ndarray:
    """Middle of each triangle's extent along an axis, shape (n_triangles,).

    Both triangles of a quad between two rings have the same middle along the body, so that
    paint chosen by it ends at a ring.
    """
    place = mesh.corner[..., axis]
    return (place.min(axis=1) + place.max(axis=1)) / 2


def make_box(
    centre: Sequence[float],
    size: Sequence[float],
    colour: np.ndarray,
    taper: tuple[float, float] = (1.0, 1.0),
    gloss: float = 0.1,
) -> Mesh:
    """Make a box; ``taper`` shrinks its top along x and z.

    Parameters
    ----------
    centre, size : sequence of 3 floats
        Middle and full extent along x, y, z.
    colour : array of shape (3,)
        Linear RGB reflectance.
    taper : tuple of 2 floats
        Extent of the top relative to the bottom, along x and z.
    gloss : float
        Specular strength.

    Returns
    -------
    mesh : Mesh
    """
    half = np.asarray(size, dtype=float) / 2
    square = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]], dtype=float)
    rings = np.zeros((2, 4, 3))
    for index, (level, shrink) in enumerate([(-1, (1.0, 1.0)), (1, taper)]):
        rings[index, :, 0] = square[:, 0] * half[0] * shrink[0]
        rings[index, :, 1] = level * half[1]
        rings[index, :, 2] = square[:, 1] * half[2] * shrink[1]
    return loft(rings + np.asarray(centre), colour, gloss)


def make_ellipsoid(
    centre: Sequence[float],
    radii: Sequence[float],
    colour: np.ndarray,
    gloss: float = 0.15,
    exponent: float = 2.0,
    detail: int = 8,
) -> Mesh:
    """Make an ellipsoid, or with a larger exponent a rounded box.

    Parameters
    ----------
    centre, radii : sequence of 3 floats
        Middle and half extent along x, y, z.
    colour : array of shape (3,)
        Linear RGB reflectance.
    gloss : float
        Specular strength.
    exponent : float
        ``|x/a|^p + |y/b|^p + |z/c|^p = 1``; 2 is the ellipsoid, 4 a rounded box.
    detail : int
        Number of rings from pole to pole; twice as many points around.

    Returns
    -------
    mesh : Mesh
    """
    polar = np.linspace(0, np.pi, detail + 1)
    around = circle(2 * detail)
    rings = np.stack(
        [
            np.sin(polar)[:, None] * around[None, :, 0],
            np.broadcast_to(np.cos(polar)[:, None], (detail + 1, 2 * detail)),
            np.sin(polar)[:, None] * around[None, :, 1],
        ],
        axis=-1,
    )
    length = (np.abs(rings) ** exponent).sum(axis=-1, keepdims=True) ** (1 / exponent)
    return loft(rings / length * np.asarray(radii) + np.asarray(centre), colour, gloss)


def make_turned(
    profile: Sequence[tuple[float, float]],
    colour: np.ndarray,
    gloss: float = 0.15,
    n_points: int = 20,
) -> Mesh:
    """Turn a profile about the y axis.

    Parameters
    ----------
    profile : sequence of (radius, height)
        From the bottom's middle outwards and up; may come back down inside, as in a mug.
    colour : array of shape (3,)
        Linear RGB reflectance.
    gloss : float
        Specular strength.
    n_points : int
        Points around the axis.

    Returns
    -------
    mesh : Mesh
    """
    around = circle(n_points)
    radius, height = np.asarray(profile, dtype=float).T
    rings = np.stack(
        [
            radius[:, None] * around[None, :, 0],
            np.broadcast_to(height[:, None], (len(radius), n_points)),
            radius[:, None] * around[None, :, 1],
        ],
        axis=-1,
    )
    return loft(rings, colour, gloss)


def make_tube(
    path: ArrayLike,
    radius: ArrayLike,
    colour: np.ndarray,
    gloss: float = 0.15,
    n_points: int = 8,
) -> Mesh:
    """Make a round bar along a path.

    Parameters
    ----------
    path : array-like of shape (n_steps, 3)
        Middle line; consecutive points differ.
    radius : float or array-like of shape (n_steps,)
        Radius at each point of the path.
    colour : array of shape (3,)
        Linear RGB reflectance.
    gloss : float
        Specular strength.
    n_points : int
        Points around the bar.

    Returns
    -------
    mesh : Mesh
    """
    line = np.asarray(path, dtype=float)
    tangent = np.gradient(line, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    helper = np.eye(3)[np.argmin(np.abs(tangent).max(axis=0))]
    across = np.cross(tangent, helper)
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    third = np.cross(tangent, across)
    around = circle(n_points)
    offset = around[None, :, :1] * across[:, None] + around[None, :, 1:] * third[:, None]
    width = np.broadcast_to(radius, (len(line),))[:, None, None]
    return loft(line[:, None] + width * offset, colour, gloss)


def make_plate(
    outline: np.ndarray,
    thickness: float,
    colour: np.ndarray,
    gloss: float = 0.15,
    bevel: float = 0.0,
) -> Mesh:
    """Give a flat outline in the x-y plane a thickness along z.

    Parameters
    ----------
    outline : array of shape (n_points, 2)
        Star-shaped about its mean.
    thickness : float
        Full extent along z.
    colour : array of shape (3,)
        Linear RGB reflectance.
    gloss : float
        Specular strength.
    bevel : float
        Fraction by which the outline shrinks on the two faces; rounds the edge.

    Returns
    -------
    mesh : Mesh
    """
    outline = np.asarray(outline, dtype=float)
    middle = outline.mean(axis=0)
    levels = [(-0.5, bevel), (-0.5 + bevel, 0.0), (0.5 - bevel, 0.0), (0.5, bevel)]
    if bevel == 0:
        levels = [(-0.5, 0.0), (0.5, 0.0)]
    rings = np.zeros((len(levels), len(outline), 3))
    for index, (level, shrink) in enumerate(levels):
        rings[index, :, :2] = middle + (outline - middle) * (1 - shrink)
        rings[index, :, 2] = level * thickness
    return loft(rings, colour, gloss)


def make_wing(
    root: Sequence[float],
    tip: Sequence[float],
    chords: tuple[float, float],
    thickness: float,
    colour: np.ndarray,
    up: Sequence[float] = (0, 1, 0),
    gloss: float = 0.25,
) -> Mesh:
    """Make a tapered blade from root to tip with its chord along x.

    Parameters
    ----------
    root, tip : sequence of 3 floats
        Middle of the chord at both ends.
    chords : tuple of 2 floats
        Length along x at root and tip.
    thickness : float
        Thickness at the root; half of it at the tip.
    colour : array of shape (3,)
        Linear RGB reflectance.
    up : sequence of 3 floats
        Direction of the thickness.
    gloss : float
        Specular strength.

    Returns
    -------
    mesh : Mesh
    """
    section = circle(10)
    rings = []
    for place, chord, thick in [(root, chords[0], thickness), (tip, chords[1], thickness / 2)]:
        ring = np.asarray(place) + section[:, :1] * np.array([chord / 2, 0, 0])
        rings.append(ring + section[:, 1:] * np.asarray(up) * thick / 2)
    return loft(np.stack(rings), colour, gloss)
