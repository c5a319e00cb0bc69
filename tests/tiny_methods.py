"""Every registered method, fitted to arrays of a few numbers in well under a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import astuple, is_dataclass
from typing import Any

import numpy as np

from brainalign.methods.arrays import PairedResponses
from brainalign.methods.clips.arrays import Segments
from brainalign.methods.labels.arrays import LabelledResponses
from brainalign.methods.method import Method
from brainalign.methods.mig_vis.described import DescribedResponses
from brainalign.methods.movies.arrays import Cells, Movies, RateTargets
from brainalign.methods.registry import METHODS, get_method

Predict = Callable[[Any], list[np.ndarray]]

_BUDGETS: dict[str, dict[str, Any]] = {
    "vna": {"epochs": 2},
    "neuroalign": {"epochs": 3, "contrast_epochs": 1, "steps_per_epoch": 2, "batch_size": 8},
    "clip_mused": {"epochs": 1, "width": 8, "patch_length": 4, "n_heads": 2},
    "vi_st": {"epochs": 1, "steps_per_epoch": 1},
    "movie_cnn": {"epochs": 1},
    "mig_vis": {
        "vae": {"epochs": 2},
        "groups": [{"size": 2, "label": "category"}, {"size": 2, "label": "pose"}, {"size": 2}],
        "attributes": {"pose": ["yaw_deg"]},
    },
}
_N_UNITS = 12


def make_method(name: str, **given: Any) -> Method:
    """Make a method with the smallest of budgets."""
    options = get_method(name).Options
    budget = _BUDGETS.get(name, {"epochs": 2} if "epochs" in options.model_fields else {})
    return get_method(name)(options.model_validate(budget | given))


def fit_tiny(name: str, **given: Any) -> tuple[Method, Predict]:
    """Fit a method; give what predicts with it, or with another of its kind, on test arrays."""
    kind = METHODS[name].experiment.removeprefix("brainalign.methods.")
    return _KINDS[kind](make_method(name, **given))


def flatten(prediction: Any) -> list[np.ndarray]:
    """List the arrays of any prediction."""
    if is_dataclass(prediction) and not isinstance(prediction, type):
        prediction = astuple(prediction)
    if isinstance(prediction, dict):
        prediction = tuple(prediction[key] for key in sorted(prediction))
    if isinstance(prediction, tuple):
        return [array for part in prediction for array in flatten(part)]
    return [] if prediction is None else [np.asarray(prediction)]


def make_images(seed: int, n_stimuli: int = 40) -> PairedResponses:
    latent, generator = _draw(seed, n_stimuli)
    feature = latent @ _map(4, 8) + 0.1 * generator.normal(size=(n_stimuli, 8))
    response = latent @ _map(4, _N_UNITS) + 0.1 * generator.normal(size=(n_stimuli, _N_UNITS))
    ids = np.array([f"{seed}-{row}" for row in range(n_stimuli)])
    return PairedResponses.from_arrays(feature, {"a": response}, stimulus=ids)


def _fit_images(method: Any) -> tuple[Method, Predict]:
    method.fit(make_images(1), make_images(2), seed=0)
    test = make_images(3)
    response = test.subjects[0].response
    return method, lambda other: flatten(other.predict("a", test.feature, response))


def make_labels(seed: int, subjects: tuple[str, ...]) -> LabelledResponses:
    latent, generator = _draw(seed, 48)
    response = {
        name: latent @ _map(4, _N_UNITS, number) + 0.1 * generator.normal(size=(48, _N_UNITS))
        for number, name in enumerate(subjects)
    }
    return LabelledResponses.from_arrays(
        latent[:, :3] > 0.3,
        response,
        area=np.repeat(["V1", "FFA"], _N_UNITS // 2),
        target={"low": latent, "high": latent[:, ::-1]},
        stimulus=np.array([f"{seed}-{row}" for row in range(48)]),
    )


def _fit_labels(method: Any) -> tuple[Method, Predict]:
    subjects = ("a", "b") if method.requirements.subjects == "many" else ("a",)
    method.fit(make_labels(1, subjects), make_labels(2, subjects), seed=0)
    response = make_labels(3, subjects).subjects[0].response
    return method, lambda other: flatten(other.predict("a", response))


def _fit_movies(method: Any) -> tuple[Method, Predict]:
    generator = np.random.default_rng(0)
    frames = generator.random((200, 16, 16), dtype=np.float32)
    movies = Movies.from_frames(frames, 30.0, movie=np.repeat(["one", "two"], 100))
    cells = Cells.from_arrays(generator.random((3, 8, 8)))
    count = generator.poisson(frames[:, 4:7, 5] / 3, (4, 200, 3))
    rate = 30 * count.mean(axis=0)
    chosen = np.arange(200) < 100
    targets = [RateTargets.from_frames(rate, movies, which, count) for which in (chosen, ~chosen)]
    method.fit(movies, cells, *targets, seed=0)
    return method, lambda other: flatten(other.predict(movies, cells))


def _fit_clips(method: Any) -> tuple[Method, Predict]:
    def make(seed: int, n_runs: int) -> Segments:
        latent = {f"run-{seed}-{run}": _draw(seed + run, 40)[0] for run in range(n_runs)}
        video = {run: values[:34] @ _map(4, 6) for run, values in latent.items()}
        bold = {run: values @ _map(4, _N_UNITS) for run, values in latent.items()}
        return Segments.from_runs(bold, video, tr_s=2.0)

    method.fit(make(10, 3), make(20, 1), seed=0)
    test = make(30, 1)
    return method, lambda other: flatten(other.predict(test))


def make_described(seed: int) -> DescribedResponses:
    latent, generator = _draw(seed, 40)
    return DescribedResponses.from_arrays(
        latent @ _map(4, _N_UNITS) + 0.1 * generator.normal(size=(40, _N_UNITS)),
        category=np.where(latent[:, 0] > 0, "face", "house"),
        factor={"yaw_deg": 40 * latent[:, 1]},
        image=generator.integers(0, 256, (40, 16, 16, 3), dtype=np.uint8),
    )


def _fit_groups(method: Any) -> tuple[Method, Predict]:
    method.fit(make_described(1), make_described(2), seed=0)
    response = make_described(3).response
    return method, lambda other: flatten(other.predict(response))


def _draw(seed: int, n_rows: int) -> tuple[np.ndarray, np.random.Generator]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(n_rows, 4)), generator


def _map(n_rows: int, n_columns: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, n_rows, n_columns]).normal(size=(n_rows, n_columns))


_KINDS: dict[str, Callable[[Any], tuple[Method, Predict]]] = {
    "image_alignment": _fit_images,
    "labels.experiment": _fit_labels,
    "movies.experiment": _fit_movies,
    "clips.experiment": _fit_clips,
    "mig_vis.experiment": _fit_groups,
}
