"""A tiny laboratory of movies: NWB files with frame triggers, tables of movies, a configuration."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from pynwb import NWBHDF5IO, NWBFile, TimeSeries

from brainalign.raw.nwb_movies import NWBMovieFolder
from brainalign.raw.options import NWBMoviesDataset

RATE_HZ = 20.0
N_FRAMES = 80
TRIALS = ("first", "second", "first", "second")
PAUSE_S = 0.5


def list_starts(n_trials: int = len(TRIALS)) -> np.ndarray:
    """When trials start, in s."""
    return 1.0 + np.arange(n_trials) * (N_FRAMES / RATE_HZ + PAUSE_S)


def make_triggers() -> np.ndarray:
    """One pulse per frame of every trial, in s."""
    return (list_starts()[:, None] + np.arange(N_FRAMES) / RATE_HZ).ravel()


def make_spikes(n_units: int = 3, seed: int = 0) -> list[np.ndarray]:
    """Poisson spikes of 20 Hz over all trials."""
    generator = np.random.default_rng(seed)
    end = list_starts()[-1] + N_FRAMES / RATE_HZ
    return [np.sort(generator.uniform(0.5, end, int(20 * end))) for _ in range(n_units)]


def write_movie_nwb(
    path: Path,
    spikes: Sequence[np.ndarray] | None = None,
    triggers: np.ndarray | None = None,
    movies: Sequence[str] = TRIALS,
) -> Path:
    """Write one session; None stands for what is right."""
    nwb = NWBFile(
        session_description="test",
        identifier=path.stem,
        session_start_time=datetime(2026, 1, 1, tzinfo=UTC),
    )
    nwb.add_trial_column("movie", "shown movie")
    for start, movie in zip(list_starts(len(movies)), movies, strict=True):
        nwb.add_trial(start_time=start, stop_time=start + N_FRAMES / RATE_HZ, movie=movie)
    for times in make_spikes() if spikes is None else spikes:
        nwb.add_unit(spike_times=np.asarray(times, dtype=float))
    pulses = make_triggers() if triggers is None else triggers
    nwb.add_acquisition(
        TimeSeries(name="frame_triggers", data=np.ones(len(pulses)), unit="a.u.", timestamps=pulses)
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    with NWBHDF5IO(str(path), "w") as stream:
        stream.write(nwb)
    return path


def write_movie_files(folder: Path, n_frames: int = N_FRAMES, size: int = 12) -> Path:
    """Write two movies of noise and the table that names them."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["movie\tpath\tframe_rate_hz"]
    for seed, name in enumerate(("first", "second")):
        frames = np.random.default_rng(seed).integers(0, 256, (n_frames, size, size))
        np.save(folder / f"{name}.npy", frames.astype(np.uint8))
        rows.append(f"{name}\t{name}.npy\t{RATE_HZ}")
    table = folder / "movies.tsv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return table


def write_movie_config(folder: Path, **options: Any) -> Path:
    """Write the configuration of the data set ``lab`` of this folder; JSON is YAML."""
    dataset = make_options(folder, **options).model_dump(mode="json", exclude_unset=True)
    dataset["stimuli"] = {"split": {"guard_s": 0.1}}
    content = {"datasets": {"lab": dataset}, "experiments": [{"datasets": ["lab"]}]}
    path = folder / "lab.yaml"
    path.write_text(json.dumps(content), encoding="utf-8")
    return path


def open_lab(folder: Path, **options: Any) -> NWBMovieFolder:
    """Open the data set in ``folder/nwb`` with the movies in ``folder/movies``."""
    return NWBMovieFolder(make_options(folder, **options))


def make_options(folder: Path, **options: Any) -> NWBMoviesDataset:
    """Options of the data set in ``folder/nwb`` with the movies in ``folder/movies``."""
    return NWBMoviesDataset.model_validate(
        {
            "kind": "nwb_movies",
            "folder": str(folder / "nwb"),
            "movie_tables": [str(folder / "movies" / "movies.tsv")],
            **options,
        }
    )
