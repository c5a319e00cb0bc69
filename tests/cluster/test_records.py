"""The small experiment through SLURM with accounting, shown by SLURM's own records."""

from __future__ import annotations

import csv
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.experiment import TARGET, StartedRun
from cluster.slurm_cluster import JobRecord, SlurmCluster

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class FinishedRun:
    folder: Path
    cluster: SlurmCluster
    jobs: list[JobRecord]

    def select(self, rule: str) -> list[JobRecord]:
        return [job for job in self.jobs if job.rule == rule]


@pytest.fixture(scope="module")
def finished(accounting_cluster: SlurmCluster, started_slurm_run: StartedRun) -> FinishedRun:
    started_slurm_run.finish()
    jobs = accounting_cluster.list_jobs()
    return FinishedRun(started_slurm_run.folder, accounting_cluster, jobs)


def test_every_job_but_the_local_one_ran_in_slurm(finished):
    assert {job.state for job in finished.jobs} == {"COMPLETED"}
    assert Counter(job.rule for job in finished.jobs) == {
        "simulate_world": 1,
        "simulate_recording": 1,
        "stimuli": 1,
        "responses": 2,
        "features": 1,
        "yardsticks": 1,
        "fit": 2,
        "evaluation_predict_score": 2,
    }


def test_the_completion_log_has_every_job(finished):
    lines = (finished.cluster.folder / "log" / "jobcomp.txt").read_text().splitlines()
    completed = [re.search(r"JobId=(\d+)", line).group(1) for line in lines if "COMPLETED" in line]
    assert sorted(completed) == sorted(job.id for job in finished.jobs)


def test_jobs_got_the_threads_of_their_rule(finished):
    assert {job.requested["cpu"] for job in finished.select("features")} == {"2"}
    others = [job for job in finished.jobs if job.rule != "features"]
    assert {job.requested["cpu"] for job in others} == {"1"}


def test_jobs_got_the_memory_of_their_rule(finished):
    assert {job.requested["mem"] for job in finished.select("features")} == {"4000M"}
    # An array asks for 1 MB more, for the list of commands of its tasks.
    assert {job.requested["mem"] for job in finished.select("responses")} == {"1235M"}


def test_jobs_got_the_time_limit_of_their_rule(finished):
    assert [job.fields["TimeLimit"] for job in finished.select("stimuli")] == ["00:17:00"]
    # A group runs one rule after the other.
    evaluation = finished.select("evaluation_predict_score")
    assert {job.fields["TimeLimit"] for job in evaluation} == {"02:00:00"}


def test_jobs_with_gpus_ran_where_the_gpus_are(finished):
    fits = finished.select("fit")
    assert {job.requested["gres/gpu"] for job in fits} == {"1"}
    assert {(job.partition, job.fields["NodeList"]) for job in fits} == {("gpu", "g1")}


def test_jobs_without_gpus_stayed_away_from_them(finished):
    others = [job for job in finished.jobs if job.rule != "fit"]
    assert {job.partition for job in others} == {"cpu"}
    assert all("gres/gpu" not in job.requested for job in others)


def test_wide_rules_are_arrays(finished):
    for rule in ("responses", "fit"):
        assert len({job.fields["ArrayJobId"] for job in finished.select(rule)}) == 1
        assert {job.fields["ArrayTaskId"] for job in finished.select(rule)} == {"1", "2"}


def test_accounting_tells_the_same(finished):
    table = finished.cluster.run(
        *("sacct", "--allocations", "--noheader", "--parsable2"),
        "--format=JobIDRaw,State,ReqTRES",
    )
    rows = [line.split("|") for line in table.splitlines()]
    assert {row[0]: row[1] for row in rows} == {job.id: "COMPLETED" for job in finished.jobs}
    requested = {row[0]: set(row[2].split(",")) for row in rows}
    for job in finished.select("fit"):
        assert {"cpu=1", "mem=3001M", "gres/gpu=1"} <= requested[job.id]


def test_scores_equal_those_of_a_local_run(finished, local_run):
    assert (finished.folder / TARGET).read_text() == (local_run / TARGET).read_text()


def test_the_efficiency_report_compares_used_with_requested(finished):
    [path] = (finished.folder / ".snakemake" / "slurm_logs").glob("efficiency_report_*.csv")
    with path.open() as file:
        rows = {row["RuleName"].split("_wildcards")[0]: row for row in csv.DictReader(file)}
    assert {"rule_simulate_world", "rule_features", "rule_fit"} <= set(rows)
    assert float(rows["rule_features"]["RequestedMem_MB"]) == 4000
    assert 0 < float(rows["rule_features"]["MaxRSS_MB"]) < 4000
