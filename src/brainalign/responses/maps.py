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

_N_LISTED = 8


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
    space : str
        What the mm are measured in: ``subject``, or the name of a template.
    """

    unit: np.ndarray
    index: np.ndarray
    affine: np.ndarray
    background: np.ndarray
    space: str = "subject"

    @property
    def is_mni(self) -> bool:
        """Whether the mm are those of a template of the Montreal Neurological Institute."""
        return self.space.startswith("MNI")


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
    space = str(store.attrs.get("space", "subject"))
    return VoxelGrid(read_labels(store, "unit"), index, store["affine"].values, background, space)


def read_unit_values(
    path: Path, group: str, variable: str, unit: np.ndarray, where: dict[str, str] | None = None
) -> np.ndarray:
    """Read a variable and bring it into the order of given units.

    Parameters
    ----------
    path : Path
        A store with the variable and, where it is another one, ``unit``: the label of a dimension
        or a column of a table.
    group : str
        Group of the store.
    variable : str
        Name of the variable.
    unit : array of shape (n_units,) of str
        Ids.
    where : dict of str to str, optional
        Of a table, such as one of scores: the rows that have these texts in these columns.

    Returns
    -------
    values : array of shape (n_units, ...)
        NaN for units that the store lacks.

    Raises
    ------
    InputError
        If there is no such variable, it holds text, it shares no unit with the given ones, or
        several rows of a table are left for a unit.
    """
    store = _open(path, group)
    label = store.variables.get("unit")
    axis = str(label.dims[0]) if label is not None and label.ndim == 1 else "unit"
    names = [
        str(name)
        for name, one in store.variables.items()
        if axis in one.dims and one.dtype.kind in "fiub"
    ]
    if variable not in names:
        raise InputError(
            f"no variable '{variable}' of numbers per unit",
            where=f"{path} group {group}",
            remedy=suggest_name(variable, names),
        )
    found = store[variable].transpose(axis, ...).values
    known = read_labels(store, "unit")
    if axis != "unit":
        rows = _choose_rows(store, where or {}, f"{path} group {group}")
        found, known = found[rows], known[rows]
    place = {str(name): row for row, name in enumerate(known.tolist())}
    rows = np.array([place.get(str(name), -1) for name in unit.tolist()])
    if (rows < 0).all():
        raise InputError("the stores share no unit", where=path, remedy="Give the same subject's.")
    values = np.full((len(rows), *found.shape[1:]), np.nan, dtype=np.float32)
    values[rows >= 0] = found[rows[rows >= 0]]
    return values


def _choose_rows(store: xr.Dataset, where: dict[str, str], place: str) -> np.ndarray:
    """Choose the rows of a table, one per unit at most."""
    [axis] = store["unit"].dims
    columns = {
        str(name): np.array([str(one) for one in variable.values.tolist()], dtype=object)
        for name, variable in store.variables.items()
        if variable.dims == (axis,) and variable.dtype.kind != "f" and name != axis
    }
    chosen = np.ones(store.sizes[axis], dtype=bool)
    for name, text in where.items():
        if name not in columns:
            raise InputError(
                f"no column '{name}'", where=place, remedy=suggest_name(name, list(columns))
            )
        matching = columns[name] == text
        if not (chosen & matching).any():
            raise InputError(
                f"no row with {name}={text}", where=place, found=_list_some(columns[name][chosen])
            )
        chosen &= matching
    rows = np.flatnonzero(chosen)
    if len(np.unique(columns["unit"][rows])) < len(rows):
        varying = [
            f"{name}: {_list_some(values[rows])}"
            for name, values in columns.items()
            if name != "unit" and len(np.unique(values[rows])) > 1
        ]
        raise InputError(
            "several rows per unit",
            where=place,
            found="; ".join(varying) or "the same row twice",
            remedy="Choose with --where COLUMN=VALUE, once per column.",
        )
    return rows


def _list_some(values: np.ndarray) -> str:
    """List the first values and how many there are more."""
    names = np.unique(values).tolist()
    more = f" and {len(names) - _N_LISTED} more" if len(names) > _N_LISTED else ""
    return ", ".join(names[:_N_LISTED]) + more


def read_identity(path: Path) -> dict[str, str]:
    """Read of which data set and subject a response store is, as far as it says."""
    attributes = _open(path, "/").attrs
    return {name: str(attributes[name]) for name in ("dataset", "subject") if name in attributes}


def has_variables(path: Path, *names: str) -> bool:
    """Say whether a store holds these variables in its first group."""
    variables = _open(path, "/").variables
    return all(name in variables for name in names)


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
