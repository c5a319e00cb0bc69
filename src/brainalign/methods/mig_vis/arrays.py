"""Responses and weak labels of one fit, as arrays."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from brainalign.errors import InputError
from brainalign.methods.image_prior.attributes import StimulusAttributes
from brainalign.methods.image_prior.options import CATEGORY
from brainalign.methods.mig_vis.options import MIGVisOptions


@dataclass(frozen=True)
class ResponseTable:
    """Mean responses, one row per stimulus, or per stimulus and session.

    Attributes
    ----------
    stimulus : array of shape (n_rows,) of str
        What was shown.
    session : array of shape (n_rows,), int64
        Number of the session; 0 where sessions are pooled.
    response : array of shape (n_rows, n_units), float32
        Mean over presentations; NaN where a unit was not recorded.
    n_repeats : array of shape (n_rows, n_units), float32
        Presentations behind each mean.
    """

    stimulus: np.ndarray
    session: np.ndarray
    response: np.ndarray
    n_repeats: np.ndarray

    def take(self, rows: np.ndarray) -> ResponseTable:
        """Take some rows, by number or mask."""
        return dataclasses.replace(
            self,
            stimulus=self.stimulus[rows],
            session=self.session[rows],
            response=self.response[rows],
            n_repeats=self.n_repeats[rows],
        )


@dataclass(frozen=True)
class GroupLabel:
    """Weak labels of one group.

    Attributes
    ----------
    name : str
        ``category``, or an attribute.
    kind : {"category", "factor"}
        Classes, or standardised numbers.
    value : array of shape (n_rows,), int64, or (n_rows, n_numbers), float32
        -1 and NaN where a row has no label.
    n_classes : int
        Number of classes; 0 for numbers.
    """

    name: str
    kind: str
    value: np.ndarray
    n_classes: int = 0

    @property
    def size(self) -> int:
        """Outputs that a head for this label has."""
        return self.n_classes if self.kind == "category" else int(self.value.shape[1])

    def take(self, rows: np.ndarray) -> GroupLabel:
        """Take the labels of some rows."""
        return dataclasses.replace(self, value=self.value[rows])


def average_presentations(
    response: np.ndarray, stimulus: np.ndarray, session: np.ndarray | None = None
) -> ResponseTable:
    """Average the presentations of every stimulus, over or within sessions.

    Parameters
    ----------
    response : array of shape (n_presentations, n_units)
        NaN where a unit was not recorded.
    stimulus : array of shape (n_presentations,) of str
        What was shown.
    session : array of shape (n_presentations,) of str, optional
        Keeps sessions apart; None pools them.

    Returns
    -------
    table : ResponseTable
        Sorted by stimulus, then session.

    Raises
    ------
    InputError
        A response is infinite, or a unit was recorded in no presentation.
    """
    if np.isinf(response).any():
        raise InputError("a response is infinite", where="responses")
    present = np.isfinite(response)
    never = np.flatnonzero(~present.any(axis=0))
    if len(never):
        raise InputError(
            f"{len(never)} units have no response to any stimulus",
            where="responses",
            found=f"columns {', '.join(map(str, never[:5]))}",
            remedy="Leave these units out.",
        )
    apart = np.zeros(len(stimulus), dtype=np.str_) if session is None else session
    names, number = np.unique(apart, return_inverse=True)
    shown, place = np.unique(stimulus, return_inverse=True)
    key, row = np.unique(place * len(names) + number, return_inverse=True)
    total = np.zeros((len(key), response.shape[1]))
    count = np.zeros_like(total)
    np.add.at(total, row, np.where(present, response, 0))
    np.add.at(count, row, present)
    mean = np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
    return ResponseTable(
        stimulus=shown[key // len(names)],
        session=(key % len(names)).astype(np.int64),
        response=mean.astype(np.float32),
        n_repeats=count.astype(np.float32),
    )


def check_latents(latent: np.ndarray, where: str) -> None:
    """Refuse latents that are NaN or infinite, as those of damaged weights are.

    Parameters
    ----------
    latent : array of shape (n_rows, n_latents)
        Inferred latents.
    where : str
        Whose latents they are.

    Raises
    ------
    InputError
        A latent is not finite; the first rows are named.
    """
    bad = np.flatnonzero(~np.isfinite(latent).all(axis=1))
    if len(bad):
        raise InputError(
            f"latents of {len(bad)} rows are not finite",
            where=where,
            expected="a number for every latent",
            found=f"NaN or infinity in rows {', '.join(map(str, bad[:5]))}",
            remedy="Look for NaN in the responses, or fit the latents again.",
        )


def make_labels(
    options: MIGVisOptions,
    known: StimulusAttributes,
    stimulus: np.ndarray,
    is_training: np.ndarray,
    label_fraction: float,
    seed: int,
) -> list[GroupLabel | None]:
    """Look up the weak labels of every group.

    Parameters
    ----------
    options : MIGVisOptions
        Groups and attributes.
    known : StimulusAttributes
        Categories and factors of the stimuli.
    stimulus : array of shape (n_rows,) of str
        Stimulus of each row.
    is_training : array of shape (n_rows,), bool
        Rows whose statistics standardise the numbers.
    label_fraction : float
        Share of the stimuli that keep their labels; the others lose them.
    seed : int
        Of the choice which.

    Returns
    -------
    labels : list of GroupLabel or None
        One per group; None for free groups.

    Raises
    ------
    InputError
        A stimulus is not among those with attributes, a category has a single training image, or
        the data set lacks what a group is labelled with.
    """
    rows = known.locate(stimulus)
    shown = np.unique(stimulus)
    generator = np.random.default_rng(seed)
    kept = generator.permutation(len(shown)) < round(label_fraction * len(shown))
    labelled = kept[np.searchsorted(shown, stimulus)]
    labels: list[GroupLabel | None] = []
    for group in options.groups:
        if group.label is None:
            labels.append(None)
        elif group.label == CATEGORY:
            labels.append(_number_categories(known.category[rows], is_training, labelled))
        else:
            numbers = encode_factors(
                known,
                options.attributes[group.label],
                is_circular=options.vae.circular_labels,
            )[rows]
            value = _standardise(numbers, is_training)
            value[~labelled] = np.nan
            labels.append(GroupLabel(group.label, "factor", value))
    return labels


def encode_factors(
    known: StimulusAttributes, factors: Sequence[str], *, is_circular: bool
) -> np.ndarray:
    """Take factors, angles as sine and cosine where asked for.

    Returns
    -------
    number : array of shape (n_stimuli, n_numbers)
        Sines of all angles come before their cosines.
    """
    value = known.take_factors(factors)
    if is_circular and all(name.endswith("_deg") for name in factors):
        radians = np.deg2rad(value)
        return np.concatenate([np.sin(radians), np.cos(radians)], axis=1)
    return value


def _number_categories(
    category: np.ndarray, is_training: np.ndarray, labelled: np.ndarray
) -> GroupLabel:
    names, counts = np.unique(category[is_training & (category != "")], return_counts=True)
    if len(names) < 2:
        raise InputError(
            "a group is labelled with categories, but the training stimuli have fewer than two",
            where="groups",
            found=", ".join(names.tolist()) or "none",
            remedy="Set the label of this group to null.",
        )
    if counts.min() < 2:
        alone = names[counts.argmin()]
        raise InputError(
            f"category '{alone}' has one training image",
            where="groups",
            expected="two or more of each category",
            remedy="Join it with another category, or leave its stimulus without a category.",
        )
    number = {str(name): place for place, name in enumerate(names)}
    value = np.array([number.get(str(name), -1) for name in category], dtype=np.int64)
    value[~labelled] = -1
    return GroupLabel(CATEGORY, "category", value, n_classes=len(names))


def _standardise(value: np.ndarray, is_training: np.ndarray) -> np.ndarray:
    training = value[is_training]
    there = np.isfinite(training)
    count = np.maximum(there.sum(axis=0), 1)
    mean = np.where(there, training, 0).sum(axis=0) / count
    spread = np.sqrt(np.where(there, (training - mean) ** 2, 0).sum(axis=0) / count)
    return ((value - mean) / np.where(spread > 0, spread, 1)).astype(np.float32)
