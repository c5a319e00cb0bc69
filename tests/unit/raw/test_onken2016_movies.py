"""A synthetic package in the layout of Onken et al. (2016), with a planted overlap run."""

from __future__ import annotations

import itertools
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.onken2016_alignment import check_overlap_runs, measure_shift, read_alignment
from brainalign.raw.onken2016_movies import Onken2016Movies
from brainalign.raw.options import Onken2016MoviesOptions
from brainalign.responses.movies import build_movie_responses
from command_line import Command, Outcome

_N_FRAMES, _N_WINDOWS, _N_CELLS, _N_TRIALS, _SIDE = 120, 6, 2, 3, 36
# Window 4 and 5 repeat the one before but for 10 ms.
_START_FRAME = np.array([20.0, 40.5, 60.2, 80.4, 80.7, 81.0])
_NEW_MS = np.array([300, 300, 300, 300, 10, 10])


def _write_package(folder: Path) -> Path:
    generator = np.random.default_rng(0)
    recordings: dict[str, Any] = {}
    for movie in ("Movie1", "Movie2"):
        home = folder / "Stimuli" / movie
        home.mkdir(parents=True)
        frames = generator.integers(0, 256, (_N_FRAMES, _SIDE, _SIDE), dtype=np.uint8)
        for number, frame in enumerate(frames, start=1):
            frame.T.tofile(home / f"frame{number:04d}.raw")
        # One train in movie time; windows cut it, so that overlapping windows agree.
        train = generator.random((_N_CELLS, _N_TRIALS, 5000)) < 0.02
        start_ms = np.cumsum([500, 800, 800, 800, 10, 10])
        cells = np.empty((_N_CELLS, _N_TRIALS), dtype=object)
        for place in np.ndindex(_N_CELLS, _N_TRIALS):
            cut = np.concatenate([train[place][first : first + 300] for first in start_ms])
            cells[place] = np.flatnonzero(cut).astype(np.int32)[:, None] + 1
        spikes = folder / "NeuralData" / "Spikes"
        fields = folder / "NeuralData" / "ReceptiveFields"
        spikes.mkdir(parents=True, exist_ok=True)
        fields.mkdir(parents=True, exist_ok=True)
        scipy.io.savemat(spikes / f"{movie}Exp1.mat", {"Spikes": cells})
        angle = np.linspace(0, 2 * np.pi, 50)
        outlines = np.empty((1, _N_CELLS), dtype=object)
        for cell in range(_N_CELLS):
            # On the screen, y upwards: the first cell left of and above the middle.
            sign = 1 if cell else -1
            outlines[0, cell] = np.stack(
                [400 + sign * 90 + 15 * np.cos(angle), 300 - sign * 90 + 15 * np.sin(angle)]
            )
        scipy.io.savemat(fields / f"{movie}Exp1.mat", {"ReceptiveFields": outlines})
        recordings[f"{movie}Exp1"] = {
            "movie": movie,
            "experiment": 1,
            "n_frames": _N_FRAMES,
            "n_cells": _N_CELLS,
            "n_trials": _N_TRIALS,
            "n_spikes": int(sum(cell.size for cell in cells.ravel())),
            "rows": [
                [window, start / 0.3, start, int(new), int(new == 300), int(new == 300)]
                for window, (start, new) in enumerate(zip(_START_FRAME, _NEW_MS, strict=True))
            ],
        }
    table = {
        "format": "retina_onken2016_alignment",
        "columns": ["window", "start_bin", "start_frame", "new_ms", "unique", "use"],
        "recordings": recordings,
    }
    (folder / "alignment.json").write_text(json.dumps(table))
    return folder


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write_package(tmp_path_factory.mktemp("package"))


def _open(package: Path) -> Onken2016Movies:
    return Onken2016Movies(
        Onken2016MoviesOptions(
            kind="onken2016_movies",
            folder=str(package),
            alignment=str(package / "alignment.json"),
        )
    )


def test_whole_package_has_no_problem(package: Path) -> None:
    assert _open(package).find_problems() == []


def test_spikes_of_used_windows_are_counted_in_their_frames(package: Path) -> None:
    dataset = _open(package)
    options = Onken2016MoviesOptions(kind="onken2016_movies", folder=".").responses
    responses = build_movie_responses(dataset, "retina-1", options, None)
    alignment = read_alignment(package / "alignment.json")["Movie2Exp1"]
    count = dataset.count_milliseconds(alignment)
    for window, first in enumerate([20, 40, 60, 80]):
        found = responses["response"].values[_N_TRIALS:, first : first + 9]
        expected = [count[:, :, window, low:high].sum(axis=2) for low, high in _frame_edges()]
        np.testing.assert_array_equal(found.transpose(1, 2, 0), np.array(expected))
    assert np.isfinite(responses["response"].values[0, :, 0]).sum() == 4 * 9


