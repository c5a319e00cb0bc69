"""Experiments of methods that align windows of movies and BOLD."""

from __future__ import annotations

from typing import Any, cast

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import InputError
from brainalign.methods.clips.arrays import (
    ClipEmbedding,
    Segments,
    choose_disjoint,
    find_window_starts,
)
from brainalign.methods.clips.base import ClipMethod
from brainalign.methods.clips.stores import (
    ClipExperiment,
    SubjectClips,
    locate_segment,
    read_clip_experiment,
)
from brainalign.methods.experiment import ExperimentJob, FittedExperiment
from brainalign.methods.registry import get_method
from brainalign.methods.weights import Weights, prefix_weights, select_weights
from brainalign.training.progress import ProgressReport

ALL_AREAS, VARIANT = "all", "clips"


def fit_experiment(job: ExperimentJob) -> FittedExperiment:
    """Fit a method to every subject and seed.

    Parameters
    ----------
    job : ExperimentJob
        Names the stores; its options have ``seeds`` and ``feature``.

    Notes
    -----
    A method without randomness is fitted once and shared by all seeds.
    """
    experiment = _read(job, job.method_options, job.options["feature"])
    weights: Weights = {}
    histories = []
    for one in experiment.subjects:
        for seed in _list_fitted_seeds(job.method, job.options["seeds"]):
            part = name_part(one.subject, seed)
            method = _make_method(job.method, job.method_options)
            history = method.fit(
                one.by_split["train"],
                one.by_split["validation"],
                seed=seed,
                device=job.device,
                scratch=job.scratch / part if job.scratch else None,
                report=ProgressReport(f"{job.method} {part}"),
            )
            weights |= prefix_weights(method.get_weights(), part)
            histories.append(history.assign(subject=one.subject, area=ALL_AREAS, seed=seed, fold=0))
    description = {
        "method": job.method,
        "options": job.method_options,
        "feature": job.options["feature"],
        "seeds": job.options["seeds"],
        "units": {one.subject: one.unit.tolist() for one in experiment.subjects},
    }
    return FittedExperiment(weights, description, pd.concat(histories, ignore_index=True))


def predict_experiment(job: ExperimentJob, fitted: FittedExperiment) -> xr.DataTree:
    """Embed the test windows of every subject with every fit.

    Returns
    -------
    predictions : xarray.DataTree
        Groups ``/{subject}/all/clips``.

    Raises
    ------
    InputError
        The model was fitted to other units.
    """
    description = fitted.description
    experiment = _read(job, description["options"], description["feature"])
    groups: dict[str, xr.Dataset] = {"/": xr.Dataset()}
    for one in experiment.subjects:
        if description["units"].get(one.subject) != one.unit.tolist():
            raise InputError(
                f"the model was fitted to other units of subject '{one.subject}'",
                remedy="Fit the model again.",
            )
        groups[f"/{one.subject}/{ALL_AREAS}/{VARIANT}"] = _predict_subject(job, fitted, one)
    return xr.DataTree.from_dict(groups)


def name_part(subject: str, seed: int) -> str:
    """Name one fit, as its weights and checkpoints are prefixed."""
    return f"subject-{subject}/seed-{seed}/"


def _make_method(name: str, options: dict[str, Any]) -> ClipMethod:
    method_class = cast(type[ClipMethod], get_method(name))
    return method_class(method_class.Options.model_validate(options))


def _list_fitted_seeds(name: str, seeds: list[int]) -> list[int]:
    return seeds if cast(type[ClipMethod], get_method(name)).is_random else seeds[:1]


def _read(job: ExperimentJob, options: dict[str, Any], feature: str) -> ClipExperiment:
    return read_clip_experiment(
        job.stimuli,
        job.responses,
        job.features,
        options["feature_paths"],
        feature,
        options["text_path"],
    )


