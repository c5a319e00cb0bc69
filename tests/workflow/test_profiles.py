"""What the profiles promise, as far as no cluster is needed to see it."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from project_copy import PROJECT, copy_project
from workflow.test_full_scale import MOST_JOBS

CUDA = "device: cuda\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("profiles") / "project")
    (folder / "cuda.yaml").write_text(CUDA)
    return folder


def _read_profile(name: str) -> dict[str, object]:
    return yaml.safe_load((PROJECT / "profiles" / name / "config.yaml").read_text())


def _plan(folder: Path, *words: str) -> str:
    completed = subprocess.run(
        [sys.executable, "-m", "snakemake", "-n", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return completed.stdout + completed.stderr


def _list_gpus(output: str) -> dict[str, set[str]]:
    """GPUs that the jobs of each rule ask for."""
    gpus: dict[str, set[str]] = {}
    for job in re.split(r"^(?:local)?rule ", output, flags=re.MULTILINE)[1:]:
        if asked := re.search(r"^    resources: .*\bgpu=(\d+)", job, flags=re.MULTILINE):
            gpus.setdefault(job.split(":")[0], set()).add(asked.group(1))
    return gpus


def test_jobs_that_use_torch_ask_for_a_gpu_where_cuda_is_asked_for(project):
    gpus = _list_gpus(_plan(project, "--configfile", "cuda.yaml"))
    assert gpus == {rule: {"1"} for rule in ("train_backbone", "features", "fit", "predict")}


def test_no_job_asks_for_a_gpu_otherwise(project):
    gpus = _list_gpus(_plan(project))
    assert gpus
    assert set().union(*gpus.values()) == {"0"}


@pytest.mark.parametrize(
    "words",
    [
        ["--workflow-profile", "profiles/slurm"],
        ["--profile", "profiles/slurm"],
        ["--profile", "profiles/slurm", "--workflow-profile", "none"],
    ],
    ids=["workflow profile", "profile over the default one", "profile alone"],
)
def test_each_spelling_of_the_slurm_profile_plans_the_experiment(words, project):
    pytest.importorskip("snakemake_executor_plugin_slurm")
    output = _plan(project, *words)
    assert "profiles/slurm" in output
    assert "total" in output


def test_no_number_of_gpus_limits_the_cluster():
    assert "resources" not in _read_profile("slurm")
    default = _read_profile("default")
    assert default["resources"] == {"gpu": 1}
    # Read beside profiles/slurm, a local scope leaves the number of running jobs alone.
    assert default["set-resource-scopes"] == {"gpu": "local"}


def test_all_ready_jobs_are_submitted_at_once():
    profile = _read_profile("slurm")
    assert profile["jobs"] >= MOST_JOBS
    jobs, _ = str(profile["max-jobs-per-timespan"]).split("/")
    assert int(jobs) >= MOST_JOBS


def test_retries_stand_in_the_profile_and_in_no_rule():
    assert _read_profile("slurm")["retries"] == 1
    rules = [path.read_text() for path in (PROJECT / "workflow" / "rules").glob("*.smk")]
    assert rules
    assert not [text for text in rules if re.search(r"^\s+retries:", text, flags=re.MULTILINE)]


def test_rules_name_no_partition_account_or_gpu_model():
    rules = [path.read_text() for path in (PROJECT / "workflow" / "rules").glob("*.smk")]
    words = "slurm_|gpu_model|partition|gres"
    assert not [text for text in rules if re.search(words, text)]
