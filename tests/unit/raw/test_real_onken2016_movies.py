"""The salamander movies of Onken et al. (2016), experiment 1: loader, alignment, LN bars."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from brainalign.raw.onken2016_movies import Onken2016Movies
from brainalign.raw.options import Onken2016MoviesOptions
from brainalign.responses.movie_reliability import estimate_movie_reliability
from brainalign.responses.movies import build_movie_responses
from command_line import Command
from linear_nonlinear import correlate, make_features, predict_rate

pytestmark = pytest.mark.real_data

_ALIGNMENT = Path(__file__).parents[3] / "workflow" / "datasets" / "onken2016_alignment.json"
_RADII = (8 / 360, 25 / 360)


@pytest.fixture(scope="module")
def dataset(data_folder: Path) -> Onken2016Movies:
    return Onken2016Movies(
        Onken2016MoviesOptions(
            kind="onken2016_movies",
            folder=str(data_folder / "retina_onken2016"),
            alignment=str(_ALIGNMENT),
        )
    )


@pytest.fixture(scope="module")
def responses(dataset: Onken2016Movies) -> xr.Dataset:
    options = Onken2016MoviesOptions(kind="onken2016_movies", folder=".").responses
    return build_movie_responses(dataset, "retina-1", options, None)


@pytest.fixture(scope="module")
def movies(dataset: Onken2016Movies) -> dict[str, np.ndarray]:
    collection = dataset.read_movies()
    return {
        name: collection.read_frames(name)[..., 0] / np.float32(255)
        for name in ("Movie1", "Movie2")
    }


@pytest.fixture(scope="module")
def features(movies: dict[str, np.ndarray], dataset: Onken2016Movies) -> dict[str, np.ndarray]:
    centres = dataset.read_outlines("1")[:, :-1].mean(axis=1)
    return {name: make_features(frames, centres, _RADII) for name, frames in movies.items()}


def _get_rate(responses: xr.Dataset, movie: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rates of recorded bins in Hz, their frames, and their windows' ranks."""
    own = responses.isel(trial=np.flatnonzero(responses["movie"].values == movie))
    window = own["window"].values[0]
    frame = np.flatnonzero(window >= 0)
    rate = own["response"].values.mean(axis=0)[frame] / responses.attrs["bin_s"]
    _, rank = np.unique(window[frame], return_inverse=True)
    return rate, frame, rank


def test_files_are_those_of_the_alignment_and_windows_repeat_as_it_says(
    dataset: Onken2016Movies,
) -> None:
    assert dataset.find_problems() == []


def test_the_table_is_derived_again_by_a_command(data_folder: Path, command: Command) -> None:
    outcome = command(
        *("align-onken", "--folder", data_folder / "retina_onken2016"),
        *("--alignment", _ALIGNMENT),
    )
    assert (outcome.status, outcome.error) == (0, "")
    lines = re.findall(
        r"(Movie\dExp1): best shift (-?\d+) ms, correlation (\S+) there, (\S+) as tabled, "
        r"reversed movie (\S+)",
        outcome.output,
    )
    assert [line[0] for line in lines] == ["Movie1Exp1", "Movie2Exp1"]
    for _, shift, best, tabled, backwards in lines:
        assert abs(int(shift)) <= 20
        assert float(tabled) > 0.19
        assert float(best) - float(tabled) < 0.02
        assert abs(float(backwards)) < 0.03
    assert "Movie1Exp1: 26968 spikes, 15 windows repeat the one before" in outcome.output
    assert "Movie2Exp1: 34889 spikes, 13 windows repeat the one before" in outcome.output


def test_the_table_of_the_project_is_the_one_that_was_published(data_folder: Path) -> None:
    published = json.loads((data_folder / "retina_onken2016_alignment.json").read_text())
    own = json.loads(_ALIGNMENT.read_text())
    for name, recording in published["recordings"].items():
        assert own["recordings"][name]["rows"] == recording["rows"]
        assert own["recordings"][name]["sha256_spikes"] == recording["sha256_spikes"]


