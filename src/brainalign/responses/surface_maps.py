"""From values per grayordinate back to CIFTI files, and to the vertices of a surface."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import xarray as xr
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, ScalarAxis

from brainalign.errors import CorruptDataError, InputError
from brainalign.stores.read import read_labels

_PREFIX = "CIFTI_STRUCTURE_"


@dataclass(frozen=True)
class Grayordinates:
    """Where the units of a response store of CIFTI series lie.

    Parameters
    ----------
    unit : array of shape (n_units,) of str
        Ids.
    structure : array of shape (n_units,) of str
        Structure of each, such as ``cortex_left``.
    vertex : array of shape (n_units,), int
        On the surface of the structure; -1 for a voxel.
    n_vertices : dict of str to int
        Vertices of the whole surface of each structure that has one.
    volume_shape : tuple of int or None
        Grid of the voxels, if there are any.
    affine : array of shape (4, 4) or None
        From voxel indices to mm.
    """

    unit: np.ndarray
    structure: np.ndarray
    vertex: np.ndarray
    n_vertices: dict[str, int]
    volume_shape: tuple[int, ...] | None
    affine: np.ndarray | None


def read_grayordinates(path: Path) -> Grayordinates:
    """Read the places of the units of a response store of CIFTI series.

    Raises
    ------
    InputError
        If the store says of its units neither structure nor vertex.
    """
    store = xr.open_zarr(path, chunks=None)
    if "vertex" not in store.variables or "surface_vertices" not in store.attrs:
        raise InputError(
            "the store says neither voxels nor CIFTI vertices of its units",
            where=path,
            remedy="Maps are made of response stores of functional volumes or CIFTI series; build "
            "a store of an older version again.",
        )
    shape, affine = store.attrs.get("volume_shape"), store.attrs.get("volume_affine")
    return Grayordinates(
        unit=read_labels(store, "unit"),
        structure=read_labels(store, "structure"),
        vertex=store["vertex"].values,
        n_vertices={str(name): int(n) for name, n in store.attrs["surface_vertices"].items()},
        volume_shape=None if shape is None else tuple(shape),
        affine=None if affine is None else np.array(affine),
    )


def write_dense_scalars(
    path: Path, name: str, variable: str, values: np.ndarray, places: Grayordinates
) -> None:
    """Write values as a CIFTI-2 file of dense scalars, one row per map.

    Parameters
    ----------
    path : Path
        Where to write.
    name : str
        Name of the file, which must end in ``.dscalar.nii``.
    variable : str
        Names the maps.
    values : array of shape (n_units, ...)
        Further dimensions are joined to one.
    places : Grayordinates
        Of the units. The file holds these grayordinates only, in their order.
    """
    if not name.endswith(".dscalar.nii"):
        raise InputError(
            "is no name of a file of dense scalars", where=name, expected=".dscalar.nii"
        )
    flat = values.reshape(len(values), -1)
    on_surface = places.vertex >= 0
    voxel = np.full((len(places.unit), 3), -1)
    for row in np.flatnonzero(~on_surface):
        # The id of a voxel ends in its indices: CIFTI has no other name for it.
        voxel[row] = [int(part) for part in places.unit[row].rsplit("-", 3)[1:]]
    brain = BrainModelAxis(
        np.array([_PREFIX + one.upper() for one in places.structure.tolist()]),
        voxel=voxel,
        vertex=places.vertex,
        affine=places.affine,
        volume_shape=places.volume_shape,
        nvertices={_PREFIX + key.upper(): n for key, n in places.n_vertices.items()},
    )
    names = [variable] if values.ndim == 1 else [f"{variable} {n}" for n in range(flat.shape[1])]
    image = Cifti2Image(flat.T.astype(np.float32), header=(ScalarAxis(names), brain))
    image.update_headers()
    path.write_bytes(image.to_bytes())


def spread_over_surface(values: np.ndarray, places: Grayordinates, structure: str) -> np.ndarray:
    """Put values onto the vertices of a structure.

    Returns
    -------
    texture : array of shape (n_vertices,), float32
        NaN for vertices that are no unit.
    """
    texture = np.full(places.n_vertices.get(structure, 0), np.nan, dtype=np.float32)
    chosen = (places.structure == structure) & (places.vertex >= 0)
    texture[places.vertex[chosen]] = values[chosen]
    return texture


def read_mesh(path: Path, n_vertices: int) -> tuple[np.ndarray, np.ndarray]:
    """Read a surface and check that it is the one that units lie on.

    Returns
    -------
    coordinate : array of shape (n_vertices, 3)
        In mm.
    triangle : array of shape (n_triangles, 3), int
        Vertices of each.

    Raises
    ------
    InputError
        If there is no such file, or its surface has another number of vertices.
    CorruptDataError
        If it is no surface in GIFTI.
    """
    if not path.is_file():
        raise InputError("no such surface", where=path)
    try:
        # nibabel's types leave open what kind of image a file is.
        surface: Any = nib.load(path)
        coordinate, triangle = surface.agg_data(("pointset", "triangle"))
    except Exception as error:  # of the XML parser, the decompressor, or nibabel
        raise CorruptDataError("is no surface in GIFTI", where=path, found=str(error)) from error
    if len(coordinate) != n_vertices:
        raise InputError(
            "the surface is another than that of the responses",
            where=path,
            expected=f"{n_vertices} vertices",
            found=len(coordinate),
            remedy="Give the surface of the same mesh (32k or 59k) and hemisphere.",
        )
    return coordinate, triangle
