"""Read responses, splits and attributes of one experiment from stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import InputError
from brainalign.methods.image_prior.attributes import StimulusAttributes, read_stimulus_attributes
from brainalign.methods.mig_vis.arrays import ResponseTable, average_presentations
from brainalign.methods.mig_vis.options import MIGVisOptions
from brainalign.methods.pairs import ALL_AREAS
from brainalign.responses.build import normalise_responses
from brainalign.responses.normalisation import (
    apply_session_statistics,
    compute_session_statistics,
)
from brainalign.responses.reliability import estimate_noise_ceiling
from brainalign.stimuli.read import StimulusSplits, read_splits
from brainalign.stores.read import open_store, read_labels, read_store, take_rows

# Of several folds the first is used: groups of different fits cannot be averaged.
FOLD = 0

# Splits of the repeats of every stimulus, over and over.
_PSEUDO_TRIAL_SPLITS = np.array(["train", "train", "train", "validation", "test"])


@dataclass(frozen=True)
class RecordedGroup:
    """The units of one subject and area.

    Attributes
    ----------
    subject, area : str
        Whose units, and where.
    unit : array of shape (n_units,) of str
        Ids.
    ceiling : array of shape (n_units,), float64
        Explainable share of the variance of the mean over repeats; NaN where unknown.
    table : ResponseTable
        Mean responses.
    split : array of shape (n_rows,) of str
        Split of the stimulus of each row.
    """

    subject: str
    area: str
    unit: np.ndarray
    ceiling: np.ndarray
    table: ResponseTable
    split: np.ndarray

    def find(self, split: str) -> np.ndarray:
        """Rows of one split, as a mask."""
        return self.split == split


@dataclass(frozen=True)
class GroupExperiment:
    """Everything that the latents of an experiment are fitted on.

    Attributes
    ----------
    splits : StimulusSplits
        Stimuli by split.
    known : StimulusAttributes
        Categories and factors of whatever the rows of responses stand for.
    parts : tuple of RecordedGroup
        Sorted by subject, then area.
    """

    splits: StimulusSplits
    known: StimulusAttributes
    parts: tuple[RecordedGroup, ...]


def read_group_experiment(
    stimuli: Path,
    responses: Sequence[Path],
    options: MIGVisOptions,
    normalisation: str,
    *,
    by_area: bool,
) -> GroupExperiment:
    """Read one experiment.

    Parameters
    ----------
    stimuli : Path
        Stimulus store; it need not hold images.
    responses : sequence of Path
        One response store per subject.
    options : MIGVisOptions
        Likelihood and treatment of sessions.
    normalisation : {"session_zscore", "none"}
        Of responses; a Poisson likelihood takes the counts in any case.
    by_area : bool
        Whether each area is fitted by itself as well.
    """
    splits = read_splits(stimuli)
    known = read_stimulus_attributes(open_store(stimuli, "stimuli"))
    if options.vae.likelihood == "poisson":
        normalisation = "none"
    parts: list[RecordedGroup] = []
    joins = options.vae.sessions == "pseudo_trials"
    for path in sorted(responses):
        if joins:
            trials = _join_sessions(path, normalisation)
        else:
            trials = _read_presentations(path, splits, options, normalisation)
        parts += _divide_areas(trials, by_area, where=path)
        known = trials.name_rows(known) if joins else known
    return GroupExperiment(splits, known, tuple(parts))


def read_images(stimuli: Path, names: np.ndarray) -> np.ndarray:
    """Read the images of some stimuli.

    Returns
    -------
    image : array of shape (n_stimuli, y, x, 3), uint8

    Raises
    ------
    InputError
        The store holds no images, or lacks one of the stimuli.
    """
    store = open_store(stimuli, "stimuli")
    if "image" not in store.variables:
        raise InputError(
            "the stimuli have no images, so none can be edited",
            where=stimuli,
            remedy="Leave out the prior (image_prior: null) to fit latents alone.",
        )
    place = {name: row for row, name in enumerate(read_labels(store, "stimulus").tolist())}
    rows = np.array([place[str(name)] for name in names], dtype=np.int64)
    return take_rows(store.variables["image"], rows)


@dataclass(frozen=True)
class _Trials:
    """Responses of one subject with the rows that they are averaged to.

    Attributes
    ----------
    subject : str
        Whose.
    unit, area : array of shape (n_units,) of str
        Ids, and where they lie.
    ceiling : array of shape (n_units,), float64
        Explainable share of the variance of a row.
    response : array of shape (n_presentations, n_units), float32
        NaN where a unit was not recorded.
    row : array of shape (n_presentations,) of str
        Stimulus or pseudo-trial.
    session : array of shape (n_presentations,) of str, or None
        Keeps sessions apart.
    split_of : dict of str to str
        Split of each row.
    stimulus_of : dict of str to str
        Stimulus of each row.
    """

    subject: str
    unit: np.ndarray
    area: np.ndarray
    ceiling: np.ndarray
    response: np.ndarray
    row: np.ndarray
    session: np.ndarray | None
    split_of: dict[str, str]
    stimulus_of: dict[str, str]

    def name_rows(self, known: StimulusAttributes) -> StimulusAttributes:
        """Give pseudo-trials the attributes of their stimuli, beside what is known already."""
        new = {row: name for row, name in self.stimulus_of.items() if row not in known.stimulus}
        place = known.locate(np.array(list(new.values()), dtype=np.str_))
        return StimulusAttributes(
            np.concatenate([known.stimulus, np.array(list(new), dtype=np.str_)]),
            np.concatenate([known.category, known.category[place]]),
            known.factor_name,
            np.concatenate([known.factor, known.factor[place]]),
        )


def _read_presentations(
    path: Path, splits: StimulusSplits, options: MIGVisOptions, normalisation: str
) -> _Trials:
    store = read_store(path, "responses").to_dataset()
    stimulus = read_labels(store, "stimulus")
    named = splits.stimulus.tolist()
    return _Trials(
        subject=str(store.attrs["subject"]),
        unit=read_labels(store, "unit"),
        area=read_labels(store, "area"),
        ceiling=store["noise_ceiling"].values.astype(np.float64),
        response=normalise_responses(store, FOLD, normalisation),
        row=stimulus,
        session=read_labels(store, "session") if options.vae.sessions == "stitched" else None,
        split_of=dict(zip(named, splits.split[FOLD].tolist(), strict=True)),
        stimulus_of=dict(zip(named, named, strict=True)),
    )


def _join_sessions(path: Path, normalisation: str) -> _Trials:
    """Join the n-th repeats of every stimulus in all sessions to one pseudo-trial.

    Sessions of different days share nothing but their stimuli, so that units of all of them answer
    to the same conditions. Repeats are divided and not stimuli, hence mean and SD are of the
    training repeats.
    """
    store = read_store(path, "responses").to_dataset()
    stimulus, session = read_labels(store, "stimulus"), read_labels(store, "session")
    repeat = pd.Series(stimulus).groupby([stimulus, session]).cumcount().to_numpy()
    digits = len(str(int(repeat.max(initial=0))))
    row = np.array([f"{s}#{n:0{digits}d}" for s, n in zip(stimulus, repeat, strict=True)])
    split = _PSEUDO_TRIAL_SPLITS[repeat % len(_PSEUDO_TRIAL_SPLITS)]
    return _Trials(
        subject=str(store.attrs["subject"]),
        unit=read_labels(store, "unit"),
        area=read_labels(store, "area"),
        response=_normalise_repeats(store, session, split == "train", normalisation),
        ceiling=estimate_noise_ceiling(
            _normalise_repeats(store, session, np.ones(len(row), dtype=bool), "session_zscore"),
            stimulus,
        ).single_trial,
        row=row,
        session=None,
        split_of=dict(zip(row.tolist(), split.tolist(), strict=True)),
        stimulus_of=dict(zip(row.tolist(), stimulus.tolist(), strict=True)),
    )


def _normalise_repeats(
    store: xr.Dataset, session: np.ndarray, is_training: np.ndarray, normalisation: str
) -> np.ndarray:
    response = np.asarray(store["response"].values)
    if normalisation == "none":
        return response
    names = np.unique(session)
    mean, sd = compute_session_statistics(response, session, names, is_training)
    return apply_session_statistics(response, session, names, mean, sd)


def _divide_areas(trials: _Trials, by_area: bool, *, where: Path) -> list[RecordedGroup]:
    areas = sorted(set(trials.area.tolist()))
    chosen = {ALL_AREAS: np.ones(len(trials.area), dtype=bool)}
    if by_area and len(areas) > 1:
        chosen |= {name: trials.area == name for name in areas}
    parts = []
    for name, mask in chosen.items():
        # A unit that no presentation reached says nothing and would poison the rest.
        kept = np.flatnonzero(mask & np.isfinite(trials.response).any(axis=0))
        if not len(kept):
            raise InputError("no unit has a response", where=where)
        table = average_presentations(trials.response[:, kept], trials.row, trials.session)
        parts.append(
            RecordedGroup(
                subject=trials.subject,
                area=name,
                unit=trials.unit[kept],
                ceiling=trials.ceiling[kept],
                table=table,
                split=np.array([trials.split_of.get(str(one), "none") for one in table.stimulus]),
            )
        )
    return parts
