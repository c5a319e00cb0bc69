"""Read movies: folders of frames, arrays, TIFF stacks and video files, listed in a table."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainalign.errors import CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.raw.frame_files import VIDEO_ENDINGS, count_frames, iterate_frames
from brainalign.raw.movies import Movie, MovieCollection

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
    return MovieFile(count_frames(path), frame_rate_hz, None, lambda: iterate_frames(path))


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
