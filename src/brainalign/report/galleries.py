"""Compatibility of test stimuli and responses, from the embeddings of a prediction store."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from brainalign.evaluation.predictions import ALL, Gallery
from brainalign.evaluation.predictions import cut_galleries as evaluate_galleries
from brainalign.report.artifacts import load_group

__all__ = ["Gallery", "choose_matching", "cut_galleries"]

# Shown where a method has several ways of matching and a figure has room for one.
_PREFERRED_MATCHING = ("cosine", "likelihood")


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
    group = predictions.children[subject].children[ALL].children[matching].to_dataset()
    return evaluate_galleries(load_group(group.isel(seed=[0]), where), seed=0, response="mean")
