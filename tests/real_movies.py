"""The public recordings of salamander ganglion cells during two movies, read for method tests.

Onken et al. (2016), doi:10.5061/dryad.4ch10; the alignment of windows to frames comes from
``retina_onken2016_alignment.json``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import scipy.io

from brainalign.methods.movies.arrays import Cells, Movies, RateTargets, number_stretches

N_BINS, WINDOW_MS, N_WINDOWS = 9, 300, 60
CONTOUR_SD = 1.5


def read_real_movies(folder: Path) -> tuple[Movies, Cells, np.ndarray, np.ndarray]:
    """Movies of experiment 1 with luminance patches as tokens, cells, counts and windows.

    Counts are (trial, frame, unit), NaN outside the windows; windows are numbered per frame.
    """
    package = folder / "retina_onken2016"
    table = json.loads((folder / "retina_onken2016_alignment.json").read_text())
    luminance, names, counts, windows = [], [], [], []
    for name in ("Movie1", "Movie2"):
        frames = _read_frames(package / "Stimuli" / name)
        count, window = _bin_spikes(
            package / f"NeuralData/Spikes/{name}Exp1.mat",
            _list_rows(table, f"{name}Exp1"),
            len(frames),
        )
        luminance.append(frames)
        names += [name] * len(frames)
        counts.append(count)
        windows.append(window)
    outlines = scipy.io.loadmat(package / "NeuralData/ReceptiveFields/Movie1Exp1.mat")
    cells = _describe_cells([np.asarray(c) for c in outlines["ReceptiveFields"].ravel()])
    joined = np.concatenate(luminance)
    # One value per patch stands for tokens: these tests read pixels.
    token = joined[:, ::45, ::45].reshape(len(joined), -1, 1)
    movies = Movies(np.array(names), joined, token, 30.0)
    return movies, cells, np.concatenate(counts, axis=1), np.concatenate(windows)


def take_rates(
    movies: Movies, count: np.ndarray, window: np.ndarray, chosen: np.ndarray
) -> RateTargets:
    stretch = number_stretches(movies.movie, window, chosen)
    rate = np.where(stretch[:, None] >= 0, count.mean(0) * 30, 0)
    return RateTargets(rate.astype(np.float32), stretch)


def _list_rows(table: dict, recording: str) -> list[dict]:
    columns = ("window", "start_bin", "start_frame", "new_ms", "unique", "use")
    return [dict(zip(columns, row, strict=True)) for row in table["recordings"][recording]["rows"]]


def _read_frames(folder: Path) -> np.ndarray:
    frames = []
    for path in sorted(folder.glob("frame*.raw")):
        pixels = np.frombuffer(path.read_bytes(), np.uint8)
        side = round(len(pixels) ** 0.5)
        frames.append(pixels.reshape(side, side).T.astype(np.float32) / 255)
    return np.stack(frames)


def _bin_spikes(path: Path, rows: list[dict], n_frames: int) -> tuple[np.ndarray, np.ndarray]:
    spikes = scipy.io.loadmat(path)["Spikes"]
    n_units, n_trials = spikes.shape
    edges = np.rint(np.arange(N_BINS + 1) * 100 / 3)
    count = np.full((n_trials, n_frames, n_units), np.nan, np.float32)
    window = np.full(n_frames, -1)
    counts = np.zeros((n_trials, n_units, N_WINDOWS, N_BINS), np.float32)
    for unit in range(n_units):
        for trial in range(n_trials):
            times = np.asarray(spikes[unit, trial]).ravel().astype(np.int64) - 1
            place = np.searchsorted(edges, times % WINDOW_MS, side="right") - 1
            np.add.at(counts[trial, unit], (times // WINDOW_MS, place), 1)
    for row in rows:
        if row["use"]:
            first = int(np.rint(row["start_frame"]))
            count[:, first : first + N_BINS] = counts[:, :, row["window"]].transpose(0, 2, 1)
            window[first : first + N_BINS] = row["window"]
    return count, window


def _describe_cells(outlines: list[np.ndarray]) -> Cells:
    grid = (np.arange(16) + 0.5) * 360 / 16
    column, row = np.meshgrid(grid, grid)
    centers, maps = [], []
    for outline in outlines:
        place = np.stack([outline[0] - 220, 480 - outline[1]])[:, :-1]
        center = place.mean(1)
        # Points of an ellipse have half the squared semi-axes as covariance.
        covariance = 2 * np.cov(place) / CONTOUR_SD**2
        offset = np.stack([column - center[0], row - center[1]], axis=-1)
        distance = np.einsum("yxi,ij,yxj->yx", offset, np.linalg.inv(covariance), offset)
        centers.append(center / 360)
        maps.append(np.exp(-0.5 * distance))
    maps_array = np.array(maps, np.float32)
    maps_array /= maps_array.max((1, 2), keepdims=True)
    names = np.array([f"cell-{number:02d}" for number in range(len(outlines))])
    return Cells(names, maps_array, np.array(centers))
