"""Copies of the 7 T movies that are incomplete, damaged or do not fit together."""

from __future__ import annotations

import shutil
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import pytest
import xarray as xr

from command_line import Command, make_responses, make_stimuli
from hcp_files import (
    AFFINE,
    DTSERIES,
    KEYS,
    SHAPE,
    find_series,
    make_series,
    write_config,
    write_dense_labels,
    write_grayordinates,
    write_hcp,
    write_volumes,
)

N_UNITS = int(np.prod(SHAPE))


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_hcp(tmp_path_factory.mktemp("sound") / "hcp")


@pytest.fixture
def hcp(tmp_path: Path, sound: Path) -> Path:
    return shutil.copytree(sound, tmp_path / "hcp")


def _fail(command: Command, hcp: Path, **options: object) -> tuple[int, str]:
    outcome = make_responses(command, write_config(hcp.parent, hcp, **options), "100610")
    assert not (hcp.parent / "responses.zarr").exists()
    return outcome.status, outcome.error


def test_a_missing_run_names_terms_and_source(hcp: Path, command: Command) -> None:
    find_series(hcp, 2, "_hp2000_clean.nii.gz").unlink()
    status, error = _fail(command, hcp)
    assert status == 2
    assert "no series of tfMRI_MOVIE3_7T_PA of 100610" in error
    assert "Open Access Data Use Terms" in error


def test_a_copy_without_subjects_names_terms_and_source(tmp_path: Path, command: Command) -> None:
    (tmp_path / "hcp").mkdir()
    status, error = _fail(command, tmp_path / "hcp")
    assert status == 2
    assert "no folder of a subject" in error
    assert "https://db.humanconnectome.org" in error


def test_a_run_that_is_too_short_is_refused(hcp: Path, command: Command) -> None:
    write_volumes(hcp, 3, make_series(3, N_UNITS)[:880])
    status, error = _fail(command, hcp)
    assert status == 2
    assert "expected more than 883 volumes, found 880" in error


def test_volumes_of_another_rate_are_refused(hcp: Path, command: Command) -> None:
    path = write_volumes(hcp, 0, make_series(0, N_UNITS))
    image = nib.load(path)
    image.header.set_zooms((1.6, 1.6, 1.6, 0.72))
    nib.save(image, path)
    status, error = _fail(command, hcp)
    assert status == 2
    assert "not 1 s apart" in error


def test_a_run_that_is_cut_off_is_corrupt(hcp: Path, command: Command) -> None:
    path = find_series(hcp, 1, "_hp2000_clean.nii.gz")
    path.write_bytes(path.read_bytes()[:-3000])
    status, error = _fail(command, hcp)
    assert status == 3
    assert "the file is cut off" in error


def test_an_atlas_of_another_shape_is_refused(hcp: Path, command: Command) -> None:
    nib.save(nib.Nifti1Image(np.ones((4, 3, 1), np.int16), AFFINE), hcp / "atlas" / "visual.nii.gz")
    status, error = _fail(command, hcp)
    assert status == 2
    assert "has another shape than the volumes" in error


def test_runs_of_another_grid_are_refused(hcp: Path, command: Command) -> None:
    path = find_series(hcp, 1, "_hp2000_clean.nii.gz")
    image = nib.load(path)
    moved = nib.Nifti1Image(np.asarray(image.dataobj), AFFINE + np.eye(4, k=3), image.header)
    nib.save(moved, path)
    status, error = _fail(command, hcp)
    assert status == 2
    assert "has another affine than the first run" in error


def test_volumes_need_an_atlas_or_a_mask(hcp: Path, command: Command) -> None:
    status, error = _fail(command, hcp, atlas=None)
    assert status == 2
    assert "neither regions nor a mask" in error


def test_voxels_that_are_not_finite_or_constant_are_marked(hcp: Path, command: Command) -> None:
    series = make_series(0, N_UNITS)
    series[100, 0] = np.nan
    series[:, 1] = 5
    write_volumes(hcp, 0, series)
    assert make_responses(command, write_config(hcp.parent, hcp), "100610").status == 0
    store = xr.open_zarr(hcp.parent / "responses.zarr")
    assert [str(one) for one in store["unit_status"].values[:3]] == ["not_finite", "constant", "ok"]
    assert (store["response"].values[:, :2] == 0).all()


def test_labels_without_a_row_per_second_are_corrupt(hcp: Path, command: Command) -> None:
    with h5py.File(hcp / "7T_movie_resources" / "WordNetFeatures.hdf5", "a") as file:
        short = file[KEYS[1]][:500]
        del file[KEYS[1]]
        file[KEYS[1]] = short
    outcome = make_stimuli(command, write_config(hcp.parent, hcp))
    assert outcome.status == 3
    assert "cannot be read as labels of the movies" in outcome.error


def test_a_movie_with_too_few_frames_is_refused(hcp: Path, command: Command) -> None:
    path = hcp / "frames" / f"7T_{KEYS[0]}_v2.npy"
    np.save(path, np.load(path)[:600])
    outcome = make_stimuli(command, write_config(hcp.parent, hcp))
    assert outcome.status == 2
    assert "fewer frames than 7T_MOVIE1_CC1_v2 has" in outcome.error


def test_videos_are_refused_with_the_way_to_frames(hcp: Path, command: Command) -> None:
    (hcp / "frames" / f"7T_{KEYS[0]}_v2.mp4").write_bytes(b"video")
    config = write_config(hcp.parent, hcp, frames="frames/{movie}.mp4")
    outcome = make_stimuli(command, config)
    assert outcome.status == 2
    assert "ffmpeg" in outcome.error


@pytest.fixture
def cifti(tmp_path: Path) -> Path:
    for run in range(4):
        write_grayordinates(tmp_path / "hcp", run)
    write_dense_labels(tmp_path / "hcp" / "atlas.dlabel.nii")
    return tmp_path / "hcp"


def _fail_surface(command: Command, hcp: Path) -> tuple[int, str]:
    return _fail(command, hcp, series=DTSERIES, atlas="atlas.dlabel.nii", frames=None)


def test_grayordinates_that_are_cut_off_are_corrupt(cifti: Path, command: Command) -> None:
    path = find_series(cifti, 1, "_Atlas_MSMAll.dtseries.nii")
    path.write_bytes(path.read_bytes()[:-4000])
    status, error = _fail_surface(command, cifti)
    assert status == 3
    assert "cannot be read as CIFTI" in error


def test_a_damaged_cifti_header_is_corrupt(cifti: Path, command: Command) -> None:
    path = find_series(cifti, 0, "_Atlas_MSMAll.dtseries.nii")
    content = bytearray(path.read_bytes())
    content[560:760] = b"?" * 200
    path.write_bytes(content)
    status, error = _fail_surface(command, cifti)
    assert status == 3
    assert "cannot be read as CIFTI" in error


def test_grayordinates_of_another_rate_are_refused(cifti: Path, command: Command) -> None:
    write_grayordinates(cifti, 0, step_s=2.0)
    status, error = _fail_surface(command, cifti)
    assert status == 2
    assert "not 1 s apart" in error


def test_a_volume_is_no_dense_label_file(cifti: Path, command: Command) -> None:
    volume = nib.Nifti1Image(np.ones(SHAPE, np.int16), AFFINE).to_bytes()
    (cifti / "atlas.dlabel.nii").write_bytes(volume)
    status, error = _fail_surface(command, cifti)
    assert status == 2
    assert "is no CIFTI file" in error
