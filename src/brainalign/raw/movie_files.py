"""Read movies: folders of frames, arrays, TIFF stacks, listed in a table."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image, ImageSequence, UnidentifiedImageError

from brainalign.errors import CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.raw.images import decode_image_file, to_rgb
from brainalign.raw.movies import Movie, MovieCollection

_FRAME_ENDINGS = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".webp", ".ppm")
_VIDEO_ENDINGS = (".mp4", ".avi", ".mov", ".mkv", ".webm")
_SPLITS = ("train", "validation", "test", "none")
_USES = ("model", "receptive_field")


def open_movie_tables(paths: list[Path]) -> MovieCollection:
    """Open the movies that tables list.

    Parameters
    ----------
    paths : list of Path
        Tab-separated tables with ``movie``, ``path`` (or ``folder``), ``frame_rate_hz`` and
        optionally ``n_frames`` and ``use``; a ``movie_frames.tsv`` beside a table may give the
        ``split`` of every ``movie`` and ``frame``.

    Returns
    -------
    collection : MovieCollection
        Frames are counted, not decoded.

    Raises
    ------
    InputError
        If a table, a column or a file is missing, an id stands twice, a rate is not positive, or a
        movie has another number of frames than its table says.
    """
    movies: dict[str, Movie] = {}
    places: dict[str, Path] = {}
    for path in paths:
        table = _read_table(path, ("movie", "frame_rate_hz"))
        splits = _read_splits(path.parent / "movie_frames.tsv")
        for row, entry in enumerate(table.to_dict("records"), start=2):
            name, where = str(entry["movie"]), f"{path} line {row}"
            if name in movies:
                raise InputError(f"movie '{name}' stands twice", where=where)
            places[name] = path.parent / str(entry.get("path", entry.get("folder")))
            movies[name] = _describe_movie(entry, places[name], splits.get(name), where)

    def read_frames(name: str) -> np.ndarray:
        if name not in places:
            raise InputError(f"no movie '{name}'", remedy=suggest_name(name, places))
        frames = read_movie_frames(places[name])
        if len(frames) != movies[name].n_frames:
            raise CorruptDataError(
                "the movie changed while it was read",
                where=places[name],
                expected=movies[name].n_frames,
                found=len(frames),
            )
        return frames

    def read_first_frame(name: str) -> np.ndarray:
        place = places[name]
        if place.is_dir() or place.suffix == ".npy":
            return open_frames(place).read(0)
        return read_frames(name)[0]

    return MovieCollection(movies, read_frames, read_first_frame)


def _describe_movie(
    entry: Mapping[Hashable, Any], place: Path, split: np.ndarray | None, where: str
) -> Movie:
    try:
        rate = float(entry["frame_rate_hz"])
    except ValueError:
        rate = float("nan")
    if not rate > 0:
        raise InputError(
            "frame_rate_hz is no positive number", where=where, found=entry["frame_rate_hz"]
        )
    use = entry.get("use") or "model"
    if use not in _USES:
        raise InputError(f"unknown use '{use}'", where=where, remedy=suggest_name(use, _USES))
    n_frames = count_frames(place)
    stated = entry.get("n_frames", "")
    if stated and int(float(stated)) != n_frames:
        raise InputError(
            "the movie has another number of frames than the table says",
            where=f"{where}: {place}",
            expected=stated,
            found=n_frames,
            remedy="Copy the movie again, or correct n_frames.",
        )
    if split is not None and len(split) != n_frames:
        raise InputError(
            "movie_frames.tsv has another number of frames than the movie",
            where=f"{where}: {place}",
            expected=n_frames,
            found=len(split),
        )
    return Movie(str(entry["movie"]), n_frames, rate, use, split)  # type: ignore[arg-type]


def _read_table(path: Path, columns: tuple[str, ...]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such table of movies", where=path) from None
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError("is no tab-separated UTF-8 table", where=path, found=str(error)) from error
    for column in columns:
        if column not in table.columns:
            raise InputError(
                f"the table has no column '{column}'",
                where=path,
                remedy=suggest_name(column, table.columns),
            )
    if "split" not in columns and not {"path", "folder"} & set(table.columns):
        raise InputError("the table has no column 'path'", where=path)
    return table


def _read_splits(path: Path) -> dict[str, np.ndarray]:
    if not path.is_file():
        return {}
    table = _read_table(path, ("movie", "frame", "split"))
    unknown = sorted(set(table["split"]) - set(_SPLITS))
    if unknown:
        raise InputError(
            f"unknown split '{unknown[0]}'", where=path, remedy=suggest_name(unknown[0], _SPLITS)
        )
    table["frame"] = table["frame"].astype(int)
    splits = {}
    for name, rows in table.groupby("movie"):
        rows = rows.sort_values("frame")
        if rows["frame"].tolist() != list(range(len(rows))):
            raise InputError(
                f"frames of movie '{name}' are not numbered from 0 without gaps", where=path
            )
        splits[str(name)] = rows["split"].to_numpy(dtype=np.str_)
    return splits


def count_frames(path: Path) -> int:
    """Count the frames of a movie without decoding them.

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
    """Read all frames of a movie.

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
        frames = [decode_image_file(file) for file in _list_frame_files(path)]
        shapes = {frame.shape for frame in frames}
        if len(shapes) > 1:
            raise InputError("frames differ in size", where=path, found=sorted(map(str, shapes)))
        return np.stack(frames)
    _check_format(path)
    if path.suffix == ".npy":
        return _to_rgb_frames(np.asarray(_open_array(path)), path)
    if path.suffix == ".npz":
        return _to_rgb_frames(_open_archive(path), path)
    with _open_stack(path) as stack:
        pages = [np.asarray(page) for page in ImageSequence.Iterator(stack)]
    return np.stack([to_rgb(page, path) for page in pages])


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
    if ending in _VIDEO_ENDINGS:
        raise InputError(
            f"{ending} videos are not decoded here, since decoders differ in their pixels",
            where=path,
            expected="a folder of frames, .npy, .npz or .tif",
            remedy=f"Save the frames first: ffmpeg -i {path.name} frames/frame_%05d.png",
        )
    if ending not in (".npy", ".npz", ".tif", ".tiff"):
        raise InputError(
            "is no movie that can be read",
            where=path,
            expected="a folder of frames, .npy, .npz or .tif",
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
    if array.ndim not in (3, 4) or 0 in array.shape:
        raise InputError(
            "is no movie", where=path, expected="shape (frame, y, x[, 3])", found=array.shape
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
