"""CC2017 on miniature files of the published layout."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.cc2017_options import CC2017Options
from brainalign.raw.registry import open_raw_dataset
from brainalign.responses.fmri_movies import build_fmri_movie_responses
from brainalign.responses.surface_movies import detrend
from brainalign.stimuli.movies import build_movie_stimuli
from video_files import write_video

N_LEFT, N_RIGHT, N_BELOW, N_TRS = 6, 5, 3, 20
N_VERTICES = N_LEFT + N_RIGHT


def write_series(path: Path, series: np.ndarray) -> None:
    axes = nib.cifti2.BrainModelAxis.from_surface(np.arange(1, N_LEFT + 1), 32, "CortexLeft")
    axes += nib.cifti2.BrainModelAxis.from_surface(np.arange(N_RIGHT), 32, "CortexRight")
    below = np.zeros((4, 4, 4), dtype=bool)
    below.ravel()[:N_BELOW] = True
    axes += nib.cifti2.BrainModelAxis.from_mask(below, "AccumbensLeft", np.eye(4))
    time = nib.cifti2.SeriesAxis(0, 2.0, len(series))
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.Cifti2Image(series.astype(np.float32), (time, axes)).to_filename(path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three segments with two runs, a test movie with three; vertices 0 - 7 repeat."""
    generator = np.random.default_rng(0)
    shown = {"seg1": 2, "seg2": 2, "seg3": 2, "test1": 3}
    for name, n_runs in shown.items():
        signal = generator.standard_normal((N_TRS, N_VERTICES + N_BELOW))
        signal[:, 8:] = 0
        for run in range(1, n_runs + 1):
            n_volumes = N_TRS + 5 + (run == 2)
            series = 100 + generator.standard_normal((n_volumes, N_VERTICES + N_BELOW))
            first = n_volumes - N_TRS - 4
            series[first : first + N_TRS] += 2 * signal
            home = tmp_path / "subject1" / "fmri" / name / "cifti"
            write_series(home / f"{name}_{run}_Atlas.dtseries.nii", series)
        (tmp_path / "stimuli").mkdir(exist_ok=True)
        frames = generator.integers(0, 255, (3 * 2 * N_TRS, 8, 8, 3), dtype=np.uint8)
        np.save(tmp_path / "stimuli" / f"{name}.npy", frames)
    return tmp_path


def make_options(folder: Path, **given: object) -> CC2017Options:
    return CC2017Options.model_validate(
        {
            "kind": "cc2017",
            "folder": str(folder),
            "trs_per_movie": N_TRS,
            "n_validation_segments": 1,
            **given,
        }
    )


def build(folder: Path, **given: object):
    options = make_options(folder, **given)
    dataset = open_raw_dataset(options)
    return build_fmri_movie_responses(dataset, "subject1", options.responses, None)


def test_runs_are_trials_of_the_movie_volumes_of_reproducible_vertices(folder: Path):
    responses = build(folder)
    assert responses["response"].shape == (9, N_TRS, 8)
    assert responses["unit"].values[:2].tolist() == ["left-00001", "left-00002"]
    assert responses["unit"].values[6].startswith("right-")
    np.testing.assert_allclose(responses["response"].std("time"), 1, rtol=1e-3)


def test_all_vertices_stay_where_asked(folder: Path):
    assert build(folder, responses={"largest_p": 1.0}).sizes["unit"] == N_VERTICES


def test_volumes_before_and_after_the_movie_are_cut_off(folder: Path):
    responses = build(folder)
    values = responses["response"].values[responses["movie"].values == "seg1"]
    # Both runs line up, though one has a volume more before the movie.
    assert np.corrcoef(values[0].ravel(), values[1].ravel())[0, 1] > 0.6


def test_segments_train_and_validate_and_test_movies_test(folder: Path):
    options = make_options(folder)
    dataset = open_raw_dataset(options)
    assert dataset.find_problems() == []
    stimuli = build_movie_stimuli(dataset.read_movies(), options.stimuli)
    split = dict(zip(*(stimuli[name].values.tolist() for name in ("movie", "split")), strict=True))
    assert split == {"seg1": "train", "seg2": "train", "seg3": "validation", "test1": "test"}


def test_a_polynomial_is_taken_out():
    time = np.linspace(-1, 1, 60)[:, np.newaxis]
    noise = np.random.default_rng(0).standard_normal((60, 2))
    first, second = detrend(noise, 4), detrend(noise + 3 * time**4 - time + 100, 4)
    np.testing.assert_allclose(first, second, atol=1e-4)
    assert (detrend(np.full((60, 1), 7.0), 4) == 0).all()


def test_published_films_are_taken_at_the_stated_rate(folder: Path):
    (folder / "stimuli" / "seg2.npy").unlink()
    frames = np.random.default_rng(1).integers(0, 255, (240, 8, 8, 3), dtype=np.uint8)
    write_video(folder / "stimuli" / "seg2.mp4", frames, 6.0)
    options = make_options(folder)
    stimuli = build_movie_stimuli(open_raw_dataset(options).read_movies(), options.stimuli)
    rows = stimuli["movie"].values == "seg2"
    assert rows.sum() == 3 * 2 * N_TRS
    np.testing.assert_allclose(stimuli["source_time"].values[rows], np.arange(120) / 3, atol=0.17)


def test_missing_frames_are_refused(folder: Path):
    (folder / "stimuli" / "seg2.npy").unlink()
    with pytest.raises(InputError, match=r"no film and no frames of movie 'seg2'"):
        open_raw_dataset(make_options(folder)).read_movies()


def test_a_run_shorter_than_its_movie_is_refused(folder: Path):
    with pytest.raises(InputError, match="the run is shorter than its movie"):
        build(folder, trs_per_movie=240)


def test_a_file_that_is_cut_off_is_refused(folder: Path):
    path = folder / "subject1/fmri/seg1/cifti/seg1_1_Atlas.dtseries.nii"
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(CorruptDataError):
        build(folder)


def test_an_unknown_subject_is_refused(folder: Path):
    with pytest.raises(InputError, match=r"no subject 'subject7'.*Known: subject1"):
        open_raw_dataset(make_options(folder, subjects=["subject7"]))
