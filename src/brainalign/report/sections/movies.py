"""Recordings of movies: rasters of example cells, receptive fields, the frame clock."""

from __future__ import annotations

import numpy as np
import xarray as xr

from brainalign.report.artifacts import Artifact, Run, read_values
from brainalign.report.blocks import Block, Cell, FigureGroup, Heading, Row, Section, Table, Text
from brainalign.report.figures.rasters import draw_raster
from brainalign.report.figures.receptive_fields import draw_fields_on_frame, draw_time_courses
from brainalign.report.names import MISSING, describe_counts, make_slug, write_count
from brainalign.report.pictures import Picture, encode_figure
from brainalign.stores.read import open_store, read_labels

_ELLIPSE = ("rf_center_x", "rf_center_y", "rf_axis_major", "rf_axis_minor", "rf_angle")
_READING = (
    "Rows of spikes are repeats of one movie; the line is their mean. Example cells stand at a "
    "tenth, the middle and nine tenths of the ranks of the oracle correlation (single trials "
    "against the mean of the others). Receptive fields are drawn at one standard deviation of "
    "the fitted Gaussian; only those with a significant held-out test are drawn."
)
_SOURCES = {
    "stimulus": "spike-triggered averages of a stimulus of their own",
    "training_frames": "spike-triggered averages of the movies' training frames",
    "outlines": "given outlines",
    "none": "none",
}


def compose_movies(run: Run) -> Section | None:
    """Show rasters and receptive fields of all recordings of movies; None without one.

    Parameters
    ----------
    run : Run
        Its published folders.
    """
    blocks: list[Block] = []
    for (dataset, subject), artifact in run.responses.items():
        store = open_store(artifact.path, "responses")
        # BOLD has neither spikes nor receptive fields to draw.
        if "movie" not in store.variables or store.attrs.get("modality") == "fmri":
            continue
        name = f"{dataset}, {subject}"
        blocks += [Heading(name), *_show_rasters(store, artifact, name)]
        blocks += _show_fields(store, artifact, run.stimuli.get(dataset), name)
        blocks.append(_compose_table(store, artifact, name))
    return Section("movies", "Movies", [Text(_READING), *blocks]) if blocks else None


def _show_rasters(store: xr.DataTree, artifact: Artifact, name: str) -> list[Block]:
    if "oracle_correlation" not in store.variables:
        return []
    oracle = read_values(store.variables["oracle_correlation"], artifact.path)
    ranked = np.argsort(-np.nan_to_num(oracle, nan=-2.0), kind="stable")
    ranked = ranked[: int(np.isfinite(oracle).sum())]
    if not len(ranked):
        return []
    examples = list(dict.fromkeys(int(share * (len(ranked) - 1)) for share in (0.1, 0.5, 0.9)))
    movies = read_labels(store, "movie")
    first = str(np.unique(movies)[0])
    units = read_labels(store, "unit")
    response = read_values(store.variables["response"], artifact.path)[movies == first]
    shown = np.isfinite(response).any(axis=(0, 2))
    # The end of a shorter movie is no gap.
    n_bins = int(np.flatnonzero(shown)[-1]) + 1
    time = read_values(store.variables["time"], artifact.path)[:n_bins]
    bin_s = float(store.attrs["bin_s"])
    pictures = [
        encode_figure(
            draw_raster(response[:, :n_bins, unit], time, bin_s, f"{units[unit]} in {first}"),
            make_slug("raster", name, str(units[unit])),
            f"Raster of {write_count(len(response), 'trial')} of movie {first} and mean rate of "
            f"{units[unit]}, oracle correlation {oracle[unit]:.2f}.",
            file_format="png",
        )
        for unit in (int(ranked[place]) for place in examples)
    ]
    caption = (
        f"{name}: spikes of {write_count(len(pictures), 'example cell')} in all repeats of "
        f"{first}, in bins of {1000 * bin_s:.1f} ms. Shaded: not recorded."
    )
    return [FigureGroup(pictures, caption)]


def _show_fields(
    store: xr.DataTree, artifact: Artifact, stimuli: Artifact | None, name: str
) -> list[Block]:
    if "rf_center_x" not in store.variables:
        return []
    ellipses = np.stack(
        [read_values(store.variables[part], artifact.path) for part in _ELLIPSE], axis=1
    )
    polarity = np.full(len(ellipses), np.nan)
    if "rf_polarity" in store.variables:
        polarity = read_values(store.variables["rf_polarity"], artifact.path)
    n_found = int(np.isfinite(ellipses).all(axis=1).sum())
    source = _SOURCES.get(str(store.attrs.get("rf_source")), "unknown")
    figure = draw_fields_on_frame(_read_frame(stimuli), ellipses, polarity, name)
    pictures: list[Picture] = [
        encode_figure(
            figure,
            make_slug("receptive-fields", name),
            f"{write_count(n_found, 'receptive field')} of {name} as ellipses on a frame.",
            file_format="png",
        )
    ]
    if "rf_time_course" in store.variables:
        course = read_values(store.variables["rf_time_course"], artifact.path)
        lag = read_values(store.variables["lag"], artifact.path)
        pictures.append(
            encode_figure(
                draw_time_courses(course, lag, polarity, name),
                make_slug("time-courses", name),
                f"Time courses of the spike-triggered averages of {name}.",
            )
        )
    caption = (
        f"{name}: {write_count(n_found, 'receptive field')} of "
        f"{write_count(len(ellipses), 'cell')} on a frame of the movies, from {source}."
    )
    return [FigureGroup(pictures, caption)]


def _read_frame(stimuli: Artifact | None) -> np.ndarray:
    """Read the frame in the middle of the store; grey where there is no store."""
    if stimuli is None:
        return np.full((100, 100, 3), 128, dtype=np.uint8)
    store = open_store(stimuli.path, "stimuli")
    middle = store.variables["frame"].shape[0] // 2
    return read_values(store.variables["frame"].isel(frame=middle), stimuli.path)


def _compose_table(store: xr.DataTree, artifact: Artifact, name: str) -> Table:
    def summarise(variable: str) -> Cell:
        if variable not in store.variables:
            return Cell(MISSING)
        values = read_values(store.variables[variable], artifact.path)
        known = values[np.isfinite(values)]
        return Cell(f"{np.median(known):.2f}") if len(known) else Cell(MISSING)

    def count(variable: str) -> str:
        if variable not in store.variables:
            return MISSING
        return f"{int(read_values(store.variables[variable], artifact.path).sum()):,}"

    fields: list[str] = []
    if "rf_status" in store.variables:
        fields = read_labels(store, "rf_status").tolist()
    rows = [
        Row((Cell("Trials"), Cell(f"{store.variables['response'].shape[0]:,}"))),
        Row((Cell("Units"), Cell(describe_counts(read_labels(store, "unit_status"))))),
        Row((Cell("Receptive fields"), Cell(describe_counts(fields) or MISSING))),
        Row((Cell("Mean rate (Hz)"), summarise("mean_rate"))),
        Row((Cell("Noise ceiling (CC)"), summarise("noise_ceiling"))),
        Row((Cell("Oracle correlation"), summarise("oracle_correlation"))),
        Row((Cell("Explainable variance"), summarise("explainable_variance"))),
        Row((Cell("Frame triggers added"), Cell(count("n_missing_triggers")))),
        Row((Cell("Frame triggers removed"), Cell(count("n_double_triggers")))),
    ]
    return Table(f"{name}: the recording in numbers; medians over units.", ["", ""], rows)
