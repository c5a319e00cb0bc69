"""Arrays of methods made of plain NumPy, and one clear line where shapes do not fit."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.methods.arrays import PairedResponses
from brainalign.methods.clips.arrays import Segments
from brainalign.methods.labels.arrays import LabelledResponses
from brainalign.methods.movies.arrays import Cells, Movies, RateTargets


def test_pairs_are_made_row_by_row():
    pairs = PairedResponses.from_arrays(
        np.ones((4, 2)), {"a": np.ones((4, 3)), "b": np.ones((4, 5))}
    )
    assert pairs.list_subjects() == ["a", "b"]
    assert pairs.get_subject("b").n_units == 5
    assert pairs.subjects[0].stimulus.tolist() == pairs.stimulus.tolist()


def test_pairs_of_other_lengths_are_refused():
    with pytest.raises(InputError, match=r"expected 3 ids, found shape \(4,\)"):
        PairedResponses.from_arrays(np.ones((4, 2)), np.ones((3, 2)))


def test_labelled_responses_get_one_region_unless_told():
    label = np.array([[True], [False]])
    assert set(LabelledResponses.from_arrays(label, np.ones((2, 3))).area["subject"]) == {"all"}
    with pytest.raises(InputError, match=r"needs its region.*expected 3 regions"):
        LabelledResponses.from_arrays(label, np.ones((2, 3)), area=np.array(["V1"]))
    with pytest.raises(InputError, match=r"needs its region"):
        LabelledResponses.from_arrays(label, {"a": np.ones((2, 3))}, area={"b": np.array(["V1"])})


def test_tokens_of_frames_are_their_patches_row_by_row():
    frame = np.arange(16).reshape(1, 4, 4)
    movies = Movies.from_frames(frame, 30.0, grid=2)
    assert movies.token[0, 1].tolist() == [2, 3, 6, 7]
    assert movies.movie.tolist() == ["movie"]
    with pytest.raises(InputError, match=r"sides that 3 divides, found 4 x 4 pixels"):
        Movies.from_frames(frame, 30.0, grid=3)
    with pytest.raises(InputError, match="no stack of frames"):
        Movies.from_frames(np.ones((2, 4, 4, 3)), 30.0)


def test_centres_of_cells_are_those_of_their_maps():
    field = np.zeros((2, 2, 4))
    field[0, 1, 3] = 5
    cells = Cells.from_arrays(field)
    np.testing.assert_allclose(cells.rf_center[0], [0.875, 0.75])
    assert np.isnan(cells.rf_center[1]).all()
    assert cells.rf_map.max() == 1
    with pytest.raises(InputError, match="no maps of finite numbers"):
        Cells.from_arrays(-field)


def test_rates_outside_of_a_split_do_not_matter():
    movies = Movies.from_frames(np.ones((6, 2, 2)), 30.0, movie=np.repeat(["a", "b"], 3), grid=1)
    rate = np.full((6, 1), np.nan)
    rate[1:5] = 2
    targets = RateTargets.from_frames(rate, movies, np.isfinite(rate[:, 0]))
    assert targets.stretch.tolist() == [-1, 0, 0, 1, 1, -1]
    with pytest.raises(InputError, match="none chosen"):
        RateTargets.from_frames(rate, movies, np.zeros(6, bool))
    with pytest.raises(InputError, match="expected 6 frames, found 5 of rates"):
        RateTargets.from_frames(rate[:5], movies, np.ones(5, bool))


def test_runs_stand_one_after_the_other_and_bold_may_go_on():
    segments = Segments.from_runs(
        {"a": np.ones((5, 2)), "b": np.ones((4, 2))},
        {"a": np.ones((3, 7)), "b": np.ones((4, 7))},
        2.0,
    )
    assert segments.segment.tolist() == ["a"] * 5 + ["b"] * 4
    assert segments.is_shown.tolist() == [True] * 3 + [False] * 2 + [True] * 4
    assert set(segments.roi) == {"all"}


@pytest.mark.parametrize(
    ("bold", "video", "message"),
    [
        ({"a": (3, 2)}, {"b": (3, 2)}, "every run needs BOLD and a movie"),
        ({"a": (3, 2)}, {"a": (4, 2)}, r"run 'a': the movie is longer.*at most 3 TRs, found 4"),
        ({"a": (3, 2), "b": (3, 1)}, {"a": (3, 2), "b": (3, 2)}, "BOLD has another width"),
    ],
)
def test_runs_that_do_not_fit_together_are_refused(bold, video, message):
    shapes = [{name: np.ones(shape) for name, shape in part.items()} for part in (bold, video)]
    with pytest.raises(InputError, match=message):
        Segments.from_runs(*shapes, 2.0)
