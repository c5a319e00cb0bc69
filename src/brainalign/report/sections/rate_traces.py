"""Predicted rates beside the spikes of all repeats: the best method and linear-nonlinear cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.report.artifacts import Fit, Run, load_group
from brainalign.report.blocks import Block, FigureGroup
from brainalign.report.figures.rates import RateTrace, draw_rate_traces
from brainalign.report.names import make_slug, write_count, write_list, write_name
from brainalign.report.pictures import Picture, encode_figure
from brainalign.stores.read import open_store, read_labels

REFERENCE_METHOD = "ln"
"""What every network has to beat; its rates are drawn beside those of the best other method."""

_EXAMPLES = (0.1, 0.5, 0.9)
_N_FRAMES_DRAWN = 180


def choose_methods(pooled: pd.DataFrame) -> list[tuple[str, str]]:
    """Choose whose rates are drawn: the best by CC beside the linear-nonlinear model.

    Parameters
    ----------
    pooled : pandas.DataFrame
        Pooled scores of one data set and one protocol.

    Returns
    -------
    chosen : list of (str, str)
        Method and backbone: the best of the methods but the linear-nonlinear model, then that
        model where it was run.
    """
    rows = pooled[(pooled["metric"] == "correlation") & pooled["value"].notna()]
    rows = rows.sort_values("value", ascending=False, kind="stable")
    is_reference = rows["method"] == REFERENCE_METHOD
    best = pd.concat([rows[~is_reference].head(1), rows[is_reference].head(1)])
    return list(zip(best["method"], best["backbone"], strict=True))


def show_traces(
    run: Run,
    pooled: pd.DataFrame,
    units: pd.DataFrame,
    dataset: str,
    colours: Mapping[str, str],
) -> list[Block]:
    """Draw spikes, mean rate and predictions of example cells, protocol by protocol.

    Parameters
    ----------
    run : Run
        Its published folders.
    pooled : pandas.DataFrame
        Pooled scores of one data set, whole protocols only.
    units : pandas.DataFrame
        Scores of its single cells.
    dataset : str
        The data set.
    colours : mapping of str to str
        Colour of each method.
    """
    pictures: list[Picture] = []
    shown: dict[str, None] = {}
    for protocol in dict.fromkeys(pooled["matching"]):
        chosen = choose_methods(pooled[pooled["matching"] == protocol])
        fits = [Fit(method, dataset, backbone) for method, backbone in chosen]
        fits = [fit for fit in fits if fit in run.predictions]
        if fits:
            pictures += _draw_traces(run, fits, units, protocol, colours)
            shown |= dict.fromkeys(write_name(fit.method) for fit in fits)
    if not pictures:
        return []
    caption = (
        f"{dataset}: recorded and predicted rates at test frames, first seed, first tested fold: "
        f"{write_list(list(shown))}. Rows of spikes are repeats; the band is the standard error of "
        "their mean. The method with the highest CC stands beside the linear-nonlinear model. "
        "Example cells stand at a tenth, the middle and nine tenths of the ranks of the ceiling, "
        "which no prediction enters. Lines between parts: the movie was not recorded there."
    )
    return [FigureGroup(pictures, caption)]


def _draw_traces(
    run: Run,
    fits: Sequence[Fit],
    units: pd.DataFrame,
    protocol: str,
    colours: Mapping[str, str],
) -> list[Picture]:
    read = {fit: _read_group(run, fit, protocol) for fit in fits}
    groups = {fit: group for fit, group in read.items() if group is not None}
    first = next(iter(groups.values()), None)
    if first is None:
        return []
    names = read_labels(first, "unit").tolist()
    rows = units[(units["matching"] == protocol) & units["unit"].isin(names)]
    ceiling = rows.groupby("unit")["correlation.ceiling"].mean().dropna()
    ranked = ceiling.sort_values(ascending=False, kind="stable").index.tolist()
    if not ranked:
        return []
    places = dict.fromkeys(round(share * (len(ranked) - 1)) for share in _EXAMPLES)
    stretch = first["stretch"].values
    movie = read_labels(first, "movie")
    frame_rate = float(first.attrs["frame_rate_hz"])
    pictures = []
    for unit in (ranked[place] for place in places):
        column = names.index(unit)
        count = first["recorded_response"].values[:, :, column]
        traces = [
            RateTrace(
                write_name(fit.method),
                group["predicted_response"].values[0, :, names.index(unit)],
                colours[fit.method],
            )
            for fit, group in groups.items()
        ]
        title = f"{unit} in {movie[0]}, {write_name(protocol)}"
        alt = (
            f"Spikes of {write_count(len(count), 'repeat')} and mean rate of {unit} during "
            f"{write_count(count.shape[1], 'test frame')} of {movie[0]}, with the rate that "
            f"{write_list([trace.label for trace in traces])} predicted."
        )
        figure = draw_rate_traces(count, frame_rate, traces, stretch, title)
        name = make_slug("rates", fits[0].dataset, protocol, "trace", str(unit))
        pictures.append(encode_figure(figure, name, alt, file_format="png"))
    return pictures


def _read_group(run: Run, fit: Fit, protocol: str) -> xr.Dataset | None:
    """Read the first frames of the first movie of the first fold, of the first subject."""
    artifact = run.predictions[fit]
    tree = open_store(artifact.path, "predictions")
    for subject in tree.children.values():
        for area in subject.children.values():
            if protocol not in area.children:
                continue
            group = area.children[protocol].to_dataset()
            if "predicted_response" not in group:
                continue
            movie, fold = read_labels(group, "movie"), group["fold"].values
            rows = np.flatnonzero((movie == movie[0]) & (fold == fold[0]))[:_N_FRAMES_DRAWN]
            kept = ["predicted_response", "recorded_response", "stretch", "movie"]
            return load_group(group[kept].isel(frame=rows, seed=[0]), artifact.path)
    return None
