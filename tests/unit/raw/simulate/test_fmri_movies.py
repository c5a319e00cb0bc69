"""Simulated movies in the scanner: cuts, captions, planted lags, a valid BIDS folder."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.simulate.fmri_movie_options import SimulatedFMRIMovieOptions
from brainalign.raw.simulate.fmri_movie_recording import describe_lags, write_fmri_movie_recording
from brainalign.raw.simulate.fmri_movies import plan_movies, read_world_options, remember
from brainalign.raw.simulate.options import WorldOptions
from movie_scanner import make_options, open_recording, write_recording


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("movies"), make_options())


def test_shots_fill_a_movie_and_change_the_object_only_at_cuts():
    planned = plan_movies(make_options().simulation, WorldOptions())
    for one in planned:
        assert sum(shot.n_frames for shot in one.movie.shots) == one.movie.n_frames == 48
        category = one.latent[:, :7]
        changes = np.abs(np.diff(category, axis=0)).sum(1) > 1e-9
        cuts = np.diff(one.shot) > 0
        assert not (changes & ~cuts).any()
        assert len(set(one.caption.tolist())) <= len(one.movie.shots)


def test_splits_are_whole_movies():
    options = SimulatedFMRIMovieOptions()
    splits = list(options.list_movies().values())
    assert splits == ["train"] * 28 + ["validation"] * 2 + ["test"] * 4


def test_memory_averages_the_past_only():
    latent = np.zeros((20, 1))
    latent[10:] = 1
    averaged = remember(latent, 1.0, 3.0)[:, 0]
    assert (averaged[:10] == 0).all()
    assert (np.diff(averaged[10:]) > 0).all()
    assert averaged[12] == pytest.approx(1 - np.exp(-1))


def test_planted_lags_follow_delay_and_memory():
    region, weight = describe_lags(SimulatedFMRIMovieOptions())
    mean_lag = dict(zip(region.tolist(), weight @ np.arange(10), strict=True))
    assert weight.sum(1) == pytest.approx(1)
    assert weight[0].argmax() in (2, 3)
    assert mean_lag["V1"] < mean_lag["V3"] < mean_lag["LOC"] < mean_lag["PPA"]


def test_planted_lag_of_the_bold_is_that_of_its_truth(tmp_path: Path):
    options = make_options(
        movie_trs=120,
        hrf_delay_spread_s=0.0,
        late_memory_s=0.0,
        shortest_shot_s=3.0,
        noise={"trial_share": 0.0, "thermal_percent": 0.02, "drift_percent": 0.0},
    )
    folder = write_recording(tmp_path, options)
    dataset = open_recording(folder, options)
    from brainalign.responses.fmri_movies import build_fmri_movie_responses

    responses = build_fmri_movie_responses(dataset, "01", options.responses, None)
    truth = np.load(folder / "sourcedata/truth/sub-01_truth.npz")
    order = {tuple(index): row for row, index in enumerate(truth["voxel_index"].tolist())}
    columns = [order[tuple(index)] for index in responses["voxel_index"].values.tolist()]
    movie = truth["movie"].tolist().index(str(responses["movie"].values[0]))
    drive = truth["drive"][movie][:, columns].reshape(120, 2, -1).mean(1)
    bold = responses["response"].values[0][:126]
    peaks = {}
    for name in ("V1", "PPA"):
        chosen = responses["area"].values == name
        lags = [
            np.corrcoef(drive[:112, chosen].ravel(), bold[lag : lag + 112, chosen].ravel())[0, 1]
            for lag in range(7)
        ]
        peaks[name] = int(np.argmax(lags))
    weight = dict(zip(truth["lag_roi"].tolist(), truth["lag_weight"], strict=True))
    assert all(abs(peaks[name] - int(weight[name].argmax())) <= 1 for name in peaks)
    assert peaks["PPA"] > peaks["V1"]


def test_files_are_those_of_bids(recording: Path):
    names = {path.name for path in recording.iterdir()}
    assert {"dataset_description.json", "participants.tsv", "README", "sub-01"} <= names
    description = json.loads((recording / "dataset_description.json").read_text())
    assert {"Name", "BIDSVersion", "DatasetType"} <= set(description)
    runs = sorted((recording / "sub-01" / "func").glob("*_bold.nii.gz"))
    assert len(runs) == 2 + 1 + 2
    for run in runs:
        events = pd.read_csv(str(run).replace("_bold.nii.gz", "_events.tsv"), sep="\t")
        assert list(events.columns[:2]) == ["onset", "duration"]
        assert (recording / "stimuli" / events["stim_file"][0]).is_file()


def test_reader_gives_movies_with_split_and_captions(recording: Path):
    movies = open_recording(recording, make_options()).read_movies().movies
    assert sorted(movies) == ["movie-01", "movie-02", "movie-03", "movie-04"]
    assert set(movies["movie-04"].split.tolist()) == {"test"}
    assert all(text.endswith(".") for text in movies["movie-01"].caption.tolist())


def test_equal_options_give_equal_volumes(recording: Path, tmp_path: Path):
    other = write_recording(tmp_path, make_options())
    for path in sorted(recording.rglob("*.nii.gz")):
        assert path.read_bytes() == (other / path.relative_to(recording)).read_bytes()


def test_a_world_without_truth_is_refused(tmp_path: Path):
    with pytest.raises(InputError, match="truth is missing"):
        read_world_options(tmp_path)
    (tmp_path / "truth.json").write_text("{}")
    with pytest.raises(CorruptDataError, match="truth is damaged"):
        read_world_options(tmp_path)


def test_a_folder_that_is_not_empty_is_refused(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="no empty folder"):
        write_fmri_movie_recording(tmp_path, tmp_path, make_options().simulation)


@pytest.mark.parametrize(
    "given",
    [
        {"longest_shot_s": 1.0},
        {"shortest_shot_s": 0.5},
        {"roi_delay_s": {"V1": 0.0}},
        {"tr_s": 1.3, "movie_trs": 7},
    ],
)
def test_impossible_options_are_refused(given: dict):
    with pytest.raises(ValueError, match=r"shot|roi_delay_s|whole number"):
        SimulatedFMRIMovieOptions.model_validate(given)
