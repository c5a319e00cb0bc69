"""The 7 T movies of the Human Connectome Project, from a miniature to stores."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import xarray as xr
from PIL import Image

from brainalign.raw.frame_files import open_frames
from brainalign.raw.published.hcp_design import MOVIES, list_samples
from brainalign.raw.published.hcp_movies import scale_over_time
from brainalign.raw.published.options import HCPMoviesDataset
from command_line import Command, make_responses, make_stimuli
from hcp_files import (
    DTSERIES,
    N_SURFACE,
    RUNS,
    SHAPE,
    find_series,
    make_frames,
    make_labels,
    make_series,
    write_config,
    write_dense_labels,
    write_grayordinates,
    write_hcp,
)


@pytest.fixture(scope="module")
def hcp(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hcp(tmp_path_factory.mktemp("lab") / "hcp", ("100610", "102311"))


@pytest.fixture(scope="module")
def cifti(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("surface") / "hcp"
    for run in range(4):
        write_grayordinates(folder, run)
    write_dense_labels(folder / "atlas.dlabel.nii")
    return folder


def _build(command: Command, folder: Path, hcp: Path, **options: object) -> xr.Dataset:
    outcome = make_responses(command, write_config(folder, hcp, **options), "100610")
    assert outcome.status == 0, outcome.error
    return xr.open_zarr(folder / "responses.zarr")


def _list(**options: object) -> object:
    return list_samples(HCPMoviesDataset(kind="hcp_movies", folder="x", **options))  # type: ignore[arg-type]


def test_clips_have_the_published_numbers_of_seconds() -> None:
    samples = _list()
    assert len(samples) == 2265 + 699 + 76
    assert (samples["split"] == "test").sum() == 699
    assert {len(movie.list_seconds()) for movie in MOVIES} == {728, 792, 745, 775}


def test_the_repeated_clip_is_one_set_of_stimuli_with_four_repeats() -> None:
    samples = _list(repeated_clip="test")
    repeated = samples[samples["stimulus"].str.startswith("repeated")]
    assert (repeated["stimulus"].value_counts() == 4).all()
    assert repeated["stimulus"].nunique() == 76
    assert (samples["split"] == "test").sum() == 699 + 4 * 76


def test_validation_clips_are_whole() -> None:
    samples = _list()
    n_splits = samples.groupby(["movie", "clip"])["split"].nunique()
    assert (n_splits == 1).all()
    assert set(samples["movie"][samples["split"] == "validation"]) == {1, 2, 3}


def test_seconds_can_be_drawn_for_validation_as_in_the_lists_of_clip_mused() -> None:
    samples = _list(validation="seconds")
    drawn = samples[samples["split"] == "validation"]
    assert 0.05 < drawn["stimulus"].nunique() / 2113 < 0.15
    assert not (set(drawn["stimulus"]) & set(samples["stimulus"][samples["split"] != "validation"]))


def test_a_response_is_the_scaled_volume_four_seconds_later(
    tmp_path: Path, hcp: Path, command: Command
) -> None:
    store = _build(command, tmp_path, hcp)
    index = np.ravel_multi_index(store["voxel_index"].values.T, SHAPE)
    for run, movie in enumerate(MOVIES):
        series = make_series(run, int(np.prod(SHAPE)))[:, index].astype(np.float64)
        scaled = (series - series.mean(axis=0)) / series.std(axis=0)
        rows = store["run"].values == RUNS[run]
        seconds = np.array([second for _, second in movie.list_seconds()])
        np.testing.assert_allclose(store["response"].values[rows], scaled[seconds + 4], atol=1e-4)
        np.testing.assert_array_equal(store["onset"].values[rows], seconds)
    assert store["response"].attrs["units"] == "standard deviation"


def test_runs_can_be_scaled_to_their_range(tmp_path: Path, hcp: Path, command: Command) -> None:
    store = _build(command, tmp_path, hcp, scaling="minmax", delay_s=0)
    response = store["response"].values
    assert response.min() >= 0
    assert response.max() <= 1
    series = make_series(0, int(np.prod(SHAPE)))[:, 0].astype(np.float64)
    expected = (series - series.min()) / (series.max() - series.min())
    np.testing.assert_allclose(response[: 231 - 26, 0], expected[26:231], atol=1e-5)


def test_voxels_have_region_and_place(tmp_path: Path, hcp: Path, command: Command) -> None:
    store = _build(command, tmp_path, hcp)
    x = store["voxel_index"].values[:, 0]
    assert set(x.tolist()) == {0, 1, 3}
    assert [str(one) for one in store["area"].values] == ["late" if i == 3 else "early" for i in x]
    np.testing.assert_allclose(store["coordinate_mm"].values[0], [90, -126, -72])
    assert store.attrs["space"] == "MNI152NLin6Asym"


def test_repeats_of_the_last_clip_give_a_noise_ceiling(
    tmp_path: Path, hcp: Path, command: Command
) -> None:
    store = _build(command, tmp_path, hcp)
    assert store["repeat"].values.max() == 3
    # Noise alone: nothing is explainable.
    assert np.median(store["noise_ceiling"].values) < 0.2


def test_stimuli_are_frames_with_labels(tmp_path: Path, hcp: Path, command: Command) -> None:
    outcome = make_stimuli(command, write_config(tmp_path, hcp))
    assert outcome.status == 0, outcome.error
    store = xr.open_zarr(tmp_path / "stimuli.zarr").load()
    assert store.sizes["stimulus"] == 2265 + 699 - 2 * 76
    one = store.sel(stimulus="movie2-030")
    # Two frames per second: the second of them is that in the middle.
    np.testing.assert_array_equal(one["image"].values, make_frames(1)[61])
    # The third label is shown in a single second, which is less than a tenth.
    assert [str(name) for name in store["class"].values] == ["dog.n.01", "person.n.01"]
    np.testing.assert_array_equal(one["label"].values[::-1], make_labels(1)[30, :2])
    repeated = store.sel(stimulus="repeated-010")
    np.testing.assert_array_equal(repeated["image"].values, make_frames(0)[2 * 834 + 1])


def test_frames_are_read_one_by_one_from_a_folder(tmp_path: Path) -> None:
    for number in range(3):
        Image.fromarray(np.full((4, 5, 3), number, np.uint8)).save(tmp_path / f"f_{number}.png")
    frames = open_frames(tmp_path)
    assert frames.n_frames == 3
    assert (frames.read(2) == 2).all()


def test_grayordinates_get_the_regions_of_a_dense_label_file(
    tmp_path: Path, cifti: Path, command: Command
) -> None:
    options = {"series": DTSERIES, "atlas": "atlas.dlabel.nii", "frames": None, "labels": None}
    store = _build(command, tmp_path, cifti, **options)
    assert store.sizes["unit"] == 2 * (N_SURFACE - 8)
    assert str(store["unit"].values[0]) == "cortex_left-00008"
    assert {
        (str(area), str(side))
        for area, side in zip(store["area"].values, store["structure"].values, strict=True)
    } == {("V1", "cortex_left"), ("V2", "cortex_right")}
    # The series has no medial wall of four vertices.
    series = make_series(0, 2 * (N_SURFACE - 4) + 2)[:, 4].astype(np.float64)
    scaled = (series - series.mean()) / series.std()
    np.testing.assert_allclose(store["response"].values[:10, 0], scaled[30:40], atol=1e-4)
    assert "voxel_index" not in store.variables


def test_grayordinates_without_an_atlas_have_their_structure(
    tmp_path: Path, cifti: Path, command: Command
) -> None:
    options = {"series": DTSERIES, "atlas": None, "frames": None, "labels": None}
    store = _build(command, tmp_path, cifti, **options)
    areas = {str(one) for one in np.unique(store["area"].values)}
    assert areas == {"cortex_left", "cortex_right", "thalamus_left"}
    assert str(store["unit"].values[-1]) == "thalamus_left-001-001-001"


def test_maps_of_grayordinates_are_cifti_files(
    tmp_path: Path, cifti: Path, command: Command
) -> None:
    options = {"series": DTSERIES, "atlas": None, "frames": None, "labels": None}
    store = _build(command, tmp_path, cifti, **options)
    output = tmp_path / "ceiling.dscalar.nii"
    outcome = command("map", tmp_path / "responses.zarr", "reliability", "--output", output)
    assert outcome.status == 0, outcome.error
    image = nib.load(output)
    names, brain = image.header.get_axis(0), image.header.get_axis(1)
    series = nib.load(find_series(cifti, 0, "_Atlas_MSMAll.dtseries.nii")).header.get_axis(1)
    # The same structures, vertices, voxels and grid as in the published series.
    assert brain == series
    assert names.name.tolist() == ["reliability"]
    np.testing.assert_array_equal(image.get_fdata()[0], store["reliability"].values)


def test_a_mask_alone_chooses_voxels(tmp_path: Path, hcp: Path, command: Command) -> None:
    store = _build(command, tmp_path, hcp, atlas=None, mask="atlas/visual.nii.gz")
    assert {str(one) for one in store["area"].values} == {"brain"}


@pytest.mark.parametrize("scaling", ["zscore", "minmax"])
def test_voxels_without_variance_become_zero(scaling: str) -> None:
    series = np.random.default_rng(0).standard_normal((20, 3)).astype(np.float32)
    series[:, 1] = 7000.1
    scaled = scale_over_time(series, scaling)
    assert (scaled[:, 1] == 0).all()
    assert np.isfinite(scaled).all()


def test_a_sound_copy_is_summarised(
    tmp_path: Path, hcp: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(tmp_path, hcp)
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    outcome = command("validate", config)
    assert outcome.status == 0, outcome.output
    assert "2 subjects, 4 runs each, 3040 samples of 2812 stimuli each" in outcome.output
