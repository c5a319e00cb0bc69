"""Read movies, tokens and responses from stores and bring them to common frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from brainalign.errors import InputError
from brainalign.methods.movies.arrays import Cells, Movies, RateTargets, number_stretches
from brainalign.options import suggest_name
from brainalign.stores.read import open_store, read_labels, read_store

# Frame and bin times may differ by rounding and by a trigger's jitter, not by half a frame.
_TIME_TOLERANCE_FRAMES = 0.5


@dataclass(frozen=True)
class MovieResponses:
    """Responses of one subject at the frames of the stimulus store.

    Attributes
    ----------
    subject : str
        Id.
    cells : Cells
        Units and receptive fields.
    count : array of shape (n_repeats, n_frames, n_units), float32
        Spikes per frame; NaN where a repeat was not recorded.
    window : array of shape (n_frames,), int64
        Recorded window of each frame, -1 where nothing was recorded.
    """

    subject: str
    cells: Cells
    count: np.ndarray
    window: np.ndarray

    def compute_rate(self, frame_rate: float) -> np.ndarray:
        """Mean over repeats in Hz; NaN where nothing was recorded.

        Parameters
        ----------
        frame_rate : float
            Frames per second.

        Returns
        -------
        rate : array of shape (n_frames, n_units), float32
            Repeats that were not recorded at a frame are left out.
        """
        recorded = np.isfinite(self.count)
        total = np.where(recorded, self.count, 0).sum(0, dtype=np.float64)
        n_recorded = recorded.sum(0)
        mean = np.divide(total, n_recorded, out=np.full_like(total, np.nan), where=n_recorded > 0)
        return (mean * frame_rate).astype(np.float32)


@dataclass(frozen=True)
class MovieExperiment:
    """All that methods with movie design are fitted on and tested with.

    Attributes
    ----------
    movies : Movies
        Frames and tokens.
    time : array of shape (n_frames,)
        s from the movie's onset.
    split : dict of str to array of shape (n_folds, n_frames) of str
        By protocol: ``within_movie`` (one fold) and, where there, ``cross_movie``.
    subjects : tuple of MovieResponses
        Sorted by id.
    """

    movies: Movies
    time: np.ndarray
    split: dict[str, np.ndarray]
    subjects: tuple[MovieResponses, ...]

    def take_split(
        self, recorded: MovieResponses, protocol: str, fold: int, split: str
    ) -> RateTargets:
        """Take the mean rates and single trials of one split of one fold.

        Parameters
        ----------
        recorded : MovieResponses
            Subject.
        protocol : {"within_movie", "cross_movie"}
            Which splits.
        fold : int
            Tested fold.
        split : {"train", "validation", "test"}
            Which part.

        Raises
        ------
        InputError
            The subject has no recorded frame in that split.
        """
        rate = recorded.compute_rate(self.movies.frame_rate)
        chosen = (self.split[protocol][fold] == split) & np.isfinite(rate).all(1)
        stretch = number_stretches(self.movies.movie, recorded.window, chosen)
        if not (stretch >= 0).any():
            raise InputError(
                f"subject '{recorded.subject}' was recorded at no frame of the {split} split",
                where=f"{protocol}, fold {fold}",
                remedy="Change the split, or leave the subject out.",
            )
        inside = stretch[:, None] >= 0
        return RateTargets(
            np.where(inside, rate, 0), stretch, np.where(inside, recorded.count, np.nan)
        )


def read_movie_experiment(
    stimuli: Path,
    responses: Sequence[Path],
    features: Path,
    feature: str,
    protocols: Sequence[str],
) -> MovieExperiment:
    """Read one experiment with movie design.

    Parameters
    ----------
    stimuli, features : Path
        Stores of those kinds.
    responses : sequence of Path
        One response store per subject.
    feature : str
        Path of the tokens in the feature store, such as ``layer_1/token``; another output of a
        layer stands for the tokens of that layer.
    protocols : sequence of str
        Splits that are needed.

    Raises
    ------
    InputError
        The stores are of images, lack tokens or folds, or their frames and bins do not fit.
    """
    store = read_store(stimuli, "stimuli").to_dataset()
    if "frame" not in store.variables or "movie" not in store.variables:
        raise InputError(
            "the stimuli are no movies", where=stimuli, remedy="Choose a method for images."
        )
    movie = read_labels(store, "movie")
    time = np.asarray(store["time"].values, np.float64)
    frame_rate = find_frame_rate(store, movie, time)
    luminance = np.empty(store["frame"].shape[:3], np.float32)
    for row, frame in enumerate(store["frame"].values):
        luminance[row] = frame.mean(2, dtype=np.float32)
    luminance /= 255
    token = _read_tokens(features, feature, movie)
    movies = Movies(movie, luminance, token, frame_rate)
    return MovieExperiment(
        movies,
        time,
        {protocol: _read_splits(store, protocol, stimuli) for protocol in protocols},
        tuple(_read_subject(path, movies, time) for path in sorted(responses)),
    )


def find_frame_rate(store: xr.Dataset, movie: np.ndarray, time: np.ndarray) -> float:
    """Find the frames per second of a stimulus store.

    Parameters
    ----------
    store : xarray.Dataset
        Stimuli; attribute ``frame_rate_hz`` where it is there.
    movie, time : array of shape (n_frames,)
        Movie and time of each frame.

    Raises
    ------
    InputError
        Times do not rise within a movie.
    """
    same = movie[1:] == movie[:-1]
    steps = np.diff(time)[same]
    if not len(steps) or not (steps > 0).all():
        raise InputError(
            "frame times must rise within a movie",
            where="stimuli",
            found=f"{int((steps <= 0).sum())} steps that do not" if len(steps) else "single frames",
        )
    return float(store.attrs.get("frame_rate_hz", 1 / np.median(steps)))


def _read_splits(store: xr.Dataset, protocol: str, where: Path) -> np.ndarray:
    if protocol == "within_movie":
        return read_labels(store, "split")[np.newaxis]
    if "split_by_fold" not in store.variables:
        raise InputError(
            "the stimuli have no folds across movies",
            where=where,
            expected="two movies or more",
            remedy="Set protocols: [within_movie].",
        )
    rows = store["split_by_fold"].values
    return np.array([[str(name) for name in row] for row in rows], dtype=np.str_)


def _read_tokens(features: Path, feature: str, movie: np.ndarray) -> np.ndarray:
    store = open_store(features, "features")
    known = {
        node.path.strip("/"): name
        for node in store.subtree
        for name in ("token", "feature")
        if name in node.data_vars
    }
    path = feature
    if known.get(path) != "token" and f"{feature.split('/')[0]}/token" in known:
        path = f"{feature.split('/')[0]}/token"
    if path not in known:
        raise InputError(
            f"no tokens '{feature}' in the store",
            where=features,
            remedy="Add token to outputs of the backbone. " + suggest_name(feature, known),
        )
    values = np.asarray(store[path].variables[known[path]].values)
    if known[path] == "feature":
        values = _unfold_map(values, path, features)
    if "movie" in store.variables and not np.array_equal(read_labels(store, "movie"), movie):
        raise InputError("features are of other movies than the stimuli", where=features)
    return values


def _unfold_map(feature: np.ndarray, path: str, where: Path) -> np.ndarray:
    """Read a grid of means as tokens: (frame, cell of the grid, dimension)."""
    if path == "grid/feature":
        # Pixels: luminances of all cells, then their contrasts.
        return feature.reshape(len(feature), 2, -1).transpose(0, 2, 1)
    n_cells = 16
    if not path.endswith("/map"):
        raise InputError(
            f"'{path}' has no places in the frame",
            where=where,
            expected="tokens or a map",
            remedy="Add token to outputs of the backbone.",
        )
    return feature.reshape(len(feature), n_cells, -1)


def _read_subject(path: Path, movies: Movies, time: np.ndarray) -> MovieResponses:
    store = read_store(path, "responses").to_dataset()
    if store["response"].dims != ("trial", "time", "unit"):
        raise InputError("the responses are not to movies", where=path)
    bin_s = float(store.attrs.get("bin_s", 1 / movies.frame_rate))
    if abs(bin_s * movies.frame_rate - 1) > 1e-3:
        raise InputError(
            "bins are not frames",
            where=path,
            expected=f"bins of {1 / movies.frame_rate:.6g} s",
            found=f"{bin_s:.6g} s",
            remedy="Set the bins of the responses to frames.",
        )
    count, window = align_trials(store, movies, time, path)
    unit = read_labels(store, "unit")
    n_units = len(unit)
    center = np.full((n_units, 2), np.nan)
    if "rf_center_x" in store and "rf_center_y" in store:
        center = np.stack([store["rf_center_x"].values, store["rf_center_y"].values], axis=1)
    rf_map = store["rf_map"].values if "rf_map" in store else np.zeros((n_units, 1, 1))
    return MovieResponses(
        subject=str(store.attrs["subject"]),
        cells=Cells(unit, np.nan_to_num(rf_map).astype(np.float32), center),
        count=count,
        window=window,
    )


def align_trials(
    store: xr.Dataset, movies: Movies, time: np.ndarray, where: object
) -> tuple[np.ndarray, np.ndarray]:
    """Put the bins of all trials at the frames of their movies.

    Parameters
    ----------
    store : xarray.Dataset
        Responses with ``response (trial, time, unit)`` in spikes per bin.
    movies : Movies
        Frames.
    time : array of shape (n_frames,)
        s from the movie's onset.
    where : object
        Named in errors.

    Returns
    -------
    count : array of shape (n_repeats, n_frames, n_units), float32
        NaN where nothing was recorded; repeats of a movie in the order of the trials.
    window : array of shape (n_frames,), int64
        -1 where no trial was recorded.

    Raises
    ------
    InputError
        A trial shows an unknown movie, or its bins lie beside the frames.
    """
    response = store["response"].values
    shown = read_labels(store, "movie")
    bin_time = np.asarray(store["time"].values, np.float64)
    unknown = sorted(set(shown.tolist()) - set(movies.movie.tolist()))
    if unknown:
        raise InputError(
            f"responses to the unknown movie '{unknown[0]}'",
            where=where,
            expected=", ".join(sorted(set(movies.movie.tolist()))),
        )
    n_repeats = max(int((shown == name).sum()) for name in np.unique(shown))
    count = np.full((n_repeats, len(movies.movie), response.shape[2]), np.nan, np.float32)
    window = np.full(len(movies.movie), -1, np.int64)
    for span in movies.list_spans():
        trials = np.flatnonzero(shown == movies.movie[span.start])
        n_bins = min(span.stop - span.start, len(bin_time))
        rows = slice(span.start, span.start + n_bins)
        lag = np.abs(bin_time[:n_bins] - time[rows]) * movies.frame_rate
        if n_bins and lag.max() > _TIME_TOLERANCE_FRAMES:
            raise InputError(
                "bins of the responses lie beside the frames of the movie",
                where=f"{where}, movie '{movies.movie[span.start]}'",
                found=f"a bin {lag.max():.2f} frames from its frame",
                remedy="Bin the spikes by the frame times of this movie.",
            )
        if not len(trials):
            continue
        count[: len(trials), rows] = response[trials, :n_bins]
        if "window" in store:
            window[rows] = store["window"].values[trials, :n_bins].max(0)
        else:
            window[rows] = 0
    window[~np.isfinite(count).any((0, 2))] = -1
    return count, window
