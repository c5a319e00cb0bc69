"""Read movies: folders of frames, arrays, TIFF stacks and video files, listed in a table."""

from __future__ import annotations

import functools
import io
import zipfile
from collections.abc import Callable, Hashable, Iterator, Mapping
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

VIDEO_ENDINGS = (".mp4", ".m4v", ".avi", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".ogv", ".wmv")
_FRAME_ENDINGS = (".png", ".tif", ".tiff", ".bmp", ".jpg", ".jpeg", ".webp", ".ppm")
_SPLITS = ("train", "validation", "test", "none")
_USES = ("model", "receptive_field")
_TIMESTAMPS = ("follow", "ignore")


@dataclass(frozen=True)
class MovieFile:
    """A movie of which nothing is decoded yet.

    Attributes
    ----------
    n_frames : int
        How many frames it has.
    frame_rate_hz : float
        Frames per second.
    source_time : array of shape (n_frames,), or None
        Presentation time of each frame in a video file, in s; None for separate frames.
    iterate : callable
        Decodes frame after frame, each of shape (y, x, 3), uint8.
    """

    n_frames: int
    frame_rate_hz: float
    source_time: np.ndarray | None
    iterate: Callable[[], Iterator[np.ndarray]]


def open_movie_file(
    path: Path, frame_rate_hz: float | None, has_own_clock: bool = True
) -> MovieFile:
    """Open a movie of any readable form.

    Parameters
    ----------
    path : Path
        A folder of frames, an npy or npz file, a TIFF stack, or a video file.
    frame_rate_hz : float or None
        Frames per second; None: that of the video file.
    has_own_clock : bool
        Whether the timestamps of a video file count; see
        :func:`brainalign.raw.video_files.probe_video`.

    Raises
    ------
    InputError, CorruptDataError
        As :func:`count_frames` and :func:`brainalign.raw.video_files.probe_video`; also if a movie
        of separate frames has no rate.
    """
    if path.is_file() and path.suffix.lower() in VIDEO_ENDINGS:
        # FFmpeg's libraries are loaded only where a video is read.
        from brainalign.raw.video_files import iterate_video_frames, probe_video

        timing = probe_video(path, frame_rate_hz, has_own_clock)
        return MovieFile(
            len(timing.source),
            timing.frame_rate_hz,
            timing.source_time,
            functools.partial(iterate_video_frames, path, timing),
        )
    if frame_rate_hz is None:
        raise InputError("separate frames have no frame rate of their own", where=path)
    return MovieFile(count_frames(path), frame_rate_hz, None, lambda: _iterate_frames(path))


def open_movie_tables(paths: list[Path]) -> MovieCollection:
    """Open the movies that tables list.

    Parameters
    ----------
    paths : list of Path
        Tab-separated tables with ``movie``, ``path`` (or ``folder``), ``frame_rate_hz`` (empty for
        a video file: its own) and optionally ``n_frames``, ``use`` and ``timestamps`` (``follow``,
        or ``ignore`` for a video whose frames were shown one by one at ``frame_rate_hz``); a
        ``movie_frames.tsv`` beside a table may give the ``split`` of every ``movie`` and ``frame``.

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
    files: dict[str, MovieFile] = {}
    for path in paths:
        table = _read_table(path, ("movie", "frame_rate_hz"))
        splits = _read_splits(path.parent / "movie_frames.tsv")
        for row, entry in enumerate(table.to_dict("records"), start=2):
            name, where = str(entry["movie"]), f"{path} line {row}"
            if name in movies:
                raise InputError(f"movie '{name}' stands twice", where=where)
            place = path.parent / str(entry.get("path", entry.get("folder")))
            files[name] = _open_entry(entry, place, where)
            movies[name] = _describe_movie(
                entry, files[name], splits.get(name), f"{where}: {place}"
            )
    return collect_movies(movies, files)


def collect_movies(movies: dict[str, Movie], files: Mapping[str, MovieFile]) -> MovieCollection:
    """Join movies and their files; frames are decoded when they are asked for.

    Parameters
    ----------
    movies : dict of str to Movie
        By id.
    files : mapping of str to MovieFile
        Of the same ids.
    """

    def iterate_frames(name: str) -> Iterator[np.ndarray]:
        if name not in files:
            raise InputError(f"no movie '{name}'", remedy=suggest_name(name, files))
        n_read = 0
        for frame in files[name].iterate():
            n_read += 1
            yield frame
        if n_read != movies[name].n_frames:
            raise CorruptDataError(
                "the movie changed while it was read",
                where=f"movie '{name}'",
                expected=f"{movies[name].n_frames} frames",
                found=n_read,
            )

    return MovieCollection(
        movies, lambda name: np.stack(list(iterate_frames(name))), iterate_frames
    )


def _open_entry(entry: Mapping[Hashable, Any], place: Path, where: str) -> MovieFile:
    timestamps = entry.get("timestamps") or "follow"
    if timestamps not in _TIMESTAMPS:
        raise InputError(
            f"unknown timestamps '{timestamps}'",
            where=where,
            remedy=suggest_name(timestamps, _TIMESTAMPS),
        )
    follows, is_video = timestamps == "follow", place.suffix.lower() in VIDEO_ENDINGS
    if not entry["frame_rate_hz"].strip() and is_video and follows:
        return open_movie_file(place, None)
    try:
        rate = float(entry["frame_rate_hz"])
    except ValueError:
        rate = float("nan")
    if not 0 < rate < float("inf"):
        raise InputError(
            "frame_rate_hz is no positive number",
            where=where,
            found=entry["frame_rate_hz"] or "an empty cell",
        )
    return open_movie_file(place, rate, follows)


def _describe_movie(
    entry: Mapping[Hashable, Any], file: MovieFile, split: np.ndarray | None, where: str
) -> Movie:
    use = entry.get("use") or "model"
    if use not in _USES:
        raise InputError(f"unknown use '{use}'", where=where, remedy=suggest_name(use, _USES))
    n_frames = file.n_frames
    stated = entry.get("n_frames", "")
    if stated and int(float(stated)) != n_frames:
        raise InputError(
            "the movie has another number of frames than the table says",
            where=where,
            expected=stated,
            found=n_frames,
            remedy="Copy the movie again, or correct n_frames.",
        )
    if split is not None and len(split) != n_frames:
        raise InputError(
            "movie_frames.tsv has another number of frames than the movie",
            where=where,
            expected=n_frames,
            found=len(split),
        )
    return Movie(
        str(entry["movie"]),
        n_frames,
        file.frame_rate_hz,
        use,  # type: ignore[arg-type]
        split,
        source_time=file.source_time,
    )


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


def _iterate_frames(path: Path) -> Iterator[np.ndarray]:
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
