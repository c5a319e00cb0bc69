"""Read responses, splits and attributes of one experiment from stores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainalign.errors import InputError
from brainalign.methods.image_prior.attributes import StimulusAttributes, read_stimulus_attributes
from brainalign.methods.mig_vis.arrays import ResponseTable, average_presentations
from brainalign.methods.mig_vis.options import MIGVisOptions
from brainalign.methods.pairs import ALL_AREAS
from brainalign.responses.build import normalise_responses
from brainalign.stimuli.read import StimulusSplits, read_splits
from brainalign.stores.read import open_store, read_labels, read_store

# Of several folds the first is used: groups of different fits cannot be averaged.
FOLD = 0


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
        Categories and factors.
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
    for path in sorted(responses):
        parts += _read_subject(path, splits, options, normalisation, by_area)
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
    rows = [place[str(name)] for name in names]
    return np.asarray(store.variables["image"].isel(stimulus=rows).values)


def _read_subject(
    path: Path, splits: StimulusSplits, options: MIGVisOptions, normalisation: str, by_area: bool
) -> list[RecordedGroup]:
    store = read_store(path, "responses").to_dataset()
    response = normalise_responses(store, FOLD, normalisation)
    stimulus, area = read_labels(store, "stimulus"), read_labels(store, "area")
    session = read_labels(store, "session") if options.vae.sessions == "stitched" else None
    split_of = dict(zip(splits.stimulus.tolist(), splits.split[FOLD].tolist(), strict=True))
    areas = sorted(set(area.tolist()))
    chosen = {ALL_AREAS: np.ones(len(area), dtype=bool)}
    if by_area and len(areas) > 1:
        chosen |= {name: area == name for name in areas}
    parts = []
    for name, mask in chosen.items():
        # A unit that no presentation reached says nothing and would poison the rest.
        kept = np.flatnonzero(mask & np.isfinite(response).any(axis=0))
        if not len(kept):
            raise InputError("no unit has a response", where=path)
        table = average_presentations(response[:, kept], stimulus, session)
        parts.append(
            RecordedGroup(
                subject=str(store.attrs["subject"]),
                area=name,
                unit=read_labels(store, "unit")[kept],
                ceiling=store["noise_ceiling"].values[kept].astype(np.float64),
                table=table,
                split=np.array([split_of.get(str(one), "none") for one in table.stimulus]),
            )
        )
    return parts
