"""What the page says of stimuli and recordings, read from their stores once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from brainalign.report.artifacts import Artifact, Run, read_values
from brainalign.stores.read import open_store, read_labels


@dataclass(frozen=True)
class Recording:
    """One response store in numbers.

    Attributes
    ----------
    dataset, subject : str
        Whose it is.
    status : array of shape (n_units,) of str
        ``ok``, or why a unit is left out of means.
    noise_ceiling, reliability : array of shape (n_units,)
        NaN for units that are not ok.
    areas : list of str
        Brain areas, sorted.
    n_presentations, n_stimuli, n_sessions : int
        Presentations of stimuli (trials of movies), different stimuli, and sessions.
    by_session : dict of str to array of shape (n_units,)
        Reliabilities by the sessions that recorded a unit, of units that have one; empty where
        the store does not tell.
    """

    dataset: str
    subject: str
    status: NDArray[np.str_]
    noise_ceiling: NDArray[np.floating]
    reliability: NDArray[np.floating]
    areas: list[str]
    n_presentations: int
    n_stimuli: int
    n_sessions: int
    by_session: dict[str, NDArray[np.floating]]

    @property
    def n_units(self) -> int:
        """Number of units, those that are not ok included."""
        return len(self.status)

    @property
    def n_usable(self) -> int:
        """Number of units that are ok."""
        return int(np.count_nonzero(self.status == "ok"))


@dataclass(frozen=True)
class StimulusSet:
    """One stimulus store in numbers.

    Attributes
    ----------
    dataset : str
        Whose it is.
    n_stimuli : int
        Images, frames, or stimuli that are known by their labels only.
    size : tuple of int or None
        Width and height, in pixels; None without images.
    noun : str
        ``image``, ``frame`` or ``stimulus``.
    split : array of shape (n_stimuli,) of str
        Of the first fold, where there are folds.
    n_folds : int
        1 where there is one split.
    """

    dataset: str
    n_stimuli: int
    size: tuple[int, int] | None
    noun: str
    split: NDArray[np.str_]
    n_folds: int


def read_recordings(run: Run) -> list[Recording]:
    """Read what the page needs of all response stores; no single response is read."""
    return [
        _read_recording(artifact, dataset, subject)
        for (dataset, subject), artifact in run.responses.items()
    ]


def read_stimulus_sets(run: Run) -> list[StimulusSet]:
    """Read what the page needs of all stimulus stores; no pixel is read."""
    return [_read_stimulus_set(artifact, name) for name, artifact in run.stimuli.items()]


def _read_recording(artifact: Artifact, dataset: str, subject: str) -> Recording:
    store = open_store(artifact.path, "responses")
    is_movie = "movie" in store.variables
    shown = "movie" if is_movie else "stimulus"
    # Of movies, noise_ceiling bounds the correlation; the share is a variable of its own.
    ceiling = "explainable_variance" if is_movie else "noise_ceiling"
    reliability = read_values(store.variables["reliability"], artifact.path)
    is_known = ceiling in store.variables
    share = read_values(store.variables[ceiling], artifact.path) if is_known else None
    return Recording(
        dataset=dataset,
        subject=subject,
        status=read_labels(store, "unit_status"),
        noise_ceiling=np.full(len(reliability), np.nan) if share is None else share,
        reliability=reliability,
        areas=sorted(set(read_labels(store, "area").tolist())),
        n_presentations=int(store.variables["response"].shape[0]),
        n_stimuli=_count_labels(store, shown),
        n_sessions=_count_labels(store, "session"),
        by_session=_divide_by_session(store, reliability),
    )


def _divide_by_session(
    store: xr.DataTree, reliability: NDArray[np.floating]
) -> dict[str, NDArray[np.floating]]:
    if "recorded_in" not in store.variables:
        return {}
    sessions, known = read_labels(store, "recorded_in"), np.isfinite(reliability)
    return {str(name): reliability[known & (sessions == name)] for name in np.unique(sessions)}


def _count_labels(store: xr.DataTree, name: str) -> int:
    return len(np.unique(read_labels(store, name))) if name in store.variables else 0


def _read_stimulus_set(artifact: Artifact, dataset: str) -> StimulusSet:
    store = open_store(artifact.path, "stimuli")
    split = read_labels(store, "split")
    noun = next((name for name in ("image", "frame") if name in store.variables), "stimulus")
    shape = store.variables[noun].shape if noun != "stimulus" else None
    has_folds = "split_by_fold" in store.variables
    return StimulusSet(
        dataset=dataset,
        n_stimuli=len(split) if shape is None else int(shape[0]),
        size=None if shape is None else (int(shape[2]), int(shape[1])),
        noun=noun,
        split=split,
        n_folds=int(store.variables["split_by_fold"].shape[0]) if has_folds else 1,
    )
