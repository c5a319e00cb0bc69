"""Which moments of a movie did someone watch? NeuroAlign and ridge with delays on planted BOLD.

Slow latents drive a movie's features, and BOLD some seconds later. Windows of both are put into one
space; the score is how often the own window of the movie is the best of all windows of the test
runs. NeuroAlign also finds how late the BOLD is.
"""

import tempfile
from pathlib import Path

import numpy as np

import brainalign
from brainalign.methods.clips.arrays import Segments

N_LATENTS, N_FEATURES, N_VOXELS, N_TRS = 8, 40, 80, 120
DELAY = np.array([0, 0.1, 0.5, 0.3, 0.1])
"""Share of the response in each TR after that of the movie: most of it two TRs later."""

METHODS = {
    "neuroalign": {"epochs": 3, "contrast_epochs": 2, "steps_per_epoch": 25, "batch_size": 32},
    "ridge_delays": {},
}


def draw_runs(rng: np.random.Generator, maps: tuple[np.ndarray, np.ndarray], names: list[str]):
    """Draw runs of a scanner with one movie each."""
    bold, video = {}, {}
    for name in names:
        latent = rng.normal(size=(N_TRS, N_LATENTS))
        for time in range(1, N_TRS):
            latent[time] = 0.7 * latent[time - 1] + 0.7 * latent[time]
        late = np.apply_along_axis(np.convolve, 0, latent, DELAY)[:N_TRS]
        video[name] = np.tanh(latent @ maps[0]) + 0.3 * rng.normal(size=(N_TRS, N_FEATURES))
        bold[name] = late @ maps[1] + 0.5 * rng.normal(size=(N_TRS, N_VOXELS))
    return Segments.from_runs(bold, video, tr_s=2.0)


def main() -> None:
    """Fit, save, load and score every method."""
    rng = np.random.default_rng(0)
    maps = tuple(rng.normal(size=(N_LATENTS, n)) / N_LATENTS**0.5 for n in (N_FEATURES, N_VOXELS))
    training = draw_runs(rng, maps, [f"run-{number:02d}" for number in range(16)])
    validation, test = draw_runs(rng, maps, ["run-16"]), draw_runs(rng, maps, ["run-17", "run-18"])
    print("share of BOLD windows whose own window of the movie ranks first")
    for name, options in METHODS.items():
        method_class = brainalign.get_method(name)
        method = method_class(method_class.Options(**options))
        method.fit(training, validation, seed=0)

        with tempfile.TemporaryDirectory() as folder:
            method.save(Path(folder) / name)
            loaded = brainalign.load_method(Path(folder) / name)

        # Movie windows in rows, BOLD windows in columns; no two windows share a TR.
        similarity = loaded.predict(test)
        accuracy = np.mean(similarity.argmax(axis=0) == np.arange(len(similarity)))
        print(f"{name:14} {accuracy:.2f}  chance {1 / len(similarity):.2f}")
        for region, weight in loaded.describe_lags().items():
            print(
                f"               lag of {region}: {weight.argmax()} TRs, planted {DELAY.argmax()}"
            )


if __name__ == "__main__":
    main()
