"""Bad recordings of movies through the command line: exit code, one line, nothing half-written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from brainalign.stores.read import open_store, read_labels
from command_line import Command, Outcome, make_responses, make_stimuli
from movie_lab import (
    list_starts,
    make_spikes,
    make_triggers,
    write_movie_config,
    write_movie_files,
    write_movie_nwb,
)

_SHORT = {"receptive_fields": {"n_lags": 5}}
Lab = Callable[..., Outcome]


@pytest.fixture
def lab(tmp_path: Path, command: Command) -> Lab:
    """Write a laboratory with one thing changed, and build its responses."""

    def build(*, n_frames: int = 80, responses: dict | None = None, **content: object) -> Outcome:
        write_movie_files(tmp_path / "movies", n_frames=n_frames)
        write_movie_nwb(tmp_path / "nwb" / "sub-1_ses-1.nwb", **content)  # type: ignore[arg-type]
        config = write_movie_config(tmp_path, responses=responses or _SHORT)
        return make_responses(command, config, subject="1")

    return build


def assert_refused(outcome: Outcome, status: int, *parts: str) -> None:
    """One line on the screen that says all of it, and no traceback."""
    [line] = outcome.error.strip().splitlines()
    assert line.startswith("brainalign responses: ")
    for part in parts:
        assert part in line, line
    assert outcome.status == status


@pytest.fixture
def nothing_left(tmp_path: Path):
    """After the test no store stands where it was asked for, nor a draft beside it."""
    yield
    left = [path.name for path in tmp_path.iterdir() if "responses" in path.name]
    assert left == []


leaves_nothing = pytest.mark.usefixtures("nothing_left")


@leaves_nothing
def test_frame_times_that_do_not_match_the_movie(lab: Lab) -> None:
    assert_refused(
        lab(n_frames=60),
        2,
        "sub-1_ses-1.nwb trial 0 movie first: frame times do not match the movie",
        "expected 60 pulses for 60 frames, found 80",
        "Name the movie that was shown",
    )


@leaves_nothing
def test_a_movie_of_another_frame_rate(lab: Lab) -> None:
    slow = (list_starts()[:, None] + np.arange(40) / 10).ravel()
    assert_refused(
        lab(triggers=slow),
        2,
        "trial 0 movie first: frame times do not match the movie: another frame rate",
        "expected 50.000 ms between triggers, found 100.000 ms",
        "Correct frame_rate_hz",
    )


@leaves_nothing
def test_more_missing_triggers_than_the_bound(lab: Lab) -> None:
    assert_refused(
        lab(triggers=np.delete(make_triggers(), range(10, 20, 2))),
        3,
        "trial 0 movie first: 5 frame triggers are missing and 0 double",
        "expected at most 1 repairs in 80 triggers, found 5",
        "raise responses.max_repaired_share",
    )


@leaves_nothing
def test_frame_times_that_go_back(lab: Lab) -> None:
    triggers = make_triggers()
    triggers[[20, 21]] = triggers[[21, 20]]
    assert_refused(
        lab(triggers=triggers),
        3,
        "sub-1_ses-1.nwb frame_triggers: frame triggers are not finite or not in the order",
        "Find out whether two recordings were joined",
    )


@leaves_nothing
@pytest.mark.parametrize(
    ("scales", "parts"),
    [
        ((1000, 1000), ("spike times reach far beyond the last trial", "milliseconds or samples")),
        ((0.001, 1), ("unit row 0: an impossible firing rate", "expected at most 500 Hz")),
        ((0.001, 0.001), ("trials reach far beyond the last spike", "convert them to seconds")),
    ],
    ids=["ms as s", "one cell in thousands of s", "all cells in thousands of s"],
)
def test_spike_times_in_another_unit(
    lab: Lab, scales: tuple[float, ...], parts: tuple[str, ...]
) -> None:
    spikes = [scale * times for scale, times in zip(scales, make_spikes(2), strict=True)]
    assert_refused(lab(spikes=spikes), 3, "sub-1_ses-1.nwb", *parts)


@leaves_nothing
def test_a_movie_with_fewer_frames_than_the_window(lab: Lab) -> None:
    assert_refused(
        lab(responses={"receptive_fields": {"n_lags": 100}}),
        2,
        "too few frames for receptive fields",
        "found 80 frames",
    )


@leaves_nothing
def test_a_file_of_frames_that_is_cut_off(lab: Lab, tmp_path: Path, command: Command) -> None:
    assert lab().status == 0
    shutil.rmtree(tmp_path / "responses.zarr")
    movie = tmp_path / "movies" / "first.npy"
    movie.write_bytes(movie.read_bytes()[:500])
    outcome = make_responses(command, tmp_path / "lab.yaml", subject="1")
    assert_refused(outcome, 3, str(movie))


def test_a_cell_without_spikes_is_published_as_silent(lab: Lab, tmp_path: Path) -> None:
    outcome = lab(spikes=[*make_spikes(2), np.array([])])
    assert (outcome.status, outcome.error) == (0, "")
    store = open_store(tmp_path / "responses.zarr", "responses")
    assert read_labels(store, "unit_status").tolist() == ["ok", "ok", "silent"]


def test_a_cell_that_is_silent_in_one_split_is_published_as_such(
    lab: Lab, tmp_path: Path, command: Command
) -> None:
    early = np.concatenate([start + np.linspace(0.0, 2.0, 21) for start in list_starts()])
    assert lab(spikes=[*make_spikes(2), early]).status == 0
    assert make_stimuli(command, tmp_path / "lab.yaml").status == 0
    words = ["responses", "--config", tmp_path / "lab.yaml", "--dataset", "lab", "--subject", "1"]
    words += ["--stimuli", tmp_path / "stimuli.zarr", "--output", tmp_path / "with_splits.zarr"]
    assert command(*words).status == 0
    store = open_store(tmp_path / "with_splits.zarr", "responses")
    assert read_labels(store, "unit_status").tolist() == ["ok", "ok", "silent_in_test"]
