"""Read movies, features and BOLD from stores as segments of TRs."""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import xarray as xr

from brainalign.errors import InputError
from brainalign.methods.clips.arrays import Segments
from brainalign.options import suggest_name
from brainalign.stores.read import open_store, read_labels, read_store

SPLITS = ("train", "validation", "test")
_WHOLE = 1e-6
_MAP_SIDE = 4
_FROM = " from "
_UNUSABLE = ("constant", "not_finite")


@dataclass(frozen=True)
class SubjectClips:
    """Segments of one subject.

    Attributes
    ----------
    subject : str
        Id.
    unit : array of shape (n_voxels,) of str
        Ids of the voxels.
    by_split : dict of str to Segments
        Mean BOLD over the runs of each movie.
    halves : tuple of Segments
        Test segments with the mean over two halves of their runs; empty without repeats.
    """

    subject: str
    unit: np.ndarray
    by_split: dict[str, Segments]
    halves: tuple[Segments, ...]


@dataclass(frozen=True)
class ClipExperiment:
    """All that methods of windows are fitted on and tested with.

    Attributes
    ----------
    subjects : tuple of SubjectClips
        Sorted by id.
    """

    subjects: tuple[SubjectClips, ...]


@dataclass(frozen=True)
class _Frames:
    """Frames of all movies with what is known of each."""

    movie: np.ndarray
    time: np.ndarray
    split: np.ndarray
    frame_rate: float
    video: np.ndarray
    text: np.ndarray | None
    widths: tuple[int, ...]


def read_clip_experiment(
    stimuli: Path,
    responses: Sequence[Path],
    features: Path,
    feature_paths: Sequence[str],
    default_path: str,
    text_path: str | None,
) -> ClipExperiment:
    """Read one experiment of movies and BOLD.

    Parameters
    ----------
    stimuli, features : Path
        Stores of those kinds.
    responses : sequence of Path
        One response store per subject.
    feature_paths : sequence of str
        Paths of video features, side by side; empty: `default_path`, or the mean of its layer.
        A map, which movies do not have, is made of the tokens of its layer.
    default_path : str
        What alignment methods read of this backbone.
    text_path : str or None
        Path of caption features.

    Raises
    ------
    InputError
        The stores are of images, lack a feature, captions or a split, or do not fit.

    Notes
    -----
    A TR of a movie is the mean of the features of its frames. Segments are stretches of TRs of
    one movie in one split; the last one of a movie keeps the BOLD that answers after its end.
    """
    store = read_store(stimuli, "stimuli").to_dataset()
    if "frame" not in store.variables or "movie" not in store.variables:
        raise InputError(
            "the stimuli are no movies", where=stimuli, remedy="Choose a method for images."
        )
    table = open_store(features, "features")
    paths = list(feature_paths) or [_choose_path(table, default_path)]
    parts = [_read_feature(table, path, features) for path in paths]
    movie = read_labels(store, "movie")
    if "movie" in table.variables and not np.array_equal(read_labels(table, "movie"), movie):
        raise InputError("features are of other movies than the stimuli", where=features)
    frames = _Frames(
        movie,
        np.asarray(store["time"].values, np.float64),
        read_labels(store, "split"),
        float(store.attrs["frame_rate_hz"]),
        np.concatenate(parts, axis=1),
        None if text_path is None else _read_text(table, text_path, features),
        tuple(part.shape[1] for part in parts),
    )
    subjects = tuple(_read_subject(path, frames) for path in sorted(responses))
    return ClipExperiment(subjects)


def _choose_path(table: xr.DataTree, default: str) -> str:
    layer, _, output = default.partition("/")
    known = _list_features(table)
    if default in known or (output == "map" and f"{layer}/token" in _list_features(table, "token")):
        return default
    if f"{layer}/mean" in known:
        return f"{layer}/mean"
    raise InputError(
        f"no features '{default}' of frames",
        where="features",
        remedy="Name one as feature_paths. " + suggest_name(default, known),
    )


