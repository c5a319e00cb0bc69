"""Units of each region to a patch of common length, per subject; imports no torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brainalign.errors import InputError
from brainalign.methods.normalisation import NanPolicy, Standardisation, fit_standardisation
from brainalign.methods.weights import Weights, prefix_weights, select_weights


@dataclass(frozen=True)
class RegionPatches:
    """From the units of one subject to one patch per region.

    Attributes
    ----------
    standardisation : Standardisation
        Kept units with mean and deviation.
    basis : array of shape (n_kept, n_areas, length), float32
        Principal axes of each region, scaled so that a patch has a mean square of 1 in training;
        zero for other units and for components that the region does not have.
    """

    standardisation: Standardisation
    basis: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """Regions that the subject has, an array of shape (n_areas,), bool."""
        return np.abs(self.basis).sum(axis=(0, 2)) > 0

    def apply(self, response: np.ndarray, *, where: str) -> np.ndarray:
        """Compute the patches of responses.

        Parameters
        ----------
        response : array of shape (n_responses, n_units)
            Any responses of the subject.
        where : str
            Whose they are, for errors.

        Returns
        -------
        patch : array of shape (n_responses, n_areas, length), float32
            Zero for regions that the subject does not have.
        """
        standard = self.standardisation.apply(response, where=where)
        n_areas, length = self.basis.shape[1:]
        flat = standard @ self.basis.reshape(len(self.basis), -1)
        return flat.reshape(len(standard), n_areas, length)

    def get_weights(self) -> Weights:
        """Statistics and axes as numeric arrays."""
        return prefix_weights(self.standardisation.get_weights(), "standardisation/") | {
            "basis": self.basis
        }

    @classmethod
    def from_weights(cls, weights: Weights, *, where: str) -> RegionPatches:
        """Rebuild the patches; the inverse of `get_weights`."""
        statistics = select_weights(weights, "standardisation/")
        standardisation = Standardisation.from_weights(statistics, where=where)
        basis = weights.get("basis")
        if basis is None or basis.ndim != 3 or len(basis) != standardisation.n_kept:
            raise InputError(
                "these weights are of another model",
                where=where,
                expected=f"basis of {standardisation.n_kept} units",
                found=None if basis is None else basis.shape,
            )
        return cls(standardisation, basis)


def fit_region_patches(
    response: np.ndarray,
    area: np.ndarray,
    areas: Sequence[str],
    length: int,
    *,
    where: str,
    nan_policy: NanPolicy = "reject",
) -> RegionPatches:
    """Learn the principal components of each region of one subject.

    Parameters
    ----------
    response : array of shape (n_responses, n_units)
        Training responses.
    area : array of shape (n_units,), str
        Region of each unit.
    areas : sequence of str
        Regions of all subjects, in the order of the patches.
    length : int
        Components per patch; regions with fewer are padded with zeros.
    where : str
        Whose responses these are, for errors.
    nan_policy : {"reject", "drop_units"}
        What to do with units that are not finite.

    Returns
    -------
    patches : RegionPatches
        Components keep their relative variance, since whitening would blow up those of noise.

    Raises
    ------
    InputError
        A unit is not finite, or none varies.
    """
    standardisation = fit_standardisation(response, where=where, nan_policy=nan_policy)
    standard = standardisation.apply(response, where=where).astype(np.float64)
    kept_area = np.asarray(area, dtype=str)[standardisation.kept]
    basis = np.zeros((standardisation.n_kept, len(areas), length), dtype=np.float32)
    for position, name in enumerate(areas):
        units = np.flatnonzero(kept_area == name)
        if not len(units):
            continue
        # The Gram matrix over responses or units, whichever is smaller, gives the same axes.
        _, strength, axes = np.linalg.svd(standard[:, units], full_matrices=False)
        n_used = min(length, int(np.sum(strength > 1e-6 * strength[0])))
        scale = np.sqrt(np.mean(strength[:n_used] ** 2) / len(standard))
        # The sign of a principal axis is arbitrary; this choice is the same on every machine.
        sign = np.sign(axes[:n_used].sum(axis=1))
        sign[sign == 0] = 1
        basis[units, position, :n_used] = (axes[:n_used] * sign[:, None]).T / scale
    return RegionPatches(standardisation, basis)


def list_areas(areas: Sequence[np.ndarray]) -> list[str]:
    """List the regions of all subjects, sorted."""
    return sorted({str(name) for one in areas for name in one})
