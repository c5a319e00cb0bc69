"""How does a retina answer a movie? Vi-ST and five baselines on planted cells.

Each cell watches one patch of a slowly flickering movie and fires, two frames late, where it is
dark; patches share most of the flicker. Rates of the second movie are predicted by methods that
were fitted to the first. The score is the correlation over its frames; the mean rate, which knows
no movie, is chance. Vi-ST gets a few steps only, to be quick: give it more before judging it.
"""

import tempfile
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter1d

import brainalign
from brainalign.methods.movies.arrays import Cells, Movies, RateTargets
from brainalign.methods.movies.base import correlate_columns

GRID, PATCH, N_CELLS, LAG = 4, 4, 4, 2
N_TRIALS, RATE_HZ = 20, 30.0
N_FRAMES = {"forest": 600, "river": 300}

METHODS = {
    "vi_st": {"epochs": 4, "steps_per_epoch": 10, "batch_size": 2, "clip_frames": 32},
    "movie_cnn": {"epochs": 4},
    "glm": {},
    "ln": {},
    "feature_ridge": {},
    "mean_rate": {},
}


def plant_cells(contrast: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, Cells]:
    """Let cells answer to the darkness of one patch each; give spikes per frame and fields."""
    place = rng.choice(GRID * GRID, N_CELLS, replace=False)
    darkness = -np.roll(contrast, LAG, axis=0)[:, place]
    field = np.zeros((N_CELLS, GRID, GRID))
    field.reshape(N_CELLS, -1)[np.arange(N_CELLS), place] = 1
    count = rng.poisson(8 * np.logaddexp(0, 2 * darkness) / RATE_HZ, (N_TRIALS, *darkness.shape))
    return count, Cells.from_arrays(field)


def main() -> None:
    """Fit, save, load and score every method."""
    rng = np.random.default_rng(0)
    movie = np.repeat(list(N_FRAMES), list(N_FRAMES.values()))
    shared, own = (gaussian_filter1d(rng.normal(size=(len(movie), n)), 2, axis=0) for n in (1, 16))
    contrast = (shared + 0.5 * own) / np.std(shared)
    frames = np.kron(contrast.reshape(-1, GRID, GRID), np.ones((1, PATCH, PATCH)))
    movies = Movies.from_frames(0.5 + frames / 8, RATE_HZ, movie=movie, grid=GRID)
    count, cells = plant_cells(contrast, rng)
    rate = count.mean(axis=0) * RATE_HZ
    number = np.arange(len(movie))
    late = (number >= 480) & (movie == "forest")
    training = RateTargets.from_frames(rate, movies, number < 480, count)
    validation = RateTargets.from_frames(rate, movies, late, count)

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
