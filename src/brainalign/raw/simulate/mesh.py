"""Triangle meshes of the simulated objects, and the few ways in which they are built.

Axes: x to the right, y up, z towards the viewer. Every part is closed, so that its signed
volume says which side of a triangle is the outside.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

CREASE_DEGREES = 42.0  # faces that meet at a sharper angle keep their edge


@dataclass(frozen=True)
class Mesh:
    """Triangles with a normal and a colour at each corner.

    Parameters
    ----------
    corner : array of shape (n_triangles, 3, 3)
        Position of each corner, x, y, z, in arbitrary units.
    normal : array of shape (n_triangles, 3, 3)
        Unit normal at each corner.
    colour : array of shape (n_triangles, 3, 3)
        Linear RGB reflectance in [0, 1] at each corner.
    gloss : array of shape (n_triangles,)
        Strength of the specular highlight.
    """

    corner: np.ndarray
    normal: np.ndarray
    colour: np.ndarray
    gloss: np.ndarray

    def paint(self, colour: np.ndarray, gloss: float | None = None) -> Mesh:
        """Give the mesh one colour, or one colour per corner.

        Parameters
        ----------
        colour : array of shape (3,) or (n_triangles, 3, 3)
            Linear RGB reflectance.
        gloss : float, optional
            New specular strength of all triangles.

        Returns
        -------
        mesh : Mesh
            A painted copy.
        """
        painted = np.broadcast_to(colour, self.corner.shape).copy()
        shine = self.gloss if gloss is None else np.full(len(self.gloss), gloss)
        return replace(self, colour=painted, gloss=shine)

    def place(self, shift: Sequence[float] = (0, 0, 0), rotation: np.ndarray | None = None) -> Mesh:
        """Rotate the mesh about the origin, then move it.

        Parameters
        ----------
        shift : sequence of 3 floats
            Translation along x, y, z.
        rotation : array of shape (3, 3), optional
            Rotation matrix.

        Returns
        -------
        mesh : Mesh
            A moved copy.
        """
        turn = np.eye(3) if rotation is None else rotation
        return replace(
            self, corner=self.corner @ turn.T + np.asarray(shift), normal=self.normal @ turn.T
        )

    def normalise(self) -> Mesh:
        """Centre the bounding box on the origin and let the farthest corner lie at radius 1."""
        points = self.corner.reshape(-1, 3)
        centred = self.corner - (points.max(axis=0) + points.min(axis=0)) / 2
        return replace(self, corner=centred / np.linalg.norm(centred, axis=-1).max())


def join(parts: Sequence[Mesh]) -> Mesh:
    """Put parts together into one mesh."""
    return Mesh(
        corner=np.concatenate([part.corner for part in parts]),
        normal=np.concatenate([part.normal for part in parts]),
        colour=np.concatenate([part.colour for part in parts]),
        gloss=np.concatenate([part.gloss for part in parts]),
    )


def rotate(yaw: float = 0.0, pitch: float = 0.0, roll: float = 0.0) -> np.ndarray:
    """Rotation matrix of the world's convention.

    Parameters
    ----------
    yaw, pitch, roll : float
        Degrees: about y (positive turns the object's front to the viewer's right), then about x
        (positive tips the object's top towards the viewer, as if seen from above), then about z
        (positive turns counter-clockwise in the image).

    Returns
    -------
    rotation : array of shape (3, 3)
        ``Rz(roll) @ Rx(pitch) @ Ry(yaw)``.
    """
    a, b, c = np.deg2rad([yaw, pitch, roll])
    about_y = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    about_z = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    return about_z @ about_x @ about_y


def loft(rings: np.ndarray, colour: np.ndarray, gloss: float = 0.15) -> Mesh:
    """Skin a row of rings and close both ends.

    Parameters
    ----------
    rings : array of shape (n_rings, n_points, 3)
        Closed outlines with the same number of points, star-shaped about their mean.
    colour : array of shape (3,)
        Linear RGB reflectance.
    gloss : float
        Specular strength.

    Returns
    -------
    mesh : Mesh
        A closed mesh, smooth where faces meet at less than ``CREASE_DEGREES``.
    """
    n_rings, n_points, _ = rings.shape
    ring, point = np.meshgrid(np.arange(n_rings - 1), np.arange(n_points), indexing="ij")
    following = (point + 1) % n_points
    a, b = ring * n_points + point, ring * n_points + following
    c, d = a + n_points, b + n_points
    sides = np.concatenate([np.stack([a, b, d], -1), np.stack([a, d, c], -1)]).reshape(-1, 3)
    first, second = np.arange(n_points), (np.arange(n_points) + 1) % n_points
    bottom, top = n_rings * n_points, n_rings * n_points + 1
    last = (n_rings - 1) * n_points
    caps = [
        np.stack([second, first, np.full(n_points, bottom)], -1),
        np.stack([last + first, last + second, np.full(n_points, top)], -1),
    ]
    vertices = np.concatenate([rings.reshape(-1, 3), rings[[0, -1]].mean(axis=1)])
    return _make_mesh(vertices, np.concatenate([sides, *caps]), colour, gloss)


def _make_mesh(
    vertices: np.ndarray, triangles: np.ndarray, colour: np.ndarray, gloss: float
) -> Mesh:
    corner = vertices[triangles]
    if np.einsum("ti,ti->", corner[:, 0], np.cross(corner[:, 1], corner[:, 2])) < 0:
        triangles = triangles[:, ::-1]
        corner = vertices[triangles]
    area = np.cross(corner[:, 1] - corner[:, 0], corner[:, 2] - corner[:, 0])
    solid = np.linalg.norm(area, axis=1) > 1e-12
    triangles, corner, area = triangles[solid], corner[solid], area[solid]
    return Mesh(
        corner=corner,
        normal=_smooth_normals(vertices, triangles, area),
        colour=np.broadcast_to(colour, corner.shape).copy(),
        gloss=np.full(len(corner), gloss),
    )


def _smooth_normals(vertices: np.ndarray, triangles: np.ndarray, area: np.ndarray) -> np.ndarray:
    """Average, at each corner, the faces around its vertex that bend less than the crease."""
    # Poles and seams hold several vertices in one place: they must count as one.
    _, place = np.unique(np.round(vertices, 9), axis=0, return_inverse=True)
    corner_place = place.reshape(-1)[triangles].reshape(-1)
    face_of_corner = np.repeat(np.arange(len(triangles)), 3)
    order = np.argsort(corner_place, kind="stable")
    count = np.bincount(corner_place)
    start = np.concatenate([[0], np.cumsum(count)[:-1]])
    n_pairs = count[corner_place]
    corner_of_pair = np.repeat(np.arange(len(corner_place)), n_pairs)
    within = np.arange(n_pairs.sum()) - np.repeat(np.cumsum(n_pairs) - n_pairs, n_pairs)
    face_of_pair = face_of_corner[order[start[corner_place[corner_of_pair]] + within]]
    unit = area / np.linalg.norm(area, axis=1, keepdims=True)
    bend = np.einsum("pi,pi->p", unit[face_of_corner[corner_of_pair]], unit[face_of_pair])
    weight = (bend > np.cos(np.deg2rad(CREASE_DEGREES)))[:, None] * area[face_of_pair]
    total = np.stack([np.bincount(corner_of_pair, weight[:, i]) for i in range(3)], axis=1)
    return (total / np.linalg.norm(total, axis=1, keepdims=True)).reshape(-1, 3, 3)
