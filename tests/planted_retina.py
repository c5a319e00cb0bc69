"""A retina of planted LN cells that watch drifting textures, after the specification of Vi-ST."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.ndimage import gaussian_filter

from brainalign.methods.movies.arrays import Cells, Movies, RateTargets, number_stretches

FRAME_RATE = 30.0
SIDE, PATCH = 40, 4
N_LAGS = 12


@dataclass(frozen=True)
class PlantedRetina:
    """Movies, cells, true rates in Hz and spike counts per trial (trial, frame, unit)."""

    movies: Movies
    cells: Cells
    true_rate: np.ndarray
    count: np.ndarray

    @property
    def rate(self) -> np.ndarray:
        return (self.count.mean(0) * FRAME_RATE).astype(np.float32)

    def take(self, first: int, last: int) -> RateTargets:
        """Targets of the frames from `first` to before `last`."""
        chosen = np.zeros(len(self.rate), bool)
        chosen[first:last] = True
        window = np.zeros(len(self.rate), np.int64)
        stretch = number_stretches(self.movies.movie, window, chosen)
        inside = stretch[:, None] >= 0
        return RateTargets(
            np.where(inside, self.rate, 0), stretch, np.where(inside, self.count, np.nan)
        )


def make_retina(
    lengths: tuple[int, ...] = (900, 600), n_units: int = 8, n_trials: int = 30, seed: int = 0
) -> PlantedRetina:
    generator = np.random.default_rng(seed)
    contrast = np.concatenate([_draw_movie(length, generator) for length in lengths])
    names = np.repeat([f"movie-{number}" for number in range(len(lengths))], lengths)
    grid = SIDE // PATCH
    patch = contrast.reshape(-1, grid, PATCH, grid, PATCH).swapaxes(2, 3)
    patch = patch.reshape(len(contrast), grid * grid, PATCH * PATCH)
    mixing = np.linalg.qr(generator.normal(size=(PATCH * PATCH,) * 2))[0]
    projected = patch @ mixing.T
    token = np.maximum(np.concatenate([projected, -projected], axis=2), 0).astype(np.float32)
    luminance = (0.5 + contrast / 6).astype(np.float32)
    movies = Movies(names, luminance, token, FRAME_RATE)
    rate, cells = _plant_cells(contrast, movies, n_units, generator)
    count = generator.poisson(rate / FRAME_RATE, (n_trials, *rate.shape)).astype(np.float32)
    return PlantedRetina(movies, cells, rate, count)


def _draw_movie(n_frames: int, generator: np.random.Generator) -> np.ndarray:
    total = np.zeros((n_frames, SIDE, SIDE))
    for scale in (1.5, 3.0, 5.0):
        noise = generator.normal(size=(256, 256))
        texture = gaussian_filter(noise, scale, mode="wrap")
        texture -= gaussian_filter(noise, 2 * scale, mode="wrap")
        texture /= texture.std()
        place, velocity, left = generator.uniform(0, 256, 2), np.zeros(2), 0
        for frame in range(n_frames):
            if left == 0:
                velocity, left = generator.normal(0, 1.5, 2), int(generator.integers(15, 46))
                if generator.random() < 0.3:
                    place = generator.uniform(0, 256, 2)
            place, left = place + velocity, left - 1
            rows, columns = ((np.arange(SIDE) + int(np.rint(p))) % 256 for p in place)
            total[frame] += texture[np.ix_(rows, columns)]
    return np.clip(total / np.sqrt(3), -3, 3)


def _plant_cells(
    contrast: np.ndarray, movies: Movies, n_units: int, generator: np.random.Generator
) -> tuple[np.ndarray, Cells]:
    grid = SIDE // PATCH
    center = generator.uniform(1.5, 7.5, (n_units, 2)) + 0.5
    deviation = generator.uniform(0.6, 1.1, n_units)
    sign = np.where(generator.random(n_units) < 0.8, -1, 1)
    pixel = (np.arange(SIDE) + 0.5) / PATCH
    rate = np.empty((len(contrast), n_units))
    for unit in range(n_units):
        column = np.exp(-0.5 * ((pixel - center[unit, 0]) / deviation[unit]) ** 2)
        row = np.exp(-0.5 * ((pixel - center[unit, 1]) / deviation[unit]) ** 2)
        drive = np.einsum("fyx,y,x->f", contrast, row, column, optimize=True)
        kernel = _draw_kernel(generator.uniform(2.2, 3.8))
        filtered = np.concatenate(
            [
                np.convolve(drive[span], kernel)[: span.stop - span.start]
                for span in movies.list_spans()
            ]
        )
        filtered *= sign[unit] / filtered.std()
        rate[:, unit] = np.logaddexp(0, 4 * (filtered - 1)) / 4
    rate *= 3.0 / rate.mean(0)
    place = np.arange(grid) + 0.5
    distance = (place[None, :, None] - center[:, 1, None, None]) ** 2
    distance = distance + (place[None, None, :] - center[:, 0, None, None]) ** 2
    rf_map = np.exp(-0.5 * distance / deviation[:, None, None] ** 2).astype(np.float32)
    unit_names = np.array([f"cell-{unit:02d}" for unit in range(n_units)])
    return rate, Cells(unit_names, rf_map, center / grid)


def _draw_kernel(tau: float) -> np.ndarray:
    time = np.arange(N_LAGS) + 0.5

    def bump(scale: float) -> np.ndarray:
        return (time / scale) ** 6 * np.exp(-6 * (time / scale - 1))

    fast, slow = bump(tau), bump(1.8 * tau)
    kernel = fast - 0.6 * fast.sum() / slow.sum() * slow
    return kernel / np.abs(kernel).sum()


def make_movie_stores(retina: PlantedRetina) -> dict[str, xr.DataTree]:
    """Stimulus, response and feature trees of a planted retina, as the contracts have them."""
    spans = retina.movies.list_spans()
    number = np.concatenate([np.arange(span.stop - span.start) for span in spans])
    length = np.concatenate(
        [np.full(span.stop - span.start, span.stop - span.start) for span in spans]
    )
    split = np.select(
        [number < 0.6 * length, number < 0.75 * length], ["train", "validation"], "test"
    )
    folds = []
    for tested in spans:
        row = np.where(number < 0.9 * length, "train", "validation")
        row[tested] = "test"
        folds.append(row)
    pixels = np.clip(retina.movies.luminance * 255, 0, 255).astype(np.uint8)
    time = number / FRAME_RATE
    frames = {
        "movie": ("frame", retina.movies.movie),
        "time": ("frame", time),
        "frame_number": ("frame", number),
    }
    stimuli = xr.Dataset(
        {
            "frame": (("frame", "y", "x", "channel"), np.repeat(pixels[..., None], 3, axis=3)),
            "split": ("frame", split),
            "split_by_fold": (("tested_fold", "frame"), np.array(folds)),
            **frames,
        },
        attrs={"frame_rate_hz": FRAME_RATE},
    )
    n_trials, _, n_units = retina.count.shape
    longest = max(span.stop - span.start for span in spans)
    response = np.full((n_trials * len(spans), longest, n_units), np.nan, np.float32)
    for position, span in enumerate(spans):
        rows = slice(position * n_trials, (position + 1) * n_trials)
        response[rows, : span.stop - span.start] = retina.count[:, span]
    shown = np.repeat([retina.movies.movie[span.start] for span in spans], n_trials)
    responses = xr.Dataset(
        {
            "response": (("trial", "time", "unit"), response),
            "movie": ("trial", shown),
            "session": ("trial", ["ses-1"] * len(shown)),
            "area": ("unit", ["retina"] * n_units),
            "noise_ceiling": ("unit", np.full(n_units, 0.97)),
            "reliability": ("unit", np.full(n_units, 0.94)),
            "unit_status": ("unit", ["ok"] * n_units),
            "rf_map": (("unit", "y", "x"), retina.cells.rf_map),
            "rf_center_x": ("unit", retina.cells.rf_center[:, 0]),
            "rf_center_y": ("unit", retina.cells.rf_center[:, 1]),
        },
        coords={"unit": retina.cells.unit, "time": np.arange(longest) / FRAME_RATE},
        attrs={"subject": "retina-1", "bin_s": 1 / FRAME_RATE},
    )
    features = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(frames),
            "/layer_1/token": xr.Dataset(
                {"token": (("frame", "patch", "dimension"), retina.movies.token.astype(np.float16))}
            ),
        }
    )
    return {
        "stimuli": xr.DataTree(stimuli),
        "responses": xr.DataTree(responses),
        "features": features,
    }
