"""Anatomy of a simulated subject: a brain of three tissues, and regions grown inside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from brainalign.errors import InputError

from .fmri_options import ROI_SHARES, FMRIScannerOptions
from .streams import derive_generator

# Seeds of the regions in fractions of the volume (left-right offset from the middle, posterior to
# anterior, inferior to superior): rough places in a human brain, in both hemispheres.
_SEEDS = {
    "V1": (0.05, 0.18, 0.5),
    "V2": (0.12, 0.22, 0.5),
    "V3": (0.2, 0.27, 0.52),
    "LOC": (0.3, 0.36, 0.46),
    "FFA": (0.26, 0.45, 0.3),
    "PPA": (0.15, 0.5, 0.28),
}
_RADII = (0.42, 0.43, 0.42)  # of the brain, in fractions of the volume
_GREY, _WHITE, _FLUID, _AIR = 1000.0, 820.0, 1350.0, 15.0


@dataclass(frozen=True)
class Anatomy:
    """The still image of one subject.

    Parameters
    ----------
    baseline : array of shape (x, y, z)
        Signal without drift, response and noise, in scanner units.
    brain : array of shape (x, y, z), bool
        Inside of the brain.
    roi : array of shape (x, y, z), int16
        Number of the region in the order of ``ROI_SHARES``, from 1; 0 outside.
    affine : array of shape (4, 4)
        From voxel indices to mm, RAS.
    """

    baseline: np.ndarray
    brain: np.ndarray
    roi: np.ndarray
    affine: np.ndarray


def draw_anatomy(options: FMRIScannerOptions, subject: str) -> Anatomy:
    """Draw the brain and the regions of one subject.

    Parameters
    ----------
    options : FMRIScannerOptions
        Size of the volume and number of voxels.
    subject : str
        Key of ``options.subjects``.

    Returns
    -------
    anatomy : Anatomy
        Regions have the same names in all subjects, and other places, sizes and forms.

    Raises
    ------
    InputError
        If the brain has too few voxels for the regions.
    """
    generator = derive_generator(options.seed, "fmri-anatomy", subject)
    shape = tuple(options.volume_shape)
    place = np.stack(np.meshgrid(*[(np.arange(n) + 0.5) / n for n in shape], indexing="ij"))
    radii = np.array(_RADII) * generator.uniform(0.95, 1.05, 3)
    distance = np.sqrt((((place.T - 0.5) / radii) ** 2).sum(axis=-1)).T
    brain = distance < 1
    folds = ndimage.gaussian_filter(generator.standard_normal(shape), 1.2, mode="wrap")
    folds /= folds.std()
    tissue = np.select([distance + 0.08 * folds < 0.3, folds < -0.4], [_FLUID, _WHITE], _GREY)
    texture = ndimage.gaussian_filter(generator.standard_normal(shape), 1.0)
    sharp = np.where(brain, tissue * (1 + 0.1 * texture / texture.std()), _AIR)
    # The point spread of a scanner: without it, edges would alias under small motion.
    baseline = ndimage.gaussian_filter(sharp, 0.6)
    affine = np.diag([options.voxel_mm] * 3 + [1.0])
    affine[:3, 3] = -affine[0, 0] * (np.array(shape) - 1) / 2 + generator.uniform(-4, 4, 3)
    roi = _grow_regions(generator, brain & (distance < 0.92), options.subjects[subject], place)
    return Anatomy(baseline, brain, roi, affine)


def _grow_regions(
    generator: np.random.Generator, available: np.ndarray, n_voxels: int, place: np.ndarray
) -> np.ndarray:
    if n_voxels > 0.8 * available.sum():
        raise InputError(
            "the regions need more voxels than the simulated brain has",
            where="simulation.subjects",
            expected=f"at most {int(0.8 * available.sum())}",
            found=n_voxels,
            remedy="Ask for fewer voxels or raise simulation.volume_shape.",
        )
    roi = np.zeros(available.shape, dtype=np.int16)
    shares = np.array(list(ROI_SHARES.values())) * generator.uniform(0.8, 1.2, len(ROI_SHARES))
    sizes = np.maximum(2, np.floor(shares / shares.sum() * n_voxels)).astype(int)
    sizes[0] += n_voxels - sizes.sum()
    for number, (name, size) in enumerate(zip(ROI_SHARES, sizes, strict=True), start=1):
        across, along, up = np.array(_SEEDS[name]) + generator.normal(0, 0.02, 3)
        rough = ndimage.gaussian_filter(generator.standard_normal(available.shape), 1.0)
        cost = np.full(available.shape, np.inf)
        for side in (-1, 1):
            offset = place.T - (0.5 + side * across, along, up)
            cost = np.minimum(cost, np.sqrt((offset**2).sum(axis=-1)).T)
        cost = cost + 0.12 * rough
        cost[~available | (roi > 0)] = np.inf
        roi.ravel()[np.argsort(cost, axis=None, kind="stable")[:size]] = number
    return roi
