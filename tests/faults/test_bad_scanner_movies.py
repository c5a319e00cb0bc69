"""Movies in the scanner that do not fit their runs, frames, captions or splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.errors import InputError
from brainalign.methods.clips.stores import read_clip_experiment
from brainalign.raw.fmri_options import SimulatedFMRIMovieDataset
from brainalign.responses.fmri_movies import build_fmri_movie_responses
from brainalign.stimuli.movies import build_movie_stimuli
from movie_scanner import make_options, open_recording, write_stores


def build(folder: Path, **responses: object) -> xr.Dataset:
    options = SimulatedFMRIMovieDataset.model_validate(
        {**make_options().model_dump(mode="python"), "responses": responses}
    )
    return build_fmri_movie_responses(
        open_recording(folder, options), "01", options.responses, None
    )


def change_events(folder: Path, **columns: object) -> None:
    for path in (folder / "sub-01" / "func").glob("*_events.tsv"):
        pd.read_csv(path, sep="\t").assign(**columns).to_csv(path, sep="\t", index=False)


def change_table(folder: Path, name: str, change) -> None:
    path = folder / "stimuli" / name
    change(pd.read_csv(path, sep="\t")).to_csv(path, sep="\t", index=False)


def read(folder: Path, **given: object):
    options = {"feature_paths": [], "default_path": "grid/map", "text_path": None, **given}
    return read_clip_experiment(
        folder / "stimuli.zarr", [folder / "01.zarr"], folder / "features.zarr", **options
    )


def test_a_run_that_ends_before_its_movie_is_refused(recording: Path):
    change_events(recording, onset=30.0)
    with pytest.raises(InputError, match=r"ends before its movie.*expected 48 s from the onset"):
        build(recording)


def test_a_run_that_ends_before_its_movie_is_trimmed_where_asked(recording: Path):
    change_events(recording, onset=30.0)
    assert build(recording, short_runs="trim").sizes["time"] == 18


def test_a_movie_shorter_than_its_presentation_is_refused(recording: Path):
    change_events(recording, duration=60.0)
    with pytest.raises(InputError, match=r"shorter than its presentation.*48 frames at 1 Hz"):
        build(recording)


def test_a_run_longer_than_its_movie_only_has_a_longer_answer(recording: Path):
    assert build(recording, answer_s=4.0).sizes["time"] == 26


def test_an_unknown_movie_is_refused(recording: Path):
    change_events(recording, stim_file="movie-77.npy")
    with pytest.raises(InputError, match=r"movie 'movie-77' of events is not in the table"):
        build(recording)


def test_missing_frames_are_refused(recording: Path):
    path = recording / "stimuli" / "movie-02.npy"
    np.save(path, np.load(path)[:40])
    with pytest.raises(InputError, match=r"another number of frames.*expected 48, found 40"):
        build(recording)


def test_a_movie_of_no_frames_is_refused(recording: Path):
    path = recording / "stimuli" / "movie-02.npy"
    np.save(path, np.load(path)[:0])
    with pytest.raises(InputError, match="has no frames"):
        build(recording)


def test_movies_of_different_frame_rates_are_refused(recording: Path):
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[1, "frame_rate_hz"] = 2.0
        return table

    change_table(recording, "movies.tsv", change)
    dataset = open_recording(recording, make_options())
    with pytest.raises(InputError, match="different frame rates"):
        build_movie_stimuli(dataset.read_movies(), make_options().stimuli)


@pytest.mark.parametrize("kept", [slice(1, None), slice(0, 60)])
def test_missing_captions_are_refused(recording: Path, kept: slice):
    change_table(recording, "movie_captions.tsv", lambda table: table.iloc[kept])
    with pytest.raises(InputError, match="missing captions"):
        open_recording(recording, make_options()).read_movies()


def test_without_a_table_there_are_no_captions(recording: Path):
    (recording / "stimuli" / "movie_captions.tsv").unlink()
    movies = open_recording(recording, make_options()).read_movies().movies
    assert all(movie.caption is None for movie in movies.values())


def test_windows_of_two_splits_share_no_tr(stores: Path, tmp_path: Path):
    subject = read(stores).subjects[0]
    segments = {split: set(one.segment.tolist()) for split, one in subject.by_split.items()}
    assert not segments["train"] & segments["test"]
    assert not segments["train"] & segments["validation"]


def test_parts_of_one_movie_in_two_splits_share_no_tr(recording: Path, tmp_path: Path):
    def divide(table: pd.DataFrame) -> pd.DataFrame:
        late = (table["movie"] == "movie-01") & (table["frame"] >= 24)
        return table.assign(split=table["split"].mask(late, "validation"))

    change_table(recording, "movie_frames.tsv", divide)
    write_stores(tmp_path, recording, make_options())
    parts = read(tmp_path).subjects[0].by_split
    volumes = {
        split: {row.tobytes() for row in parts[split].bold if np.isfinite(row).all()}
        for split in ("train", "validation", "test")
    }
    of_movie = [sum("movie-01" in name for name in parts[split].segment) for split in volumes]
    # 24 of 48 frames at 1 Hz are 12 TRs; the answer after the end belongs to the later part.
    assert of_movie[0] == 12
    assert of_movie[1] >= 12
    assert not volumes["train"] & volumes["validation"]
    assert not volumes["train"] & volumes["test"]


def test_bold_of_a_whole_movie_goes_on_after_its_end(stores: Path):
    test = read(stores).subjects[0].by_split["test"]
    assert (len(test.segment), int(test.is_shown.sum())) == (30, 24)
    assert test.is_recorded.all()


def test_a_feature_that_is_not_there_is_refused(stores: Path):
    with pytest.raises(InputError, match=r"no features 'grid/means'.*Did you mean 'grid/mean'"):
        read(stores, feature_paths=["grid/means"])


def test_captions_that_no_backbone_embedded_are_refused(stores: Path):
    with pytest.raises(InputError, match="no caption features"):
        read(stores, text_path="text/tokens")


def test_captions_are_read_beside_the_movie(stores: Path):
    training = read(stores, text_path="text/pooled").subjects[0].by_split["train"]
    assert training.text.shape == training.video.shape


def test_halves_of_the_runs_are_the_same_windows(stores: Path):
    subject = read(stores).subjects[0]
    assert len(subject.halves) == 2
    mean = np.mean([half.bold for half in subject.halves], axis=0)
    np.testing.assert_allclose(mean, subject.by_split["test"].bold, atol=1e-5)
