"""Build the sorting environment from its pins, where conda does not."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from brainalign.errors import InputError, ResourceError

MARKER = "environment.json"
"""Written last: a folder without it is a broken-off build."""

CACHE_VARIABLE = "BRAINALIGN_ENVIRONMENTS"
"""Folder for environments that several results folders share."""


def locate_environment(pins: Path, results: str) -> Path:
    """Name the folder of the environment that the pins describe.

    Parameters
    ----------
    pins : Path
        File of exact pins.
    results : str
        Results folder, below which environments lie unless ``BRAINALIGN_ENVIRONMENTS`` says
        otherwise.

    Returns
    -------
    folder : Path
        Its name holds a digest of pins and Python version: other pins, other folder.
    """
    text = "\n".join([*read_pins(pins), sys.version.split()[0]])
    digest = hashlib.sha256(text.encode()).hexdigest()[:12]
    home = os.environ.get(CACHE_VARIABLE) or f"{results}/environments"
    return Path(home) / f"sorting-{digest}"


def locate_python(environment: Path) -> Path:
    """Name the Python of an environment."""
    return environment / "bin" / "python"


def read_pins(pins: Path) -> list[str]:
    """Read the requirements of a file of pins.

    Raises
    ------
    InputError
        If the file does not exist.
    """
    try:
        lines = pins.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError("no such file of pins", where=pins) from None
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]


def build_environment(pins: Path, folder: Path) -> None:
    """Install the pins into a new virtual environment.

    Parameters
    ----------
    pins : Path
        File of exact pins.
    folder : Path
        Where; a finished environment there is kept, a broken-off one is built again.

    Raises
    ------
    ResourceError
        If packages cannot be installed, such as on a machine without network.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        # Several workflows may share the folder; the second waits for the first.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / MARKER).is_file():
            _install(pins, folder)


def _install(pins: Path, folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    _run([sys.executable, "-m", "venv", str(folder)], pins, folder)
    python = str(locate_python(folder))
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    _run([*pip, "--requirement", str(pins)], pins, folder)
    _run([python, "-c", "import spikeinterface.sorters, pynwb, pydantic"], pins, folder)
    content = {"pins": read_pins(pins), "python": sys.version.split()[0]}
    (folder / MARKER).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _run(words: list[str], pins: Path, folder: Path) -> None:
    # The environment must hold its own packages, not those of who builds it.
    variables = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    finished = subprocess.run(words, capture_output=True, text=True, check=False, env=variables)
    if finished.returncode:
        raise ResourceError(
            "the sorting environment cannot be built",
            where=folder,
            expected=f"the packages of {pins}",
            found=_find_cause(finished.stderr or finished.stdout),
            remedy="Without network: run `pip download -r envs/sorting.txt -d wheels` on a machine "
            "with one, copy the folder, and set PIP_NO_INDEX=1 and PIP_FIND_LINKS=wheels; or "
            f"point {CACHE_VARIABLE} to a folder that holds the environment; or use --sdm conda.",
        )


def _find_cause(output: str) -> str:
    """Pick the line of pip that names what is missing."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    for mark in ("No matching distribution found", "ERROR:", "Error"):
        for line in lines:
            if mark in line:
                return line[:300]
    return lines[-1][:300] if lines else "no message"
