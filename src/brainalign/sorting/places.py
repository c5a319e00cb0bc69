"""Paths in the options of sessions: variables of the environment and folders of the workflow."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from brainalign.errors import InputError

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")

RECORDING, ELECTRODES = "RECORDING", "ELECTRODES"
"""Variables that stand for the published folders of a simulated recording and its electrodes."""


def expand_path(text: str, places: Mapping[str, Path], where: str) -> Path:
    """Fill variables into a configured path.

    Parameters
    ----------
    text : str
        A path with ``${VARIABLES}``.
    places : mapping of str to Path
        Values that go before those of the environment.
    where : str
        What the path is for, for messages.

    Raises
    ------
    InputError
        If a variable is not set, or nothing is there.
    """

    def fill(match: re.Match[str]) -> str:
        name = match.group(1) or match.group(2)
        value = places.get(name, os.environ.get(name))
        if value is None:
            raise InputError(
                f"the environment variable {name} is not set",
                where=f"{where} {text}",
                remedy=f"Set it (export {name}=…) or write the path into the configuration.",
            )
        return str(value)

    path = Path(_VARIABLE.sub(fill, text)).expanduser()
    if not path.exists():
        raise InputError("no such file or folder", where=f"{where} {path}")
    return path
