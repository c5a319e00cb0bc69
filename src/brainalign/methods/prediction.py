"""Everything that the evaluation of one subject needs, in the space of a fitted method."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.methods.arrays import PairedEmbedding
from brainalign.methods.base import AlignmentMethod
from brainalign.responses.reliability import half_split_means, mean_over_repeats

# The halves describe the recording and must be the same for all methods and seeds.
_HALF_SPLIT_SEED = 0


def compose_predictions(
    method: AlignmentMethod,
    *,
    subject: str,
    stimulus: np.ndarray,
    response: np.ndarray,
    take_features: Callable[[np.ndarray], np.ndarray],
    n_half_splits: int,
) -> dict[str, xr.Dataset]:
    """Embed stimuli, mean responses, halves of the repeats and single presentations.

    Parameters
    ----------
    method : AlignmentMethod
        A fitted method.
    subject : str
        The subject that gave the responses.
    stimulus : array of shape (n_presentations,) of str
        Test stimulus of each presentation.
    response : array of shape (n_presentations, n_units), float32
        Responses as the method was fitted on.
    take_features : callable
        Gives the features of stimuli by their ids.
    n_half_splits : int
        Random halves of the repeats for the ceiling.

    Returns
    -------
    predictions : dict of str to xarray.Dataset
        Per variant of matching: ``stimulus_embedding``, ``response_embedding`` (of the mean over
        repeats), ``presentation_embedding``, and ``half_embedding`` where every stimulus has at
        least two repeats; with biases where the variant has them.
    """
    gallery = np.unique(stimulus)
    feature = take_features(gallery)
    mean, n_repeats = mean_over_repeats(response, stimulus, gallery)
    embedded = method.embed(subject, feature, mean.astype(np.float32))
    single = method.embed(subject, feature, response)
    halves = _embed_halves(method, subject, feature, response, stimulus, gallery, n_half_splits)
    predictions = {}
    for variant, pair in embedded.items():
        variables = {
            "stimulus_embedding": (("stimulus", "dimension"), pair.stimulus_embedding),
            "response_embedding": (("stimulus", "dimension"), pair.response_embedding),
            # Units may have been recorded unequally often; the fewest repeats bound the mean.
            "n_repeats": ("stimulus", n_repeats.min(axis=1).astype(np.int32)),
            "presentation_embedding": (
                ("presentation", "dimension"),
                single[variant].response_embedding,
            ),
            **_name_biases(pair, single[variant]),
            **halves.get(variant, {}),
        }
        predictions[variant] = xr.Dataset(
            variables,
            coords={
                "stimulus": gallery,
                "presented_stimulus": ("presentation", stimulus),
                "dimension": np.arange(pair.stimulus_embedding.shape[1]),
            },
            attrs={"similarity": pair.similarity},
        )
    return predictions


def _name_biases(pair: PairedEmbedding, single: PairedEmbedding) -> dict[str, tuple]:
    biases = {}
    if pair.stimulus_bias is not None:
        biases["stimulus_bias"] = ("stimulus", pair.stimulus_bias)
    if pair.response_bias is not None:
        biases["response_bias"] = ("stimulus", pair.response_bias)
    if single.response_bias is not None:
        biases["presentation_bias"] = ("presentation", single.response_bias)
    return biases


def _embed_halves(
    method: AlignmentMethod,
    subject: str,
    feature: np.ndarray,
    response: np.ndarray,
    stimulus: np.ndarray,
    gallery: np.ndarray,
    n_half_splits: int,
) -> dict[str, dict[str, tuple]]:
    _, counts = np.unique(stimulus, return_counts=True)
    if counts.min() < 2:
        return {}
    halves = half_split_means(response, stimulus, gallery, n_half_splits, _HALF_SPLIT_SEED)
    if not np.isfinite(halves).all():
        return {}
    shape = halves.shape[:3]
    rows = halves.reshape(-1, halves.shape[3]).astype(np.float32)
    variables: dict[str, dict[str, tuple]] = {}
    for variant, pair in method.embed(subject, feature, rows).items():
        variables[variant] = {
            "half_embedding": (
                ("half_split", "half", "stimulus", "dimension"),
                pair.response_embedding.reshape(*shape, -1),
            )
        }
        if pair.response_bias is not None:
            variables[variant]["half_bias"] = (
                ("half_split", "half", "stimulus"),
                pair.response_bias.reshape(shape),
            )
    return variables


def join_predictions(parts: Mapping[tuple[int, int], xr.Dataset]) -> xr.Dataset:
    """Join the predictions of one subject and variant over folds and seeds.

    Parameters
    ----------
    parts : mapping of (seed, fold) to xarray.Dataset
        From :func:`compose_predictions`; every seed has the same folds.

    Returns
    -------
    joined : xarray.Dataset
        With a ``seed`` dimension, and a ``fold`` per stimulus and per presentation. Folds may
        keep different units; a dimension that a fold does not have is NaN there.
    """
    seeds = sorted({seed for seed, _ in parts})
    folds = sorted({fold for _, fold in parts})
    by_seed = [_join_folds([parts[seed, fold] for fold in folds], folds) for seed in seeds]
    joined = xr.concat(
        by_seed,
        dim=pd.Index(seeds, name="seed"),
        data_vars="all",
        coords="minimal",
        compat="override",
        join="outer",
        combine_attrs="override",
    )
    # Counts and folds belong to the recording and are the same for all seeds.
    joined["n_repeats"] = by_seed[0]["n_repeats"]
    joined = joined.drop_vars("dimension")
    _describe(joined)
    return joined


def _join_folds(parts: list[xr.Dataset], folds: list[int]) -> xr.Dataset:
    """Concatenate folds along stimuli and along presentations, each a dimension of its own."""
    joined = []
    for axis, label in (("stimulus", "fold"), ("presentation", "presentation_fold")):
        chosen = [
            part[[name for name in part.data_vars if axis in part[name].dims]].assign_coords(
                {label: (axis, np.full(part.sizes[axis], fold, dtype=np.int32))}
            )
            for part, fold in zip(parts, folds, strict=True)
        ]
        joined.append(
            xr.concat(
                chosen,
                dim=axis,
                data_vars="minimal",
                coords="minimal",
                compat="override",
                join="outer",
                combine_attrs="override",
            )
        )
    return xr.merge(joined, join="outer", compat="override", combine_attrs="override")


def _describe(dataset: xr.Dataset) -> None:
    descriptions = {
        "stimulus_embedding": "test stimuli in the space of the method",
        "response_embedding": "mean responses over repeats in the same space",
        "presentation_embedding": "responses to single presentations in the same space",
        "half_embedding": "mean responses of random halves of the repeats in the same space",
        "stimulus_bias": "added to all compatibilities of a stimulus",
        "response_bias": "added to all compatibilities of a mean response",
        "presentation_bias": "added to all compatibilities of a single response",
        "half_bias": "added to all compatibilities of a half's mean response",
        "n_repeats": "repeats behind each mean response",
        "presented_stimulus": "stimulus of each presentation",
    }
    for name, variable in dataset.variables.items():
        variable.attrs.update({"long_name": descriptions.get(str(name), str(name)), "units": "1"})
