"""The sorting environment, built once, and commands that run in it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from brainalign.errors import ResourceError
from brainalign.sorting.environment import (
    CACHE_VARIABLE,
    build_environment,
    locate_environment,
    locate_python,
)

PROJECT = Path(__file__).resolve().parents[1]
PROGRAM = PROJECT / "src" / "brainalign" / "sorting"


@pytest.fixture(scope="session")
def sorting_python() -> Path:
    """Python of the sorting environment, kept between runs in ``BRAINALIGN_ENVIRONMENTS``."""
    home = os.environ.get(CACHE_VARIABLE) or PROJECT / ".pytest_cache" / "environments"
    pins = PROJECT / "envs" / "sorting.txt"
    folder = Path(home) / locate_environment(pins, "results").name
    try:
        build_environment(pins, folder)
    except ResourceError as error:
        pytest.skip(f"needs the packages of envs/sorting.txt: {error}")
    return locate_python(folder)


def run_sorting(python: Path, *words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run words of the command line in the sorting environment."""
    return subprocess.run(
        [str(python), str(PROGRAM), *(str(word) for word in words)],
        env={**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
