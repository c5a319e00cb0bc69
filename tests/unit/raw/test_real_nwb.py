"""Recordings as they are found: monkey IT of Zhang et al. (2011) and mouse ALM from DANDI."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import xarray as xr
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainalign.errors import CorruptDataError
from brainalign.raw.nwb import read_session
from brainalign.raw.nwb_dataset import NWBFolder
from brainalign.raw.options import NWBDataset
from brainalign.raw.recording import SpikeSession
from brainalign.responses.counts import count_spikes, number_repeats
from brainalign.stores.read import open_store, read_labels
from command_line import Command

pytestmark = pytest.mark.real_data

PROJECT = Path(__file__).resolve().parents[3]
ZHANG_CONFIG = PROJECT / "workflow" / "datasets" / "zhang_desimone2011.yaml"
# Counted in the published files by hand (h5ls), so that no reader is its own judge.
N_UNITS = [4, 4, 6, 5, 6, 7, 5, 5, 6, 6]
N_TRIALS = [420, 420, 420, 420, 420, 419, 420, 420, 420, 420]
N_SPIKES = [7557, 14378, 14103, 16779, 39395, 28297, 41873, 12556, 42119, 37980]


@pytest.fixture(scope="module")
def sessions(data_folder: Path) -> list[SpikeSession]:
    options = NWBDataset(
        kind="nwb",
        folder=str(data_folder / "nwb_zhang_desimone"),
        stimulus_columns=["stimulus_ID"],
        onset_column="stimulus_onset_time",
        area_column="location",
    )
    dataset = NWBFolder(options)
    assert dataset.list_subjects() == ["bp"]
    return list(dataset.read_sessions("bp"))


def test_the_golden_numbers_of_all_ten_sessions_are_read(sessions: list[SpikeSession]) -> None:
    assert [session.session for session in sessions] == [str(1001 + row) for row in range(10)]
    assert [len(session.units) for session in sessions] == N_UNITS
    assert [len(session.presentations) for session in sessions] == N_TRIALS
    assert [sum(map(len, session.spike_times)) for session in sessions] == N_SPIKES


def test_every_spike_and_onset_is_that_of_the_file(
    sessions: list[SpikeSession], data_folder: Path
) -> None:
    for session in sessions:
        with h5py.File(data_folder / "nwb_zhang_desimone" / session.source) as file:
            times = file["units/spike_times"][:]
            ends = file["units/spike_times_index"][:]
            onsets = file["intervals/trials/stimulus_onset_time"][:]
            names = file["intervals/trials/stimulus_ID"].asstr()[:]
        for found, expected in zip(session.spike_times, np.split(times, ends[:-1]), strict=True):
            np.testing.assert_array_equal(found, expected)
        np.testing.assert_array_equal(session.presentations["onset_s"], onsets)
        assert session.presentations["stimulus"].tolist() == names.tolist()


def test_stimuli_come_on_half_a_second_after_the_trial(sessions: list[SpikeSession]) -> None:
    onset = sessions[0].presentations["onset_s"].to_numpy()
    np.testing.assert_allclose(onset, 0.5 + 1.5 * np.arange(420))


def test_responses_and_reliability_are_published(
    data_folder: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINALIGN_DATA", str(data_folder))
    output = tmp_path / "bp.zarr"
    words = ["responses", "--config", ZHANG_CONFIG, "--dataset", "zhang_desimone2011"]
    outcome = command(*words, "--subject", "bp", "--output", output)
    assert outcome.status == 0, outcome.error
    store = xr.open_zarr(output)
    assert store.sizes["unit"] == sum(N_UNITS)
    assert store.sizes["presentation"] == sum(N_TRIALS)
    # 7 objects at 3 positions.
    assert len(set(store["stimulus"].values.tolist())) == 21
    is_usable = (store["unit_status"] == "ok").values
    assert np.isfinite(store["reliability"].values[is_usable]).all()
    assert is_usable.sum() > 40
    assert np.nanmedian(store["reliability"].values) > 0.5
    assert command("verify", output).status == 0


def test_stimuli_without_images_are_known_by_their_labels(
    data_folder: Path, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINALIGN_DATA", str(data_folder))
    words = ["stimuli", "--config", ZHANG_CONFIG, "--dataset", "zhang_desimone2011"]
    assert command(*words, "--output", tmp_path / "stimuli.zarr").status == 0
    store = open_store(tmp_path / "stimuli.zarr", "stimuli")
    assert "image" not in store
    assert len(set(read_labels(store, "category").tolist())) == 7


def test_a_linear_readout_finds_the_seven_objects(sessions: list[SpikeSession]) -> None:
    """Units of all sessions are stitched by object and repeat into one population."""
    blocks = []
    for session in sessions:
        onset = session.presentations["onset_s"].to_numpy()
        count = count_spikes(session.spike_times, onset, [100.0, 500.0])
        stimulus = session.presentations["stimulus"].to_numpy(dtype=np.str_)
        repeat = number_repeats(stimulus)
        n_repeats = min(np.unique(stimulus, return_counts=True)[1])
        keep = repeat < n_repeats
        order = np.lexsort((repeat[keep], stimulus[keep]))
        blocks.append(count[keep][order].reshape(7, n_repeats, -1))
    n_repeats = min(block.shape[1] for block in blocks)
    population = np.concatenate([block[:, :n_repeats] for block in blocks], axis=2)
    assert population.shape == (7, n_repeats, sum(N_UNITS))
    feature = np.sqrt(population.reshape(7 * n_repeats, -1))
    label = np.repeat(np.arange(7), n_repeats)
    fold = np.tile(np.arange(n_repeats), 7)
    readout = make_pipeline(
        StandardScaler(), LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    )
    accuracy = cross_val_score(readout, feature, label, groups=fold, cv=GroupKFold(5)).mean()
    print(f"accuracy of 7 objects: {accuracy:.3f} (chance 0.143)")
    assert accuracy > 0.6
    shuffled = np.random.default_rng(0).permutation(label)
    chance = cross_val_score(readout, feature, shuffled, groups=fold, cv=GroupKFold(5)).mean()
    assert chance < 0.25


@pytest.mark.parametrize(
    ("name", "n_units", "n_trials", "n_spikes", "session"),
    [
        ("sub_anm00239123_ses_20170627T093549_ecephys_and_ogen.nwb", 4, 412, 34057, "20170627T"),
        ("sub-anm372793_ses-20170508.nwb", 1, 340, 2434, "20170508"),
    ],
)
def test_mouse_files_in_the_wild_are_read(
    name: str, n_units: int, n_trials: int, n_spikes: int, session: str, data_folder: Path
) -> None:
    path = data_folder / "nwb_mouse_alm" / name
    found = read_session(
        path, stimulus_columns=["type"], onset_column="start_time", unsorted_spikes="sort"
    )
    assert len(found.units) == n_units
    assert len(found.presentations) == n_trials
    assert sum(map(len, found.spike_times)) == n_spikes
    assert found.session.startswith(session)
    with h5py.File(path) as file:
        ends = file["units/spike_times_index"][:]
        expected = np.split(file["units/spike_times"][:], ends[:-1])
    for times, of_file in zip(found.spike_times, expected, strict=True):
        np.testing.assert_array_equal(times, np.sort(of_file))


def test_spikes_that_are_out_of_order_in_the_wild_are_refused_unless_asked_for(
    data_folder: Path,
) -> None:
    """At 20 places of this published file a spike stands after a later one."""
    path = data_folder / "nwb_mouse_alm" / "sub-anm372793_ses-20170508.nwb"
    with pytest.raises(CorruptDataError, match=r"spike times are unsorted.*unsorted_spikes: sort"):
        read_session(path, stimulus_columns=["type"], onset_column="start_time")


def test_both_mice_are_found_by_their_file_names(data_folder: Path) -> None:
    options = NWBDataset(
        kind="nwb",
        folder=str(data_folder / "nwb_mouse_alm"),
        stimulus_columns=["type"],
        unsorted_spikes="sort",
    )
    dataset = NWBFolder(options)
    assert dataset.list_subjects() == ["anm00239123", "anm372793"]
    assert dataset.find_problems() == []
    assert dataset.read_stimuli() is None
