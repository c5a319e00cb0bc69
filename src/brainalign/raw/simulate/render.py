"""Draw meshes into pictures: perspective, z-buffer, smooth shading, self-shadows, soft edges."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .mesh import Mesh, rotate

CAMERA_DISTANCE = 4.5  # in object radii; mild perspective
SUPERSAMPLING = 2  # sub-pixels per pixel and axis
GAMMA = 2.2
HIGHLIGHT_EXPONENT = 24.0
SHADOW_MAP_SIZE = 72  # pixels across the bounding sphere, seen from the light
SHADOW_BIAS = 0.05  # object radii towards the lamp, and
SHADOW_OFFSET = 0.04  # object radii along the normal: both hide the shadow map's own steps


@dataclass(frozen=True)
class View:
    """How one object is seen.

    Parameters
    ----------
    yaw, pitch, roll : float
        Degrees, see ``mesh.rotate``.
    x, y : float
        Middle of the object relative to the image's middle, in image widths; right, up.
    size : float
        Diameter of the object's bounding sphere in image widths.
    """

    yaw: float
    pitch: float
    roll: float
    x: float
    y: float
    size: float


@dataclass(frozen=True)
class Lighting:
    """A distant lamp, plus light from everywhere.

    Parameters
    ----------
    azimuth, elevation : float
        Direction to the lamp in degrees; azimuth 0 is the viewer, positive is to the right.
    ambient : float
        Reflected share that needs no lamp, in [0, 1].
    """

    azimuth: float
    elevation: float
    ambient: float = 0.34

    @property
    def direction(self) -> np.ndarray:
        """Unit vector towards the lamp, shape (3,)."""
        azimuth, elevation = np.deg2rad([self.azimuth, self.elevation])
        return np.array(
            [
                np.sin(azimuth) * np.cos(elevation),
                np.sin(elevation),
                np.cos(azimuth) * np.cos(elevation),
            ]
        )


@dataclass(frozen=True)
class _Fragments:
    """The visible surface: one row per covered sub-pixel."""

    pixel: np.ndarray
    triangle: np.ndarray
    weight: np.ndarray  # barycentric, (n_fragments, 3)


def to_linear(srgb: np.ndarray) -> np.ndarray:
    """Convert displayed values in [0, 1] to linear light."""
    return np.clip(srgb, 0, 1) ** GAMMA


def to_uint8(linear: np.ndarray) -> np.ndarray:
    """Convert linear light to displayed values 0 to 255."""
    return np.round(255 * np.clip(linear, 0, 1) ** (1 / GAMMA)).astype(np.uint8)


def draw_object(canvas: np.ndarray, mesh: Mesh, view: View, lighting: Lighting) -> np.ndarray:
    """Paint one object over a picture.

    Parameters
    ----------
    canvas : array of shape (y, x, 3)
        Linear light; square. Not changed.
    mesh : Mesh
        Normalised to radius 1 about the origin.
    view : View
        Pose, place and size.
    lighting : Lighting
        The lamp.

    Returns
    -------
    picture : array of shape (y, x, 3)
        The canvas with the object in front.

    Notes
    -----
    Lambert and Blinn-Phong shading of interpolated normals, with a shadow map for the object's
    shadow on itself. There is no shadow on the background and no light between surfaces.
    """
    layer, coverage = render_layer(len(canvas), mesh, view, lighting)
    return canvas * (1 - coverage[..., None]) + layer


def render_layer(
    image_size: int, mesh: Mesh, view: View, lighting: Lighting
) -> tuple[np.ndarray, np.ndarray]:
    """Render one object alone.

    Parameters
    ----------
    image_size : int
        Height and width in pixels.
    mesh, view, lighting
        As for ``draw_object``.

    Returns
    -------
    layer : array of shape (image_size, image_size, 3)
        Linear light times coverage.
    coverage : array of shape (image_size, image_size)
        Share of each pixel that the object covers, in [0, 1].
    """
    turn = rotate(view.yaw, view.pitch, view.roll)
    corner, normal = mesh.corner @ turn.T, mesh.normal @ turn.T
    fine = image_size * SUPERSAMPLING
    radius = view.size / 2 * fine
    scale = radius * CAMERA_DISTANCE / (CAMERA_DISTANCE - corner[..., 2])
    column = fine * (0.5 + view.x) + corner[..., 0] * scale
    row = fine * (0.5 - view.y) - corner[..., 1] * scale
    visible = _rasterise(column, row, corner[..., 2], fine)
    colour = _shade(corner, normal, mesh, visible, lighting)
    layer = np.zeros((fine * fine, 4))
    layer[visible.pixel, :3] = colour
    layer[visible.pixel, 3] = 1.0
    blocks = layer.reshape(image_size, SUPERSAMPLING, image_size, SUPERSAMPLING, 4)
    mean = blocks.mean(axis=(1, 3))
    return mean[..., :3], mean[..., 3]


def _rasterise(column: np.ndarray, row: np.ndarray, depth: np.ndarray, size: int) -> _Fragments:
    """Find, for every pixel of a square picture, the nearest front-facing triangle.

    ``column``, ``row`` and ``depth`` (larger is nearer) have the shape (n_triangles, 3).
    """
    edge_x, edge_y = column[:, 1:] - column[:, :1], row[:, 1:] - row[:, :1]
    doubled_area = edge_x[:, 1] * edge_y[:, 0] - edge_x[:, 0] * edge_y[:, 1]
    left = np.clip(np.ceil(column.min(axis=1) - 0.5), 0, size).astype(int)
    right = np.clip(np.floor(column.max(axis=1) - 0.5) + 1, 0, size).astype(int)
    top = np.clip(np.ceil(row.min(axis=1) - 0.5), 0, size).astype(int)
    bottom = np.clip(np.floor(row.max(axis=1) - 0.5) + 1, 0, size).astype(int)
    width, height = right - left, bottom - top
    kept = np.flatnonzero((doubled_area > 1e-9) & (width > 0) & (height > 0))
    n_pixels = (width * height)[kept]
    of_kept = np.repeat(np.arange(len(kept)), n_pixels)
    within = np.arange(n_pixels.sum()) - np.repeat(np.cumsum(n_pixels) - n_pixels, n_pixels)
    pixel_x = left[kept][of_kept] + within % width[kept][of_kept]
    pixel_y = top[kept][of_kept] + within // width[kept][of_kept]
    # Barycentric weights are affine in the pixel's place: w = a x + b y + c per triangle.
    inverse = 1 / doubled_area[kept]
    ax, ay = edge_x[kept], edge_y[kept]
    gradient = np.stack(
        [-ay[:, 1] * inverse, ax[:, 1] * inverse, ay[:, 0] * inverse, -ax[:, 0] * inverse], axis=1
    )
    delta_x = pixel_x + 0.5 - column[kept, 0][of_kept]
    delta_y = pixel_y + 0.5 - row[kept, 0][of_kept]
    slope = gradient[of_kept]
    second = slope[:, 0] * delta_x + slope[:, 1] * delta_y
    third = slope[:, 2] * delta_x + slope[:, 3] * delta_y
    first = 1 - second - third
    inside = np.flatnonzero((first >= 0) & (second >= 0) & (third >= 0))
    triangle = kept[of_kept[inside]]
    weight = np.stack([first[inside], second[inside], third[inside]], axis=1)
    pixel = pixel_y[inside] * size + pixel_x[inside]
    nearness = np.einsum("fi,fi->f", weight, depth[triangle])
    nearest = np.full(size * size, -np.inf)
    np.maximum.at(nearest, pixel, nearness)
    front = np.flatnonzero(nearness == nearest[pixel])
    _, unique = np.unique(pixel[front], return_index=True)
    winner = front[unique]
    return _Fragments(pixel[winner], triangle[winner], weight[winner])


def _shade(
    corner: np.ndarray,
    normal: np.ndarray,
    mesh: Mesh,
    visible: _Fragments,
    lighting: Lighting,
) -> np.ndarray:
    triangle, weight = visible.triangle, visible.weight
    surface = np.einsum("fi,fij->fj", weight, normal[triangle])
    surface /= np.linalg.norm(surface, axis=1, keepdims=True) + 1e-12
    albedo = np.einsum("fi,fij->fj", weight, mesh.colour[triangle])
    place = np.einsum("fi,fij->fj", weight, corner[triangle])
    lamp = lighting.direction
    lit = np.clip(surface @ lamp, 0, None) * _find_lit(
        corner, place + SHADOW_OFFSET * surface, lamp
    )
    to_viewer = np.array([0.0, 0.0, 1.0])
    half = (lamp + to_viewer) / np.linalg.norm(lamp + to_viewer)
    highlight = np.clip(surface @ half, 0, None) ** HIGHLIGHT_EXPONENT * (lit > 0)
    sky = 0.75 + 0.25 * surface[:, 1]  # surfaces that look up see more of the sky
    light = lighting.ambient * sky + (1.05 - lighting.ambient) * lit
    return albedo * light[:, None] + (mesh.gloss[triangle] * highlight)[:, None]


def _find_lit(corner: np.ndarray, place: np.ndarray, lamp: np.ndarray) -> np.ndarray:
    """Share of lamp light that reaches each place: a shadow map, softened over 4 neighbours."""
    helper = np.array([0.0, 1.0, 0.0]) if abs(lamp[1]) < 0.9 else np.array([1.0, 0.0, 0.0])
    right = np.cross(helper, lamp)
    right /= np.linalg.norm(right)
    frame = np.stack([right, np.cross(lamp, right), lamp])
    size, half = SHADOW_MAP_SIZE, SHADOW_MAP_SIZE / 2
    seen = corner @ frame.T
    map_column, map_row = half * (1 + seen[..., 0]), half * (1 - seen[..., 1])
    lit = _rasterise(map_column, map_row, seen[..., 2], size)
    nearest = np.full(size * size, -np.inf)
    nearest[lit.pixel] = np.einsum("fi,fi->f", lit.weight, seen[lit.triangle, :, 2])
    point = place @ frame.T
    column, row = half * (1 + point[:, 0]) - 0.5, half * (1 - point[:, 1]) - 0.5
    share = np.zeros(len(place))
    low_column, low_row = np.floor(column).astype(int), np.floor(row).astype(int)
    for step_x in (0, 1):
        for step_y in (0, 1):
            x = np.clip(low_column + step_x, 0, size - 1)
            y = np.clip(low_row + step_y, 0, size - 1)
            weight = (1 - np.abs(column - low_column - step_x)) * (
                1 - np.abs(row - low_row - step_y)
            )
            share += weight * (nearest[y * size + x] < point[:, 2] + SHADOW_BIAS)
    return share
