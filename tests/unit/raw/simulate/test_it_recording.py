"""The NWB files: what was simulated is what a reader finds."""

import hashlib
from collections import Counter
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from pynwb import NWBHDF5IO

from brainalign.errors import InputError
from brainalign.raw.simulate.it_nwb import PHOTODIODE_LEVELS, PHOTODIODE_RATE_HZ
from brainalign.raw.simulate.it_recording import write_it_recording
from brainalign.raw.simulate.it_session import (
    DISPLAY_DELAY_S,
    FRAME_DURATION_S,
    compute_window_share,
    divide_stimuli,
    make_profile,
)
from brainalign.raw.simulate.options import SimulatedITOptions
from brainalign.raw.simulate.world_tables import read_table

SESSIONS = [(subject, session) for subject in ("monkey-a", "monkey-b") for session in ("01", "02")]


def find_file(folder: Path, subject: str, session: str) -> Path:
    return folder / f"sub-{subject}" / f"sub-{subject}_ses-{session}_ecephys.nwb"


def read_trials(folder: Path, subject: str, session: str) -> pd.DataFrame:
    with NWBHDF5IO(find_file(folder, subject, session), "r") as io:
        return io.read().trials.to_dataframe()


def read_spikes(folder: Path, subject: str, session: str) -> list[np.ndarray]:
    with NWBHDF5IO(find_file(folder, subject, session), "r") as io:
        units = io.read().units
        return [np.asarray(units["spike_times"][index]) for index in range(len(units))]


def test_every_session_is_written_under_its_dandi_name(recording_folder):
    found = {path.relative_to(recording_folder) for path in recording_folder.rglob("*.nwb")}
    assert found == {find_file(Path(), subject, session) for subject, session in SESSIONS}


def test_nwbinspector_has_no_finding_worse_than_a_suggestion(recording_folder):
    from nwbinspector import Importance, inspect_nwbfile

    for path in recording_folder.rglob("*.nwb"):
        findings = [
            message
            for message in inspect_nwbfile(path)
            if message.importance.value > Importance.BEST_PRACTICE_SUGGESTION.value
        ]
        assert findings == []


def test_the_files_obey_the_nwb_schema(recording_folder):
    from pynwb import validate

    assert validate(path=find_file(recording_folder, "monkey-a", "01")) == []


def test_units_keep_their_ids_and_number_over_sessions(recording_folder):
    for subject, n_units in (("monkey-a", 4), ("monkey-b", 6)):
        names = []
        for session in ("01", "02"):
            with NWBHDF5IO(find_file(recording_folder, subject, session), "r") as io:
                units = io.read().units.to_dataframe()
            names.append(list(units["unit_name"]))
            assert set(units["location"]) == {"IT"}
        expected = [f"{subject}_unit-{number:03d}" for number in range(1, n_units + 1)]
        assert names == [expected, expected]


@pytest.mark.parametrize(("subject", "session"), SESSIONS)
def test_spike_times_are_sorted_finite_and_within_the_recording(recording_folder, subject, session):
    end = read_trials(recording_folder, subject, session)["start_time"].max() + 2.0
    for times in read_spikes(recording_folder, subject, session):
        assert np.isfinite(times).all()
        assert (np.diff(times) >= 0).all()
        assert 0 <= times.min() <= times.max() <= end


@pytest.mark.parametrize(("subject", "session"), SESSIONS)
def test_broken_off_trials_are_made_up_for(
    recording_folder, recording_options, world_folder, subject, session
):
    trials = read_trials(recording_folder, subject, session)
    split = read_table(world_folder, "stimuli").set_index("stimulus")["split"]
    valid = trials[trials["valid"]]
    for stimulus, rows in valid.groupby("stimulus"):
        of_test = split[stimulus] == "test"
        wanted = recording_options.test_repeats if of_test else recording_options.train_repeats
        assert sorted(rows["repeat"]) == list(range(wanted))
    assert not trials["valid"].all()


def test_all_sessions_of_both_animals_show_the_test_stimuli(recording_folder, world_folder):
    stimuli = read_table(world_folder, "stimuli")
    test = stimuli[(stimuli["kind"] == "object") & (stimuli["split"] == "test")]
    for subject, session in SESSIONS:
        assert set(test["stimulus"]) <= set(
            read_trials(recording_folder, subject, session)["stimulus"]
        )


def test_each_animal_sees_every_object_stimulus(recording_folder, world_folder):
    stimuli = read_table(world_folder, "stimuli")
    objects = set(stimuli.loc[stimuli["kind"] == "object", "stimulus"])
    for subject in ("monkey-a", "monkey-b"):
        shown = [
            set(read_trials(recording_folder, subject, session)["stimulus"])
            for session in ("01", "02")
        ]
        assert shown[0] | shown[1] == objects


def test_sessions_share_the_test_stimuli_and_the_shared_training_stimuli_only():
    split = np.array(["train"] * 80 + ["validation"] * 10 + ["test"] * 10)
    options = SimulatedITOptions(n_sessions=3, n_shared_train_stimuli=6)
    shown = [set(rows.tolist()) for rows in divide_stimuli(options, "monkey-a", split)]
    other = [set(rows.tolist()) for rows in divide_stimuli(options, "monkey-b", split)]
    common = shown[0] & shown[1] & shown[2]
    assert len(common) == 16
    assert common == other[0] & other[1] & other[2]
    assert shown[0] & shown[1] == common
    assert shown[0] != other[0]


