"""Page of a response store: reliability, an excerpt of the responses, the units."""

from __future__ import annotations

import numpy as np
import pandas as pd

from brainalign.report.blocks import Block, FigureGroup, Section, Text
from brainalign.report.figures.excerpt import draw_excerpt
from brainalign.report.pictures import encode_figure
from brainalign.report.recordings import read_recordings
from brainalign.report.sections.brain_maps import compose_brain_maps
from brainalign.report.sections.movies import compose_movies
from brainalign.report.sections.recordings import compose_recordings
from brainalign.report.views.parts import (
    Opened,
    compose_variables,
    describe_sample,
    list_sections,
    tabulate_frame,
)
from brainalign.report.views.sample import sample_variable

_N_ROWS, _N_UNITS, _N_LISTED = 160, 120, 40
_SAMPLED_TRIALS = 1


def compose_view(opened: Opened) -> list[Section]:
    """Show how reliable the units are, some responses, and the units as a table."""
    return list_sections(
        compose_recordings(read_recordings(opened.run)),
        compose_movies(opened.run),
        compose_brain_maps(opened.run),
        Section("excerpt", "Excerpt of the responses", _show_excerpt(opened)),
        Section("units", "Units", _list_units(opened)),
        compose_variables(opened),
    )


def _show_excerpt(opened: Opened) -> list[Block]:
    variable = opened.tree.variables["response"]
    units = str(variable.attrs.get("units", "recorded units"))
    if "trial" in variable.dims:
        sample = sample_variable(
            variable, opened.path, _SAMPLED_TRIALS, {"time": _N_ROWS, "unit": _N_UNITS}
        )
        values, row_name = sample.values[0], f"time bin of trial {sample.rows[0]}"
    else:
        sample = sample_variable(variable, opened.path, _N_ROWS, {"unit": _N_UNITS})
        values, row_name = sample.values, "presentation (sampled)"
    if not values.size:
        return [Text("The store holds no response.")]
    finite = values[np.isfinite(values)]
    middle = f"median {np.median(finite):.3g} {units}" if len(finite) else "no finite value"
    figure = draw_excerpt(values, row_name, "unit", units, "responses")
    alt = f"Heat map of {values.shape[0]} by {values.shape[1]} responses; {middle}."
    caption = (
        f"Responses as colours between their 1st and 99th percentile; {middle}; "
        f"{np.mean(~np.isfinite(values)):.1%} missing (grey)."
    )
    return [
        FigureGroup([encode_figure(figure, "excerpt", alt)], caption),
        describe_sample(sample.note),
    ]


def _list_units(opened: Opened) -> list[Block]:
    """Tabulate everything that is one value per unit."""
    columns: dict[str, np.ndarray] = {}
    for name, variable in opened.tree.variables.items():
        if variable.dims == ("unit",):
            # Only the listed rows are read; there may be a hundred thousand voxels.
            values = variable[:_N_LISTED].values
            is_text = values.dtype.kind in "OUT"
            columns[str(name)] = np.array([str(one) for one in values]) if is_text else values
    first = [name for name in ("unit", "area", "unit_status") if name in columns]
    order = [*first, *(name for name in columns if name not in first)]
    frame = pd.DataFrame({name: columns[name] for name in order})
    n_units = opened.tree.sizes["unit"]
    caption = f"{min(_N_LISTED, n_units)} of {n_units:,} units, in the order of the store."
    return [tabulate_frame(frame, caption, _N_LISTED)]
