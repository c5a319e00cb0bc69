"""Movie design of BOLD: TRs from the movie's onset, resampling, reliability."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainalign.responses.fmri_movies import build_fmri_movie_responses, resample_from_onset
from movie_scanner import make_options, open_recording, write_recording


@pytest.fixture(scope="module")
def responses(tmp_path_factory: pytest.TempPathFactory):
    options = make_options()
    folder: Path = write_recording(tmp_path_factory.mktemp("responses"), options)
    return build_fmri_movie_responses(
        open_recording(folder, options), "01", options.responses, None
    )


def test_every_run_is_a_trial_of_trs_and_their_answer(responses):
    assert responses["response"].dims == ("trial", "time", "unit")
    assert responses["response"].shape == (5, 24 + 6, 60)
    assert responses.attrs["bin_s"] == 2.0
    assert responses["time"].values[:3].tolist() == [0.0, 2.0, 4.0]


def test_test_movies_have_repeats_and_reliable_voxels(responses):
    shown = responses["movie"].values.tolist()
    assert shown.count("movie-04") == 2
    repeats = responses["repeat"].values[np.array(shown) == "movie-04"]
    assert sorted(repeats.tolist()) == [0, 1]
    assert float(np.nanmedian(responses["reliability"].values)) > 0.3


def test_onsets_on_the_grid_leave_volumes_as_they_are():
    series = np.arange(20, dtype=np.float32).reshape(10, 2)
    assert np.array_equal(resample_from_onset(series, 3.0, 4), series[3:7])
    assert np.array_equal(resample_from_onset(series, 2.995, 4), series[3:7])


def test_onsets_between_volumes_are_interpolated():
    series = np.arange(10, dtype=np.float32)[:, np.newaxis]
    assert resample_from_onset(series, 3.25, 3)[:, 0].tolist() == [3.25, 4.25, 5.25]


def test_samples_after_the_run_are_missing():
    series = np.arange(5, dtype=np.float32)[:, np.newaxis]
    assert np.isnan(resample_from_onset(series, 3.0, 4)[:, 0]).tolist() == [
        False,
        False,
        True,
        True,
    ]
    assert np.isnan(resample_from_onset(series, 3.5, 2)[:, 0]).tolist() == [False, True]
