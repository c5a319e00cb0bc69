"""A small simulated recording of movies in the scanner, as stores."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from brainalign.raw.bids.movies import BIDSMovieFolder
from brainalign.raw.fmri_options import SimulatedFMRIMovieDataset
from brainalign.raw.registry import open_raw_dataset
from brainalign.raw.simulate.fmri_movie_recording import write_fmri_movie_recording
from brainalign.raw.simulate.options import WorldOptions
from brainalign.responses.fmri_movies import build_fmri_movie_responses
from brainalign.stimuli.movies import build_movie_stimuli
from brainalign.stores.provenance import ProvenanceRecorder
from brainalign.stores.write import write_store

SMALL = {
    "subjects": {"01": 60},
    "n_training_movies": 2,
    "n_validation_movies": 1,
    "n_test_movies": 1,
    "test_repeats": 2,
    "movie_trs": 24,
    "frame_size": 16,
    "frame_rate_hz": 1.0,
    "shortest_shot_s": 3.0,
    "volume_shape": [10, 10, 8],
}


def make_options(**simulation: Any) -> SimulatedFMRIMovieDataset:
    """Options of a small recording."""
    return SimulatedFMRIMovieDataset.model_validate(
        {"kind": "simulated_fmri_movies", "simulation": {**SMALL, **simulation}}
    )


def write_recording(folder: Path, options: SimulatedFMRIMovieDataset) -> Path:
    """Write a world's truth and the recording; gives the folder of the latter."""
    world, recording = folder / "world", folder / "recording"
    world.mkdir()
    recording.mkdir()
    truth = {"options": WorldOptions().model_dump(mode="json")}
    (world / "truth.json").write_text(json.dumps(truth))
    write_fmri_movie_recording(recording, world, options.simulation)
    return recording


def open_recording(folder: Path, options: SimulatedFMRIMovieDataset) -> BIDSMovieFolder:
    """Open the recording as its raw data set."""
    return open_raw_dataset(options, folder)


def write_stores(folder: Path, recording: Path, options: SimulatedFMRIMovieDataset) -> None:
    """Write stimuli, responses of subject 01, and luminance on a grid as features."""
    dataset = open_recording(recording, options)
    stimuli = build_movie_stimuli(dataset.read_movies(), options.stimuli)
    responses = build_fmri_movie_responses(dataset, "01", options.responses, None)
    responses.attrs["subject"] = "01"
    grey = stimuli["frame"].values.mean(3).reshape(len(stimuli["movie"]), 4, 4, 4, 4)
    feature = xr.Dataset(
        {"feature": (("frame", "dimension"), grey.mean((2, 4)).reshape(-1, 16).astype("f4"))}
    )
    rows = xr.Dataset(
        coords={name: stimuli[name].variable for name in ("movie", "time", "frame_number")}
    )
    # Stands for what a text tower makes of captions: other numbers that change with the film.
    text = xr.Dataset({"feature": feature["feature"] ** 2 + np.arange(16, dtype="f4")})
    tree = xr.DataTree.from_dict({"/": rows, "/grid/mean": feature, "/text/pooled": text})
    for name, content, kind in (
        ("stimuli", stimuli, "stimuli"),
        ("01", responses, "responses"),
        ("features", tree, "features"),
    ):
        record = ProvenanceRecorder(kind, {}, {}).finish()
        write_store(folder / f"{name}.zarr", content, kind, record)