def _predict_subject(job: ExperimentJob, fitted: FittedExperiment, one: SubjectClips) -> xr.Dataset:
    description = fitted.description
    options, test = description["options"], one.by_split["test"]
    starts = choose_test_starts(test, options)
    parts = []
    for seed in _list_fitted_seeds(description["method"], description["seeds"]):
        method = _make_method(description["method"], options)
        method.set_weights(select_weights(fitted.weights, name_part(one.subject, seed)))
        embedded = method.embed(test, starts, job.device)
        halves = [method.embed(half, starts, job.device) for half in one.halves]
        parts.append(_compose_seed(embedded, halves, method.describe_lags()))
    seeds = description["seeds"]
    # Methods without randomness have one fit for all seeds.
    parts = parts if len(parts) == len(seeds) else parts * len(seeds)
    joined = xr.concat(parts, dim="seed", data_vars="all", coords="minimal", compat="override")
    first = {str(test.segment[span.start]): span.start for span in test.list_spans()}
    segment = test.segment[starts]
    places = [locate_segment(str(name)) for name in segment]
    begin = np.array([first[str(name)] for name in segment])
    joined = joined.assign(
        fold=("clip", np.zeros(len(starts), np.int32)),
        segment=("clip", segment),
        start_tr=("clip", (starts - begin).astype(np.int32)),
        clip_movie=("clip", np.array([movie for movie, _ in places])),
        start_s=("clip", [offset for _, offset in places] + (starts - begin) * test.tr_s),
        is_disjoint=("clip", choose_disjoint(starts, test, options["window_trs"])),
    ).assign_coords(seed=np.asarray(seeds))
    joined.attrs.update({"tr_s": test.tr_s, "window_trs": options["window_trs"]})
    return _describe(joined)


def choose_test_starts(test: Segments, options: dict[str, Any]) -> np.ndarray:
    """Choose the test windows: every ``test_stride_trs`` TRs of each segment.

    Parameters
    ----------
    test : Segments
        Test segments.
    options : dict
        Of a method.

    Returns
    -------
    starts : array of shape (n_clips,), int64
        First rows.
    """
    starts = find_window_starts(
        test, options["window_trs"], options["n_lags"], options["smallest_recorded_share"]
    )
    first = np.empty(len(test.segment), np.int64)
    for span in test.list_spans():
        first[span] = span.start
    return starts[(starts - first[starts]) % options["test_stride_trs"] == 0]


def _compose_seed(
    embedded: ClipEmbedding, halves: list[ClipEmbedding], lags: dict[str, np.ndarray]
) -> xr.Dataset:
    # Windows may have more dimensions than their moments.
    clip, moment = ("clip", "dimension"), ("clip", "step", "moment_dimension")
    variables: dict[str, Any] = {
        "clip_stimulus_embedding": (clip, embedded.stimulus),
        "clip_response_embedding": (clip, embedded.response),
        "moment_stimulus_embedding": (moment, embedded.stimulus_token),
        "moment_response_embedding": (moment, embedded.response_token),
    }
    if halves:
        variables["half_clip_embedding"] = (
            ("half", *clip),
            np.stack([half.response for half in halves]),
        )
        variables["half_moment_embedding"] = (
            ("half", *moment),
            np.stack([half.response_token for half in halves]),
        )
    if embedded.stimulus_code is not None and embedded.response_code is not None:
        for name, code in (
            ("clip_stimulus_code", embedded.stimulus_code),
            ("clip_response_code", embedded.response_code),
        ):
            variables[name] = (("clip", "step"), code.astype(np.int32))
        variables["codebook"] = (("code", "code_dimension"), embedded.codebook)
    coords: dict[str, Any] = {}
    if lags:
        variables["lag_weight"] = (("lag_region", "lag"), np.stack(list(lags.values())))
        coords = {"lag_region": list(lags), "lag": np.arange(len(next(iter(lags.values()))))}
    return xr.Dataset(
        {
            name: (axes, values.astype(np.float32) if values.dtype.kind == "f" else values)
            for name, (axes, values) in variables.items()
        },
        coords=coords,
    )


def _describe(dataset: xr.Dataset) -> xr.Dataset:
    descriptions = {
        "clip_stimulus_embedding": "test windows of the movie as unit vectors",
        "clip_response_embedding": "test windows of the mean BOLD over runs as unit vectors",
        "moment_stimulus_embedding": "TRs of the movie in their window as unit vectors",
        "moment_response_embedding": "TRs of the BOLD in their window as unit vectors",
        "half_clip_embedding": "windows of the mean BOLD over two halves of the runs",
        "half_moment_embedding": "TRs of the mean BOLD over two halves of the runs",
        "clip_stimulus_code": "code of each TR of the movie",
        "clip_response_code": "code of each TR of the BOLD",
        "codebook": "codes as unit vectors",
        "lag_weight": "weight of each lag of the BOLD, by region",
        "segment": "segment of each window",
        "start_tr": "first TR of each window, from the start of its segment",
        "clip_movie": "movie of each window",
        "start_s": "start of each window in its movie, in s",
        "is_disjoint": "windows that share no TR",
        "fold": "tested fold of each window",
        "lag": "TRs after that of the movie",
        "lag_region": "region or group of regions",
        "seed": "seed of the fit",
    }
    for name, variable in dataset.variables.items():
        variable.attrs.update({"long_name": descriptions[str(name)], "units": "1"})
    return dataset
