"""Response stores of movies, from NWB files to the contract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from brainalign.errors import InputError
from brainalign.responses.movies import build_movie_responses
from brainalign.responses.options import MovieResponseOptions, ReceptiveFieldOptions
from brainalign.stimuli.movies import build_movie_stimuli
from brainalign.stimuli.options import MovieSplitOptions, MovieStimuliOptions
from brainalign.stimuli.read import FrameSplits
from brainalign.stores.contracts import find_contract_violations
from movie_lab import (
    N_FRAMES,
    RATE_HZ,
    list_starts,
    make_spikes,
    open_lab,
    write_movie_files,
    write_movie_nwb,
)

_OPTIONS = MovieResponseOptions(receptive_fields=ReceptiveFieldOptions(n_lags=5))


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    write_movie_files(tmp_path / "movies")
    write_movie_nwb(tmp_path / "nwb" / "sub-1_ses-1.nwb")
    return tmp_path


def _read_splits(lab: Path) -> FrameSplits:
    options = MovieStimuliOptions(split=MovieSplitOptions(guard_s=0.1))
    stimuli = build_movie_stimuli(open_lab(lab).read_movies(), options)
    return FrameSplits(
        stimuli["movie"].values,
        stimuli["frame_number"].values,
        stimuli["split"].values,
        stimuli["split_by_fold"].values,
    )


def _build(lab: Path, options: MovieResponseOptions = _OPTIONS, splits: bool = False) -> xr.Dataset:
    return build_movie_responses(open_lab(lab), "1", options, _read_splits(lab) if splits else None)


def test_store_keeps_its_contract(lab: Path) -> None:
    assert find_contract_violations(xr.DataTree(_build(lab)), "responses") == []


def test_every_spike_of_a_trial_is_counted_once(lab: Path) -> None:
    responses = _build(lab)
    for unit, times in enumerate(make_spikes()):
        for trial, start in enumerate(list_starts()):
            inside = (times >= start) & (times < start + N_FRAMES / RATE_HZ)
            assert responses["response"].values[trial, :, unit].sum() == inside.sum()


def test_trials_are_numbered_per_movie(lab: Path) -> None:
    responses = _build(lab)
    assert responses["movie"].values.tolist() == ["first", "second", "first", "second"]
    assert responses["repeat"].values.tolist() == [0, 0, 1, 1]


def test_bins_of_a_width_have_their_own_times(lab: Path) -> None:
    responses = _build(lab, _OPTIONS.model_copy(update={"bins": 100.0}))
    assert responses.sizes["time"] == 40
    assert responses.attrs["bins"] == "width"
    np.testing.assert_allclose(responses["time"].values[:3], [0.0, 0.1, 0.2])


def test_unit_without_spikes_is_silent_and_has_no_reliability(lab: Path) -> None:
    write_movie_nwb(lab / "nwb" / "sub-1_ses-1.nwb", spikes=[*make_spikes(2), np.array([])])
    responses = _build(lab)
    assert responses["unit_status"].values.tolist() == ["ok", "ok", "silent"]
    assert np.isnan(responses["reliability"].values[2])


@pytest.mark.parametrize(
    # Of four seconds, the first ones train and the last fifth is the test part.
    ("spoken_s", "status"),
    [((0.0, 2.0), "silent_in_test"), ((3.3, 3.95), "silent_in_training")],
)
def test_unit_that_is_silent_in_one_split_is_named_so(
    lab: Path, spoken_s: tuple[float, float], status: str
) -> None:
    spikes = np.concatenate([start + np.linspace(*spoken_s, 21) for start in list_starts()])
    write_movie_nwb(lab / "nwb" / "sub-1_ses-1.nwb", spikes=[*make_spikes(2), spikes])
    assert _build(lab, splits=True)["unit_status"].values[2] == status


def test_movie_with_fewer_frames_than_the_window_is_refused(lab: Path) -> None:
    options = MovieResponseOptions(receptive_fields=ReceptiveFieldOptions(n_lags=100))
    with pytest.raises(InputError, match=r"too few frames for receptive fields.*found 80 frames"):
        _build(lab, options)


def test_receptive_fields_can_be_left_out(lab: Path) -> None:
    options = MovieResponseOptions(receptive_fields=ReceptiveFieldOptions(source="none"))
    assert not any(str(name).startswith("rf_") for name in _build(lab, options))


def test_source_that_the_data_set_lacks_is_refused(lab: Path) -> None:
    options = MovieResponseOptions(receptive_fields=ReceptiveFieldOptions(source="outlines"))
    with pytest.raises(InputError, match="has no outlines"):
        _build(lab, options)


def test_units_of_two_sessions_are_joined_with_gaps(lab: Path) -> None:
    write_movie_nwb(lab / "nwb" / "sub-1_ses-2.nwb", spikes=make_spikes(2, seed=1))
    responses = _build(lab)
    assert responses["response"].shape == (8, N_FRAMES, 5)
    assert np.isnan(responses["response"].values[4:, :, :3]).all()
