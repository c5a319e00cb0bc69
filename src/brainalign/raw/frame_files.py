"""Read frames that are no video: folders of pictures, arrays and TIFF stacks."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageSequence, UnidentifiedImageError

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.images import decode_image_file, to_rgb

VIDEO_ENDINGS = (".mp4", ".m4v", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".ogv", ".wmv")
_FRAME_ENDINGS = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".webp", ".ppm")


def count_frames(path: Path) -> int:
    """Count the frames of a movie that is no video without decoding them.

    Raises
    ------
    InputError
        If nothing is there, the folder holds no frame, or the format is none that can be read.
    CorruptDataError
        If the file is damaged.
    """
    if path.is_dir():
        return len(_list_frame_files(path))
    _check_format(path)
    if path.suffix == ".npy":
        return len(_open_array(path))
    if path.suffix == ".npz":
        return len(_open_archive(path))
    with _open_stack(path) as stack:
        return int(getattr(stack, "n_frames", 1))


def read_movie_frames(path: Path) -> np.ndarray:
    """Read all frames of a movie that is no video.

    Parameters
    ----------
    path : Path
        A folder of frames in the order of their names, an npy or npz file of shape
        (frame, y, x[, 3]), or a TIFF stack.

    Returns
    -------
    frames : array of shape (n_frames, y, x, 3), uint8
        RGB.

    Raises
    ------
    InputError, CorruptDataError
        As :func:`count_frames`; also if frames differ in size.
    """
    if path.is_dir():
        return np.stack(list(_iterate_folder(path)))
    _check_format(path)
    if path.suffix == ".npy":
        return _to_rgb_frames(np.asarray(_open_array(path)), path)
    if path.suffix == ".npz":
        return _to_rgb_frames(_open_archive(path), path)
    with _open_stack(path) as stack:
        pages = [np.asarray(page) for page in ImageSequence.Iterator(stack)]
    return np.stack([to_rgb(page, path) for page in pages])


def iterate_frames(path: Path) -> Iterator[np.ndarray]:
    """Decode the frames of a movie that is no video, one after the other, as RGB.

    Parameters
    ----------
    path : Path
        As for :func:`read_movie_frames`.

    Yields
    ------
    frame : array of shape (y, x, 3), uint8
        RGB.
    """
    # The values of an array have a range in common: it is read whole.
    return _iterate_folder(path) if path.is_dir() else iter(read_movie_frames(path))


def _iterate_folder(path: Path) -> Iterator[np.ndarray]:
    shape: tuple[int, ...] | None = None
    for file in _list_frame_files(path):
        frame = decode_image_file(file)
        if shape is not None and frame.shape != shape:
            raise InputError(
                "frames differ in size",
                where=file,
                expected=f"{shape[1]} x {shape[0]} pixels",
                found=f"{frame.shape[1]} x {frame.shape[0]}",
            )
        shape = frame.shape
        yield frame


@dataclass(frozen=True)
class FrameSource:
    """Frames of a movie, decoded one at a time.

    Parameters
    ----------
    n_frames : int
        How many there are.
    read : callable
        Gives the pixels of a frame, from 0, as an array of shape (y, x, 3), uint8.
    """

    n_frames: int
    read: Callable[[int], np.ndarray]


def open_frames(path: Path) -> FrameSource:
    """Open the frames of a movie one by one.

    Parameters
    ----------
    path : Path
        A folder of frames in the order of their names, or an npy file of shape
        (frame, y, x[, 3]); of both only the asked frames are read.

    Raises
    ------
    InputError, CorruptDataError
        As :func:`count_frames`; also if the format is another one.
    """
    if path.is_dir():
        files = _list_frame_files(path)
        return FrameSource(len(files), lambda number: decode_image_file(files[number]))
    _check_format(path)
    if path.suffix != ".npy":
        raise InputError(
            "frames of this format are not read one by one",
            where=path,
            expected="a folder of frames, or .npy",
        )
    array = _open_array(path)
    return FrameSource(len(array), lambda number: to_rgb(np.asarray(array[number]), path))


def _list_frame_files(path: Path) -> list[Path]:
    files = sorted(file for file in path.iterdir() if file.suffix.lower() in _FRAME_ENDINGS)
    if not files:
        raise InputError(
            "the folder holds no frame of a movie",
            where=path,
            expected=f"files ending in {', '.join(_FRAME_ENDINGS)}",
        )
    return files


def _check_format(path: Path) -> None:
    if not path.is_file():
        raise InputError("no such movie", where=path, remedy="Correct its path in the table.")
    ending = path.suffix.lower()
    if ending in VIDEO_ENDINGS:
        raise InputError(
            "single frames of a video are not read",
            where=path,
            expected="a folder of frames, or .npy",
            remedy=f"Save the frames first: ffmpeg -i {path.name} frames/frame_%05d.png",
        )
    if ending not in (".npy", ".npz", ".tif", ".tiff"):
        raise InputError(
            "is no movie that can be read",
            where=path,
            expected=f"a folder of frames, .npy, .npz, .tif, {', '.join(VIDEO_ENDINGS)}",
        )


def _open_array(path: Path) -> np.ndarray:
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, OSError, EOFError) as error:
        raise CorruptDataError("cannot be read as an array", where=path, found=str(error)) from None
    return _check_frames_shape(array, path)


def _open_archive(path: Path) -> np.ndarray:
    try:
        with np.load(path, allow_pickle=False) as archive:
            if len(archive.files) != 1:
                raise InputError(
                    "the archive does not hold one array", where=path, found=archive.files
                )
            array = archive[archive.files[0]]
    except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
        raise CorruptDataError("cannot be read as an array", where=path, found=str(error)) from None
    return _check_frames_shape(array, path)


def _check_frames_shape(array: np.ndarray, path: Path) -> np.ndarray:
    if array.ndim not in (3, 4) or 0 in array.shape[1:]:
        raise InputError(
            "is no movie",
            where=path,
            expected="shape (frame, y, x[, 3])",
            found=array.shape,
            remedy="Save the frames one after the other in one array.",
        )
    if not len(array):
        raise InputError(
            "the movie has no frames",
            where=path,
            expected="one or more",
            found=0,
            remedy="Copy the movie again, or leave it out of the table.",
        )
    return array


def _to_rgb_frames(array: np.ndarray, path: Path) -> np.ndarray:
    if array.ndim == 4:
        return np.stack([to_rgb(frame, path) for frame in array])
    # As one tall grey picture: the range of values is that of the movie, not of a frame.
    tall = to_rgb(np.ascontiguousarray(array).reshape(-1, array.shape[2]), path)
    return tall.reshape(*array.shape, 3)


def _open_stack(path: Path) -> Image.Image:
    try:
        return Image.open(io.BytesIO(path.read_bytes()), formats=("TIFF",))
    except (UnidentifiedImageError, OSError, ValueError) as error:
        raise CorruptDataError("cannot be read as TIFF", where=path, found=str(error)) from None
