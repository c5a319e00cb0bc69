"""Lay out label scores, tokens and attention as a prediction store holds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.methods.arrays import locate_stimuli
from brainalign.methods.labels.arrays import LabelledResponses, LabelPrediction
from brainalign.methods.labels.base import LabelMethod
from brainalign.methods.labels.network_method import NetworkMethod

LEVELS = ("low", "high")

_RETRIEVAL_PENALTY = 0.1
"""Ridge penalty of the map from tokens to features, relative to the variance of the tokens."""


def compose_predictions(
    method: LabelMethod,
    subject: str,
    training: LabelledResponses,
    test: LabelledResponses,
    *,
    as_subject: str | None = None,
) -> dict[str, xr.Dataset]:
    """Predict for the test stimuli that a subject saw, responses averaged over repeats.

    Parameters
    ----------
    method : LabelMethod
        A fitted method.
    subject : str
        The subject.
    training, test : LabelledResponses
        Splits; training serves the map from tokens to features, which retrieval needs.
    as_subject : str, optional
        Predict with what was learned of another subject.

    Returns
    -------
    predictions : dict of str to xarray.Dataset
        ``labels``, and ``tokens`` where features of CLIP guide a method.
    """
    responses = test.get_subject(subject)
    rows = locate_stimuli(responses.stimulus, test.stimulus, where="the test split")
    predicted = method.predict(subject, responses.response, as_subject=as_subject)
    variables = {
        "label_score": (("stimulus", "class"), predicted.score),
        "label": (("stimulus", "class"), test.label[rows]),
    }
    coords: dict[str, object] = {"stimulus": responses.stimulus}
    is_guided = bool(test.target)
    if is_guided and isinstance(method, NetworkMethod):
        _add_tokens(variables, coords, method, subject, predicted, test, rows)
    predictions = {"labels": xr.Dataset(variables, coords=coords)}
    if is_guided and as_subject is None and isinstance(method, NetworkMethod):
        predictions["tokens"] = _embed(method, subject, predicted, training, test, rows)
    return predictions


def _add_tokens(
    variables: dict[str, tuple],
    coords: dict[str, object],
    method: NetworkMethod,
    subject: str,
    predicted: LabelPrediction,
    test: LabelledResponses,
    rows: np.ndarray,
) -> None:
    targets = method.process_targets(test)
    for level in LEVELS:
        token = predicted.token_low if level == "low" else predicted.token_high
        variables[f"token_{level}"] = (("stimulus", "token_dimension"), token)
        variables[f"target_{level}"] = (("stimulus", f"{level}_dimension"), targets[level][rows])
    if predicted.attention is not None and predicted.occlusion is not None:
        coords |= {"level": list(LEVELS), "area": method.get_fitted().areas}
        variables["stimulus_attention"] = (("stimulus", "level", "area"), predicted.attention)
        variables["stimulus_occlusion"] = (("stimulus", "level", "area"), predicted.occlusion)


def _embed(
    method: NetworkMethod,
    subject: str,
    predicted: LabelPrediction,
    training: LabelledResponses,
    test: LabelledResponses,
    rows: np.ndarray,
) -> xr.Dataset:
    """Map tokens to the features that guide them, by ridge regression on the training split.

    The tokens match features in their similarities only, so a map must stand between both.
    """
    fitted = training.get_subject(subject)
    known = locate_stimuli(fitted.stimulus, training.stimulus, where="the training split")
    feature = _join(method.process_targets(training))[known]
    source = method.predict(subject, fitted.response)
    token, mean = _standardise(source, None)
    tested, _ = _standardise(predicted, mean)
    gram = token.T @ token
    penalty = _RETRIEVAL_PENALTY * np.trace(gram) / len(gram) * np.eye(len(gram))
    centre = feature.mean(axis=0)
    weights = np.linalg.solve(gram + penalty, token.T @ (feature - centre))
    pairs = ("stimulus", "dimension")
    return xr.Dataset(
        {
            "stimulus_embedding": (pairs, _join(method.process_targets(test))[rows] - centre),
            "response_embedding": (pairs, (tested @ weights).astype(np.float32)),
        },
        coords={"stimulus": test.get_subject(subject).stimulus},
        attrs={"similarity": "cosine"},
    )


def _join(targets: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.concatenate([targets[level] for level in LEVELS], axis=1)


def _standardise(
    predicted: LabelPrediction, statistics: tuple[np.ndarray, np.ndarray] | None
) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray]]:
    tokens = np.concatenate([predicted.token_low, predicted.token_high], axis=1)
    tokens = tokens.astype(np.float64)
    if statistics is None:
        scale = tokens.std(axis=0)
        statistics = tokens.mean(axis=0), np.where(scale > 0, scale, 1)
    return (tokens - statistics[0]) / statistics[1], statistics


def join_predictions(
    parts: Mapping[tuple[int, int], xr.Dataset], seeds: Sequence[int], class_name: np.ndarray
) -> xr.Dataset:
    """Join the predictions of one group over folds and seeds.

    Parameters
    ----------
    parts : mapping of (seed, fold) to xarray.Dataset
        Every fitted seed has the same folds.
    seeds : sequence of int
        Seeds of the store; a method that was fitted with one of them says the same for all.
    class_name : array of shape (n_classes,), str
        Names of the classes.

    Returns
    -------
    joined : xarray.Dataset
        With a ``seed`` dimension and a ``fold`` per stimulus; what does not depend on the seed
        (truth, features) stands once.
    """
    fitted = sorted({seed for seed, _ in parts})
    folds = sorted({fold for _, fold in parts})
    by_seed = [_join_folds([parts[seed, fold] for fold in folds], folds) for seed in fitted]
    once = [name for name in by_seed[0] if str(name) == "label" or str(name).startswith("target_")]
    if "response_embedding" in by_seed[0]:
        once = []
    joined = xr.concat(
        [part.drop_vars(once) for part in by_seed],
        dim=pd.Index(fitted, name="seed"),
        coords="minimal",
        compat="override",
        join="override",
    )
    if len(fitted) < len(seeds):
        joined = joined.isel(seed=[0] * len(seeds)).assign_coords(seed=list(seeds))
    for name in once:
        joined[name] = by_seed[0][name]
    if "label_score" in joined:
        joined = joined.assign_coords({"class": class_name})
    for kind in ("attention", "occlusion"):
        if f"stimulus_{kind}" in joined:
            joined[kind] = joined[f"stimulus_{kind}"].mean("stimulus")
    # Stimuli stand beside what was measured for them; per-stimulus occlusion is not kept.
    joined = joined.drop_vars("stimulus_occlusion", errors="ignore")
    joined["fold"] = joined["fold"].astype(np.int32)
    _describe(joined)
    return joined


def _join_folds(parts: list[xr.Dataset], folds: list[int]) -> xr.Dataset:
    marked = [
        part.assign_coords(fold=("stimulus", np.full(part.sizes["stimulus"], fold)))
        for part, fold in zip(parts, folds, strict=True)
    ]
    joined = xr.concat(marked, dim="stimulus", coords="minimal", compat="override", join="outer")
    joined.attrs = parts[0].attrs
    return joined


def _describe(dataset: xr.Dataset) -> None:
    descriptions = {
        "label_score": "probability of each class",
        "label": "whether the stimulus shows the class",
        "token_low": "output token of the low level",
        "token_high": "output token of the high level",
        "target_low": "features that guide the low level, rows of length 1",
        "target_high": "features that guide the high level, rows of length 1",
        "attention": "share of a token's attention by region, mean over stimuli",
        "stimulus_attention": "share of a token's attention by region",
        "occlusion": "move of a token without a region, relative to its length, mean over stimuli",
        "stimulus_embedding": "features that guide both levels, centred",
        "response_embedding": "tokens mapped to these features",
    }
    for name, variable in dataset.variables.items():
        variable.attrs.update({"long_name": descriptions.get(str(name), str(name)), "units": "1"})
