"""Rigid realignment of volumes to a reference by least squares.

Parameters follow from Gauss-Newton steps on the difference to the reference (Friston et al. 1995,
with the derivatives of the reference as in Baker & Matthews 2004); interpolation is by the cubic
splines of scipy. Registration by mutual information (dipy) was tried first: on volumes of a few
thousand voxels its histogram is too coarse for motion below a fifth of a voxel.
"""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from brainalign.raw.fmri_options import RealignmentOptions
from brainalign.raw.rigid import compose_rigid, decompose_rigid, find_centre

_HEAD_RADIUS_MM = 50.0


class RigidRealigner:
    """Aligns volumes of one grid with a reference.

    Parameters
    ----------
    reference : array of shape (x, y, z)
        The volume that others are aligned with.
    affine : array of shape (4, 4)
        From voxel indices to mm.
    options : RealignmentOptions
        Steps, tolerance and smoothing.

    Notes
    -----
    Axes of a single voxel say nothing about motion along them: it is estimated as 0. A gain of
    the whole volume is estimated along with the motion and thrown away.
    """

    def __init__(
        self, reference: np.ndarray, affine: np.ndarray, options: RealignmentOptions
    ) -> None:
        self._options, self._affine = options, affine
        self._centre = find_centre(reference.shape, affine)
        smooth = self._smooth(reference)
        index = _choose_points(smooth, options.max_points)
        self._points = affine[:3, :3] @ index.T + affine[:3, 3:]
        self._target = smooth[tuple(index.T)]
        jacobian = self._differentiate(smooth, index)
        # Small singular values belong to motion that these voxels cannot see.
        self._solver = np.linalg.pinv(jacobian, rcond=1e-4)

    def _smooth(self, volume: np.ndarray) -> np.ndarray:
        return ndimage.gaussian_filter(
            np.asarray(volume, dtype=np.float64), self._options.smoothing_voxels, mode="nearest"
        )

    def _differentiate(self, smooth: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Differentiate the reference by motion and by gain, shape (n_points, 7)."""
        slopes = np.zeros((3, len(index)))
        for axis in range(3):
            if smooth.shape[axis] > 1:
                slopes[axis] = np.gradient(smooth, axis=axis)[tuple(index.T)]
        slopes = np.linalg.inv(self._affine[:3, :3]).T @ slopes
        arms = self._points - self._centre[:, np.newaxis]
        turns = np.cross(arms.T, slopes.T)
        # The unit of a rotation is chosen so that all columns are motion in mm.
        return np.column_stack([slopes.T, turns / _HEAD_RADIUS_MM, self._target])

    def estimate(self, volume: np.ndarray, start: np.ndarray) -> np.ndarray:
        """Estimate where the head is in a volume.

        Parameters
        ----------
        volume : array of shape (x, y, z)
            A volume of the same grid.
        start : array of shape (6,)
            First guess, such as the parameters of the volume before.

        Returns
        -------
        parameters : array of shape (6,)
            Translations in mm and rotations in rad of the head since the reference.
        """
        spline = ndimage.spline_filter(self._smooth(volume), order=3, mode="nearest")
        matrix = compose_rigid(start, self._centre)
        for _ in range(self._options.max_iterations):
            sampled = self._sample(spline, matrix)
            step = self._solver @ (sampled - self._target)
            motion = np.concatenate([step[:3], step[3:6] / _HEAD_RADIUS_MM])
            matrix = matrix @ np.linalg.inv(compose_rigid(motion, self._centre))
            if np.abs(step[:6]).max() < self._options.tolerance_mm:
                break
        return decompose_rigid(matrix, self._centre)

    def _sample(self, spline: np.ndarray, matrix: np.ndarray) -> np.ndarray:
        moved = matrix[:3, :3] @ self._points + matrix[:3, 3:]
        inverse = np.linalg.inv(self._affine)
        place = inverse[:3, :3] @ moved + inverse[:3, 3:]
        return ndimage.map_coordinates(spline, place, order=3, mode="nearest", prefilter=False)

    def apply(self, volume: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """Move a volume back onto the reference.

        Returns
        -------
        realigned : array of shape (x, y, z), float32
            Cubic splines; places outside the volume have the value of its nearest edge.
        """
        if not parameters.any():
            return volume.astype(np.float32)
        matrix = compose_rigid(parameters, self._centre)
        place = np.linalg.inv(self._affine) @ matrix @ self._affine
        return ndimage.affine_transform(
            volume, place[:3, :3], place[:3, 3], order=3, mode="nearest", output=np.float32
        )


def _choose_points(smooth: np.ndarray, max_points: int) -> np.ndarray:
    """Choose voxels that are brighter than the background, evenly thinned out."""
    low, high = np.percentile(smooth, [2, 98])
    index = np.argwhere(smooth > low + 0.1 * (high - low))
    stride = -(-len(index) // max_points)
    return index[::stride]
