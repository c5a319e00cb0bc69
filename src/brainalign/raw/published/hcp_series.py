"""Series of the Human Connectome Project: volumes, or grayordinates of CIFTI files.

CIFTI-2 (https://www.nitrc.org/projects/cifti) stores surface vertices and subcortical voxels in one
matrix; its header says which column is what.
"""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import nibabel as nib
import numpy as np
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, LabelAxis, SeriesAxis
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.bids.volumes import check_same_grid, read_header, read_volume, read_voxels
from brainalign.raw.published.label_volumes import (
    check_named,
    read_label_names,
    read_label_volume,
)
from brainalign.raw.published.recording import PublishedUnits, VoxelPlaces

_CIFTI = (".dtseries.nii", ".dlabel.nii")
_SPACE = "MNI152NLin6Asym"  # of MNINonLinear
_TR_S = 1.0
_COLUMNS_AT_ONCE = 8192
_WHOLE_BRAIN = "brain"


def is_cifti(path: Path) -> bool:
    """Tell by its name whether a file is CIFTI."""
    return path.name.endswith(_CIFTI)


def read_series_length(path: Path) -> int:
    """Read the number of volumes of a series and check that they are 1 s apart.

    Raises
    ------
    InputError
        If they are not.
    CorruptDataError
        If the file is damaged.
    """
    if is_cifti(path):
        image = _open_cifti(path)
        series = image.header.get_axis(0)
        if not isinstance(series, SeriesAxis):
            raise InputError("is no dense time series", where=path)
        step: float | None = float(series.step)
        n_volumes = image.shape[0]
    else:
        header = read_header(path)
        step, n_volumes = header.tr_s, header.n_volumes
    if step is not None and abs(step - _TR_S) > 1e-3:
        raise InputError(
            "volumes are not 1 s apart as those of the movies", where=path, found=f"{step:g} s"
        )
    return n_volumes


def read_series(path: Path, units: PublishedUnits) -> np.ndarray:
    """Read the series of the units.

    Returns
    -------
    series : array of shape (n_volumes, n_units), float32

    Raises
    ------
    InputError
        If the file lies on another grid or has other grayordinates than the first run.
    CorruptDataError
        If it is damaged.
    """
    if units.places is not None:
        header = read_header(path)
        shape = units.places.reference.shape
        check_same_grid(header, shape, units.places.affine, "the first run")
        return read_voxels(header, units.places.index)
    image = _open_cifti(path)
    column = units.further["grayordinate"]
    if not np.array_equal(_name_grayordinates(image.header.get_axis(1))[column], units.unit):
        raise InputError("has other grayordinates than the first run", where=path)
    series = np.empty((image.shape[0], len(column)), dtype=np.float32)
    # Neighbours in time lie together in the file, so columns are read in pieces.
    for first in range(0, int(column.max()) + 1, _COLUMNS_AT_ONCE):
        chosen = (column >= first) & (column < first + _COLUMNS_AT_ONCE)
        if chosen.any():
            try:
                piece = np.asarray(image.dataobj[:, first : first + _COLUMNS_AT_ONCE])
            except (OSError, ValueError, EOFError) as error:
                raise _damaged(path, error) from error
            series[:, chosen] = piece[:, column[chosen] - first]
    return series


def read_volume_units(
    series: Path, atlas: Path | None, names: Path | None, mask: Path | None
) -> PublishedUnits:
    """Find the voxels of volumes that lie in a region and in the mask.

    Parameters
    ----------
    series : Path
        A run, for its grid.
    atlas, names, mask : Path or None
        Volume of labels and their names; volume of the voxels to use.

    Raises
    ------
    InputError
        If neither atlas nor mask is given, a volume lies on another grid, or nothing is left.
    CorruptDataError
        If a label has no name.
    """
    header = read_header(series)
    if atlas is None and mask is None:
        raise InputError(
            "neither regions nor a mask of the volumes",
            where="atlas",
            remedy="Name a volume of labels as atlas, a volume of voxels as mask, or both.",
        )
    inside = np.ones(header.shape, dtype=bool)
    if mask is not None:
        mask_header = read_header(mask)
        check_same_grid(mask_header, header.shape, header.affine, "the volumes")
        inside = read_volume(mask_header) > 0
    labels, by_label = inside.astype(np.int32), {1: _WHOLE_BRAIN}
    if atlas is not None:
        check_same_grid(read_header(atlas), header.shape, header.affine, "the volumes")
        labels = np.where(inside, read_label_volume(atlas, header.shape, "the volumes"), 0)
        table = names or atlas.with_name(atlas.name.partition(".")[0] + ".tsv")
        by_label = read_label_names(table)
        check_named(labels, by_label, atlas)
    index = np.argwhere(labels > 0).astype(np.int32)
    if not len(index):
        raise InputError("no voxel lies in the mask and in a region", where=atlas or mask)
    first: Any = nib.load(series)
    return PublishedUnits(
        unit=np.array([f"voxel-{x:03d}-{y:03d}-{z:03d}" for x, y, z in index.tolist()]),
        area=np.array([by_label[label] for label in labels[tuple(index.T)].tolist()]),
        places=VoxelPlaces(
            index,
            header.affine,
            np.nan_to_num(np.asarray(first.dataobj[..., 0], dtype=np.float32)),
            _SPACE,
        ),
    )


