"""Receptive fields of a recording: from outlines, from their own stimulus, or from movies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import InputError
from brainalign.raw.movies import MovieCollection, MovieSession
from brainalign.responses.movie_counts import count_frame_bins
from brainalign.responses.options import ReceptiveFieldOptions
from brainalign.responses.receptive_fields import (
    ReceptiveFields,
    convert_outlines,
    fit_gaussians,
)
from brainalign.responses.spike_triggered import estimate_receptive_fields
from brainalign.stimuli.read import FrameSplits

_Segment = tuple[np.ndarray, np.ndarray]


def describe_receptive_fields(
    sessions: list[MovieSession],
    units: pd.DataFrame,
    collection: MovieCollection,
    options: ReceptiveFieldOptions,
    splits: FrameSplits | None,
) -> tuple[xr.Dataset, str]:
    """Find the receptive fields of all units of a subject.

    Parameters
    ----------
    sessions : list of MovieSession
        All sessions of the subject.
    units : pandas.DataFrame
        Units of all sessions, indexed by id.
    collection : MovieCollection
        The movies, also those for receptive fields only.
    options : ReceptiveFieldOptions
        Source, lags and significance.
    splits : FrameSplits or None
        Training frames; None: all frames.

    Returns
    -------
    fields : xarray.Dataset
        The variables ``rf_…`` of the contract; empty where the source is ``none``.
    source : str
        Where they come from.

    Raises
    ------
    InputError
        If the data set has no outlines or no stimulus that is asked for, or too few frames.
    """
    source = _choose_source(sessions, collection, options)
    if source == "none":
        return xr.Dataset(), source
    if source == "outlines":
        return _describe_outlines(sessions, units, options), source
    segments, shape = _collect_segments(sessions, units, collection, options, splits, source)
    estimate = estimate_receptive_fields(segments, options.n_lags)
    height, width = shape
    fitted = fit_gaussians(estimate.spatial, height, width)
    significant = estimate.p_value <= options.significance
    found = np.isfinite(fitted.center_x)
    status = np.where(significant, np.where(found, "ok", "no fit"), "not significant")
    dataset = _compose(fitted.keep(significant), status, options)
    rate_hz = next(iter(collection.movies.values())).frame_rate_hz
    return dataset.assign(
        rf_polarity=("unit", np.where(significant, estimate.polarity, np.nan)),
        rf_p_value=("unit", estimate.p_value),
        rf_sta=(
            ("unit", "sta_y", "sta_x"),
            estimate.spatial.reshape(-1, height, width).astype(np.float32),
            {"long_name": "spatial part of the spike-triggered average, contrast"},
        ),
        rf_time_course=(("unit", "lag"), estimate.time_course.astype(np.float32)),
        lag=("lag", np.arange(options.n_lags) / rate_hz, {"units": "s"}),
    ), source


def _choose_source(
    sessions: list[MovieSession], collection: MovieCollection, options: ReceptiveFieldOptions
) -> str:
    has_outlines = all(session.outlines is not None for session in sessions)
    has_stimulus = bool(collection.list_names("receptive_field"))
    if options.source == "auto":
        if has_outlines:
            return "outlines"
        return "stimulus" if has_stimulus else "training_frames"
    if (options.source == "outlines" and not has_outlines) or (
        options.source == "stimulus" and not has_stimulus
    ):
        raise InputError(
            f"the data set has no {options.source} for receptive fields",
            where="responses.receptive_fields.source",
            remedy="Set source: auto, or mark a movie with use: receptive_field.",
        )
    return options.source


def _describe_outlines(
    sessions: list[MovieSession], units: pd.DataFrame, options: ReceptiveFieldOptions
) -> xr.Dataset:
    n_points = max(s.outlines.shape[1] for s in sessions if s.outlines is not None)
    outlines = np.full((len(units), n_points, 2), np.nan)
    for session in sessions:
        if session.outlines is not None:
            rows = units.index.get_indexer(session.units.index)
            outlines[rows, : session.outlines.shape[1]] = session.outlines
    fields = convert_outlines(outlines, options.contour_sd)
    status = np.full(len(units), "outline")
    return _compose(fields, status, options).assign(
        rf_outline=(("unit", "point", "coordinate"), outlines.astype(np.float32)),
        coordinate=["x", "y"],
    )


def _compose(
    fields: ReceptiveFields, status: np.ndarray, options: ReceptiveFieldOptions
) -> xr.Dataset:
    described = {
        "center_x": (fields.center_x, "centre from the frame's left", "frame width"),
        "center_y": (fields.center_y, "centre from the frame's top", "frame height"),
        "axis_major": (fields.axis_major, "SD along the major axis", "frame width"),
        "axis_minor": (fields.axis_minor, "SD along the minor axis", "frame width"),
        "angle": (fields.angle, "major axis from x towards y (down)", "radian"),
    }
    return xr.Dataset(
        {
            **{
                f"rf_{name}": ("unit", values, {"long_name": text, "units": unit})
                for name, (values, text, unit) in described.items()
            },
            "rf_status": ("unit", status.astype(np.str_)),
            "rf_map": (
                ("unit", "y", "x"),
                fields.draw_maps(options.map_size, options.map_size),
                {"long_name": "fitted Gaussian over the frame, peak 1"},
            ),
        }
    )


def _collect_segments(
    sessions: list[MovieSession],
    units: pd.DataFrame,
    collection: MovieCollection,
    options: ReceptiveFieldOptions,
    splits: FrameSplits | None,
    source: str,
) -> tuple[list[_Segment], tuple[int, int]]:
    """Pair stretches of stimulus with the spikes of all units, summed over repeats."""
    use = "receptive_field" if source == "stimulus" else "model"
    counts: dict[str, np.ndarray] = {}
    for session in sessions:
        columns = units.index.get_indexer(session.units.index)
        for trial in session.trials:
            if trial.movie not in collection.list_names(use):
                continue
            total = counts.setdefault(
                trial.movie, np.zeros((len(trial.start_s), len(units)), dtype=np.float32)
            )
            count = count_frame_bins(session.spike_times, trial)
            total[:, columns] += np.nan_to_num(count)
    if not counts:
        raise InputError("no trial of a stimulus for receptive fields", found=source)
    segments: list[_Segment] = []
    shapes = set()
    for name, count in sorted(counts.items()):
        contrast, shape = _reduce_frames(collection.read_frames(name), options.max_pixels)
        shapes.add(shape)
        for start, stop in _list_stretches(name, len(count), splits, source):
            stretch = contrast[start:stop]
            segments.append((stretch - stretch.mean(axis=0), count[start:stop]))
    if len(shapes) > 1:
        raise InputError(
            "movies for receptive fields differ in size", found=sorted(shapes), expected="one size"
        )
    return segments, shapes.pop()


def _list_stretches(
    name: str, n_frames: int, splits: FrameSplits | None, source: str
) -> list[tuple[int, int]]:
    if source == "stimulus" or splits is None:
        return [(0, n_frames)]
    train = np.zeros(n_frames + 2, dtype=bool)
    rows = splits.movie == name
    train[1 + splits.frame_number[rows]] = splits.split[rows] == "train"
    edges = np.flatnonzero(np.diff(train.astype(int)))
    return list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))


def _reduce_frames(frames: np.ndarray, max_pixels: int) -> tuple[np.ndarray, tuple[int, int]]:
    """Average luminance over the cells of a grid of at most so many cells; in [-1, 1]."""
    height, width = frames.shape[1:3]
    factor = int(np.ceil(np.sqrt(height * width / max_pixels))) if max_pixels else 1
    rows, columns = -(-height // factor), -(-width // factor)
    if factor == 1:
        grey = frames.mean(axis=3, dtype=np.float32)
    else:
        grey = np.stack([_average_cells(frame, rows, columns) for frame in frames])
    return (grey / 127.5 - 1).reshape(len(frames), -1).astype(np.float32), (rows, columns)


def _average_cells(frame: np.ndarray, rows: int, columns: int) -> np.ndarray:
    height, width = frame.shape[:2]
    grey = frame.mean(axis=2, dtype=np.float32)
    top, left = np.arange(rows) * height // rows, np.arange(columns) * width // columns
    total = np.add.reduceat(np.add.reduceat(grey, top, axis=0), left, axis=1)
    area = np.outer(np.diff(np.append(top, height)), np.diff(np.append(left, width)))
    return (total / area).astype(np.float32)
