"""How does a retina answer a movie? Vi-ST and five baselines on planted cells.

Each cell watches one patch of a flickering movie, some frames late, and fires where it turns dark.
Rates of the second movie are predicted by methods that were fitted to the first. The score is the
correlation over its frames; the mean rate, which knows no movie, is chance.
"""

import tempfile
from pathlib import Path

import numpy as np

import brainalign
from brainalign.methods.movies.arrays import Cells, Movies, RateTargets
from brainalign.methods.movies.base import correlate_columns

GRID, PATCH, N_CELLS, N_LAGS = 4, 4, 4, 8
N_FRAMES = {"forest": 600, "river": 300}

METHODS = {
    "vi_st": {"epochs": 3, "steps_per_epoch": 8},
    "movie_cnn": {"epochs": 4},
    "glm": {},
    "ln": {},
    "feature_ridge": {},
    "mean_rate": {},
}


def plant_cells(contrast: np.ndarray, movie: np.ndarray, rng: np.random.Generator):
    """Let cells answer to the darkening of one patch each; give their rates in Hz and fields."""
    place = rng.choice(GRID * GRID, N_CELLS, replace=False)
    kernel = np.diff(np.exp(-0.5 * ((np.arange(N_LAGS + 1) - 3) / 1.2) ** 2))
    drive = np.concatenate(
        [
            np.apply_along_axis(np.convolve, 0, contrast[movie == name], kernel)[
                : (movie == name).sum()
            ]
            for name in N_FRAMES
        ]
    )[:, place]
    rate = 8 * np.logaddexp(0, -2 * drive / drive.std())
    field = np.zeros((N_CELLS, GRID, GRID))
    field.reshape(N_CELLS, -1)[np.arange(N_CELLS), place] = 1
    # Twenty repeats at 30 frames per second.
    return rng.poisson(20 * rate / 30) / 20 * 30, Cells.from_arrays(field)


def main() -> None:
    """Fit, save, load and score every method."""
    rng = np.random.default_rng(0)
    movie = np.repeat(list(N_FRAMES), list(N_FRAMES.values()))
    contrast = rng.normal(size=(len(movie), GRID * GRID))
    frames = np.kron(contrast.reshape(-1, GRID, GRID), np.ones((1, PATCH, PATCH)))
    movies = Movies.from_frames(0.5 + frames / 8, 30.0, movie=movie, grid=GRID)
    rate, cells = plant_cells(contrast, movie, rng)
    number = np.arange(len(movie))
    training = RateTargets.from_frames(rate, movies, number < 480)
    validation = RateTargets.from_frames(rate, movies, (number >= 480) & (movie == "forest"))

    print("correlation of predicted and recorded rates in an unseen movie")
    for name, options in METHODS.items():
        method_class = brainalign.get_method(name)
        method = method_class(method_class.Options(**options))
        method.fit(movies, cells, training, validation, seed=0)

        with tempfile.TemporaryDirectory() as folder:
            method.save(Path(folder) / name)
            loaded = brainalign.load_method(Path(folder) / name)

        unseen = movie == "river"
        correlation = correlate_columns(loaded.predict(movies, cells)[unseen], rate[unseen])
        print(f"{name:14} {np.nan_to_num(correlation).mean():.2f}  chance 0.00")


if __name__ == "__main__":
    main()
