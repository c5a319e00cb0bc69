"""Units in a common grid of voxels, per subject: what the 3D form sees; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from brainalign.errors import InputError
from brainalign.methods.normalisation import NanPolicy, Standardisation, fit_standardisation
from brainalign.methods.weights import Weights, prefix_weights, select_weights

_SMALLEST_SIDE = 8  # three halvings after the stem's two need a voxel to be left


@dataclass(frozen=True)
class VolumeGrid:
    """From the units of one subject to a volume.

    Attributes
    ----------
    standardisation : Standardisation
        Kept units with mean and deviation.
    place : array of shape (n_kept, 3), int64
        Voxel of each kept unit.
    volume : tuple of int
        Voxels along each axis; those without a unit are 0.
    """

    standardisation: Standardisation
    place: np.ndarray
    volume: tuple[int, int, int]

    @property
    def present(self) -> np.ndarray:
        """One part, the volume itself."""
        return np.ones(1, dtype=bool)

    def apply(self, response: np.ndarray, *, where: str) -> np.ndarray:
        """Put responses into volumes, an array of shape (n_responses, 1, x, y, z), float32."""
        standard = self.standardisation.apply(response, where=where)
        volumes = np.zeros((len(standard), 1, *self.volume), dtype=np.float32)
        volumes[:, 0, self.place[:, 0], self.place[:, 1], self.place[:, 2]] = standard
        return volumes

    def get_weights(self) -> Weights:
        """Statistics and places as numeric arrays."""
        return prefix_weights(self.standardisation.get_weights(), "standardisation/") | {
            "place": self.place,
            "volume": np.array(self.volume),
        }

    @classmethod
    def from_weights(cls, weights: Weights, *, where: str) -> VolumeGrid:
        """Rebuild the grid; the inverse of `get_weights`."""
        statistics = select_weights(weights, "standardisation/")
        if "place" not in weights or "volume" not in weights:
            raise InputError(
                "these weights are of another model", where=where, expected="place and volume"
            )
        x, y, z = (int(n) for n in weights["volume"])
        standardisation = Standardisation.from_weights(statistics, where=where)
        return cls(standardisation, weights["place"], (x, y, z))


def fit_volume_grids(
    response: Mapping[str, np.ndarray],
    voxel_index: Mapping[str, np.ndarray],
    nan_policy: NanPolicy,
) -> dict[str, VolumeGrid]:
    """Learn the statistics of every subject, and the smallest box that holds all of them.

    Parameters
    ----------
    response : mapping of str to array of shape (n_responses, n_units)
        Training responses by subject.
    voxel_index : mapping of str to array of shape (n_units, 3), int
        Place of each unit, in one grid for all subjects (a template such as MNI).
    nan_policy : {"reject", "drop_units"}
        What to do with units that are not finite.

    Raises
    ------
    InputError
        A subject has no voxel indices, or a unit is not finite.
    """
    for subject, values in response.items():
        found = np.shape(voxel_index.get(subject, np.empty(0)))
        if found != (values.shape[1], 3):
            raise InputError(
                "the 3D form needs the voxel of every unit",
                where=f"subject '{subject}'",
                expected=f"voxel_index of shape ({values.shape[1]}, 3)",
                found=found,
                remedy="Set form: regions.",
            )
    places = np.concatenate([voxel_index[subject] for subject in response])
    corner = places.min(axis=0)
    x, y, z = (max(_SMALLEST_SIDE, int(n)) for n in places.max(axis=0) - corner + 1)
    grids = {}
    for subject, values in response.items():
        statistics = fit_standardisation(values, where=f"units of {subject}", nan_policy=nan_policy)
        place = (voxel_index[subject] - corner)[statistics.kept].astype(np.int64)
        grids[subject] = VolumeGrid(statistics, place, (x, y, z))
    return grids
