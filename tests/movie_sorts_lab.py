"""A tiny laboratory of movies before NWB: one file of spike times per cell, events, pulses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from movie_lab import TRIALS, list_starts, make_spikes, make_triggers, write_movie_files


def make_trains(n_units: int = 3) -> list[np.ndarray]:
    """Spikes of single cells: none within 3 ms of the one before."""
    return [times[np.diff(times, prepend=-1.0) > 0.003] for times in make_spikes(n_units)]


def write_time_files(folder: Path, trains: list[np.ndarray] | None = None) -> Path:
    """Write one file per cell: the first as an array, all others as text."""
    folder.mkdir(parents=True)
    for number, times in enumerate(make_trains() if trains is None else trains, start=1):
        if number == 1:
            np.save(folder / "cell1.npy", times)
        else:
            text = "".join(f"{time:.6f}\n" for time in times)
            (folder / f"cell{number}.txt").write_text(f"# s\n{text}")
    return folder


def write_movie_sorts(folder: Path, /, **session: Any) -> dict[str, Any]:
    """Write spikes, events, pulses and movies; give the options of the data set."""
    if "folder" not in session:
        write_time_files(folder / "cells")
    write_movie_files(folder / "movies")
    events = "".join(
        f"{start}\t{name}\n" for start, name in zip(list_starts(), TRIALS, strict=True)
    )
    (folder / "events.tsv").write_text(f"onset\tmovie\n{events}")
    pulses = "".join(f"{time:.6f}\n" for time in make_triggers())
    (folder / "frames.tsv").write_text(f"time\n{pulses}")
    described = {
        "subject": "1",
        "session": "1",
        "format": "spike_times",
        "folder": str(folder / "cells"),
        "events": str(folder / "events.tsv"),
        "frame_triggers": str(folder / "frames.tsv"),
        "area": "retina",
        **session,
    }
    return {
        "kind": "movie_sorts",
        "movie_tables": [str(folder / "movies" / "movies.tsv")],
        "sessions": [described],
        "stimuli": {"split": {"guard_s": 0.1}},
    }


def write_movie_config(
    folder: Path, dataset: dict[str, Any], experiment: dict[str, Any] | None = None
) -> Path:
    """Write the configuration of the data set ``lab``; JSON is YAML."""
    path = folder / "lab.yaml"
    experiments = [experiment or {"datasets": ["lab"]}]
    path.write_text(json.dumps({"datasets": {"lab": dataset}, "experiments": experiments}))
    return path