def _frame_edges() -> list[tuple[int, int]]:
    edges = [round(number * 100 / 3) for number in range(10)]
    return list(itertools.pairwise(edges))


def test_frames_are_upright(package: Path) -> None:
    frames = _open(package).read_movies().read_frames("Movie1")
    generator = np.random.default_rng(0)
    expected = generator.integers(0, 256, (_N_FRAMES, _SIDE, _SIDE), dtype=np.uint8)
    np.testing.assert_array_equal(frames[..., 0], expected)


def test_outlines_point_down_the_frame(package: Path) -> None:
    centre = _open(package).read_outlines("1")[:, :-1].mean(axis=1)
    np.testing.assert_allclose(centre, [[0.25, 0.25], [0.75, 0.75]], atol=0.001)


def test_an_overlap_that_the_table_does_not_know_is_found(package: Path) -> None:
    alignment = read_alignment(package / "alignment.json")["Movie1Exp1"]
    count = _open(package).count_milliseconds(alignment)
    unknown = np.full(_N_WINDOWS, 300)
    assert len(check_overlap_runs(count, unknown)) == 2
    assert check_overlap_runs(count, np.array([300, 300, 10, 300, 10, 10])) != []


def test_shift_of_planted_windows_is_measured() -> None:
    generator = np.random.default_rng(0)
    drive = np.repeat(generator.standard_normal((200, 4)), 3, axis=0)
    start = np.arange(20, 560, 25.0)
    frames = np.rint(start).astype(int)[:, None] + np.arange(9) + 3
    shifts = np.arange(-300, 301, 20)
    found = measure_shift(drive, drive[frames], start, shifts)
    assert shifts[found.argmax()] == 100


def test_file_with_another_checksum_is_refused(package: Path, tmp_path: Path) -> None:
    table = json.loads((package / "alignment.json").read_text())
    table["recordings"]["Movie1Exp1"]["sha256_spikes"] = "0" * 64
    path = tmp_path / "alignment.json"
    path.write_text(json.dumps(table))
    dataset = Onken2016Movies(
        Onken2016MoviesOptions(kind="onken2016_movies", folder=str(package), alignment=str(path))
    )
    with pytest.raises(CorruptDataError, match="not the file that the alignment was made for"):
        list(dataset.read_movie_sessions("retina-1"))


def test_movie_with_a_frame_too_few_is_refused(tmp_path: Path) -> None:
    package = _write_package(tmp_path)
    (package / "Stimuli" / "Movie2" / "frame0120.raw").unlink()
    with pytest.raises(InputError, match=r"another number of frames.*expected 120, found 119"):
        _open(package).read_movies()


def test_table_of_another_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "alignment.json").write_text('{"format": "other"}')
    with pytest.raises(CorruptDataError, match="no alignment table"):
        read_alignment(tmp_path / "alignment.json")


def _align(command: Command, package: Path, table: Path) -> Outcome:
    return command("align-onken", "--folder", package, "--alignment", table)


def _change_table(package: Path, path: Path, name: str, **values: object) -> Path:
    table = json.loads((package / "alignment.json").read_text())
    table["recordings"][name] |= values
    path.write_text(json.dumps(table))
    return path


def test_a_table_with_another_number_of_spikes_fails_the_command(
    package: Path, tmp_path: Path, command: Command
) -> None:
    table = _change_table(package, tmp_path / "a.json", "Movie1Exp1", n_spikes=7)
    outcome = _align(command, package, table)
    assert outcome.status == 3
    assert "checks of the alignment failed" in outcome.error
    assert re.search(r"Movie1Exp1: \d+ spikes, expected 7", outcome.error)


def test_a_table_that_knows_no_overlap_fails_the_command(
    package: Path, tmp_path: Path, command: Command
) -> None:
    rows = json.loads((package / "alignment.json").read_text())["recordings"]["Movie2Exp1"]["rows"]
    rows = [[*row[:3], 300, *row[4:]] for row in rows]
    table = _change_table(package, tmp_path / "a.json", "Movie2Exp1", rows=rows)
    outcome = _align(command, package, table)
    assert outcome.status == 3
    assert "Movie2Exp1: window 4 repeats window 3, unknown to the table" in outcome.error


def test_a_package_without_any_recording_of_the_table_fails_the_command(
    package: Path, tmp_path: Path, command: Command
) -> None:
    table = json.loads((package / "alignment.json").read_text())
    table["recordings"] = {
        "Movie1Exp2": table["recordings"]["Movie1Exp1"] | {"experiment": 2},
        "Movie2Exp2": table["recordings"]["Movie2Exp1"] | {"experiment": 2},
    }
    path = tmp_path / "a.json"
    path.write_text(json.dumps(table))
    outcome = _align(command, package, path)
    assert outcome.status == 2
    assert "note: experiment 2 is not in the package" in outcome.output
    assert "no recording of the table is in the package" in outcome.error
