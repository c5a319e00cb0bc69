"""A small experiment on disk and the command line of ``brainalign fit`` for it."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from safetensors.numpy import load_file

from brainalign.stores.write import write_store

N_TRAINING, N_OTHER, N_UNITS, N_FEATURES = 120, 20, 12, 16


@dataclass(frozen=True)
class FitJob:
    """Stores of one experiment and the options of its fit."""

    folder: Path
    options: dict[str, Any]

    def list_words(self, output: str, scratch: str | None = None) -> list[str]:
        """Words of the command line, without the program."""
        words = [
            *("fit", "--method", "vna", "--dataset", "planted", "--backbone", "planted"),
            *("--stimuli", str(self.folder / "stimuli.zarr")),
            *("--responses", str(self.folder / "subject.zarr")),
            *("--features", str(self.folder / "features.zarr")),
            *("--options", json.dumps(self.options), "--output", str(self.folder / output)),
        ]
        return [*words, "--scratch", str(self.folder / scratch)] if scratch else words

    def read_weights(self, output: str) -> dict[str, np.ndarray]:
        """Weights of a published model."""
        return load_file(self.folder / output / "weights.safetensors")


def list_program() -> list[str]:
    """How the command line is started as a process of its own."""
    return [sys.executable, "-m", "brainalign"]


def make_environment() -> dict[str, str]:
    """Environment of such a process: one thread, since the order of sums depends on it."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


def write_responses(path: Path, response: np.ndarray, shown: np.ndarray) -> None:
    """Write a response store of good units: every stimulus once, then all of them again."""
    n_units = response.shape[1]
    responses = xr.Dataset(
        {
            "response": (("presentation", "unit"), response.astype(np.float32)),
            "stimulus": ("presentation", shown),
            "repeat": ("presentation", np.repeat([0, 1], len(shown) // 2)),
            "session": ("presentation", ["only"] * len(shown)),
            "area": ("unit", ["IT"] * n_units),
            "unit_status": ("unit", ["ok"] * n_units),
            "noise_ceiling": ("unit", np.ones(n_units)),
            "reliability": ("unit", np.ones(n_units)),
        },
        coords={"unit": [f"unit-{position}" for position in range(n_units)]},
        attrs={"subject": path.stem},
    )
    write_store(path, responses, "responses")


def write_fit_job(folder: Path, method: dict[str, Any], seeds: list[int], seed: int = 0) -> FitJob:
    """Plant a linear relation between features and responses and write the three stores."""
    generator = np.random.default_rng(seed)
    n_stimuli = N_TRAINING + 2 * N_OTHER
    stimulus = np.array([f"image-{position:03d}" for position in range(n_stimuli)])
    split = np.repeat(["train", "validation", "test"], [N_TRAINING, N_OTHER, N_OTHER])
    feature = generator.normal(size=(n_stimuli, N_FEATURES)).astype(np.float32)
    shown = np.tile(np.arange(n_stimuli), 2)
    clean = feature @ generator.normal(size=(N_FEATURES, N_UNITS))
    response = (clean[shown] + generator.normal(size=(2 * n_stimuli, N_UNITS))).astype(np.float32)
    images = xr.Dataset(
        {
            "image": (
                ("stimulus", "y", "x", "channel"),
                generator.integers(0, 256, (n_stimuli, 2, 2, 3), dtype=np.uint8),
            ),
            "split": ("stimulus", split),
        },
        coords={"stimulus": stimulus},
    )
    write_store(folder / "stimuli.zarr", images, "stimuli")
    features = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(coords={"stimulus": stimulus}),
            "/layer_1/mean": xr.Dataset({"feature": (("stimulus", "dimension"), feature)}),
        }
    )
    write_store(folder / "features.zarr", features, "features")
    write_responses(folder / "subject.zarr", response, stimulus[shown])
    options = {
        "method": {"method": "vna", **method},
        "seeds": seeds,
        "device": "cpu",
        "feature": "layer_1/mean",
        "normalisation": "none",
        "by_area": False,
    }
    return FitJob(folder, options)
