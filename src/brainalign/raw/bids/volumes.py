"""Read NIfTI volumes: their header with suspicion, their voxels as a stream.

A run is decompressed once, volume by volume; only the asked voxels are kept. So a run costs the
memory of what is kept and of one volume, and the time of its decompression.
"""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError
from nibabel.spatialimages import HeaderDataError

from brainalign.errors import CorruptDataError, InputError, ResourceError
from brainalign.raw.bids.files import check_present

_BLOCK_BYTES = 1 << 18
_MAX_DEFLATE_RATIO = 1032  # of the format: a longer claim cannot come out of so few bytes
_TRAILING_BYTES = 1 << 16  # of padding that writers leave behind the last volume
_SECONDS = {"sec": 1.0, "msec": 1e-3, "usec": 1e-6}
_GB = 1e9


@dataclass(frozen=True)
class VolumeHeader:
    """What the header of a NIfTI file says.

    Parameters
    ----------
    path : Path
        The file.
    shape : tuple of int
        x, y, z.
    n_volumes : int
        1 for a single volume.
    affine : array of shape (4, 4)
        From voxel indices to mm.
    tr_s : float or None
        Repetition time; None where the header does not say.
    time_unit : str
        As the header names it, for messages.
    dtype : numpy.dtype
        Of a stored voxel, with its byte order.
    slope, intercept : float
        Stored values times slope plus intercept are the values.
    data_offset : int
        First byte of the voxels.
    """

    path: Path
    shape: tuple[int, int, int]
    n_volumes: int
    affine: np.ndarray
    tr_s: float | None
    time_unit: str
    dtype: np.dtype
    slope: float
    intercept: float
    data_offset: int

    @property
    def volume_bytes(self) -> int:
        """Stored size of one volume in bytes."""
        return int(np.prod(self.shape, dtype=object)) * self.dtype.itemsize


def read_header(path: Path, max_gb: float = 16.0) -> VolumeHeader:
    """Read the header of a NIfTI file and check what it claims; no voxel is read.

    Parameters
    ----------
    path : Path
        ``.nii`` or ``.nii.gz``.
    max_gb : float
        A larger claim is refused.

    Raises
    ------
    InputError
        If the file is missing, no single-file NIfTI, or has no three or four dimensions.
    CorruptDataError
        If header or size are impossible.
    ResourceError
        If the file claims more than `max_gb`.
    """
    check_present(path)
    try:
        image = nib.load(path)
    except (ImageFileError, HeaderDataError, OSError, EOFError, ValueError, zlib.error) as error:
        raise CorruptDataError(
            "cannot be read as NIfTI",
            where=path,
            found=str(error),
            remedy="Copy the file again.",
        ) from error
    if not isinstance(image, nib.Nifti1Image):
        raise InputError("is no NIfTI file", where=path, found=type(image).__name__)
    header = image.header
    # A file that was not read yet stands behind a proxy, which nibabel's types leave open.
    stored: Any = image.dataobj
    dimensions = tuple(int(n) for n in image.shape)
    if any(n > 1 for n in dimensions[4:]) or len(dimensions) < 3 or min(dimensions) < 1:
        raise InputError(
            "has no three or four dimensions", where=path, expected="x, y, z[, t]", found=dimensions
        )
    dtype = np.dtype(header.get_data_dtype())
    if dtype.kind not in "iuf":
        raise InputError("holds no real numbers", where=path, found=dtype)
    time_unit = str(header.get_xyzt_units()[1])
    n_volumes = dimensions[3] if len(dimensions) > 3 else 1
    checked = VolumeHeader(
        path=path,
        shape=(dimensions[0], dimensions[1], dimensions[2]),
        n_volumes=n_volumes,
        affine=_check_affine(image.affine, path),
        tr_s=_read_tr(header, dimensions, time_unit),
        time_unit=time_unit,
        dtype=dtype.newbyteorder(header.endianness),
        # nibabel resets scale and offset in the header of an image; its array proxy keeps them.
        slope=float(stored.slope),
        intercept=float(stored.inter),
        data_offset=int(stored.offset),
    )
    _check_claim(checked, max_gb)
    return checked


def _check_affine(affine: np.ndarray, path: Path) -> np.ndarray:
    if not np.isfinite(affine).all() or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        raise CorruptDataError(
            "the affine is not invertible", where=path, remedy="Correct the header."
        )
    return np.asarray(affine, dtype=np.float64)


def _read_tr(header: nib.Nifti1Header, shape: tuple[int, ...], time_unit: str) -> float | None:
    if len(shape) < 4:
        return None
    step = float(header.get_zooms()[3])
    # Without a unit a number is no time.
    if time_unit not in _SECONDS or not np.isfinite(step) or step <= 0:
        return None
    return round(step * _SECONDS[time_unit], 6)


def _check_claim(header: VolumeHeader, max_gb: float) -> None:
    claimed = header.volume_bytes * header.n_volumes
    size = header.path.stat().st_size
    if claimed > max_gb * _GB:
        raise ResourceError(
            "the header claims more than allowed",
            where=header.path,
            expected=f"at most {max_gb:g} GB",
            found=f"{claimed / _GB:.4g} GB ({'x'.join(map(str, header.shape))}x{header.n_volumes})",
            remedy="Check the file, or raise max_volume_gb if it is meant.",
        )
    packed = header.path.name.endswith(".gz")
    if claimed > size * (_MAX_DEFLATE_RATIO if packed else 1):
        raise CorruptDataError(
            "the file is too short for what its header claims",
            where=header.path,
            expected=f"{claimed} bytes of voxels",
            found=f"{size} bytes{' compressed' if packed else ''}",
            remedy="Copy the file again.",
        )


