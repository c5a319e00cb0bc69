"""Single-trial responses of the Natural Scenes Dataset, of some voxels only.

Betas are percent signal change times 300 as int16 (NSD Data Manual, page Functional data (NSD)):
in ``betas_sessionNN.hdf5`` as ``/betas`` of X x Y x Z x 750 in MATLAB's order, which is reversed in
Python, with one chunk per voxel; or the same in ``betas_sessionNN.nii.gz``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import h5py
import numpy as np

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.bids.volumes import read_header, read_voxels

_SCALE = 300.0
_MAX_GB = 16.0  # a session of 1-mm volumes claims 6 GB


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """Open an HDF5 file; a damaged one is an error of ours, also while it is read.

    Raises
    ------
    CorruptDataError
        If it cannot be read.
    """
    try:
        with h5py.File(path, "r") as file:
            yield file
    except OSError as error:
        raise CorruptDataError(
            "cannot be read as HDF5",
            where=path,
            found=str(error),
            remedy="Copy the file again; compare its size with the published one.",
        ) from error


def find_beta_file(folder: Path, session: int) -> Path | None:
    """Find the betas of a session, from 1: HDF5 before NIfTI; None where there are none."""
    for ending in ("hdf5", "nii.gz"):
        path = folder / f"betas_session{session:02d}.{ending}"
        if path.is_file():
            return path
    return None


def read_beta_shape(path: Path) -> tuple[tuple[int, ...], int]:
    """Read the shape (x, y, z) of the volumes of a file of betas and the number of trials.

    Raises
    ------
    CorruptDataError
        If the file is damaged or holds no betas.
    """
    if path.suffix != ".hdf5":
        header = read_header(path, _MAX_GB)
        return header.shape, header.n_volumes
    with open_hdf5(path) as file:
        shape = _get_betas(file, path).shape
    return shape[:0:-1], shape[0]


def read_betas(path: Path, index: np.ndarray) -> np.ndarray:
    """Read the responses of some voxels to all trials of a session.

    Parameters
    ----------
    path : Path
        HDF5 or NIfTI.
    index : array of shape (n_voxels, 3), int
        Voxel indices, from 0.

    Returns
    -------
    betas : array of shape (n_trials, n_voxels), float32
        Percent signal change.

    Raises
    ------
    CorruptDataError
        If the file is damaged.
    InputError
        If stored values are scaled in another way than published.
    """
    if path.suffix != ".hdf5":
        header = read_header(path, _MAX_GB)
        if header.dtype.kind == "i" and (header.slope, header.intercept) != (1.0, 0.0):
            raise InputError(
                "betas are scaled by their header and by 300",
                where=path,
                expected="int16 without scale as published",
                found=f"slope {header.slope:g}",
            )
        betas = read_voxels(header, index)
        is_integer = header.dtype.kind == "i"
    else:
        betas, is_integer = _read_hdf5(path, index)
    if is_integer:
        betas /= np.float32(_SCALE)
    return betas


def _get_betas(file: h5py.File, path: Path) -> h5py.Dataset:
    if "betas" not in file or getattr(file["betas"], "ndim", 0) != 4:
        raise CorruptDataError(
            "holds no betas", where=path, expected="/betas of four dimensions", found=list(file)
        )
    return file["betas"]


def _read_hdf5(path: Path, index: np.ndarray) -> tuple[np.ndarray, bool]:
    with open_hdf5(path) as file:
        stored = _get_betas(file, path)
        betas = np.empty((stored.shape[0], len(index)), dtype=np.float32)
        # Chunks hold one voxel each: a stretch of a row of voxels is read without its neighbours.
        order = np.lexsort((index[:, 0], index[:, 1], index[:, 2]))
        rows = index[order][:, 1:]
        starts = np.flatnonzero(np.r_[True, (rows[1:] != rows[:-1]).any(axis=1)])
        for members in np.split(order, starts[1:]):
            x, (y, z) = index[members, 0], index[members[0], 1:]
            stretch = stored[:, z, y, x.min() : x.max() + 1]
            betas[:, members] = stretch[:, x - x.min()]
        return betas, stored.dtype.kind == "i"
