"""A small world and its recordings, sorted once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from brainalign.cli import main
from sorting_environment import run_sorting

_WORLD = {
    "world": {
        "image_size": 48,
        "exemplars_per_category": 2,
        "views_per_exemplar": 5,
        "n_scenes": 0,
        "movies": {
            "n_object_movies": 1,
            "n_texture_movies": 1,
            "duration_s": 12.0,
            "frame_rate_hz": 20.0,
            "frame_size": 32,
        },
    }
}


@pytest.fixture(scope="session")
def simulated_world(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sorting") / "world"
    assert main(["simulate-world", "--options", json.dumps(_WORLD), "--output", str(folder)]) == 0
    return folder


def sort_simulated(kind: str, world: Path, python: Path, folder: Path) -> Path:
    """Simulate a recording, record it with electrodes and sort it; give the sorted folder."""
    options = json.dumps({"dataset": {"kind": kind}})
    recording, electrodes, units = (folder / name for name in ("recording", "electrodes", "sorted"))
    words = ["simulate", "--dataset", kind, "--world", str(world), "--options", options]
    assert main([*words, "--output", str(recording)]) == 0
    finished = run_sorting(
        python, "simulate-electrodes", "--recording", recording, "--output", electrodes
    )
    assert finished.returncode == 0, finished.stderr
    finished = run_sorting(
        python,
        *("sort", "--dataset", kind, "--options", options, "--world", world),
        *("--recording", recording, "--electrodes", electrodes, "--output", units),
    )
    assert finished.returncode == 0, finished.stderr
    return units


@pytest.fixture(scope="session")
def sorted_it(simulated_world, sorting_python, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sorted_it")
    return sort_simulated("simulated_it_sorts", simulated_world, sorting_python, folder)


@pytest.fixture(scope="session")
def sorted_retina(simulated_world, sorting_python, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("sorted_retina")
    return sort_simulated("simulated_retina_array", simulated_world, sorting_python, folder)
