"""Compatibility of test stimuli and responses, from the embeddings of a prediction store."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from brainalign.evaluation.predictions import ALL
from brainalign.evaluation.similarity import compute_compatibility
from brainalign.report.artifacts import read_values
from brainalign.stores.read import read_labels

# Shown where a method has several ways of matching and a figure has room for one.
_PREFERRED_MATCHING = ("cosine", "likelihood")


@dataclass(frozen=True)
class Gallery:
    """Test stimuli and mean responses of one fold.

    Attributes
    ----------
    fold : int
        Number of the fold.
    stimulus : array of shape (n_stimuli,) of str
        Ids of the rows; the columns are the responses to the same stimuli.
    compatibility : array of shape (n_stimuli, n_stimuli)
        Row: stimulus; column: response.
    """

    fold: int
    stimulus: NDArray[np.str_]
    compatibility: NDArray[np.floating]


def choose_matching(predictions: xr.DataTree, subject: str) -> str | None:
    """Choose the variant of matching that figures show; None without predictions of a subject."""
    if subject not in predictions.children or ALL not in predictions.children[subject].children:
        return None
    variants = sorted(
        str(name)
        for name, node in predictions.children[subject].children[ALL].children.items()
        if "stimulus_embedding" in node.data_vars
    )
    for name in _PREFERRED_MATCHING:
        if name in variants:
            return name
    return variants[0] if variants else None


def cut_galleries(
    predictions: xr.DataTree, subject: str, matching: str, where: Path
) -> list[Gallery]:
    """Compare the test stimuli of each fold with its mean responses, for the first seed.

    Parameters
    ----------
    predictions : xarray.DataTree
        An open store of kind ``predictions``.
    subject, matching : str
        Which group of it.
    where : Path
        The store, for errors.

    Returns
    -------
    galleries : list of Gallery
        One per fold. Folds have models of their own and are never compared with each other.
    """
    # A path in brackets would take a slash in a subject's name for another group.
    group = predictions.children[subject].children[ALL].children[matching].to_dataset().isel(seed=0)
    stimulus, fold = read_labels(group, "stimulus"), read_values(group.variables["fold"], where)
    arrays = {
        name: read_values(group.variables[name], where)
        for name in ("stimulus_embedding", "response_embedding", "stimulus_bias", "response_bias")
        if name in group
    }
    galleries = []
    for number in np.unique(fold):
        rows = np.flatnonzero(fold == number)
        part = {name: values[rows] for name, values in arrays.items()}
        # A fold that kept fewer units has fewer dimensions; the rest is NaN for all its rows.
        kept = np.isfinite(part["stimulus_embedding"]).any(axis=0)
        compatibility = compute_compatibility(
            part["stimulus_embedding"][:, kept],
            part["response_embedding"][:, kept],
            str(group.attrs["similarity"]),
            part.get("stimulus_bias"),
            part.get("response_bias"),
        )
        galleries.append(Gallery(int(number), stimulus[rows], compatibility))
    return galleries