def _list_features(table: xr.DataTree, kind: str = "feature") -> list[str]:
    return [node.path.strip("/") for node in table.subtree if kind in node.data_vars]


def _read_feature(table: xr.DataTree, path: str, where: Path) -> np.ndarray:
    layer, _, output = path.partition("/")
    known = _list_features(table)
    if path in known:
        return np.asarray(table[path].variables["feature"].values, np.float32)
    if output == "map" and f"{layer}/token" in _list_features(table, "token"):
        return _pool_tokens(table[f"{layer}/token"].variables["token"].values)
    raise InputError(
        f"no features '{path}' in the store", where=where, remedy=suggest_name(path, known)
    )


def _pool_tokens(token: np.ndarray) -> np.ndarray:
    """Average patches over a 4 x 4 grid of the frame, side by side, as the maps of images."""
    n_frames, n_patches, width = token.shape
    side = round(n_patches**0.5)
    edges = np.linspace(0, side, min(_MAP_SIDE, side) + 1).round().astype(int)
    grid: np.ndarray = np.asarray(token, np.float32).reshape(n_frames, side, side, width)
    for axis in (1, 2):
        sums = np.add.reduceat(grid, edges[:-1], axis=axis)
        shape = [1] * 4
        shape[axis] = len(edges) - 1
        grid = sums / np.diff(edges).reshape(shape)
    return grid.reshape(n_frames, -1).astype(np.float32)


def _read_text(table: xr.DataTree, path: str, where: Path) -> np.ndarray:
    if path not in _list_features(table):
        raise InputError(
            f"no caption features '{path}' in the store",
            where=where,
            expected="a backbone with text: true, and captions of all movies",
            remedy="Add movie_captions.tsv, or set text_path: null.",
        )
    return _read_feature(table, path, where)


def _read_subject(path: Path, frames: _Frames) -> SubjectClips:
    store = read_store(path, "responses").to_dataset()
    if store["response"].dims != ("trial", "time", "unit") or "bin_s" not in store.attrs:
        raise InputError("the responses are no BOLD to movies", where=path)
    tr_s = float(store.attrs["bin_s"])
    per_tr = tr_s * frames.frame_rate
    if per_tr < 1 - _WHOLE:
        raise InputError(
            "a TR holds less than one frame of the movies",
            where=path,
            expected=f"{1 / tr_s:g} frames per second or more",
            found=f"{frames.frame_rate:g}",
            remedy="Use a method for movies of this rate, or resample the movies.",
        )
    keep = ~np.isin(read_labels(store, "unit_status"), _UNUSABLE)
    unit, area = read_labels(store, "unit")[keep], read_labels(store, "area")[keep]
    response = store["response"].values[:, :, keep]
    shown = read_labels(store, "movie")
    unknown = sorted(set(shown.tolist()) - set(frames.movie.tolist()))
    if unknown:
        raise InputError(f"responses to the unknown movie '{unknown[0]}'", where=path)
    by_split: dict[str, list[Segments]] = {split: [] for split in SPLITS}
    halves: tuple[list[Segments], list[Segments]] = ([], [])
    for name in sorted(set(shown.tolist())):
        trials = response[shown == name]
        segments = _cut_movie(name, _average(trials), frames, area, tr_s)
        for split, one in segments:
            by_split[split].append(one)
        if len(trials) < 2:
            continue
        for place, half in enumerate(halves):
            cut = _cut_movie(name, _average(trials[place::2]), frames, area, tr_s)
            half += [one for split, one in cut if split == "test"]
    for split, parts in by_split.items():
        if not parts:
            raise InputError(
                f"no movie of the {split} split was shown to subject '{store.attrs['subject']}'",
                where=path,
                remedy="Change the split, or leave the subject out.",
            )
    n_test = sum(len(set(one.segment.tolist())) for one in by_split["test"])
    is_repeated = n_test == sum(len(set(one.segment.tolist())) for one in halves[0])
    return SubjectClips(
        str(store.attrs["subject"]),
        unit,
        {split: join_segments(parts) for split, parts in by_split.items()},
        tuple(join_segments(half) for half in halves) if is_repeated else (),
    )


