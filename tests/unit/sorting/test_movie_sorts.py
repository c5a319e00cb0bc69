"""Recordings of movies before NWB: from files of times, pulses and events to responses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.options import MovieSortsDataset
from brainalign.report.artifacts import read_run
from brainalign.report.blocks import iterate_pictures
from brainalign.report.sections.sorting import compose_sorting
from brainalign.sorting.time_files import list_time_files, read_times
from brainalign.stores.read import open_store, read_labels
from command_line import Command
from movie_lab import N_FRAMES, RATE_HZ, list_starts
from movie_sorts_lab import make_trains, write_movie_config, write_movie_sorts, write_time_files
from sorting_environment import run_sorting


def test_a_file_of_times_per_cell_gives_its_times(tmp_path: Path) -> None:
    files = list_time_files(write_time_files(tmp_path / "cells"))
    assert [path.name for path in files] == ["cell1.npy", "cell2.txt", "cell3.txt"]
    for path, expected in zip(files, make_trains(), strict=True):
        np.testing.assert_allclose(read_times(path), expected, atol=1e-6)


def test_cells_are_ordered_by_number_and_other_files_left_alone(tmp_path: Path) -> None:
    for name in ("c10.txt", "c2.txt", "README.md"):
        (tmp_path / name).write_text("")
    assert [path.stem for path in list_time_files(tmp_path)] == ["c2", "c10"]
    assert len(read_times(tmp_path / "c2.txt")) == 0


def test_a_folder_without_times_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "cell1.mat").touch()
    with pytest.raises(InputError, match=r"no file of spike times.*\.npy.*found cell1\.mat"):
        list_time_files(tmp_path)


def test_a_cell_in_two_files_is_refused(tmp_path: Path) -> None:
    for name in ("a.txt", "a.csv"):
        (tmp_path / name).write_text("0.1\n")
    with pytest.raises(InputError, match=r"unit 'a' stands in two files.*a\.csv and a\.txt"):
        list_time_files(tmp_path)


def test_an_entry_that_is_no_time_is_named_by_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("0.1\n0.2, 7\n")
    with pytest.raises(CorruptDataError, match=r"a\.txt line 2: an entry is no time.*'0\.2, 7'"):
        read_times(tmp_path / "a.txt")


def test_pulses_are_named_for_all_sessions_or_for_none(tmp_path: Path) -> None:
    options = write_movie_sorts(tmp_path)
    options["sessions"].append({**options["sessions"][0], "session": "2", "frame_triggers": None})
    with pytest.raises(ValueError, match="frame_triggers for all of them, or for none"):
        MovieSortsDataset.model_validate(options)


def test_validate_reads_times_pulses_and_movies(tmp_path: Path, command: Command) -> None:
    outcome = command("validate", write_movie_config(tmp_path, write_movie_sorts(tmp_path)))
    assert outcome.status == 0, outcome.output
    assert "1 sessions to sort or read, 4 presentations, 2 movies" in outcome.output


def test_validate_lists_all_problems_of_a_session(tmp_path: Path, command: Command) -> None:
    dataset = write_movie_sorts(tmp_path)
    (tmp_path / "cells" / "cell2.txt").write_text("soon\n")
    (tmp_path / "events.tsv").write_text("onset\tmovie\n1.0\tthird\n")
    (tmp_path / "frames.tsv").write_text("pulse\n1.0\n")
    outcome = command("validate", write_movie_config(tmp_path, dataset))
    assert outcome.status == 3
    for problem in ("cell2.txt line 1", "third", "no column 'time'"):
        assert problem in outcome.output + outcome.error


@pytest.mark.slow
def test_times_and_pulses_become_responses_at_the_frames(
    sorting_python: Path, tmp_path: Path, command: Command
) -> None:
    dataset = write_movie_sorts(tmp_path)
    dataset["responses"] = {"receptive_fields": {"n_lags": 5}}
    units = tmp_path / "sorted"
    words = ["sort", "--dataset", "lab", "--options", json.dumps({"dataset": dataset})]
    finished = run_sorting(sorting_python, *words, "--output", units)
    assert finished.returncode == 0, finished.stderr
    outcome = command(
        *("responses", "--config", write_movie_config(tmp_path, dataset), "--dataset", "lab"),
        *("--subject", "1", "--recording", units, "--output", tmp_path / "responses.zarr"),
    )
    assert outcome.status == 0, outcome.error
    store = open_store(tmp_path / "responses.zarr", "responses")
    assert read_labels(store, "unit").tolist() == ["1-cell1", "1-cell2", "1-cell3"]
    assert store["n_missing_triggers"].values.tolist() == [0] * 4
    for unit, times in enumerate(make_trains()):
        for trial, start in enumerate(list_starts()):
            edges = start + np.arange(N_FRAMES + 1) / RATE_HZ
            expected = np.histogram(times, edges)[0]
            assert store["response"].values[trial, :, unit].sum() == expected.sum()
    section = compose_sorting(read_run([units, tmp_path / "responses.zarr"], tmp_path))
    assert section is not None
    kinds = {picture.file.split("-")[0] for picture in iterate_pictures(section.blocks)}
    # Files of times know neither electrodes nor waveforms.
    assert kinds == {"autocorrelograms", "raster"}


@pytest.mark.slow
def test_cells_without_spikes_and_times_in_ms_are_listed_and_converted(
    sorting_python: Path, tmp_path: Path
) -> None:
    trains = [*(1000 * times for times in make_trains(2)), np.array([])]
    write_time_files(tmp_path / "in_ms", trains)
    dataset = write_movie_sorts(tmp_path, folder=str(tmp_path / "in_ms"), spike_time_unit="ms")
    words = ["sort", "--dataset", "lab", "--options", json.dumps({"dataset": dataset})]
    finished = run_sorting(sorting_python, *words, "--output", tmp_path / "sorted")
    assert finished.returncode == 0, finished.stderr
    table = pd.read_csv(tmp_path / "sorted" / "units.csv", keep_default_na=False)
    assert table["reason"].tolist() == ["", "", "no spikes"]
    assert table["firing_rate_hz"][0] == pytest.approx(20, rel=0.2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("milliseconds", "Set spike_time_unit: ms for this session"),
        ("unsorted", "unit cell2: spike times are unsorted"),
        ("unknown movie", "1 labels of events are not in the"),
    ],
)
def test_a_fault_of_a_session_leaves_nothing_behind(
    sorting_python: Path, tmp_path: Path, fault: str, message: str
) -> None:
    trains = make_trains()
    if fault == "milliseconds":
        trains = [1000 * times for times in trains]
    if fault == "unsorted":
        trains[1] = trains[1][::-1]
    write_time_files(tmp_path / "cells", trains)
    dataset = write_movie_sorts(tmp_path, folder=str(tmp_path / "cells"))
    if fault == "unknown movie":
        with (tmp_path / "events.tsv").open("a") as stream:
            stream.write("30.0\tthird\n")
    words = ["sort", "--dataset", "lab", "--options", json.dumps({"dataset": dataset})]
    finished = run_sorting(sorting_python, *words, "--output", tmp_path / "sorted")
    assert finished.returncode == (2 if fault == "unknown movie" else 3), finished.stderr
    [line] = finished.stderr.strip().splitlines()[-1:]
    assert message in line
    assert not (tmp_path / "sorted").exists()