def read_grayordinate_units(series: Path, atlas: Path | None) -> PublishedUnits:
    """Find the grayordinates of a CIFTI series that have a label; all of them without an atlas.

    Parameters
    ----------
    series : Path
        A run.
    atlas : Path or None
        ``.dlabel.nii``; vertices are matched by structure and number, since an atlas may hold the
        medial wall, which a series lacks. Without it the region is the structure.

    Raises
    ------
    InputError
        If the atlas is of another surface or labels none of the grayordinates.
    CorruptDataError
        If a file is damaged.
    """
    brain: BrainModelAxis = _open_cifti(series).header.get_axis(1)
    unit = _name_grayordinates(brain)
    area = np.array([_shorten(name) for name in brain.name])
    if atlas is not None:
        area = _match_labels(unit, atlas)
    column = np.flatnonzero(area != "")
    if not len(column):
        raise InputError(
            "the atlas labels no grayordinate of the series",
            where=atlas,
            expected=f"the surface and voxels of {series.name}",
            remedy="Take the atlas of the same surface (32k or 59k).",
        )
    return PublishedUnits(
        unit=unit[column],
        area=area[column],
        further={
            "grayordinate": column.astype(np.int32),
            "structure": np.array([_shorten(name) for name in brain.name])[column],
            "vertex": np.asarray(brain.vertex, dtype=np.int32)[column],
        },
        attributes=_describe_space(brain),
    )


def _describe_space(brain: BrainModelAxis) -> dict[str, object]:
    """Keep what a CIFTI file of maps needs beside the units: sizes of surfaces and the grid."""
    attributes: dict[str, object] = {
        "surface_vertices": {_shorten(name): int(n) for name, n in brain.nvertices.items()}
    }
    if brain.volume_shape is not None:
        attributes["volume_shape"] = [int(length) for length in brain.volume_shape]
        attributes["volume_affine"] = np.asarray(brain.affine, dtype=float).tolist()
    return attributes


def _match_labels(unit: np.ndarray, atlas: Path) -> np.ndarray:
    image = _open_cifti(atlas)
    axes = [image.header.get_axis(0), image.header.get_axis(1)]
    if not isinstance(axes[0], LabelAxis) or not isinstance(axes[1], BrainModelAxis):
        raise InputError("is no dense label file", where=atlas, expected=".dlabel.nii")
    try:
        labels = np.asarray(image.dataobj[0]).astype(int)
    except (OSError, ValueError, EOFError) as error:
        raise _damaged(atlas, error) from error
    names = {label: name for label, (name, _) in axes[0].label[0].items() if label > 0}
    check_named(labels, names, atlas)
    known = {
        str(name): names[label]
        for name, label in zip(_name_grayordinates(axes[1]), labels.tolist(), strict=True)
        if label > 0
    }
    return np.array([known.get(str(name), "") for name in unit.tolist()])


def _open_cifti(path: Path) -> Cifti2Image:
    try:
        image = nib.load(path)
        if not isinstance(image, Cifti2Image):
            raise InputError("is no CIFTI file", where=path, found=type(image).__name__)
        image.header.get_axis(1)
    except (
        ImageFileError,
        HeaderDataError,
        OSError,
        EOFError,
        ValueError,
        zlib.error,
        struct.error,
        ExpatError,
        KeyError,
        IndexError,
    ) as error:
        raise _damaged(path, error) from error
    return image


def _damaged(path: Path, error: Exception) -> CorruptDataError:
    return CorruptDataError(
        "cannot be read as CIFTI",
        where=path,
        found=" ".join(str(error).split())[:200],
        remedy="Copy the file again.",
    )


def _name_grayordinates(brain: BrainModelAxis) -> np.ndarray:
    """Name columns by structure and vertex, or by voxel."""
    return np.array(
        [
            f"{_shorten(name)}-{vertex:05d}"
            if vertex >= 0
            else f"{_shorten(name)}-{voxel[0]:03d}-{voxel[1]:03d}-{voxel[2]:03d}"
            for name, vertex, voxel in zip(
                brain.name, brain.vertex.tolist(), brain.voxel.tolist(), strict=True
            )
        ]
    )


def _shorten(structure: str) -> str:
    return str(structure).removeprefix("CIFTI_STRUCTURE_").lower()
