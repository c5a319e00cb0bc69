"""Assemble the response store of one subject that watched movies in the scanner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from brainalign.errors import InputError
from brainalign.raw.bids.dataset import BOLDRun
from brainalign.raw.bids.movies import BIDSMovieFolder
from brainalign.raw.bids.volumes import check_same_grid
from brainalign.raw.cc2017 import CC2017Folder
from brainalign.raw.cc2017_options import SurfaceResponseOptions
from brainalign.raw.movies import Movie
from brainalign.responses.fmri_build import read_first_volume
from brainalign.responses.fmri_cleaning import clean_series, read_confounds
from brainalign.responses.fmri_options import FMRIMovieResponseOptions
from brainalign.responses.fmri_regions import Voxels, choose_voxels
from brainalign.responses.fmri_runs import RunPlan, read_signals
from brainalign.responses.movie_reliability import estimate_movie_reliability
from brainalign.responses.surface_movies import build_surface_movie_responses
from brainalign.stimuli.read import FrameSplits

_ON_GRID = 0.01
"""Share of a TR within which an onset counts as the start of a volume."""


@dataclass(frozen=True)
class MovieRun:
    """A presentation of a movie in a run.

    Attributes
    ----------
    plan : RunPlan
        Files and header.
    movie : Movie
        What is shown.
    onset_s : float
        After the start of the first volume.
    n_trs : int
        Whole TRs from the onset that are kept: the movie and what answers it.
    """

    plan: RunPlan
    movie: Movie
    onset_s: float
    n_trs: int


def build_fmri_movie_responses(
    dataset: BIDSMovieFolder | CC2017Folder,
    subject: str,
    options: FMRIMovieResponseOptions | SurfaceResponseOptions,
    splits: FrameSplits | None,
) -> xr.Dataset:
    """Build the responses of one subject of a data set of volumes or surfaces and movies.

    Parameters
    ----------
    dataset : BIDSMovieFolder or CC2017Folder
        Gives the runs of the subject and the movies.
    subject : str
        Label of the subject.
    options : FMRIMovieResponseOptions or SurfaceResponseOptions
        Regions, cleaning and reliability; of the kind of the data set.
    splits : FrameSplits or None
        Not used: statistics of training belong to the methods, which know the segments.

    Returns
    -------
    responses : xarray.Dataset
        Contract ``responses``, movie design: ``response (trial, time, unit)`` where ``time`` is
        that of TRs from the movie's onset and goes on after its end; NaN where nothing was
        recorded or a volume was scrubbed. Reliability is of movies with several runs.

    Raises
    ------
    InputError
        If no run shows a movie, a run ends before its movie, a movie is shorter than its
        presentation, repetition times differ, or readers refuse a file.
    """
    del splits
    if isinstance(dataset, CC2017Folder) and isinstance(options, SurfaceResponseOptions):
        return build_surface_movie_responses(dataset, subject, options)
    if isinstance(dataset, CC2017Folder) or isinstance(options, SurfaceResponseOptions):
        raise InputError("options of surfaces and of volumes do not fit each other's data")
    movies = dataset.read_movies().movies
    runs = dataset.list_runs(subject)
    shown = _plan_trials(dataset, runs, movies, options)
    reference = shown[0].plan
    voxels = choose_voxels(dataset, runs, reference.header, options.regions)
    tr_s = reference.tr_s
    n_trs = max(one.n_trs for one in shown)
    response = np.full((len(shown), n_trs, len(voxels.index)), np.nan, dtype=np.float32)
    status = np.full(len(voxels.index), "ok", dtype="<U15")
    rows_of: dict[str, list[int]] = {}
    for row, one in enumerate(shown):
        rows_of.setdefault(str(one.plan.run.bold), []).append(row)
    for rows in rows_of.values():
        series, not_finite, constant = _clean_run(shown[rows[0]].plan, voxels, options)
        status[constant & (status == "ok")] = "constant"
        status[not_finite] = "not_finite"
        for row in rows:
            response[row, : shown[row].n_trs] = resample_from_onset(
                series, shown[row].onset_s / tr_s, shown[row].n_trs
            )
    response[:, :, status != "ok"] = 0
    return _compose_dataset(shown, voxels, response, status, options)


def _plan_trials(
    dataset: BIDSMovieFolder,
    runs: list[BOLDRun],
    movies: dict[str, Movie],
    options: FMRIMovieResponseOptions,
) -> list[MovieRun]:
    shown: list[MovieRun] = []
    for run in runs:
        header, tr_s = dataset.read_run_header(run)
        scan_s = header.n_volumes * tr_s
        events = dataset.read_run_events(run, scan_s)
        plan = RunPlan(run, header, tr_s, events)
        if shown:
            first = shown[0].plan
            check_same_grid(
                header, first.header.shape, first.header.affine, f"the first run {run.name}"
            )
            if abs(first.tr_s - tr_s) > 1e-3:
                raise InputError(
                    "runs have different repetition times",
                    where=run.name,
                    expected=f"{first.tr_s:g} s",
                    found=f"{tr_s:g} s",
                    remedy="Plan them as data sets of their own.",
                )
        onsets = events["onset_s"].tolist()
        ends = [*onsets[1:], scan_s]
        columns = (events["stimulus"].tolist(), onsets, events["duration_s"].tolist(), ends)
        shown += [
            _plan_trial(plan, movies[str(name)], onset_s, duration_s, end_s, options)
            for name, onset_s, duration_s, end_s in zip(*columns, strict=True)
        ]
    if not shown:
        raise InputError(
            f"no run of sub-{runs[0].subject} shows a movie",
            where=runs[0].events,
            remedy="Set events.stimulus_column to the column that names movies.",
        )
    return shown


def _plan_trial(
    plan: RunPlan,
    movie: Movie,
    onset_s: float,
    duration_s: float,
    end_s: float,
    options: FMRIMovieResponseOptions,
) -> MovieRun:
    tr_s, movie_s = plan.tr_s, movie.n_frames / movie.frame_rate_hz
    if duration_s > movie_s + tr_s:
        raise InputError(
            f"movie '{movie.name}' is shorter than its presentation",
            where=plan.run.events,
            expected=f"{duration_s:g} s of movie as in the events",
            found=f"{movie.n_frames} frames at {movie.frame_rate_hz:g} Hz, {movie_s:g} s",
            remedy="Correct the frame rate of the movie, or add what is missing of it.",
        )
    if end_s - onset_s < movie_s - tr_s and options.short_runs == "refuse":
        raise InputError(
            f"{plan.run.name} ends before its movie '{movie.name}'",
            where=plan.run.bold,
            expected=f"{movie_s:g} s from the onset at {onset_s:g} s on",
            found=f"{end_s - onset_s:g} s",
            remedy="Check the onset, or set responses.short_runs: trim.",
        )
    kept_s = min(movie_s + options.answer_s, end_s - onset_s)
    n_trs = int(np.floor(kept_s / tr_s + _ON_GRID))
    if n_trs < 2:
        raise InputError(
            f"less than two TRs of movie '{movie.name}' are in the run", where=plan.run.name
        )
    return MovieRun(plan, movie, onset_s, n_trs)


def _clean_run(
    plan: RunPlan, voxels: Voxels, options: FMRIMovieResponseOptions
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    series, not_finite, constant = read_signals(plan, voxels)
    confounds, kept = read_confounds(plan.run, len(series), options.confounds)
    cleaned = clean_series(
        series, confounds, plan.tr_s, options.high_pass_hz, options.standardisation, kept
    )
    return cleaned, not_finite, constant


def resample_from_onset(series: np.ndarray, onset: float, n_trs: int) -> np.ndarray:
    """Read a series at whole TRs from an onset on.

    Parameters
    ----------
    series : array of shape (n_volumes, n_voxels), float32
        NaN where a volume was scrubbed.
    onset : float
        In volumes; between two volumes the series is interpolated linearly.
    n_trs : int
        Samples.

    Returns
    -------
    samples : array of shape (n_trs, n_voxels), float32
        NaN after the end of the series, and beside scrubbed volumes unless the onset is the start
        of a volume.
    """
    first = int(np.floor(onset + _ON_GRID))
    share = max(0.0, onset - first)
    if share < _ON_GRID:
        share = 0.0
    rows = first + np.arange(n_trs)
    samples = np.full((n_trs, series.shape[1]), np.nan, dtype=np.float32)
    inside = rows < len(series)
    samples[inside] = series[rows[inside]]
    if share:
        following = rows + 1 < len(series)
        samples[~following] = np.nan
        samples[following] *= 1 - share
        samples[following] += share * series[rows[following] + 1]
    return samples


def _compose_dataset(
    shown: list[MovieRun],
    voxels: Voxels,
    response: np.ndarray,
    status: np.ndarray,
    options: FMRIMovieResponseOptions,
) -> xr.Dataset:
    reference = shown[0].plan
    movie = np.array([one.movie.name for one in shown])
    found = estimate_movie_reliability(response, movie, options.n_half_splits, options.seed)
    has_repeats = len(set(movie.tolist())) < len(movie)
    if not has_repeats:
        status = np.where(status == "ok", "too_few_repeats", status)
    usable = np.isin(status, ("ok",))
    summary = {
        "reliability": found.reliability,
        "noise_ceiling": found.noise_ceiling,
        "oracle_correlation": found.oracle_correlation,
        "explainable_variance": found.explainable_variance,
    }
    repeat = [int((movie[:row] == name).sum()) for row, name in enumerate(movie)]
    dataset = xr.Dataset(
        {
            "response": (("trial", "time", "unit"), response),
            "reference_volume": (("x", "y", "z"), read_first_volume(reference.header.path)),
            "affine": (("row", "column"), voxels.affine),
            "unit_status": ("unit", status),
            **{
                name: ("unit", np.where(usable, values, np.nan).astype(np.float32))
                for name, values in summary.items()
            },
        },
        coords={
            "unit": [f"voxel-{x:03d}-{y:03d}-{z:03d}" for x, y, z in voxels.index.tolist()],
            "area": ("unit", voxels.area),
            "voxel_index": (("unit", "axis"), voxels.index),
            "coordinate_mm": (("unit", "axis"), voxels.coordinate_mm),
            "axis": ["x", "y", "z"],
            "time": np.arange(response.shape[1]) * reference.tr_s,
            "movie": ("trial", movie),
            "repeat": ("trial", np.array(repeat, dtype=np.int32)),
            "session": ("trial", np.array([one.plan.run.session for one in shown])),
            "run": ("trial", np.array([one.plan.run.run for one in shown])),
            "onset": ("trial", np.array([one.onset_s for one in shown])),
        },
        attrs={
            "design": "movies",
            "modality": "fmri",
            "bin_s": reference.tr_s,
            "repetition_time_s": reference.tr_s,
            "standardisation": options.standardisation,
        },
    )
    _describe(dataset, options.standardisation)
    return dataset


def _describe(dataset: xr.Dataset, standardisation: str) -> None:
    unit = {"percent": "percent", "zscore": "standard deviation", "none": "scanner unit"}[
        standardisation
    ]
    descriptions = {
        "response": ("cleaned BOLD from the movie's onset on", unit),
        "reference_volume": ("first volume of the first run", "scanner unit"),
        "affine": ("from voxel indices to mm", "mm"),
        "unit_status": ("ok, or why the voxel has no reliability", "1"),
        "reliability": ("split-half reliability over runs, Spearman-Brown corrected", "1"),
        "noise_ceiling": ("largest correlation with the mean over runs", "1"),
        "oracle_correlation": ("correlation of single runs with the mean of the others", "1"),
        "explainable_variance": ("explainable share of the variance of the mean over runs", "1"),
        "unit": ("voxel id, its indices", "1"),
        "area": ("region of the voxel", "1"),
        "voxel_index": ("voxel indices, from 0", "1"),
        "coordinate_mm": ("place in the space of the volumes", "mm"),
        "axis": ("axes of the volumes", "1"),
        "time": ("start of the TR after the movie's onset", "s"),
        "movie": ("movie of the trial", "1"),
        "repeat": ("number of the trial among those of its movie, from 0", "1"),
        "session": ("session of the trial", "1"),
        "run": ("run of the trial", "1"),
        "onset": ("onset of the movie after the start of the run", "s"),
    }
    for name, variable in dataset.variables.items():
        long_name, units = descriptions[str(name)]
        variable.attrs.update({"long_name": long_name, "units": units})
