"""From values per voxel back to volumes."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
import xarray as xr

from brainalign.errors import CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.stores.read import read_labels


@dataclass(frozen=True)
class VoxelGrid:
    """Where the units of a response store lie.

    Parameters
    ----------
    unit : array of shape (n_units,) of str
        Ids.
    index : array of shape (n_units, 3), int
        Voxel indices.
    affine : array of shape (4, 4)
        From voxel indices to mm.
    background : array of shape (x, y, z)
        A volume of the subject to draw maps on.
    """

    unit: np.ndarray
    index: np.ndarray
    affine: np.ndarray
    background: np.ndarray


def read_voxel_grid(path: Path) -> VoxelGrid:
    """Read the places of the voxels of a response store.

    Raises
    ------
    InputError
        If the store holds no voxels.
    CorruptDataError
        If a place lies outside the volume.
    """
    store = _open(path, "/")
    for name in ("voxel_index", "affine", "reference_volume"):
        if name not in store.variables:
            raise InputError(
                f"the store has no '{name}'",
                where=path,
                remedy="Maps are made of response stores of functional volumes.",
            )
    index = store["voxel_index"].values
    background = store["reference_volume"].values
    if (index < 0).any() or (index >= background.shape).any():
        raise CorruptDataError("voxels lie outside the volume", where=path)
    return VoxelGrid(read_labels(store, "unit"), index, store["affine"].values, background)


def read_voxel_values(path: Path, group: str, variable: str, grid: VoxelGrid) -> np.ndarray:
    """Read a variable and bring it into the order of the grid.

    Parameters
    ----------
    path : Path
        A store with the variable and, where it is another one, the coordinate ``unit``.
    group : str
        Group of the store.
    variable : str
        Name of the variable.
    grid : VoxelGrid
        Units by id.

    Returns
    -------
    values : array of shape (n_units, ...)
        NaN for units that the store lacks.

    Raises
    ------
    InputError
        If there is no such variable, it has no dimension unit, holds text, or shares no unit with
        the grid.
    """
    store = _open(path, group)
    names = [
        str(name)
        for name, one in store.variables.items()
        if "unit" in one.dims and one.dtype.kind in "fiub"
    ]
    if variable not in names:
        raise InputError(
            f"no variable '{variable}' of numbers per unit",
            where=f"{path} group {group}",
            remedy=suggest_name(variable, names),
        )
    found = store[variable].transpose("unit", ...).values
    unit = read_labels(store, "unit")
    place = {str(name): row for row, name in enumerate(unit.tolist())}
    rows = np.array([place.get(str(name), -1) for name in grid.unit.tolist()])
    if (rows < 0).all():
        raise InputError("the stores share no unit", where=path, remedy="Give the same subject's.")
    values = np.full((len(rows), *found.shape[1:]), np.nan, dtype=np.float32)
    values[rows >= 0] = found[rows[rows >= 0]]
    return values


def fill_volume(values: np.ndarray, grid: VoxelGrid, fill: float = np.nan) -> np.ndarray:
    """Put values into their voxels.

    Parameters
    ----------
    values : array of shape (n_units, ...)
        Further dimensions are joined to one.
    fill : float
        Value of other voxels, and of units without one.

    Returns
    -------
    volume : array of shape (x, y, z) or (x, y, z, n), float32
    """
    flat = values.reshape(len(values), -1)
    volume = np.full((*grid.background.shape, flat.shape[1]), fill, dtype=np.float32)
    volume[tuple(grid.index.T)] = np.where(np.isnan(flat), fill, flat)
    return volume[..., 0] if values.ndim == 1 else volume


def write_map(
    path: Path, name: str, values: np.ndarray, grid: VoxelGrid, fill: float = np.nan
) -> None:
    """Write values as a NIfTI file; the name says whether it is compressed.

    Raises
    ------
    InputError
        If the name ends in neither ``.nii`` nor ``.nii.gz``.
    """
    if not name.endswith((".nii", ".nii.gz")):
        raise InputError("is no name of a NIfTI file", where=name, expected=".nii or .nii.gz")
    image = nib.Nifti1Image(fill_volume(values, grid, fill), grid.affine)
    image.header.set_xyzt_units("mm", "sec")
    content = image.to_bytes()
    path.write_bytes(gzip.compress(content, mtime=0) if name.endswith(".gz") else content)


def _open(path: Path, group: str) -> xr.Dataset:
    if not (path / "zarr.json").is_file():
        raise InputError("no such store", where=path)
    try:
        return xr.open_zarr(path, group=group, chunks=None)
    except (KeyError, FileNotFoundError) as error:
        raise InputError(f"no group '{group}'", where=path, found=str(error)) from error
