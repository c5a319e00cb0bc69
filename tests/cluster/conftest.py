"""Clusters with and without accounting, and the same experiment run without one."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster.experiment import finish, make_project, start_locally
from cluster.slurm_cluster import SlurmCluster, find_obstacle


def _run_cluster(accounting: bool) -> Iterator[SlurmCluster]:
    obstacle = find_obstacle(accounting)
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


@pytest.fixture(scope="module")
def accounting_cluster() -> Iterator[SlurmCluster]:
    """A cluster whose slurmdbd keeps records."""
    yield from _run_cluster(accounting=True)


@pytest.fixture(scope="module")
def plain_cluster() -> Iterator[SlurmCluster]:
    """A cluster without accounting: only its controller knows about jobs."""
    yield from _run_cluster(accounting=False)


@pytest.fixture(scope="session")
def started_local_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.Popen]:
    """The small experiment on this machine, while a cluster waits for its own jobs."""
    folder = make_project(tmp_path_factory.mktemp("local") / "project")
    return folder, start_locally(folder)


@pytest.fixture(scope="session")
def local_run(started_local_run: tuple[Path, subprocess.Popen]) -> Path:
    """The small experiment, run on this machine."""
    folder, run = started_local_run
    finish(run)
    return folder
