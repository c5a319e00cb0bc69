"""What the readers of published voxel responses give: units, and blocks of responses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pandas as pd

from brainalign.errors import BrainalignError, InputError
from brainalign.raw.recording import StimulusCollection


@dataclass(frozen=True)
class VoxelPlaces:
    """Where voxels lie.

    Parameters
    ----------
    index : array of shape (n_units, 3), int32
        Voxel indices.
    affine : array of shape (4, 4)
        From voxel indices to mm.
    reference : array of shape (x, y, z), float32
        A volume of the subject to draw maps on.
    space : str
        What the mm are measured in: ``subject``, or the name of a template.
    """

    index: np.ndarray
    affine: np.ndarray
    reference: np.ndarray
    space: str


@dataclass(frozen=True)
class PublishedUnits:
    """The voxels or surface vertices of one subject.

    Parameters
    ----------
    unit : array of shape (n_units,) of str
        Ids.
    area : array of shape (n_units,) of str
        Region of each.
    places : VoxelPlaces or None
        None for a surface.
    further : dict of str to array of shape (n_units,)
        What else is known of each, by name.
    attributes : dict
        What is known of all together; plain text, numbers and lists.
    """

    unit: np.ndarray
    area: np.ndarray
    places: VoxelPlaces | None = None
    further: dict[str, np.ndarray] = field(default_factory=dict)
    attributes: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class ResponseBlock:
    """Responses that one file gives.

    Parameters
    ----------
    presentations : pandas.DataFrame
        ``stimulus``, ``session``, ``run`` (text) and ``onset_s``, one row per response.
    read : callable
        Gives responses of shape (n_presentations, n_units), float32.
    """

    presentations: pd.DataFrame
    read: Callable[[], np.ndarray]


class PublishedRecording(Protocol):
    """A published data set of voxel responses in its own format."""

    response_unit: str
    estimate: str

    def list_subjects(self) -> list[str]:
        """List the ids of the subjects, sorted."""

    def read_units(self, subject: str) -> PublishedUnits:
        """Read which voxels of a subject are used and the region of each."""

    def list_blocks(self, subject: str, units: PublishedUnits) -> list[ResponseBlock]:
        """List the blocks of responses of a subject; nothing is read before it is asked for."""

    def read_stimuli(self) -> StimulusCollection | None:
        """Describe the images that were shown; None where the data set holds none."""

    def find_problems(self) -> list[BrainalignError]:
        """List what is wrong with the files, without costly work."""

    def summarise(self) -> str:
        """Say in a line what there is, after no problem was found."""


def require_file(path: Path, what: str, remedy: str) -> Path:
    """Refuse a missing file of a published data set.

    Parameters
    ----------
    path : Path
        The file.
    what : str
        What it holds.
    remedy : str
        Where it comes from and which terms must be accepted.

    Raises
    ------
    InputError
        With `remedy`. A link whose target is missing counts as missing.
    """
    if not path.is_file():
        raise InputError(f"no {what}", where=path, remedy=remedy)
    return path