class _GzipStream:
    """Decompressed bytes of a gzip file, checksums verified, never more than asked for."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file, self._path = file, path
        self._engine = zlib.decompressobj(wbits=31)
        self._pending = b""

    def read(self, n_bytes: int) -> bytearray:
        """Read up to so many bytes; fewer at the end."""
        content = bytearray()
        while len(content) < n_bytes:
            if self._engine.eof:
                rest = self._engine.unused_data or self._file.read(_BLOCK_BYTES)
                # Zeros may follow the last member, as on tapes.
                rest = rest.lstrip(b"\0")
                if not rest:
                    break
                self._engine, self._pending = zlib.decompressobj(wbits=31), rest
            packed = self._pending or self._file.read(_BLOCK_BYTES)
            try:
                # Without input the engine still gives what it holds back.
                piece = self._engine.decompress(packed, n_bytes - len(content))
            except zlib.error as error:
                raise CorruptDataError(
                    "the compressed data are damaged",
                    where=self._path,
                    found=str(error),
                    remedy="Copy the file again.",
                ) from error
            if not packed and not piece and not self._engine.eof:
                raise _truncated(self._path)
            content += piece
            self._pending = self._engine.unconsumed_tail
        return content


def _truncated(path: Path) -> CorruptDataError:
    return CorruptDataError(
        "the file is cut off", where=path, remedy="Copy the file again; compare its checksum."
    )


def read_voxels(
    header: VolumeHeader, index: np.ndarray, out: np.ndarray | None = None
) -> np.ndarray:
    """Read the series of some voxels.

    Parameters
    ----------
    header : VolumeHeader
        Of the file.
    index : array of shape (n_voxels, 3), int
        Voxel indices.
    out : array of shape (n_volumes, n_voxels), float32, optional
        Where the result goes.

    Returns
    -------
    series : array of shape (n_volumes, n_voxels), float32
        Scaled values; those that are not finite stay as they are.

    Raises
    ------
    CorruptDataError
        If the file is cut off, its checksum is wrong, or it holds much more than it claims (of
        which no more is decompressed).
    """
    # NIfTI stores x fastest.
    place = np.ravel_multi_index(index.T, header.shape, order="F")
    series = np.empty((header.n_volumes, len(place)), np.float32) if out is None else out
    with header.path.open("rb") as file:
        packed = header.path.name.endswith(".gz")
        source = _GzipStream(file, header.path) if packed else file
        if len(source.read(header.data_offset)) < header.data_offset:
            raise _truncated(header.path)
        for volume in range(header.n_volumes):
            content = source.read(header.volume_bytes)
            if len(content) < header.volume_bytes:
                raise _truncated(header.path)
            series[volume] = np.frombuffer(content, header.dtype)[place]
        # To the end of the stream, where its checksum stands.
        if len(source.read(_TRAILING_BYTES + 1)) > _TRAILING_BYTES:
            raise CorruptDataError(
                "the file holds more than its header claims",
                where=header.path,
                expected=f"{header.n_volumes} volumes of {header.volume_bytes} bytes",
                remedy="Correct the header, or copy the file again.",
            )
    if header.slope != 1:
        series *= np.float32(header.slope)
    if header.intercept != 0:
        series += np.float32(header.intercept)
    return series


def read_volume(header: VolumeHeader) -> np.ndarray:
    """Read a file of one volume whole.

    Returns
    -------
    volume : array of shape (x, y, z), float32

    Raises
    ------
    InputError
        If it holds several volumes.
    """
    if header.n_volumes != 1:
        raise InputError(
            "holds several volumes", where=header.path, expected="one", found=header.n_volumes
        )
    index = np.indices(header.shape).reshape(3, -1).T
    return read_voxels(header, index)[0].reshape(header.shape)


def check_same_grid(
    header: VolumeHeader, shape: tuple[int, int, int], affine: np.ndarray, of: str
) -> None:
    """Refuse a volume on another grid than that of the functional volumes.

    Raises
    ------
    InputError
        If shape or affine differ (the affine by more than a hundredth of a mm at any voxel).
    """
    if header.shape != shape:
        raise InputError(
            f"has another shape than {of}", where=header.path, expected=shape, found=header.shape
        )
    corners = np.array([[i, j, k, 1] for i in (0, 1) for j in (0, 1) for k in (0, 1)], float)
    corners[:, :3] *= np.array(shape) - 1
    apart = np.abs(corners @ (header.affine - affine).T).max()
    if apart > 0.01:
        raise InputError(
            f"has another affine than {of}",
            where=header.path,
            expected="the same place of every voxel",
            found=f"up to {apart:.3g} mm apart",
            remedy="Resample it to the grid of the volumes.",
        )


def verify_stream(header: VolumeHeader) -> None:
    """Decompress a file to its end and keep nothing.

    Raises
    ------
    CorruptDataError
        As :func:`read_voxels`.
    """
    read_voxels(header, np.zeros((0, 3), dtype=np.intp))


def verify_length(header: VolumeHeader) -> None:
    """Compare the length that a gzip file states at its end with what its header claims.

    A file that states another length is decompressed, since some writers leave padding behind.

    Raises
    ------
    CorruptDataError
        As :func:`read_voxels`, for files that are cut off.
    """
    if not header.path.name.endswith(".gz"):
        return  # read_header has compared the size of the file
    with header.path.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        stated = int.from_bytes(file.read(4), "little")
    claimed = header.data_offset + header.volume_bytes * header.n_volumes
    if stated != claimed % (1 << 32):
        verify_stream(header)
