"""Response stores of volumes: masking, memory, threads, estimates and maps."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import xarray as xr
from nilearn.maskers import NiftiMasker

from bids_files import AFFINE, SHAPE, build, make_series, name_run, write_bids, write_nifti
from brainalign.raw.bids.dataset import BIDSFolder
from brainalign.raw.bids.volumes import read_header, read_voxels
from brainalign.raw.fmri_options import BIDSDataset, NoPreprocessing
from brainalign.responses.fmri_build import build_fmri_responses
from brainalign.responses.fmri_options import FMRIResponseOptions, RegionOptions
from command_line import Command


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    return write_bids(tmp_path / "bids", runs=3)


def _open(bids: Path) -> BIDSFolder:
    return BIDSFolder(
        BIDSDataset(kind="bids", folder=str(bids), preprocessing=NoPreprocessing(kind="none"))
    )


def _build(bids: Path, **options: object) -> xr.Dataset:
    regions = RegionOptions(atlas="derivatives/atlas.nii.gz")
    settings = FMRIResponseOptions(
        regions=regions, n_half_splits=2, min_repeated_stimuli=3, **options
    )
    return build_fmri_responses(_open(bids), "01", settings, None)


def test_masking_is_that_of_nilearn(tmp_path: Path) -> None:
    mask = np.random.default_rng(0).random(SHAPE) > 0.5
    path = write_nifti(tmp_path / "bold.nii.gz", make_series())
    masker = NiftiMasker(nib.Nifti1Image(mask.astype(np.uint8), AFFINE), standardize=None)
    expected = masker.fit_transform(str(path))
    np.testing.assert_array_equal(read_voxels(read_header(path), np.argwhere(mask)), expected)


def test_units_know_their_place_and_region(bids: Path) -> None:
    responses = _build(bids)
    index = responses["voxel_index"].values
    np.testing.assert_allclose(
        responses["coordinate_mm"].values, nib.affines.apply_affine(AFFINE, index)
    )
    assert set(responses["area"].values[index[:, 0] < 3]) == {"early"}
    assert set(responses["area"].values[index[:, 0] >= 3]) == {"late"}
    assert responses["response"].attrs["units"] == "percent"
    assert responses["response"].dtype == np.float32


def test_threads_change_no_number(bids: Path) -> None:
    alone, together = _build(bids), _build(bids, n_parallel_runs=3)
    np.testing.assert_array_equal(alone["response"].values, together["response"].values)
    np.testing.assert_array_equal(alone["run"].values, together["run"].values)


def test_large_responses_are_written_chunk_by_chunk(
    bids: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = _build(bids, estimate="time_series")
    monkeypatch.setattr("brainalign.responses.fmri_build._MB", 1000)
    large = _build(bids, estimate="time_series", in_memory_mb=1)
    assert large["response"].chunks is not None
    for name in ("response", "cleaned_series", "onset_locked", "noise_ceiling"):
        np.testing.assert_array_equal(small[name].values, large[name].values)
    responses = {"estimate": "time_series", "in_memory_mb": 1}
    assert build(command, bids, responses=responses).status == 0
    stored = xr.open_zarr(bids.parent / "responses.zarr")
    np.testing.assert_array_equal(stored["cleaned_series"].values, small["cleaned_series"].values)


def test_planted_blocks_are_found(bids: Path) -> None:
    for run in ("01", "02", "03"):
        series = make_series(int(run))
        for block in range(8):
            first = 4 + block * 4
            series[:3, :, :, first : first + 4] += 20 * (block % 4 == 1)
        write_nifti(name_run(bids, run, "bold.nii.gz"), series)
    responses = _build(bids, estimate="block_mean", window_s=[4.0, 8.0], high_pass_hz=0.0)
    early = responses["response"].values[:, responses["area"].values == "early"].mean(axis=1)
    shown = responses["stimulus"].values
    assert early[shown == "b"].min() > early[shown != "b"].max()


def test_the_listing_stands_in_for_the_folders(bids: Path, tmp_path: Path) -> None:
    listing = tmp_path / "listing"
    listing.mkdir()
    _open(bids).write_listing(listing)
    options = BIDSDataset(kind="bids", folder=str(bids), preprocessing=NoPreprocessing(kind="none"))
    listed = BIDSFolder(options, listing)
    assert listed.list_runs("01") == _open(bids).list_runs("01")
    late = name_run(bids, "09", "bold.nii.gz")
    write_nifti(late, make_series())
    assert len(listed.list_runs("01")) == 3


def test_a_missing_glmsingle_is_said(bids: Path, command: Command) -> None:
    outcome = build(command, bids, responses={"estimate": "glmsingle"})
    assert outcome.status == 2
    assert "GLMsingle is not installed" in outcome.error


def test_glmsingle_gets_designs_and_gives_trials(
    bids: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}

    class Fake:
        def __init__(self, settings: dict[str, object]) -> None:
            seen["settings"] = settings

        def fit(self, designs, signals, duration, tr, **folders):  # type: ignore[no-untyped-def]
            seen["designs"] = designs
            n_trials = int(sum(design.sum() for design in designs))
            weight = np.arange(n_trials) + np.zeros((len(signals[0]), 1, 1, 1))
            return {"typed": {"betasmd": weight}}

    module = types.ModuleType("glmsingle.glmsingle")
    module.GLM_single = Fake  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "glmsingle", types.ModuleType("glmsingle"))
    monkeypatch.setitem(sys.modules, "glmsingle.glmsingle", module)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: module)
    responses = _build(bids, estimate="glmsingle")
    np.testing.assert_array_equal(responses["response"].values[:, 0], np.arange(24))
    assert [design.shape for design in seen["designs"]] == [(40, 4)] * 3
    assert np.flatnonzero(seen["designs"][0][:, 0]).tolist() == [2, 18]


def test_a_map_puts_values_into_their_voxels(bids: Path, command: Command) -> None:
    assert build(command, bids).status == 0
    store, output = bids.parent / "responses.zarr", bids.parent / "x.nii.gz"
    outcome = command("map", store, "reliability", "--output", output)
    assert outcome.status == 0, outcome.error
    image = nib.load(output)
    np.testing.assert_array_equal(image.affine, AFFINE)
    responses = xr.open_zarr(store)
    volume = image.get_fdata()
    index = responses["voxel_index"].values
    np.testing.assert_array_equal(volume[tuple(index.T)], responses["reliability"].values)
    assert np.isnan(volume[0]).all()


def test_a_map_of_an_unknown_variable_names_the_known_ones(bids: Path, command: Command) -> None:
    assert build(command, bids).status == 0
    output = bids.parent / "x.nii.gz"
    outcome = command("map", bids.parent / "responses.zarr", "noise_ceilin", "--output", output)
    assert outcome.status == 2
    assert "Did you mean 'noise_ceiling'?" in outcome.error
    assert not output.exists()
