"""What Snakemake plans for functional volumes."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bids_files import write_bids, write_config
from project_copy import copy_project, run_workflow


def _count_jobs(output: str) -> dict[str, int]:
    table = output.split("Job stats:")[1].split("total")[0]
    return {name: int(n) for name, n in re.findall(r"^(\w+) +(\d+)$", table, re.MULTILINE)}


@pytest.mark.parametrize(("kind", "n_jobs"), [("light", 2), ("fmriprep", 2), ("none", 0)])
def test_every_subject_is_preprocessed_as_configured(
    tmp_path: Path, kind: str, n_jobs: int
) -> None:
    folder = copy_project(tmp_path / "project")
    bids = write_bids(tmp_path / "bids", ("01", "02"))
    config = write_config(tmp_path, bids, preprocessing={"kind": kind})
    run = run_workflow(folder, "-n", configs=[str(config)])
    assert run.returncode == 0, run.stdout + run.stderr
    jobs = _count_jobs(run.stdout + run.stderr)
    assert jobs["list_files"] == 1
    assert jobs["responses"] == 2
    assert jobs.get("preprocess", 0) == n_jobs


@pytest.mark.real_data
def test_the_haxby_slice_is_planned(tmp_path: Path, data_folder: Path) -> None:
    folder = copy_project(tmp_path / "project")
    config = "workflow/datasets/haxby2001_slice.yaml"
    run = run_workflow(folder, "-n", configs=[config], BRAINALIGN_DATA=str(data_folder))
    assert run.returncode == 0, run.stdout + run.stderr
    assert _count_jobs(run.stdout + run.stderr)["preprocess"] == 1
