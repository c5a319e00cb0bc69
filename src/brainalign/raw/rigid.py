"""Rigid motion of a head: six parameters, their matrices, and how far they move it."""

from __future__ import annotations

import numpy as np

MOTION_COLUMNS = ("trans_x", "trans_y", "trans_z", "rot_x", "rot_y", "rot_z")
"""Names as fMRIPrep gives them: translations in mm, rotations in rad."""

_HEAD_RADIUS_MM = 50.0  # Power et al. (2012)


def compose_rigid(parameters: np.ndarray, centre_mm: np.ndarray) -> np.ndarray:
    """Build the matrix of a rigid motion.

    Parameters
    ----------
    parameters : array of shape (6,)
        Translations in mm along and rotations in rad about x, y and z.
    centre_mm : array of shape (3,)
        Point about which the head turns.

    Returns
    -------
    matrix : array of shape (4, 4)
        Moves a point of the head (mm) from where it was to where it is:
        ``Rz Ry Rx (p - centre) + centre + translation``.
    """
    cosine, sine = np.cos(parameters[3:]), np.sin(parameters[3:])
    about_x = np.array([[1, 0, 0], [0, cosine[0], -sine[0]], [0, sine[0], cosine[0]]])
    about_y = np.array([[cosine[1], 0, sine[1]], [0, 1, 0], [-sine[1], 0, cosine[1]]])
    about_z = np.array([[cosine[2], -sine[2], 0], [sine[2], cosine[2], 0], [0, 0, 1]])
    matrix = np.eye(4)
    matrix[:3, :3] = about_z @ about_y @ about_x
    matrix[:3, 3] = centre_mm + parameters[:3] - matrix[:3, :3] @ centre_mm
    return matrix


def decompose_rigid(matrix: np.ndarray, centre_mm: np.ndarray) -> np.ndarray:
    """Read the six parameters off a matrix; the inverse of :func:`compose_rigid`.

    Returns
    -------
    parameters : array of shape (6,)
        Rotations about y lie in [-pi/2, pi/2].
    """
    rotation = matrix[:3, :3]
    translation = matrix[:3, 3] - centre_mm + rotation @ centre_mm
    about_y = np.arcsin(np.clip(-rotation[2, 0], -1, 1))
    about_x = np.arctan2(rotation[2, 1], rotation[2, 2])
    about_z = np.arctan2(rotation[1, 0], rotation[0, 0])
    return np.concatenate([translation, [about_x, about_y, about_z]])


def find_centre(shape: tuple[int, ...], affine: np.ndarray) -> np.ndarray:
    """Find the middle of a volume in mm."""
    return affine[:3, :3] @ ((np.array(shape[:3]) - 1) / 2) + affine[:3, 3]


def compute_framewise_displacement(motion: np.ndarray) -> np.ndarray:
    """Compute how far the head moved since the volume before.

    Parameters
    ----------
    motion : array of shape (n_volumes, 6)
        Translations in mm, rotations in rad.

    Returns
    -------
    displacement : array of shape (n_volumes,)
        Sum of absolute differences in mm, rotations as arcs on a sphere of 50 mm; NaN for the
        first volume.

    Notes
    -----
    Power, Barnes, Snyder, Schlaggar & Petersen (2012), NeuroImage 59:2142.
    """
    steps = np.abs(np.diff(motion, axis=0))
    steps[:, 3:] *= _HEAD_RADIUS_MM
    return np.concatenate([[np.nan], steps.sum(axis=1)])
