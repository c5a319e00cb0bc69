"""Small valid content for each kind of store, with text that is not ASCII and values that miss."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from brainalign.stores.manifest import MANIFEST_NAME, build_manifest


def make_stimuli(n_stimuli: int = 6, side: int = 4, seed: int = 0) -> xr.DataTree:
    generator = np.random.default_rng(seed)
    dataset = xr.Dataset(
        {
            "image": (
                ("stimulus", "y", "x", "channel"),
                generator.integers(0, 256, (n_stimuli, side, side, 3), dtype=np.uint8),
                {"units": "1", "long_name": "sRGB image"},
            ),
            "split": ("stimulus", _cycle(["train", "validation", "test"], n_stimuli)),
            "fold": ("stimulus", np.arange(n_stimuli) % 3),
            "category": ("stimulus", _cycle(["Gesicht", "fenêtre", "家"], n_stimuli)),
            "label": (("stimulus", "class"), generator.random((n_stimuli, 2)) < 0.5),
            "factor": (("stimulus", "factor_name"), generator.random((n_stimuli, 2))),
        },
        coords={
            "stimulus": _name_items("bild-ä", n_stimuli),
            "class": ["face", "house"],
            "factor_name": ["pose", "size"],
        },
    )
    return xr.DataTree(dataset)


def make_movie_stimuli(n_frames: int = 8, side: int = 4, seed: int = 0) -> xr.DataTree:
    generator = np.random.default_rng(seed)
    dataset = xr.Dataset(
        {
            "frame": (
                ("frame", "y", "x", "channel"),
                generator.integers(0, 256, (n_frames, side, side, 3), dtype=np.uint8),
                {"units": "1", "long_name": "sRGB frame"},
            ),
            "movie": ("frame", _cycle(["forêt", "fish"], n_frames)),
            "time": ("frame", np.arange(n_frames) / 30, {"units": "s", "long_name": "onset"}),
            "split": ("frame", _cycle(["train", "test"], n_frames)),
        }
    )
    return xr.DataTree(dataset)


def make_responses(
    n_presentations: int = 8, n_units: int = 5, seed: int = 0, subject: str = "sub-é"
) -> xr.DataTree:
    generator = np.random.default_rng(seed)
    response = generator.normal(size=(n_presentations, n_units)).astype(np.float32)
    response[0, 0] = np.nan
    dataset = xr.Dataset(
        {
            "response": (
                ("presentation", "unit"),
                response,
                {"units": "spikes/s", "long_name": "mean rate"},
            ),
            "stimulus": ("presentation", _cycle(["bild-ä", "家"], n_presentations)),
            "repeat": ("presentation", np.arange(n_presentations) // 2),
            "session": ("presentation", _cycle(["ses-1", "ses-2"], n_presentations)),
            **_make_unit_variables(n_units, generator),
        },
        coords={"unit": _name_items("unit-µ", n_units)},
        attrs={"subject": subject},
    )
    return xr.DataTree(dataset)


def make_movie_responses(
    n_trials: int = 3, n_times: int = 4, n_units: int = 5, seed: int = 0
) -> xr.DataTree:
    generator = np.random.default_rng(seed)
    dataset = xr.Dataset(
        {
            "response": (
                ("trial", "time", "unit"),
                generator.random((n_trials, n_times, n_units), dtype=np.float32),
                {"units": "spikes/s", "long_name": "rate"},
            ),
            "movie": ("trial", _cycle(["forêt"], n_trials)),
            "session": ("trial", _cycle(["ses-1"], n_trials)),
            **_make_unit_variables(n_units, generator),
        },
        coords={
            "unit": _name_items("unit-µ", n_units),
            "time": ("time", np.arange(n_times) * 0.1, {"units": "s", "long_name": "bin start"}),
        },
    )
    return xr.DataTree(dataset)


def make_features(
    n_stimuli: int = 6, n_features: int = 4, n_tokens: int = 3, seed: int = 0
) -> xr.DataTree:
    generator = np.random.default_rng(seed)
    mean = generator.normal(size=(n_stimuli, n_features)).astype(np.float32)
    token = generator.normal(size=(n_stimuli, n_tokens, n_features)).astype(np.float16)
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(coords={"stimulus": _name_items("bild-ä", n_stimuli)}),
            "/layer_1/mean": xr.Dataset(
                {"feature": (("stimulus", "dimension"), mean, {"units": "1"})},
                attrs={"backbone": "pixels"},
            ),
            "/layer_1/token": xr.Dataset({"token": (("stimulus", "patch", "dimension"), token)}),
        }
    )


def make_predictions(
    n_stimuli: int = 6, n_seeds: int = 2, dimension: int = 3, seed: int = 0
) -> xr.DataTree:
    generator = np.random.default_rng(seed)
    embedding = ("seed", "stimulus", "dimension")
    shape = (n_seeds, n_stimuli, dimension)
    pairs = xr.Dataset(
        {
            "fold": ("stimulus", np.arange(n_stimuli) % 3),
            "stimulus_embedding": (embedding, generator.normal(size=shape)),
            "response_embedding": (embedding, generator.normal(size=shape)),
            "stimulus_bias": (embedding[:2], np.zeros(shape[:2])),
        },
        coords={"stimulus": _name_items("bild-ä", n_stimuli), "seed": np.arange(n_seeds)},
        attrs={"similarity": "cosine"},
    )
    return xr.DataTree.from_dict({"/sub-é/all/direct": pairs})


def make_scores(n_rows: int = 4, seed: int = 0) -> xr.DataTree:
    generator = np.random.default_rng(seed)
    texts = ["dataset", "subject", "method", "backbone", "seed", "task", "metric", "direction"]
    numbers = ["value", "ci_low", "ci_high", "chance", "ceiling"]
    table = xr.Dataset(
        {name: ("row", _cycle([f"{name}-ß", name], n_rows)) for name in texts}
        | {name: ("row", generator.random(n_rows)) for name in numbers}
    )
    return xr.DataTree.from_dict({"/table": table})


EXAMPLES: dict[str, tuple[str, Callable[..., xr.DataTree]]] = {
    "images": ("stimuli", make_stimuli),
    "movies": ("stimuli", make_movie_stimuli),
    "image responses": ("responses", make_responses),
    "movie responses": ("responses", make_movie_responses),
    "features": ("features", make_features),
    "predictions": ("predictions", make_predictions),
    "scores": ("scores", make_scores),
}


def write_without_checks(
    path: Path, tree: xr.DataTree, kind: str, provenance: dict[str, Any] | None = None
) -> None:
    """Publish a tree past every check, as a broken program would."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata")
        tree.to_zarr(path, zarr_format=3, consolidated=True)
    manifest = build_manifest(path, kind, provenance or {})
    (path / MANIFEST_NAME).write_text(manifest.to_json(), encoding="utf-8")


def _make_unit_variables(n_units: int, generator: np.random.Generator) -> dict[str, Any]:
    return {
        "area": ("unit", _cycle(["V1", "IT"], n_units)),
        "noise_ceiling": ("unit", generator.random(n_units), {"units": "1"}),
        "reliability": ("unit", generator.random(n_units), {"units": "1"}),
        "unit_status": ("unit", _cycle(["good"], n_units)),
    }


def _name_items(prefix: str, count: int) -> list[str]:
    return [f"{prefix}-{position:03d}" for position in range(count)]


def _cycle(labels: list[str], count: int) -> list[str]:
    return [labels[position % len(labels)] for position in range(count)]
