"""A tiny world and a tiny recording of it, made once."""

from pathlib import Path

import pytest

from brainalign.raw.simulate.it_recording import write_it_recording
from brainalign.raw.simulate.options import MovieOptions, SimulatedITOptions, WorldOptions
from brainalign.raw.simulate.world import write_world


@pytest.fixture(scope="session")
def world_options() -> WorldOptions:
    return WorldOptions(
        image_size=48,
        exemplars_per_category=2,
        views_per_exemplar=3,
        n_scenes=6,
        movies=MovieOptions(
            n_object_movies=1,
            n_texture_movies=1,
            duration_s=3.0,
            frame_rate_hz=10.0,
            frame_size=32,
            shortest_shot_s=0.5,
            longest_shot_s=1.0,
            max_drift_px_s=10.0,
        ),
    )


@pytest.fixture(scope="session")
def world_folder(world_options: WorldOptions, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("world")
    write_world(folder, world_options)
    return folder


@pytest.fixture(scope="session")
def recording_options() -> SimulatedITOptions:
    return SimulatedITOptions(
        subjects={"monkey-a": 4, "monkey-b": 6},
        n_sessions=2,
        test_repeats=3,
        train_repeats=2,
        n_shared_train_stimuli=2,
        invalid_share=0.1,
    )


@pytest.fixture(scope="session")
def recording_folder(
    world_folder: Path,
    recording_options: SimulatedITOptions,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    folder = tmp_path_factory.mktemp("recording")
    write_it_recording(folder, world_folder, recording_options)
    return folder
