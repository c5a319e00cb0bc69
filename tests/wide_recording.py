"""A recording that exceeds a memory limit, and a program that encodes it and tells its peak."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import dask
import dask.array
import numpy as np
import xarray as xr

from brainalign.cli import main
from brainalign.stores.write import write_store

# Of the whole run over its imports; labels, chunks and dask take their part of it.
LIMIT_MB, BLOCK_MB = 36, 12
N_STIMULI, N_REPEATS, N_FEATURES = 200, 10, 8
N_UNITS = 48_000


def write_wide_recording(folder: Path, n_units: int = N_UNITS) -> int:
    """Write stimuli, features and responses; gives the size of the responses in bytes."""
    generator = np.random.default_rng(0)
    stimulus = np.array([f"image-{position:03d}" for position in range(N_STIMULI)])
    images = xr.Dataset(
        {
            "image": (
                ("stimulus", "y", "x", "channel"),
                np.zeros((N_STIMULI, 2, 2, 3), np.uint8),
            ),
            "split": ("stimulus", np.repeat(["train", "validation", "test"], [140, 20, 40])),
        },
        coords={"stimulus": stimulus},
    )
    write_store(folder / "stimuli.zarr", images, "stimuli")
    feature = generator.normal(size=(N_STIMULI, N_FEATURES)).astype(np.float32)
    tree = {
        "/": xr.Dataset(coords={"stimulus": stimulus}),
        "/layer_1/mean": xr.Dataset({"feature": (("stimulus", "dimension"), feature)}),
    }
    write_store(folder / "features.zarr", xr.DataTree.from_dict(tree), "features")
    shown = np.tile(np.arange(N_STIMULI), N_REPEATS)
    weight = generator.normal(size=(N_FEATURES, n_units)).astype(np.float32)

    def respond(rows: np.ndarray) -> np.ndarray:
        noise = np.random.default_rng(int(rows[0, 0])).normal(size=(len(rows), n_units))
        # Halves: fewer digits, of which the compression makes a smaller file.
        return np.round(2 * (feature[shown[rows[:, 0]]] @ weight + noise)).astype(np.float32) / 2

    n_rows = len(shown)
    rows = dask.array.arange(n_rows, chunks=100)[:, None]
    response = rows.map_blocks(respond, dtype=np.float32, chunks=(rows.chunks[0], (n_units,)))
    responses = xr.Dataset(
        {
            "response": (("presentation", "unit"), response),
            "stimulus": ("presentation", stimulus[shown]),
            "session": ("presentation", np.full(n_rows, "only")),
            "repeat": ("presentation", np.repeat(np.arange(N_REPEATS), N_STIMULI)),
            "area": ("unit", np.full(n_units, "V1")),
            "unit_status": ("unit", np.full(n_units, "ok")),
            "noise_ceiling": ("unit", np.ones(n_units, np.float32)),
            "reliability": ("unit", np.ones(n_units, np.float32)),
        },
        coords={"unit": [f"v{unit}" for unit in range(n_units)]},
        attrs={"subject": "wide"},
    )
    with dask.config.set(scheduler="synchronous"):
        write_store(folder / "subject.zarr", responses, "responses")
    return n_rows * n_units * 4


def encode(folder: Path) -> None:
    """Run ``brainalign encode`` with the memory limit."""
    options = {
        "arrays": {"memory_mb": BLOCK_MB},
        "seeds": [0],
        "feature": "layer_1/mean",
        "normalisation": "none",
        "n_half_splits": 2,
        "min_repeated_stimuli": 10,
        "alphas": [1.0, 100.0],
    }
    words = ["encode", "--dataset", "wide", "--backbone", "planted"]
    for name in ("stimuli", "features"):
        words += [f"--{name}", str(folder / f"{name}.zarr")]
    words += ["--responses", str(folder / "subject.zarr"), "--scratch", str(folder / "scratch")]
    words += ["--options", json.dumps(options), "--output", str(folder / "encoding.zarr")]
    if main(words) != 0:
        sys.exit(1)


def measure_peak_mb() -> float:
    """Largest resident memory of this program so far."""
    # Not ru_maxrss, which begins with the peak of the process that started this one.
    status = Path("/proc/self/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) / 1024


if __name__ == "__main__":
    wide = Path(sys.argv[1])
    # Imports and dask's own threads count for the program, not for its data.
    (wide / "small").mkdir()
    write_wide_recording(wide / "small", n_units=10)
    encode(wide / "small")
    before = measure_peak_mb()
    encode(wide)
    print(json.dumps([before, measure_peak_mb()]))
