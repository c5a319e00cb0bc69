"""Broken sorters' folders and raw recordings stop with one line that says what to do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.options import SpikeSortsDataset
from brainalign.raw.unsorted_sessions import UnsortedSessions
from brainalign.sorting.formats import EXTRACTORS
from brainalign.sorting.phy_folder import read_phy_folder
from command_line import Outcome, check_refusal
from sorting_environment import run_sorting
from sorting_labs import (
    RATE_HZ,
    STIMULI,
    describe_lab,
    draw_noise,
    draw_trains,
    write_events,
    write_lab,
    write_phy,
    write_raw_lab,
)


@pytest.fixture
def sort(sorting_python: Path, tmp_path: Path):
    def run(sessions, **options):
        output = tmp_path / "sorted"
        finished = run_sorting(
            sorting_python,
            *("sort", "--dataset", "lab"),
            *("--options", describe_lab(sessions, **options), "--output", output),
        )
        if finished.returncode:
            outcome = Outcome(finished.returncode, finished.stdout, finished.stderr)
            check_refusal(outcome, output, status=finished.returncode)
        return finished

    return run


def test_the_known_formats_are_those_of_the_pinned_spikeinterface(sorting_python):
    script = "import spikeinterface.extractors as e; print(*(n for n in dir(e) if 'read_' in n))"
    finished = subprocess.run(
        [str(sorting_python), "-c", script], check=True, capture_output=True, text=True
    )
    readers = {name.removeprefix("read_") for name in finished.stdout.split()}
    left_out = readers - set(EXTRACTORS)
    assert set(EXTRACTORS) <= readers
    several = {"bids", "mearec", "split_intan_files", "kilosort_as_analyzer"}
    assert {one for one in left_out if not one.endswith(("_event", "snippets"))} == several


def test_a_phy_folder_without_parameters(tmp_path):
    folder = write_phy(tmp_path / "phy")
    (folder / "params.py").unlink()
    with pytest.raises(InputError, match=r"lacks its parameters.*Copy params\.py"):
        read_phy_folder(folder)


def test_a_job_stops_at_a_phy_folder_without_parameters(sort, tmp_path):
    session = write_lab(tmp_path / "a")
    (tmp_path / "a" / "phy" / "params.py").unlink()
    finished = sort([session])
    assert finished.returncode == 2
    assert "lacks its parameters" in finished.stderr
    assert "Copy params.py" in finished.stderr


def test_a_job_stops_at_spikes_beyond_the_raw_file(sort, tmp_path):
    session = write_lab(tmp_path / "a")
    np.zeros((int(2 * RATE_HZ), 4), dtype=np.int16).tofile(tmp_path / "a/phy/recording.dat")
    finished = sort([session])
    assert finished.returncode == 3
    assert "spikes lie beyond the recording" in finished.stderr


def test_parameters_without_a_sampling_rate(tmp_path):
    folder = write_phy(tmp_path / "phy")
    (folder / "params.py").write_text("dat_path = 'x.dat'\n")
    with pytest.raises(InputError, match="no sampling rate"):
        read_phy_folder(folder)


def test_phy_spikes_beyond_the_raw_file(tmp_path):
    folder = write_phy(tmp_path / "phy")
    np.zeros((int(2 * RATE_HZ), 4), dtype=np.int16).tofile(folder / "recording.dat")
    with pytest.raises(CorruptDataError, match="spikes lie beyond the recording"):
        read_phy_folder(folder)


def test_phy_arrays_of_different_length(tmp_path):
    folder = write_phy(tmp_path / "phy")
    np.save(folder / "spike_clusters.npy", np.load(folder / "spike_clusters.npy")[:-1])
    with pytest.raises(CorruptDataError, match="differ in length"):
        read_phy_folder(folder)


def test_sorting_never_runs_what_stands_in_parameters(sort, tmp_path):
    session = write_lab(tmp_path / "a")
    with (tmp_path / "a" / "phy" / "params.py").open("a") as stream:
        stream.write(f"\nopen({str(tmp_path / 'ran')!r}, 'w').close()\n")
    finished = sort([session])
    assert finished.returncode == 0, finished.stderr
    assert not (tmp_path / "ran").exists()


def test_validate_lists_one_problem_per_session_before_anything_is_sorted(tmp_path):
    first = write_lab(tmp_path / "a", "1")
    (tmp_path / "a" / "phy" / "params.py").unlink()
    second = write_lab(tmp_path / "b", "2", onset_column="time")
    options = SpikeSortsDataset(kind="spike_sorts", sessions=[first, second])
    messages = [str(problem) for problem in UnsortedSessions(options).find_problems()]
    assert len(messages) == 2
    assert "parameters" in messages[0]
    assert "no column 'time'" in messages[1]


def test_a_session_id_twice(sort, tmp_path):
    finished = sort([write_lab(tmp_path / "a"), write_lab(tmp_path / "b")])
    assert finished.returncode == 2
    assert "stands twice" in finished.stderr


def test_duplicate_unit_ids_across_sessions_that_lie_elsewhere(sort, tmp_path):
    sessions = [write_lab(tmp_path / "a", "1"), write_lab(tmp_path / "b", "2")]
    place = tmp_path / "b" / "phy" / "channel_positions.npy"
    np.save(place, np.load(place) + 500)
    finished = sort(sessions, sorting={"unit_identity": "subject"})
    assert finished.returncode == 2
    assert "lies elsewhere than in session 1" in finished.stderr


def test_labels_for_unknown_stimuli(sort, tmp_path):
    session = write_lab(tmp_path / "a")
    write_events(tmp_path / "a" / "events.tsv", [*STIMULI, "ghost"])
    table = tmp_path / "stimuli.tsv"
    table.write_text("stimulus\tfile\n" + "".join(f"{name}\t{name}.png\n" for name in STIMULI))
    finished = sort([session], stimuli_table=str(table))
    assert finished.returncode == 2
    assert "ghost" in finished.stderr


def test_declared_length_that_spikes_exceed(sort, tmp_path):
    finished = sort([write_lab(tmp_path / "a", duration_s=25.0)])
    assert finished.returncode == 3
    assert "beyond the recording" in finished.stderr


def test_nothing_left_after_curation(sort, tmp_path):
    finished = sort(
        [write_lab(tmp_path / "a")], sorting={"curation": {"min_firing_rate_hz": 100.0}}
    )
    assert finished.returncode == 2
    assert "3 x rate below 100 Hz" in finished.stderr


def test_a_truncated_binary(sort, tmp_path):
    finished = sort([write_raw_lab(tmp_path / "a", n_bytes_short=3)])
    assert finished.returncode == 3
    assert "truncated" in finished.stderr


def test_a_binary_shorter_than_declared(sort, tmp_path):
    finished = sort([write_raw_lab(tmp_path / "a", duration_s=10.0)])
    assert finished.returncode == 3
    assert "10.000 s as declared" in finished.stderr


def test_a_binary_without_sampling_rate(sort, tmp_path):
    finished = sort([write_raw_lab(tmp_path / "a", sampling_rate_hz=None)])
    assert finished.returncode == 2
    assert "sampling rate" in finished.stderr


def test_mostly_dead_channels(sort, tmp_path):
    traces = draw_noise()
    traces[:, :3] = 7
    finished = sort([write_raw_lab(tmp_path / "a", traces)])
    assert finished.returncode == 2
    assert "3 of 4 channels are bad" in finished.stderr
    assert "3 dead" in finished.stderr


def test_mostly_saturated_channels(sort, tmp_path):
    traces = draw_noise()
    traces[:, :3] = 32767
    finished = sort([write_raw_lab(tmp_path / "a", traces)])
    assert finished.returncode == 2
    assert "3 of 4 channels are bad" in finished.stderr
    assert "3 saturated" in finished.stderr


def test_milliseconds_in_an_nwb_file_of_units(sort, tmp_path):
    from nwb_files import write_nwb

    path = write_nwb(tmp_path / "a" / "units.nwb", [1000 * times for times in draw_trains()])
    session = write_lab(tmp_path / "b", format="nwb_sorting", folder=str(path))
    finished = sort([session])
    assert finished.returncode == 3, finished.stderr
    assert "spike_time_unit: ms" in finished.stderr
