"""NWB files that readers elsewhere accept and that would be silently wrong."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from command_line import Command, make_responses, make_stimuli
from nwb_files import (
    STIMULI,
    make_pixels,
    move_last_spike_end,
    write_config,
    write_lab,
    write_nwb,
)


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """Folder of a laboratory; tests write its only session."""
    write_config(tmp_path)
    return tmp_path


def _write_session(lab: Path, **content: object) -> Path:
    return write_nwb(lab / "nwb" / "sub-001_ses-1.nwb", **content)  # type: ignore[arg-type]


def test_a_sound_file_is_published(lab: Path, command: Command) -> None:
    _write_session(lab)
    assert make_responses(command, lab / "lab.yaml").status == 0
    assert (lab / "responses.zarr" / "manifest.json").is_file()


def test_a_file_without_units_is_an_input_error(lab: Path, command: Command) -> None:
    _write_session(lab, spikes=None)
    outcome = make_responses(command, lab / "lab.yaml")
    assert outcome.status == 2
    assert "sub-001_ses-1.nwb: has no units table. Sort the recording first" in outcome.error


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ((-0.5, 1.0), "1 spike times are negative; expected seconds from the start"),
        ((0.1, math.nan, 0.3), "1 of 3 spike times are not finite"),
        ((0.1, math.inf), "1 of 2 spike times are not finite"),
        ((0.1, 0.5, 0.3), "spike times are unsorted"),
    ],
    ids=["negative", "nan", "infinite", "unsorted"],
)
def test_impossible_spike_times_are_corrupt_data(
    times: tuple[float, ...], message: str, lab: Path, command: Command
) -> None:
    _write_session(lab, spikes=[(0.2, 0.4), times])
    outcome = make_responses(command, lab / "lab.yaml")
    assert outcome.status == 3
    assert f"unit row 1: {message}" in outcome.error
    assert not (lab / "responses.zarr").exists()


def test_equal_spike_times_are_no_fault(lab: Path, command: Command) -> None:
    _write_session(lab, spikes=[(0.2, 0.2, 0.4)])
    assert make_responses(command, lab / "lab.yaml").status == 0


@pytest.mark.parametrize("end", [99, 1], ids=["past the data", "descending"])
def test_a_ragged_index_that_does_not_fit_is_corrupt_data(
    end: int, lab: Path, command: Command
) -> None:
    move_last_spike_end(_write_session(lab), end)
    outcome = make_responses(command, lab / "lab.yaml")
    assert outcome.status == 3
    assert "the ragged index of spike_times does not fit its data" in outcome.error


def test_a_truncated_file_is_corrupt_data(lab: Path, command: Command) -> None:
    path = _write_session(lab)
    path.write_bytes(path.read_bytes()[:4000])
    outcome = make_responses(command, lab / "lab.yaml")
    assert outcome.status == 3
    assert "cannot be read as NWB" in outcome.error
    assert "Traceback" not in outcome.error


def test_a_missing_column_names_the_nearest(lab: Path, command: Command) -> None:
    _write_session(lab)
    outcome = make_responses(command, write_config(lab, onset_column="start_tim"))
    assert outcome.status == 2
    assert "no column 'start_tim'" in outcome.error
    assert "Did you mean 'start_time'?" in outcome.error


def test_an_unknown_subject_names_the_known_ones(lab: Path, command: Command) -> None:
    _write_session(lab)
    outcome = make_responses(command, lab / "lab.yaml", subject="01")
    assert outcome.status == 2
    assert "no subject '01'. Did you mean '001'? Known: 001." in outcome.error


def test_a_session_in_two_files_is_refused(lab: Path, command: Command) -> None:
    for name in ("a", "b"):
        write_nwb(lab / "nwb" / f"sub-001_ses-{name}.nwb", session_id="monday")
    outcome = make_responses(command, lab / "lab.yaml")
    assert outcome.status == 2
    assert "session 'monday' stands in two files of one subject" in outcome.error


def test_trials_with_unknown_stimuli_are_refused(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    write_nwb(tmp_path / "nwb" / "sub-001_ses-1.nwb", stimuli=[*STIMULI, "lost", "999"])
    outcome = make_stimuli(command, config)
    assert outcome.status == 2
    assert "2 stimulus ids of trials are not among the images; found 999, lost" in outcome.error
    assert not (tmp_path / "stimuli.zarr").exists()


def test_other_pixels_under_the_same_id_are_refused(lab: Path, command: Command) -> None:
    images = {name: make_pixels(seed) for seed, name in enumerate(STIMULI)}
    _write_session(lab, images=images)
    other = lab / "nwb" / "sub-002_ses-1.nwb"
    write_nwb(other, images={**images, "004": make_pixels(99)})
    outcome = make_stimuli(command, lab / "lab.yaml")
    assert outcome.status == 2
    assert f"{other}: stimulus '004' has other pixels than in" in outcome.error


def test_the_same_pixels_in_two_files_are_one_stimulus(lab: Path, command: Command) -> None:
    images = {name: make_pixels(seed) for seed, name in enumerate(STIMULI)}
    for subject in ("001", "002"):
        write_nwb(lab / "nwb" / f"sub-{subject}_ses-1.nwb", images=images)
    assert make_stimuli(command, lab / "lab.yaml").status == 0


def test_data_without_images_say_so(lab: Path, command: Command) -> None:
    _write_session(lab)
    outcome = make_stimuli(command, lab / "lab.yaml")
    assert outcome.status == 2
    assert "the data set holds no stimulus images" in outcome.error
    assert "responses need no images" in outcome.error
