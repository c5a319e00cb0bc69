"""Copies of the project in which a test runs the workflow with the installed package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]


def copy_project(folder: Path) -> Path:
    """Copy what a user of the workflow has, without results."""
    folder.mkdir(parents=True)
    for name in ("workflow", "profiles", "envs"):
        shutil.copytree(PROJECT / name, folder / name)
    for name in ("Snakefile", "config.yaml"):
        shutil.copy(PROJECT / name, folder / name)
    return folder


def run_workflow(
    folder: Path, *words: str, configs: list[str], **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake on two cores with configurations over the default one."""
    return subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "2", *words, "--configfile", *configs],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
