"""Recordings of movies that would be silently wrong are refused with the reason."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from movie_lab import (
    make_spikes,
    make_triggers,
    open_lab,
    write_movie_files,
    write_movie_nwb,
)


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    write_movie_files(tmp_path / "movies")
    return tmp_path


def _read(lab: Path, **options: object) -> None:
    list(open_lab(lab, **options).read_movie_sessions("1"))


def _write(lab: Path, **content: object) -> None:
    write_movie_nwb(lab / "nwb" / "sub-1_ses-1.nwb", **content)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("milliseconds", "reach far beyond the last trial.*milliseconds or samples"),
        ("samples", "reach far beyond the last trial"),
        ("too short", "impossible firing rate.*at most 500 Hz"),
        ("nan", "1 of .* spike times are not finite"),
        ("unsorted", "spike times are unsorted"),
        ("negative", "spike times are negative"),
    ],
)
def test_impossible_spike_times_are_refused(lab: Path, kind: str, message: str) -> None:
    spikes = make_spikes()
    broken = {
        "milliseconds": spikes[0] * 1000,
        "samples": spikes[0] * 30_000,
        "too short": spikes[0] / 1000,
        "nan": np.append(spikes[0], np.nan),
        "unsorted": spikes[0][::-1],
        "negative": np.append(-1.0, spikes[0]),
    }[kind]
    _write(lab, spikes=[broken, *spikes[1:]])
    with pytest.raises(CorruptDataError, match=message):
        _read(lab)


def test_all_spikes_before_the_first_trial_are_refused(lab: Path) -> None:
    _write(lab, spikes=[np.linspace(0.01, 0.9, 50)])
    with pytest.raises(CorruptDataError, match="no unit has a spike between"):
        _read(lab)


def test_too_many_missing_triggers_are_refused_and_can_be_allowed(lab: Path) -> None:
    _write(lab, triggers=np.delete(make_triggers(), range(10, 20, 2)))
    with pytest.raises(CorruptDataError, match="trial 0 movie first: 5 frame triggers are missing"):
        _read(lab)
    _read(lab, responses={"max_repaired_share": 0.1})


def test_frame_times_that_do_not_match_the_movie_are_refused(lab: Path) -> None:
    write_movie_files(lab / "movies", n_frames=60)
    _write(lab)
    with pytest.raises(InputError, match=r"frame times do not match the movie.*expected 60 pulses"):
        _read(lab)


def test_unknown_movie_of_a_trial_is_named(lab: Path) -> None:
    _write(lab, movies=("first", "secnd"))
    with pytest.raises(InputError, match=r"no movie 'secnd'.*Did you mean 'second'"):
        _read(lab)


def test_missing_triggers_name_what_there_is(lab: Path) -> None:
    _write(lab)
    with pytest.raises(InputError, match=r"no TimeSeries 'photodiode'.*Known: frame_triggers"):
        _read(lab, frame_triggers="photodiode")


def test_without_triggers_frames_follow_the_trial(lab: Path) -> None:
    _write(lab)
    [session] = open_lab(lab, frame_triggers=None).read_movie_sessions("1")
    assert session.trials[0].start_s[0] == pytest.approx(1.0)


def test_validation_lists_problems_of_all_files(lab: Path) -> None:
    _write(lab, spikes=[make_spikes()[0] * 1000])
    write_movie_nwb(lab / "nwb" / "sub-2_ses-1.nwb", movies=("third",))
    problems: list[BrainalignError] = open_lab(lab).find_problems()
    assert len(problems) == 2
