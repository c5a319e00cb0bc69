"""Copies of the Natural Scenes Dataset that are incomplete, damaged or do not fit together."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from command_line import Command, make_responses, make_stimuli
from nsd_files import (
    SHAPE,
    find_betas,
    find_regions,
    plant_betas,
    write_annotations,
    write_config,
    write_design,
    write_hdf5,
    write_nsd,
    write_volume,
)


@pytest.fixture
def nsd(tmp_path: Path) -> Path:
    return write_nsd(tmp_path / "nsd")


def _fail(command: Command, nsd: Path, **options: object) -> tuple[int, str]:
    outcome = make_responses(command, write_config(nsd.parent, nsd, **options), "subj01")
    assert not (nsd.parent / "responses.zarr").exists()
    return outcome.status, outcome.error


def test_a_missing_session_names_terms_and_source(nsd: Path, command: Command) -> None:
    (find_betas(nsd) / "betas_session02.hdf5").unlink()
    status, error = _fail(command, nsd)
    assert status == 2
    assert "no betas of session 2 of subj01" in error
    assert "accept the NSD Terms and Conditions" in error


def test_without_a_number_all_recorded_sessions_are_expected(nsd: Path, command: Command) -> None:
    status, error = _fail(command, nsd, n_sessions=None)
    assert status == 2
    assert "expected betas_session01 to 40" in error


@pytest.mark.parametrize(
    "path",
    [
        "nsddata/experiments/nsd/nsd_expdesign.mat",
        "nsddata/ppdata/subj01/func1pt8mm/roi/nsdgeneral.nii.gz",
        "nsddata/ppdata/subj01/func1pt8mm/roi/rh.prf-visualrois.nii.gz",
        "nsddata/freesurfer/subj01/label/floc-faces.mgz.ctab",
    ],
)
def test_a_missing_file_names_terms_and_source(path: str, nsd: Path, command: Command) -> None:
    (nsd / path).unlink()
    status, error = _fail(command, nsd)
    assert status == 2
    assert Path(path).name in error
    assert "s3://natural-scenes-dataset" in error


def test_truncated_hdf5_is_corrupt(nsd: Path, command: Command) -> None:
    path = find_betas(nsd) / "betas_session02.hdf5"
    path.write_bytes(path.read_bytes()[:-900])
    status, error = _fail(command, nsd)
    assert status == 3
    assert "betas_session02.hdf5: cannot be read as HDF5" in error


def test_hdf5_without_betas_is_corrupt(nsd: Path, command: Command) -> None:
    write_hdf5(find_betas(nsd) / "betas_session01.hdf5", np.zeros((12, *SHAPE), np.int16))
    path = find_betas(nsd) / "betas_session01.hdf5"
    path.write_bytes((nsd / "nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5").read_bytes())
    status, error = _fail(command, nsd)
    assert status == 3
    assert "holds no betas" in error


def test_a_region_of_another_shape_is_refused(nsd: Path, command: Command) -> None:
    write_volume(find_regions(nsd) / "floc-faces.nii.gz", np.ones((6, 5, 3), np.int16))
    status, error = _fail(command, nsd)
    assert status == 2
    assert (
        "has another shape than the betas of subj01; expected (6, 5, 4), found (6, 5, 3)" in error
    )


def test_sessions_of_unequal_shape_are_refused(nsd: Path, command: Command) -> None:
    stored = np.zeros((12, 6, 5, 3), np.int16)
    write_hdf5(find_betas(nsd) / "betas_session02.hdf5", stored)
    status, error = _fail(command, nsd)
    assert status == 2
    assert "betas have another shape than those of the first session" in error


def test_a_label_without_name_is_corrupt(nsd: Path, command: Command) -> None:
    labels = np.full(SHAPE, 5, np.int16)
    write_volume(find_regions(nsd) / "floc-faces.nii.gz", labels)
    status, error = _fail(command, nsd)
    assert status == 3
    assert "1 labels have no name; found 5" in error


def test_betas_of_another_number_than_the_design_are_refused(nsd: Path, command: Command) -> None:
    stored = np.rint(300 * plant_betas(1, 1)[:-1]).astype(np.int16)
    write_hdf5(find_betas(nsd) / "betas_session01.hdf5", stored)
    status, error = _fail(command, nsd)
    assert status == 2
    assert "expected 12 trials as in nsd_expdesign.mat, found 11" in error


def test_a_design_that_contradicts_itself_is_corrupt(nsd: Path, command: Command) -> None:
    path = nsd / "nsddata" / "experiments" / "nsd" / "nsd_expdesign.mat"
    write_design(path, masterordering=np.ones((1, 20)))
    status, error = _fail(command, nsd)
    assert status == 3
    assert "stimpattern and masterordering differ" in error
    path.write_bytes(path.read_bytes()[:300])
    status, error = _fail(command, nsd)
    assert status == 3
    assert "cannot be read as NSD's design" in error


def test_voxels_without_a_signal_are_marked(nsd: Path, command: Command) -> None:
    import xarray as xr

    for session in (1, 2):
        stored = np.rint(300 * plant_betas(1, session)).astype(np.int16)
        stored[:, 0, 0, 1] = 0
        write_hdf5(find_betas(nsd) / f"betas_session{session:02d}.hdf5", stored)
    assert make_responses(command, write_config(nsd.parent, nsd), "subj01").status == 0
    store = xr.open_zarr(nsd.parent / "responses.zarr")
    marked = store["unit"].values[store["unit_status"].values == "constant"]
    assert [str(one) for one in marked] == ["voxel-000-000-001"]


def test_missing_pictures_and_annotations_say_where_they_are(nsd: Path, command: Command) -> None:
    instances, _ = write_annotations(nsd.parent)
    config = write_config(nsd.parent, nsd, annotations=[str(instances)])
    instances.unlink()
    outcome = make_stimuli(command, config)
    assert outcome.status == 2
    assert "https://cocodataset.org" in outcome.error
    (nsd / "nsddata_stimuli" / "stimuli" / "nsd" / "nsd_stimuli.hdf5").unlink()
    outcome = make_stimuli(command, config)
    assert outcome.status == 2
    assert "no pictures" in outcome.error
    assert "naturalscenesdataset.org" in outcome.error


def test_annotations_without_a_picture_are_refused(nsd: Path, command: Command) -> None:
    instances, _ = write_annotations(nsd.parent)
    instances.write_text(instances.read_text().replace('"id": 5000,', '"id": 4999,'))
    config = write_config(nsd.parent, nsd, annotations=[str(instances)])
    outcome = make_stimuli(command, config)
    assert outcome.status == 2
    assert "1 pictures have no annotations; found 5000" in outcome.error


def test_validation_lists_the_problems_of_each_subject(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    nsd = write_nsd(tmp_path / "nsd", (1, 2))
    (find_betas(nsd, 1) / "betas_session01.hdf5").unlink()
    write_volume(find_regions(nsd, 2) / "nsdgeneral.nii.gz", np.ones((6, 5, 3), np.int16))
    config = write_config(tmp_path, nsd, subjects=["subj01", "subj02"])
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    outcome = command("validate", config)
    assert outcome.status == 2
    problems = [line for line in outcome.output.splitlines() if line.startswith("problem: ")]
    assert len(problems) == 2
