"""A fit that runs out of time, is requeued and loses its node, on SLURM without accounting."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from brainalign.stores.verify import find_store_problems, list_published_folders
from cluster.experiment import (
    CONFIG,
    TARGET,
    copy_results,
    make_project,
    start_locally,
    submit,
)
from cluster.slurm_cluster import JobRecord, SlurmCluster

pytestmark = pytest.mark.slow

# Long enough to be caught several times: an epoch takes about 10 ms.
_LONG = ("vna: {preset: small, epochs: 5}", "vna: {preset: small, epochs: 1500}")
_MODEL = Path("results/models/vna/simulated_it/pixels")
_LOG = Path("results/logs/fit/vna/simulated_it/pixels.log")


@dataclass(frozen=True)
class Story:
    """What was seen while one fit was stopped three times.

    Attributes
    ----------
    uninterrupted : Path
        The same fit, never stopped, on this machine.
    after_timeout : list of Path
        Published folders of models once the time was up.
    problems_after_timeout : list of str
        What was wrong with the published folders of all stages.
    started_afresh : dict of str to bool
        Whether the fit had begun with epoch 1 once it wrote checkpoints again, by what had
        stopped it.
    jobs : list of JobRecord
        SLURM's records at the end.
    """

    folder: Path
    uninterrupted: Path
    output_of_timeout: str
    code_of_timeout: int
    after_timeout: list[Path]
    problems_after_timeout: list[str]
    output_of_recovery: str
    code_of_recovery: int
    started_afresh: dict[str, bool]
    jobs: list[JobRecord]


def _make_long_project(folder: Path, local_run: Path) -> Path:
    """Copy a finished run and give its fit more epochs: only the fit and its scores run again."""
    make_project(folder)
    copy_results(local_run, folder)
    text = CONFIG.replace(*_LONG)
    assert text != CONFIG
    (folder / "small.yaml").write_text(text)
    return folder


def _find_newest_epoch(folder: Path) -> int:
    checkpoints = (folder / "results" / "scratch").rglob("epoch_*.json")
    return max((int(path.stem.split("_")[1]) for path in checkpoints), default=0)


def _has_started_afresh(folder: Path) -> bool:
    """Tell whether the log of the fit, which every start begins anew, has the first epoch."""
    return "epoch 1/1500," in (folder / _LOG).read_text()


def _wait_for_checkpoint(folder: Path, after: int = 0, seconds: float = 120) -> int:
    """Wait until the fit has gone on beyond an epoch, and return its newest checkpoint."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        epoch = _find_newest_epoch(folder)
        if epoch > after:
            return epoch
        time.sleep(0.05)
    raise TimeoutError(f"no checkpoint after epoch {after} within {seconds} s")


def _freeze_fit(cluster: SlurmCluster) -> None:
    """Stop the fit where it is, so that the clock of its job runs without using the machine."""
    cluster.run("pkill", "-STOP", "-f", "brainalign fit --method vna")


@pytest.fixture(scope="module")
def story(
    tmp_path_factory: pytest.TempPathFactory, started_slurm_run, plain_cluster, local_run
) -> Story:
    cluster = plain_cluster
    parent = tmp_path_factory.mktemp("interruptions")
    folder = _make_long_project(parent / "project", local_run)
    uninterrupted = _make_long_project(parent / "uninterrupted", local_run)
    reference = start_locally(uninterrupted)
    started_afresh: dict[str, bool] = {}

    run = submit(cluster, folder, "--retries", "0")
    _wait_for_checkpoint(folder)
    _freeze_fit(cluster)
    # The shortest limit that can be asked for is a minute; an operator may set an earlier end.
    fit = cluster.wait_for_job("fit", "RUNNING")
    cluster.run("scontrol", "update", f"jobid={fit.id}", "EndTime=now+1seconds")
    code_of_timeout, output_of_timeout = run.wait()
    after_timeout = list((folder / _MODEL).parent.glob("*"))
    problems = [
        problem
        for published in list_published_folders(folder / "results")
        for problem in find_store_problems(published)
    ]

    recovery = submit(cluster, folder)
    _wait_for_checkpoint(folder, _find_newest_epoch(folder))
    started_afresh["timeout"] = _has_started_afresh(folder)
    cluster.run("scontrol", "requeue", cluster.wait_for_job("fit", "RUNNING").id)
    cluster.wait_for_job("fit", "PENDING")

    _wait_for_checkpoint(folder, _find_newest_epoch(folder))
    started_afresh["requeue"] = _has_started_afresh(folder)
    cluster.kill_node(cluster.wait_for_job("fit", "RUNNING").fields["NodeList"])
    _wait_for_checkpoint(folder, _find_newest_epoch(folder))
    started_afresh["node failure"] = _has_started_afresh(folder)
    code_of_recovery, output_of_recovery = recovery.wait()
    reference.finish()
    return Story(
        folder=folder,
        uninterrupted=uninterrupted,
        output_of_timeout=output_of_timeout,
        code_of_timeout=code_of_timeout,
        after_timeout=after_timeout,
        problems_after_timeout=problems,
        output_of_recovery=output_of_recovery,
        code_of_recovery=code_of_recovery,
        started_afresh=started_afresh,
        jobs=cluster.list_jobs(),
    )


def test_a_job_over_its_time_limit_is_reported(story):
    assert story.code_of_timeout != 0
    assert "TIMEOUT" in story.output_of_timeout
    assert "TIMEOUT" in {job.state for job in story.jobs if job.rule == "fit"}


def test_a_job_over_its_time_limit_publishes_nothing(story):
    assert story.after_timeout == []
    assert story.problems_after_timeout == []


def test_one_plain_command_recovers(story):
    assert story.code_of_recovery == 0, story.output_of_recovery
    assert find_store_problems(story.folder / _MODEL) == []


def test_slurm_restarted_the_job_after_requeue_and_node_failure(story):
    [fit] = [job for job in story.jobs if job.rule == "fit" and job.state == "COMPLETED"]
    assert fit.fields["Restarts"] == "2"


@pytest.mark.parametrize("event", ["timeout", "requeue", "node failure"])
def test_a_stopped_fit_goes_on_from_its_checkpoint(event, story):
    assert not story.started_afresh[event]


def test_a_fit_stopped_three_times_has_the_weights_of_an_uninterrupted_one(story):
    assert _has_started_afresh(story.uninterrupted)
    first, second = (
        sorted((folder / _MODEL).rglob("*.safetensors"))
        for folder in (story.folder, story.uninterrupted)
    )
    assert len(first) == len(second) > 0
    for one, other in zip(first, second, strict=True):
        assert one.read_bytes() == other.read_bytes()


def test_a_fit_stopped_three_times_has_the_scores_of_an_uninterrupted_one(story):
    assert (story.folder / TARGET).read_text() == (story.uninterrupted / TARGET).read_text()