def _average(trials: np.ndarray) -> np.ndarray:
    """Mean over runs; a row is NaN where no run was recorded."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Mean of empty slice")
        return np.asarray(np.nanmean(trials, axis=0), np.float32)


def _cut_movie(
    name: str, bold: np.ndarray, frames: _Frames, area: np.ndarray, tr_s: float
) -> list[tuple[str, Segments]]:
    """Cut one movie into segments, each of one split."""
    rows = np.flatnonzero(frames.movie == name)
    n_trs = int(np.floor(len(rows) / frames.frame_rate / tr_s + _WHOLE))
    tr = np.floor(frames.time[rows] / tr_s + _WHOLE).astype(int)
    counted = np.bincount(tr, minlength=n_trs)[:n_trs]
    if not len(counted) or (counted == 0).any():
        raise InputError(
            f"movie '{name}' has missing frames",
            where="stimuli",
            expected="a frame or more in each TR",
            found=f"none in {int((counted == 0).sum())} of {n_trs} TRs",
            remedy="Extract the frames again at their full rate.",
        )
    video = _average_frames(frames.video[rows], tr, n_trs)
    text = None if frames.text is None else _average_frames(frames.text[rows], tr, n_trs)
    split = _find_splits(frames.split[rows], tr, n_trs)
    edges = [0, *(np.flatnonzero(split[1:] != split[:-1]) + 1).tolist(), n_trs]
    segments = []
    for start, stop in itertools.pairwise(edges):
        if split[start] == "none":
            continue
        # Behind the end of a movie its answer goes on; inside, it belongs to the next part.
        last = len(bold) if stop == n_trs else min(stop, len(bold))
        n_rows = max(stop, last) - start
        label = name if len(edges) == 2 else f"{name}{_FROM}{start * tr_s:g} s"
        segments.append(
            (
                str(split[start]),
                Segments(
                    np.full(n_rows, label),
                    _pad(bold[start:last], n_rows),
                    _pad(video[start:stop], n_rows),
                    area,
                    tr_s,
                    None if text is None else _pad(text[start:stop], n_rows),
                    frames.widths,
                ),
            )
        )
    return segments


def locate_segment(label: str) -> tuple[str, float]:
    """Find the movie of a segment and where in it the segment starts, in s."""
    movie, separator, place = label.rpartition(_FROM)
    return (movie, float(place.removesuffix(" s"))) if separator else (label, 0.0)


def _average_frames(values: np.ndarray, tr: np.ndarray, n_trs: int) -> np.ndarray:
    total = np.zeros((n_trs, values.shape[1]), np.float64)
    inside = tr < n_trs
    np.add.at(total, tr[inside], values[inside])
    return (total / np.bincount(tr[inside], minlength=n_trs)[:, None]).astype(np.float32)


def _find_splits(split: np.ndarray, tr: np.ndarray, n_trs: int) -> np.ndarray:
    """Split of each TR; none where its frames are of several."""
    found = np.full(n_trs, "none", dtype="<U10")
    for row in range(n_trs):
        names = set(split[tr == row].tolist())
        if len(names) == 1:
            found[row] = names.pop()
    return found


def _pad(values: np.ndarray, n_rows: int) -> np.ndarray:
    padded = np.full((n_rows, values.shape[1]), np.nan, np.float32)
    padded[: len(values)] = values
    return padded


def join_segments(parts: Sequence[Segments]) -> Segments:
    """Join segments of the same voxels and features, one after the other."""
    texts = [one.text for one in parts if one.text is not None]
    return replace(
        parts[0],
        segment=np.concatenate([one.segment for one in parts]),
        bold=np.concatenate([one.bold for one in parts]),
        video=np.concatenate([one.video for one in parts]),
        text=np.concatenate(texts) if texts else None,
    )