def test_images_in_the_file_are_the_pictures_of_the_world(recording_folder, world_folder):
    with NWBHDF5IO(find_file(recording_folder, "monkey-a", "01"), "r") as io:
        images = io.read().stimulus_template["stimulus_images"].images
        for name in list(images)[:10]:
            with Image.open(world_folder / "stimuli" / f"{name}.png") as picture:
                assert np.array_equal(images[name].data[:], np.asarray(picture))


@pytest.mark.parametrize(("subject", "session"), SESSIONS)
def test_the_index_series_points_to_the_stimulus_of_each_trial(recording_folder, subject, session):
    trials = read_trials(recording_folder, subject, session)
    with NWBHDF5IO(find_file(recording_folder, subject, session), "r") as io:
        series = io.read().stimulus["presentations"]
        order = [image.name for image in series.indexed_images.order_of_images.data]
        assert [order[index] for index in series.data[:]] == list(trials["stimulus"])
        assert np.array_equal(series.timestamps[:], trials["photodiode_onset"])


def test_the_photodiode_rises_at_each_onset(recording_folder):
    trials = read_trials(recording_folder, "monkey-a", "01")
    with NWBHDF5IO(find_file(recording_folder, "monkey-a", "01"), "r") as io:
        light = io.read().acquisition["photodiode"].data[:]
    lit = (light > np.mean(PHOTODIODE_LEVELS)).astype(int)
    rise = (np.flatnonzero(np.diff(lit) == 1) + 1) / PHOTODIODE_RATE_HZ
    assert len(rise) == len(trials)
    late = rise - trials["photodiode_onset"].to_numpy()
    assert (late >= -1e-9).all()
    assert (late <= 1 / PHOTODIODE_RATE_HZ + 1e-9).all()


def test_pictures_appear_later_than_they_were_asked_for_by_a_varying_delay(recording_folder):
    trials = read_trials(recording_folder, "monkey-b", "02")
    delay = trials["photodiode_onset"] - trials["start_time"]
    assert delay.min() >= DISPLAY_DELAY_S - 1e-6
    assert delay.max() <= DISPLAY_DELAY_S + FRAME_DURATION_S + 1e-6
    assert delay.std() > 0.003


def test_mean_counts_follow_the_rates_in_the_truth(recording_folder):
    counts: list[float] = []
    planned: list[float] = []
    truth = np.load(recording_folder / "sub-monkey-b" / "truth.npz", allow_pickle=False)
    row_of = {name: row for row, name in enumerate(truth["stimulus"])}
    for number, session in enumerate(("01", "02")):
        trials = read_trials(recording_folder, "monkey-b", session)
        onset = trials["photodiode_onset"].to_numpy()
        rows = [row_of[name] for name in trials["stimulus"]]
        gain = truth[f"gain_ses-{session}"]
        assert truth["session"][number] == session
        for unit, times in enumerate(read_spikes(recording_folder, "monkey-b", session)):
            window = np.searchsorted(times, onset + 0.17) - np.searchsorted(times, onset + 0.07)
            counts.append(window.sum())
            planned.append((0.1 * gain[:, unit] * truth["expected_rate"][rows, unit]).sum())
    # 12 sums of Poisson counts with known means: chi-square with 12 degrees of freedom.
    assert (np.subtract(counts, planned) ** 2 / planned).sum() < 35


def test_the_truth_states_the_mean_rate_in_the_window():
    profile = make_profile(0.1)
    share = compute_window_share(profile, np.array([0.07, 0.27]), (0.07, 0.17))
    assert share == pytest.approx([1.0, 0.0], abs=1e-9)


def test_recording_again_gives_equal_arrays(
    recording_folder, recording_options, world_folder, tmp_path
):
    only = recording_options.model_copy(update={"subjects": {"monkey-a": 4}})
    write_it_recording(tmp_path, world_folder, only)
    pd.testing.assert_frame_equal(
        read_trials(tmp_path, "monkey-a", "02"), read_trials(recording_folder, "monkey-a", "02")
    )
    for first, second in zip(
        read_spikes(tmp_path, "monkey-a", "02"),
        read_spikes(recording_folder, "monkey-a", "02"),
        strict=True,
    ):
        assert np.array_equal(first, second)


def test_recording_leaves_the_world_as_it_was(world_folder, recording_folder):
    stimuli = read_table(world_folder, "stimuli")
    for file, sha256 in zip(stimuli["file"], stimuli["sha256"], strict=True):
        assert hashlib.sha256((world_folder / file).read_bytes()).hexdigest() == sha256
    assert recording_folder not in world_folder.parents


def test_stimuli_are_shown_in_a_mixed_order(recording_folder):
    shown = list(read_trials(recording_folder, "monkey-a", "01")["stimulus"])
    repeated_at_once = sum(a == b for a, b in pairwise(shown))
    assert repeated_at_once < 0.2 * len(shown)
    assert max(Counter(shown).values()) >= 3


def test_a_folder_without_a_world_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"stimuli\.tsv"):
        write_it_recording(tmp_path, tmp_path, SimulatedITOptions())


def test_an_existing_recording_is_not_overwritten(
    recording_folder, recording_options, world_folder
):
    with pytest.raises(InputError, match="exists already"):
        write_it_recording(recording_folder, world_folder, recording_options)
