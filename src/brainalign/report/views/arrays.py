"""Page of a store that is one value per unit, such as encoding models."""

from __future__ import annotations

import numpy as np

from brainalign.report.blocks import Block, FigureGroup, Section
from brainalign.report.figures.value_plots import draw_histogram
from brainalign.report.names import make_slug
from brainalign.report.pictures import Picture, encode_figure
from brainalign.report.views.parts import (
    Opened,
    compose_variables,
    describe_sample,
    list_sections,
)
from brainalign.report.views.sample import sample_variable

_N_ROWS, _N_UNITS = 64, 20_000


def compose_view(opened: Opened) -> list[Section]:
    """Show the distribution of every number of the store."""
    return list_sections(
        Section("values", "Values", _show_values(opened)), compose_variables(opened)
    )


def _show_values(opened: Opened) -> list[Block]:
    pictures: list[Picture] = []
    notes = []
    for name, variable in opened.tree.variables.items():
        if variable.dtype.kind != "f" or not variable.ndim:
            continue
        n_rows = _N_UNITS if variable.ndim == 1 else _N_ROWS
        limits = {str(axis): _N_UNITS for axis in variable.dims}
        sample = sample_variable(variable, opened.path, n_rows, limits)
        known = sample.values[np.isfinite(sample.values)]
        if not known.size:
            continue
        notes.append(f"{name}: {sample.note}")
        label = str(variable.attrs.get("units", "value"))
        figure = draw_histogram(known, label, str(name).replace("_", " "))
        alt = f"Histogram of {name}: {known.size} values, median {np.median(known):.3g}."
        pictures.append(encode_figure(figure, make_slug("values", str(name)), alt))
    if not pictures:
        return []
    return [
        FigureGroup(pictures, "Every number of the store, what is missing left out."),
        describe_sample("; ".join(notes)),
    ]
