"""Clusters with and without accounting, and the same experiment run without one."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.experiment import StartedRun, make_project, start_locally, submit
from cluster.slurm_cluster import SlurmCluster, find_obstacle


def _run_cluster(accounting: bool) -> Iterator[SlurmCluster]:
    obstacle = find_obstacle()
    if obstacle is not None:
        pytest.skip(f"no SLURM here: {obstacle}")
    # Not pytest's folder: the path of a socket has at most 107 characters.
    folder = Path(tempfile.mkdtemp(prefix="brainalign-slurm-"))
    cluster = SlurmCluster(folder / "cluster", accounting)
    try:
        yield cluster
    finally:
        cluster.stop()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def accounting_cluster() -> Iterator[SlurmCluster]:
    """A cluster whose slurmdbd keeps records."""
    yield from _run_cluster(accounting=True)


@pytest.fixture(scope="module")
def plain_cluster() -> Iterator[SlurmCluster]:
    """A cluster without accounting: only its controller knows about jobs."""
    yield from _run_cluster(accounting=False)


@pytest.fixture(scope="session")
def started_slurm_run(
    tmp_path_factory: pytest.TempPathFactory, accounting_cluster: SlurmCluster
) -> StartedRun:
    """The small experiment on the cluster with accounting.

    It mostly waits, so it is started before the tests of interruptions and looked at after them.
    """
    folder = make_project(tmp_path_factory.mktemp("slurm") / "a run with spaces")
    # The rules ask for one thread and, on the CPU, for no GPU; both are asked for here as a user
    # would, to see that requests arrive.
    return submit(
        accounting_cluster,
        folder,
        *("--set-threads", "features=2"),
        *("--set-resources", "fit:gpu=1", "responses:mem_mb=1234", "stimuli:runtime=17"),
    )


@pytest.fixture(scope="session")
def local_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small experiment, run on this machine."""
    run = start_locally(make_project(tmp_path_factory.mktemp("local") / "project"))
    run.finish()
    return run.folder
