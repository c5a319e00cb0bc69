"""Receptive fields as Gaussians: fitted to spike-triggered averages, or from given outlines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import least_squares


@dataclass(frozen=True)
class ReceptiveFields:
    """Gaussian receptive fields of all units; NaN for units without one.

    Attributes
    ----------
    center_x, center_y : array of shape (n_units,)
        Centre in shares of the frame's width from its left, and of its height from its top.
    axis_major, axis_minor : array of shape (n_units,)
        Standard deviations along the axes, in frame widths.
    angle : array of shape (n_units,)
        Of the major axis, in radians from the x axis towards the y axis (downwards), in
        (-pi / 2, pi / 2].
    """

    center_x: NDArray[np.float64]
    center_y: NDArray[np.float64]
    axis_major: NDArray[np.float64]
    axis_minor: NDArray[np.float64]
    angle: NDArray[np.float64]

    def keep(self, usable: NDArray[np.bool_]) -> ReceptiveFields:
        """Set the receptive fields of all other units to NaN."""
        return ReceptiveFields(
            **{name: np.where(usable, values, np.nan) for name, values in vars(self).items()}
        )

    def draw_maps(self, height: int, width: int, aspect: float = 1.0) -> NDArray[np.float32]:
        """Evaluate every Gaussian at the middles of a grid over the frame.

        Parameters
        ----------
        height, width : int
            Cells of the grid.
        aspect : float
            Height of the frame over its width.

        Returns
        -------
        maps : array of shape (n_units, height, width), float32
            Largest value on the grid is 1; 0 everywhere for units without a receptive field.
        """
        x = (np.arange(width) + 0.5) / width
        y = (np.arange(height) + 0.5) / height
        right = x[np.newaxis, np.newaxis] - self.center_x[:, None, None]
        down = aspect * (y[np.newaxis, :, np.newaxis] - self.center_y[:, None, None])
        cosine, sine = np.cos(self.angle)[:, None, None], np.sin(self.angle)[:, None, None]
        along = (cosine * right + sine * down) / self.axis_major[:, None, None]
        across = (-sine * right + cosine * down) / self.axis_minor[:, None, None]
        # In logarithms: a narrow field between two cells of a coarse grid must not vanish.
        exponent = -0.5 * (along**2 + across**2)
        exponent -= exponent.max(axis=(1, 2), keepdims=True)
        return np.nan_to_num(np.exp(exponent), nan=0.0).astype(np.float32)


def convert_outlines(
    outlines: NDArray[np.floating], contour_sd: float, aspect: float = 1.0
) -> ReceptiveFields:
    """Turn outlines of receptive fields into the Gaussians whose contours they are.

    Parameters
    ----------
    outlines : array of shape (n_units, n_points, 2)
        x and y in shares of the frame's width and height; points evenly spaced in angle.
    contour_sd : float
        Standard deviations at which the contour lies.
    aspect : float
        Height of the frame over its width.

    Notes
    -----
    Points on an ellipse with semi-axes a and b, uniform in angle, have covariance
    diag(a^2, b^2) / 2. A last point that repeats the first is left out.
    """
    fields = np.full((len(outlines), 5), np.nan)
    for unit, points in enumerate(outlines):
        if np.allclose(points[0], points[-1]):
            points = points[:-1]
        scaled = points * [1.0, aspect]
        centre = scaled.mean(axis=0)
        offset = scaled - centre
        variance, axes = np.linalg.eigh(offset.T @ offset / len(scaled))
        minor, major = np.sqrt(2 * np.maximum(variance, 0)) / contour_sd
        angle = np.arctan2(axes[1, 1], axes[0, 1])
        fields[unit] = centre[0], centre[1] / aspect, major, minor, _wrap_angle(angle)
    return ReceptiveFields(*fields.T)


def fit_gaussians(
    spatial: NDArray[np.floating], height: int, width: int, aspect: float = 1.0
) -> ReceptiveFields:
    """Fit an elliptical Gaussian with an offset to the spatial part of each receptive field.

    Parameters
    ----------
    spatial : array of shape (n_units, height * width)
        Spatial part of the spike-triggered average, positive in the centre.
    height, width : int
        Its grid.
    aspect : float
        Height of the frame over its width.

    Returns
    -------
    fields : ReceptiveFields
        NaN where no fit ends inside the frame with a size between a quarter of a cell of the grid
        and half a frame.

    Notes
    -----
    Least squares from the peak of the map smoothed over 3 x 3 cells; the offset takes up a broad
    surround.
    """
    x = np.tile((np.arange(width) + 0.5) / width, height)
    y = np.repeat((np.arange(height) + 0.5) / height * aspect, width)
    fields = [_fit_one(one.reshape(height, width), x, y) for one in spatial]
    table = np.array(fields).reshape(len(spatial), 5)
    table[:, 1] /= aspect
    return ReceptiveFields(*table.T)


def _fit_one(
    image: NDArray[np.floating], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    nothing = np.full(5, np.nan)
    values = image.ravel().astype(np.float64)
    scale = float(np.abs(values).max())
    if not scale > 0:
        return nothing
    values = values / scale
    peak = int(_smooth(image).argmax())
    step = 1.0 / image.shape[1]

    def compare(parameters: NDArray[np.float64]) -> NDArray[np.float64]:
        return _evaluate(parameters, x, y) - values

    start = np.array([x[peak], y[peak], np.log(1.5 * step), np.log(1.5 * step), 0.0, 1.0, 0.0])
    solution = least_squares(compare, start, method="trf", max_nfev=200)
    centre_x, centre_y, log_first, log_second, angle, height, _ = solution.x
    first, second = np.exp(log_first), np.exp(log_second)
    inside = x.min() <= centre_x <= x.max() and y.min() <= centre_y <= y.max()
    sized = 0.25 * step <= min(first, second) and max(first, second) <= 0.5
    if not (inside and sized and height > 0):
        return nothing
    if second > first:
        first, second, angle = second, first, angle + np.pi / 2
    return np.array([centre_x, centre_y, first, second, _wrap_angle(angle)])


def _evaluate(
    parameters: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64]
) -> NDArray[np.float64]:
    centre_x, centre_y, log_first, log_second, angle, height, offset = parameters
    right, down = x - centre_x, y - centre_y
    along = (np.cos(angle) * right + np.sin(angle) * down) / np.exp(log_first)
    across = (-np.sin(angle) * right + np.cos(angle) * down) / np.exp(log_second)
    return height * np.exp(-0.5 * (along**2 + across**2)) + offset


def _smooth(image: NDArray[np.floating]) -> NDArray[np.float64]:
    padded = np.pad(image.astype(np.float64), 1)
    rows, columns = image.shape
    parts = [padded[i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
    return np.sum(parts, axis=0)


def _wrap_angle(angle: float) -> float:
    """Bring the angle of an axis, which has no direction, into (-pi / 2, pi / 2]."""
    wrapped = float(np.mod(angle + np.pi / 2, np.pi) - np.pi / 2)
    return np.pi / 2 if wrapped == -np.pi / 2 else wrapped
