"""The experiment at full scale, and a command that stands in for the work of its jobs."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import yaml

N_SUBJECTS = 8
N_RECORDINGS = 3
METHODS = [
    "vna",
    "direct_encoding_ridge",
    "direct_encoding_nonlinear",
    "direct_decoding_ridge",
    "direct_decoding_nonlinear",
]

# Makes the outputs that the rules declare and nothing else, in a millisecond: what is left of a
# run is Snakemake's own work.
_STAND_IN = """#!/bin/sh
while [ $# -gt 0 ]; do
  case $1 in
    --output) mkdir -p "$2" ;;
    --table) : > "$2" ;;
  esac
  shift
done
"""


def describe_full_scale() -> dict[str, object]:
    """Configuration of 8 subjects, 6 backbones, 5 methods and 3 recordings."""
    recordings = {
        f"recording_{number}": {
            "kind": "simulated_it",
            "simulation": {"subjects": {f"monkey-{n}": 20 for n in range(N_SUBJECTS)}},
        }
        for number in range(N_RECORDINGS)
    }
    pixels = {f"pixels_{cells}": {"kind": "pixels", "grid": cells} for cells in (4, 8, 12, 16)}
    trained = {"world_clip": {"kind": "world_clip"}, "world_dino": {"kind": "world_dino"}}
    backbones: dict[str, object] = {**pixels, **trained}
    experiment = {"datasets": [*recordings], "backbones": [*backbones], "methods": METHODS}
    return {"datasets": recordings, "backbones": backbones, "experiments": [experiment]}


def write_full_scale(folder: Path) -> None:
    """Write the configuration and the stand-in into a copy of the project."""
    (folder / "full_scale.yaml").write_text(yaml.safe_dump(describe_full_scale()))
    stand_in = folder / "bin" / "brainalign"
    stand_in.parent.mkdir()
    stand_in.write_text(_STAND_IN)
    stand_in.chmod(0o755)


def run_with_stand_in(folder: Path, *words: str) -> tuple[str, float]:
    """Run Snakemake with the stand-in for `brainalign`.

    Returns
    -------
    output : str
        What Snakemake prints.
    seconds : float
        CPU time of Snakemake and its children in s.

    Raises
    ------
    RuntimeError
        If Snakemake fails.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    completed = subprocess.run(
        [sys.executable, "-m", "snakemake", *words],
        cwd=folder,
        env={**os.environ, "PATH": f"{folder / 'bin'}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    output = completed.stdout + completed.stderr
    if completed.returncode != 0:
        raise RuntimeError(output)
    return output, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
