"""Which image did a monkey see? VNA and four direct methods on planted responses.

Images are known by their features and by the responses to them; both carry the same few latents,
each with noise of its own. A method puts images and responses into one space. The score is how
often the response's own image is the best of all test images.
"""

import tempfile
from pathlib import Path

import numpy as np

import brainalign
from brainalign.methods.arrays import PairedResponses

N_LATENTS, N_FEATURES, N_UNITS = 6, 32, 50
N_TRAINING, N_VALIDATION, N_TEST = 200, 50, 50

METHODS = {
    "vna": {"epochs": 30, "embedding_dimension": 32},
    "direct_encoding_ridge": {},
    "direct_decoding_ridge": {},
    "direct_encoding_nonlinear": {"epochs": 10},
    "direct_decoding_nonlinear": {"epochs": 10},
}


def draw_images(rng: np.random.Generator, maps: tuple[np.ndarray, np.ndarray], n_images: int):
    """Draw latents, and what features and units make of them."""
    latent = rng.normal(size=(n_images, N_LATENTS))
    feature = np.tanh(latent @ maps[0]) + 0.2 * rng.normal(size=(n_images, N_FEATURES))
    response = latent @ maps[1] + 0.5 * rng.normal(size=(n_images, N_UNITS))
    return PairedResponses.from_arrays(feature, {"monkey": response})


def main() -> None:
    """Fit, save, load and score every method."""
    rng = np.random.default_rng(0)
    maps = rng.normal(size=(N_LATENTS, N_FEATURES)) / 2, rng.normal(size=(N_LATENTS, N_UNITS)) / 2
    training, validation, test = (
        draw_images(rng, maps, n_images) for n_images in (N_TRAINING, N_VALIDATION, N_TEST)
    )
    print(f"share of responses whose own image ranks first among {N_TEST}")
    for name, options in METHODS.items():
        method_class = brainalign.get_method(name)
        method = method_class(method_class.Options(**options))
        method.fit(training, validation, seed=0)

        with tempfile.TemporaryDirectory() as folder:
            method.save(Path(folder) / name)
            loaded = brainalign.load_method(Path(folder) / name)

        # One matrix (image, response) per way of matching; the first is the method's own.
        matching, score = next(
            iter(loaded.predict("monkey", test.feature, test.subjects[0].response).items())
        )
        accuracy = np.mean(score.argmax(axis=0) == np.arange(N_TEST))
        print(f"{name:26} {accuracy:.2f}  chance {1 / N_TEST:.2f}  ({matching})")


if __name__ == "__main__":
    main()
