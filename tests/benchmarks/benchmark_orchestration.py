"""What Snakemake itself costs: planning and scheduling a full study, and time between jobs."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest

from full_scale import run_with_stand_in, write_full_scale
from project_copy import copy_project, run_workflow
from workflow.test_small_run import CONFIGS, make_project

pytestmark = pytest.mark.benchmark

_FULL = ("--configfile", "full_scale.yaml")
# One fit, prediction or score of the full study as others would cut it: a job for each.
_LAYERS, _FOLDS, _SEEDS = 4, 5, 3
_N_NAIVE_JOBS = 1000
_NAIVE = f"""
CELLS = range({_N_NAIVE_JOBS})

rule all:
    input: expand("results/fit/{{cell}}", cell=CELLS)

rule fit:
    output: directory("results/fit/{{cell}}")
    shell: "brainalign fit --output {{output:q}}"
"""


def _copy_full_scale(folder: Path) -> Path:
    write_full_scale(copy_project(folder))
    return folder


def test_cpu_of_planning_a_full_study(tmp_path):
    """Targets: dry run below 10 CPU-s, a call with nothing to do below 5."""
    folder = _copy_full_scale(tmp_path / "project")
    _, dry_run = run_with_stand_in(folder, "-n", *_FULL)
    _, run = run_with_stand_in(folder, "--cores", "2", *_FULL)
    output, nothing = run_with_stand_in(folder, "--cores", "2", *_FULL)
    assert "Nothing to be done" in output
    print(
        f"\n324 jobs of a full study: dry run {dry_run:.1f} CPU-s (target 10), all jobs with "
        f"nothing in them {run:.1f}, nothing to do {nothing:.1f} (target 5)"
    )


def test_cpu_of_scheduling_against_a_job_per_layer_fold_and_seed(tmp_path):
    """Target: 20 times less CPU for the same fits."""
    naive = tmp_path / "naive"
    naive.mkdir()
    (naive / "Snakefile").write_text(_NAIVE)
    ours = tmp_path / "ours"
    ours.mkdir()
    n_ours = -(-_N_NAIVE_JOBS // (_LAYERS * _FOLDS * _SEEDS))
    (ours / "Snakefile").write_text(_NAIVE.replace(f"range({_N_NAIVE_JOBS})", f"range({n_ours})"))
    for folder in (naive, ours):
        write_full_scale(folder)
        # Neither pays for starting Snakemake: that is measured by itself.
        (folder / "idle.smk").write_text("rule all:\n    input: []\n")
    _, start = run_with_stand_in(ours, "--cores", "2", "--snakefile", "idle.smk")
    _, ours_greedy = run_with_stand_in(ours, "--cores", "2", "--scheduler", "greedy")
    _, naive_default = run_with_stand_in(naive, "--cores", "2")
    shutil.rmtree(naive / "results")
    _, naive_greedy = run_with_stand_in(naive, "--cores", "2", "--scheduler", "greedy")
    print(
        f"\n{_N_NAIVE_JOBS} fits as one job each: {naive_default:.1f} CPU-s by the default "
        f"scheduler, {naive_greedy:.1f} by greedy; as {n_ours} jobs by greedy {ours_greedy:.1f}, "
        f"of which {start:.1f} are the start of Snakemake: "
        f"{naive_default / ours_greedy:.0f} times less, {naive_greedy / ours_greedy:.0f} with "
        f"greedy on both sides, {(naive_default - start) / (ours_greedy - start):.0f} times less "
        f"without the start"
    )


@dataclass(frozen=True)
class JobTimes:
    """When a job ran, in s since the epoch."""

    start: float
    end: float


def read_job_times(folder: Path) -> list[JobTimes]:
    """Read Snakemake's own records of a finished local run; jobs with two outputs count once."""
    records = [
        json.loads(path.read_text())
        for path in (folder / ".snakemake" / "metadata").rglob("*")
        if path.is_file()
    ]
    spans = {(record["starttime"], record["endtime"]) for record in records}
    return sorted((JobTimes(*span) for span in spans), key=lambda job: job.end)


def measure_overhead(jobs: list[JobTimes], start: float, end: float) -> tuple[float, float]:
    """Split the wall time of a run along the chain of jobs that decided it.

    Parameters
    ----------
    jobs : list of JobTimes
        All jobs of the run.
    start, end : float
        When Snakemake began and ended, in s since the epoch.

    Returns
    -------
    compute, overhead : float
        Seconds in jobs of the chain, and seconds between them.

    Notes
    -----
    The chain goes back from the job that ended last to the one that ended last before it started,
    whether it waited for its output or for its core, and so on. On few cores that is the chain
    that counts: the longest chain of dependencies alone leaves cores idle that had other work.
    """
    compute = 0.0
    job = max(jobs, key=lambda candidate: candidate.end)
    while True:
        compute += job.end - job.start
        # Records are written to the millisecond by another clock than the jobs' own.
        earlier = [other for other in jobs if other.end <= job.start + 0.01 and other is not job]
        if not earlier:
            break
        job = max(earlier, key=lambda candidate: candidate.end)
    return compute, (end - start) - compute


def _read_wall(folder: Path) -> tuple[float, float]:
    """Read when the first run in a folder began and ended from the name and time of its log."""
    log = min((folder / ".snakemake" / "log").glob("*.snakemake.log"))
    moment = re.match(r"(\S+?)\.snakemake\.log", log.name).group(1)
    return datetime.strptime(moment, "%Y-%m-%dT%H%M%S.%f").timestamp(), log.stat().st_mtime


def test_time_between_the_jobs_of_a_run(tmp_path):
    """Target: below 10 % of the default run; BRAINALIGN_FINISHED_RUN names a project with one."""
    if "BRAINALIGN_FINISHED_RUN" in os.environ:
        folder = Path(os.environ["BRAINALIGN_FINISHED_RUN"])
        label = "a finished run"
    else:
        folder = make_project(tmp_path / "project")
        completed = run_workflow(folder, configs=CONFIGS)
        assert completed.returncode == 0, completed.stdout + completed.stderr
        label = "the small run of the tests"
    start, end = _read_wall(folder)
    jobs = read_job_times(folder)
    compute, overhead = measure_overhead(jobs, start, end)
    print(
        f"\n{label}: {len(jobs)} jobs, wall {end - start:.1f} s, of which {compute:.1f} s are the "
        f"chain of jobs and {overhead:.1f} s ({overhead / (end - start):.0%}, target 10 % of the "
        f"default run) lie between them"
    )