def test_supervised_bins_are_405_and_423(responses: xr.Dataset) -> None:
    assert [len(_get_rate(responses, name)[1]) for name in ("Movie1", "Movie2")] == [405, 423]


@pytest.mark.parametrize(
    ("movie", "half", "ceiling"), [("Movie1", 0.912, 0.975), ("Movie2", 0.920, 0.978)]
)
def test_ceilings_are_those_of_the_note(
    responses: xr.Dataset, movie: str, half: float, ceiling: float
) -> None:
    rows = responses["movie"].values == movie
    found = estimate_movie_reliability(
        responses["response"].values[rows], np.full(rows.sum(), movie)
    )
    assert found.split_half_correlation.mean() == pytest.approx(half, abs=0.005)
    assert found.noise_ceiling.mean() == pytest.approx(ceiling, abs=0.005)


def test_receptive_fields_lie_where_the_note_says(responses: xr.Dataset) -> None:
    column, row = 360 * responses["rf_center_x"].values, 360 * responses["rf_center_y"].values
    assert 89 < column.min() < column.max() < 241
    assert 93 < row.min() < row.max() < 239


def _cross_validate(
    features: np.ndarray, rate: np.ndarray, frame: np.ndarray, rank: np.ndarray
) -> float:
    scores = []
    for cell in range(rate.shape[1]):
        predicted = np.empty(len(frame))
        for fold in range(6):
            tested = rank % 6 == fold
            predicted[tested] = predict_rate(
                features[cell, frame[~tested]], rate[~tested, cell], features[cell, frame[tested]]
            )
        scores.append(correlate(predicted, rate[:, cell]))
    return float(np.mean(scores))


@pytest.mark.parametrize(("movie", "bar"), [("Movie1", 0.292), ("Movie2", 0.197)])
def test_ln_within_a_movie_reaches_the_bar(
    responses: xr.Dataset, features: dict[str, np.ndarray], movie: str, bar: float
) -> None:
    assert _cross_validate(features[movie], *_get_rate(responses, movie)) == pytest.approx(
        bar, abs=0.02
    )


@pytest.mark.parametrize("movie", ["Movie1", "Movie2"])
def test_ln_on_the_reversed_movie_is_at_zero(
    responses: xr.Dataset, movies: dict[str, np.ndarray], dataset: Onken2016Movies, movie: str
) -> None:
    centres = dataset.read_outlines("1")[:, :-1].mean(axis=1)
    reversed_features = make_features(movies[movie][::-1], centres, _RADII)
    assert abs(_cross_validate(reversed_features, *_get_rate(responses, movie))) < 0.06


@pytest.mark.parametrize("movie", ["Movie1", "Movie2"])
def test_ln_on_windows_in_shuffled_order_is_at_zero(
    responses: xr.Dataset, features: dict[str, np.ndarray], movie: str
) -> None:
    rate, frame, rank = _get_rate(responses, movie)
    order = np.random.default_rng(0).permutation(rank.max() + 1)
    shuffled = np.concatenate([frame[rank == own] for own in order])
    assert abs(_cross_validate(features[movie], rate, shuffled, rank)) < 0.08


@pytest.mark.parametrize(
    ("trained", "tested", "bar"), [("Movie1", "Movie2", 0.218), ("Movie2", "Movie1", 0.215)]
)
def test_ln_across_movies_reaches_the_bar(
    responses: xr.Dataset, features: dict[str, np.ndarray], trained: str, tested: str, bar: float
) -> None:
    rate, frame, _ = _get_rate(responses, trained)
    other_rate, other_frame, _ = _get_rate(responses, tested)
    scores = [
        correlate(
            predict_rate(
                features[trained][cell, frame], rate[:, cell], features[tested][cell, other_frame]
            ),
            other_rate[:, cell],
        )
        for cell in range(rate.shape[1])
    ]
    assert np.mean(scores) == pytest.approx(bar, abs=0.02)
