"""fMRIPrep's container by a stand-in, its derivatives with nilearn's confounds, realignment."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from bids_files import SHAPE, build, make_series, name_run, write_bids, write_config, write_nifti
from brainalign.errors import InputError
from brainalign.raw.bids.files import parse_name
from brainalign.raw.bids.sidecars import read_sidecar
from brainalign.raw.fmri_options import FMRIPrepPreprocessing
from brainalign.raw.preprocessing.fmriprep import compose_command
from brainalign.raw.rigid import compose_rigid, compute_framewise_displacement, decompose_rigid
from command_line import Command

STAND_IN = """
import json, shutil, sys
from pathlib import Path
bids, output, subject = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
if subject == "02":
    sys.exit("recon failed")
home = output / f"sub-{subject}" / "func"
home.mkdir(parents=True)
for bold in sorted((bids / f"sub-{subject}" / "func").glob("*_bold.nii.gz")):
    stem = bold.name.removesuffix("_bold.nii.gz")
    shutil.copy(bold, home / f"{stem}_desc-preproc_bold.nii.gz")
    names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    rows = [[str((7 * row + 3 * column) % 11 / 100) for column in range(6)] for row in range(40)]
    rows = [[*row, "9" if n == 5 else "0.1", "1.0"] for n, row in enumerate(rows)]
    names += ["framewise_displacement", "std_dvars"]
    lines = ["\\t".join(row) for row in [names, *rows]]
    (home / f"{stem}_desc-confounds_timeseries.tsv").write_text("\\n".join(lines) + "\\n")
    (home / f"{stem}_desc-confounds_timeseries.json").write_text("{}")
"""


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    return write_bids(tmp_path / "bids", ("01", "02"))


def _configure(bids: Path, **responses: object) -> Path:
    command = [sys.executable, str(bids.parent / "stand_in.py"), "{bids}", "{output}", "{subject}"]
    ways = {"kind": "fmriprep", "command": command}
    return write_config(bids.parent, bids, preprocessing=ways, responses=responses)


def _preprocess(command: Command, config: Path, subject: str) -> object:
    words = ["preprocess", "--config", config, "--dataset", "lab", "--subject", subject]
    return command(*words, "--output", config.parent / "preprocessed")


def _respond(command: Command, config: Path) -> object:
    words = ["responses", "--config", config, "--dataset", "lab", "--subject", "01"]
    places = ["--preprocessed", config.parent / "preprocessed"]
    return command(*words, *places, "--output", config.parent / "responses.zarr")


def test_the_container_gets_its_words() -> None:
    options = FMRIPrepPreprocessing(kind="fmriprep", threads=3, license="/l.txt")
    words = compose_command(options, Path("/b"), Path("/o"), Path("/w"), "07")
    assert words[:3] == ["apptainer", "run", "--cleanenv"]
    for word in ("/b:/data:ro", "/o:/out", "/w:/work", "/l.txt:/license.txt:ro", "07", "3"):
        assert word in words


def test_an_unknown_place_is_refused() -> None:
    options = FMRIPrepPreprocessing(kind="fmriprep", command=["run", "{bid}"])
    with pytest.raises(InputError, match=r"cannot fill in '\{bid\}'.*\{bids\}, \{output\}"):
        compose_command(options, Path("/b"), Path("/o"), Path("/w"), "07")


def test_derivatives_of_the_container_become_responses(bids: Path, command: Command) -> None:
    config = _configure(bids)
    assert _preprocess(command, config, "01").status == 0
    assert (bids.parent / "preprocessed" / "manifest.json").is_file()
    assert _respond(command, config).status == 0
    assert xr.open_zarr(bids.parent / "responses.zarr").sizes["presentation"] == 16


def test_thresholds_of_the_configuration_reach_the_confounds(bids: Path, command: Command) -> None:
    assert _preprocess(command, _configure(bids), "01").status == 0
    cleaned = {}
    for threshold in (0.5, 10.0):
        confounds = {
            "strategy": ["motion", "scrub"],
            "fd_threshold_mm": threshold,
            "scrub_segment_volumes": 0,
        }
        config = _configure(bids, confounds=confounds, estimate="time_series")
        assert _respond(command, config).status == 0
        cleaned[threshold] = xr.open_zarr(bids.parent / "responses.zarr")["cleaned_series"].values
    assert np.flatnonzero(np.isnan(cleaned[0.5][:40, 0])).tolist() == [5]
    assert not np.isnan(cleaned[10.0]).any()


def test_confounds_that_are_not_there_are_said(bids: Path, command: Command) -> None:
    assert _preprocess(command, _configure(bids), "01").status == 0
    outcome = _respond(command, _configure(bids, confounds={"strategy": ["wm_csf"]}))
    assert outcome.status == 2
    assert "the confounds cannot be loaded" in outcome.error


def test_a_container_that_fails_publishes_nothing(bids: Path, command: Command) -> None:
    outcome = _preprocess(command, _configure(bids), "02")
    assert outcome.status == 4
    assert "fMRIPrep failed; nothing was published" in outcome.error
    assert not (bids.parent / "preprocessed").exists()


def test_a_missing_program_is_said(bids: Path, command: Command) -> None:
    ways = {"kind": "fmriprep", "command": ["no-such-program"]}
    outcome = _preprocess(command, write_config(bids.parent, bids, preprocessing=ways), "01")
    assert outcome.status == 2
    assert "no program 'no-such-program'" in outcome.error


def test_nearer_sidecars_win(bids: Path) -> None:
    near = name_run(bids, "01", "bold.json")
    near.write_text('{"RepetitionTime": 1.5}')
    bold = parse_name(name_run(bids, "01", "bold.nii.gz"))
    files = [parse_name(path) for path in (near, bids / "task-see_bold.json")]
    assert read_sidecar(bold, files) == {"RepetitionTime": 1.5, "TaskName": "see"}


def test_several_tasks_ask_for_a_choice(bids: Path, command: Command) -> None:
    other = name_run(bids, "01", "bold.nii.gz").parent / "sub-01_task-rest_bold.nii.gz"
    write_nifti(other, make_series())
    outcome = build(command, bids)
    assert outcome.status == 2
    assert "sub-01 has several tasks; found rest, see" in outcome.error


def test_rigid_motion_is_read_off_its_matrix() -> None:
    parameters = np.array([1.0, -2.0, 0.5, 0.1, -0.2, 0.3])
    centre = np.array([10.0, -5.0, 3.0])
    np.testing.assert_allclose(
        decompose_rigid(compose_rigid(parameters, centre), centre), parameters, atol=1e-12
    )


def test_framewise_displacement_counts_arcs_of_fifty_mm() -> None:
    motion = np.zeros((3, 6))
    motion[1] = [0.1, -0.2, 0, 0.01, 0, 0]
    displacement = compute_framewise_displacement(motion)
    assert np.isnan(displacement[0])
    np.testing.assert_allclose(displacement[1:], [0.8, 0.8])


def test_the_region_of_a_mask_volume_has_its_name(bids: Path, command: Command) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[2] = 1
    write_nifti(bids / "derivatives" / "v1.nii.gz", mask)
    regions = {"volumes": {"V1": "derivatives/v1.nii.gz"}}
    assert build(command, bids, responses={"regions": regions}).status == 0
    areas = xr.open_zarr(bids.parent / "responses.zarr")["area"].values
    assert [str(name) for name in areas] == ["V1"] * 20
