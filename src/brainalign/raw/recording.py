"""What the readers of all recordings give: sessions of spikes, and collections of images."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from brainalign.errors import BrainalignError, InputError


@dataclass(frozen=True)
class SpikeSession:
    """One session of one subject on one clock.

    Parameters
    ----------
    session : str
        Id of the session.
    units : pandas.DataFrame
        Indexed by unit id (text); column ``area`` and whatever else places a unit.
    spike_times : list of array of shape (n_spikes,)
        Per unit, in s, finite and not descending.
    presentations : pandas.DataFrame
        One row per presentation: ``stimulus`` (text id) and ``onset_s``.
    source : str
        File that it came from, for messages.
    """

    session: str
    units: pd.DataFrame
    spike_times: list[np.ndarray]
    presentations: pd.DataFrame
    source: str


@dataclass(frozen=True)
class RateSession:
    """One session of one subject whose spikes others have counted.

    Parameters
    ----------
    session : str
        Id of the session.
    units : pandas.DataFrame
        Indexed by unit id (text); column ``area`` and whatever else places a unit.
    response : array of shape (n_presentations, n_units), float32
        NaN where a unit was not recorded.
    presentations : pandas.DataFrame
        One row per presentation: ``stimulus`` (text id) and ``onset_s``.
    source : str
        File that it came from, for messages.
    """

    session: str
    units: pd.DataFrame
    response: np.ndarray
    presentations: pd.DataFrame
    source: str


@dataclass(frozen=True)
class StimulusCollection:
    """Images of a data set by id, decoded one at a time.

    Parameters
    ----------
    table : pandas.DataFrame
        Indexed by stimulus id (text). May have ``split``, ``category``, ``caption``, ``labels``
        (separated by semicolons) and numeric factor columns, named in `factors`.
    factors : tuple of str
        Columns of `table` that are numeric factors such as position or size.
    read_image : callable
        Gives the pixels of an id as an array of shape (y, x, 3), uint8.
    check_image : callable, optional
        Looks at the file of an id without decoding it; raises as ``read_image`` does.
    has_images : bool
        False where stimuli are known by their labels only; ``read_image`` then refuses.
    """

    table: pd.DataFrame
    factors: tuple[str, ...]
    read_image: Callable[[str], np.ndarray]
    check_image: Callable[[str], object] | None = None
    has_images: bool = True


class RawDataset(Protocol):
    """A data set of spikes and images in its own raw format."""

    def list_subjects(self) -> list[str]:
        """List the ids of the subjects, sorted."""

    def read_sessions(self, subject: str) -> Iterator[SpikeSession]:
        """Read the sessions of one subject, one at a time."""

    def read_stimuli(self) -> StimulusCollection | None:
        """Describe the images that were shown; None where the data set holds none."""

    def find_problems(self) -> list[BrainalignError]:
        """List what is wrong with the files, without costly work; images are not decoded."""


_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")


def expand_folder(text: str, where: str) -> Path:
    """Fill in environment variables and the home folder in a configured path.

    Raises
    ------
    InputError
        If a variable is not set or the folder does not exist.
    """
    path = _fill_variables(text, where)
    if not path.is_dir():
        raise InputError(
            "no such folder" if not path.exists() else "is no folder",
            where=f"{where} {path}",
            remedy=_suggest_start(path),
        )
    return path


def expand_file(text: str, where: str) -> Path:
    """Fill in environment variables and the home folder in a configured path of a file.

    Raises
    ------
    InputError
        If a variable is not set, the file does not exist, or is a folder.
    """
    path = _fill_variables(text, where)
    if not path.is_file():
        raise InputError(
            "no such file" if not path.exists() else "is a folder",
            where=f"{where} {path}",
            expected=None if not path.exists() else "a file",
            remedy=_suggest_start(path),
        )
    return path


def _suggest_start(path: Path) -> str | None:
    """Say where relative paths start: most that are not found start elsewhere."""
    if path.is_absolute():
        return None
    return f"Relative paths start at the working folder, {Path.cwd()}."


def _fill_variables(text: str, where: str) -> Path:
    for match in _VARIABLE.finditer(text):
        name = match.group(1) or match.group(2)
        if name not in os.environ:
            raise InputError(
                f"the environment variable {name} is not set",
                where=f"{where} {text}",
                remedy=f"Set it (export {name}=…) or write the path into the configuration.",
            )
    return Path(os.path.expandvars(text)).expanduser()
