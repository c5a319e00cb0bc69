"""The small experiment of the cluster tests: every stage, two subjects, two methods."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from cluster.slurm_cluster import SEARCH_PATH, SlurmCluster
from project_copy import copy_project

CONFIG = """
seeds: [0]
device: cpu
world:
  exemplars_per_category: 2
  views_per_exemplar: 10
  n_scenes: 2
  movies: {n_object_movies: 0, n_texture_movies: 0}
datasets:
  simulated_it:
    kind: simulated_it
    simulation:
      subjects: {a: 12, b: 15}
      n_sessions: 2
      test_repeats: 3
      train_repeats: 2
      n_shared_train_stimuli: 4
    responses: {min_repeated_stimuli: 5}
methods:
  vna: {preset: small, epochs: 5}
experiments:
  - datasets: [simulated_it]
    backbones: [pixels]
    methods: [vna, direct_encoding_ridge]
"""

# What somebody who submits to the loopback cluster writes into the profile.
_PARTITIONS = "partitions: {cpu: {max_runtime: 24h}, gpu: {max_runtime: 24h, max_gpu: 2}}"
# Simulated jobs are small; so are the waits between two questions about them, in s.
_QUICK = [
    "--slurm-init-seconds-before-status-checks=2",
    "--seconds-between-status-checks=2",
    "--latency-wait=5",
]
TARGET = "results/scores.csv"


def make_project(folder: Path) -> Path:
    """Copy the project, with the profile filled in for the loopback cluster."""
    copy_project(folder)
    (folder / "small.yaml").write_text(CONFIG)
    profile = folder / "profiles" / "slurm" / "config.yaml"
    text = profile.read_text()
    filled = text.replace("partitions: {}", _PARTITIONS)
    assert filled != text
    profile.write_text(filled)
    return folder


def copy_results(source: Path, target: Path) -> None:
    """Copy results and what Snakemake remembers of them."""
    for name in ("results", ".snakemake"):
        shutil.copytree(source / name, target / name)


@dataclass
class StartedRun:
    """A run of Snakemake whose output goes to a file, so that nobody has to read it meanwhile."""

    folder: Path
    process: subprocess.Popen[bytes]
    output: Path

    def wait(self) -> tuple[int, str]:
        """Wait for the end; return exit status and output."""
        return self.process.wait(), self.output.read_text()

    def finish(self) -> None:
        """Wait for the end.

        Raises
        ------
        RuntimeError
            If the run fails; the message is its output.
        """
        status, output = self.wait()
        if status != 0:
            raise RuntimeError(output)


def start_locally(folder: Path) -> StartedRun:
    """Start the experiment as on a laptop."""
    return _start(folder, _list_words("--cores", "2"))


def submit(cluster: SlurmCluster, folder: Path, *words: str) -> StartedRun:
    """Start the experiment on the login node of a cluster."""
    command = _list_words("--workflow-profile", "profiles/slurm", *_QUICK, *words)
    return _start(folder, cluster.wrap(*command, folder=folder))


def _start(folder: Path, command: list[str]) -> StartedRun:
    output = folder / f"run-{time.monotonic_ns()}.log"
    with output.open("w") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, "PATH": SEARCH_PATH, "OMP_NUM_THREADS": "1"},
            stdout=file,
            stderr=subprocess.STDOUT,
        )
    return StartedRun(folder, process, output)


def _list_words(*words: str) -> list[str]:
    snakemake = [sys.executable, "-m", "snakemake", TARGET]
    return [*snakemake, *words, "--configfile", "small.yaml"]
