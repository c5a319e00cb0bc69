"""Edited images in a grid: references by groups and strengths."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from brainalign.report.figures.style import INK, MUTED, use_style

_TILE = 0.78  # inches: a change of a 32-pixel image is seen without a magnifier
_HEADING = 0.62


def draw_edit_grid(
    reference: NDArray[np.uint8],
    edited: NDArray[np.uint8],
    unguided: NDArray[np.uint8],
    target: NDArray[np.uint8] | None,
    groups: Sequence[str],
    strengths: Sequence[float],
) -> Figure:
    """Draw one row per reference: original, round trip, edits by group and strength, target.

    Parameters
    ----------
    reference, unguided, target : array of shape (n_references, y, x, 3), uint8
        Originals, originals through the model without guidance, and where swaps go to.
    edited : array of shape (n_references, n_groups, n_strengths, y, x, 3), uint8
        Edits.
    groups : sequence of str
        Names of the groups.
    strengths : sequence of float
        How far each edit was sent.
    """
    columns: list[tuple[str, str, NDArray[np.uint8]]] = [
        ("", "original", reference),
        ("", "no\nguidance", unguided),
    ]
    for number, name in enumerate(groups):
        columns += [
            (name, f"{strength:g}", edited[:, number, place])
            for place, strength in enumerate(strengths)
        ]
    if target is not None:
        columns.append(("", "target", target))
    n_rows, n_columns = len(reference), len(columns)
    with use_style():
        figure = Figure(figsize=(_TILE * n_columns, _TILE * n_rows + _HEADING))
        top = _TILE * n_rows / (_TILE * n_rows + _HEADING)
        grid = figure.add_gridspec(
            n_rows, n_columns, left=0, right=1, bottom=0, top=top, wspace=0.06, hspace=0.06
        )
        for column, (group, label, images) in enumerate(columns):
            for row in range(n_rows):
                axes = figure.add_subplot(grid[row, column])
                axes.imshow(images[row], interpolation="nearest")
                axes.set_axis_off()
                if row == 0:
                    axes.set_title(label, size=8, weight="normal", color=MUTED, loc="center", pad=3)
            if group and label == f"{strengths[0]:g}":
                place = (column + len(strengths) / 2) / n_columns
                # In two lines, since one column is narrow where there is one strength.
                heading = f"group {group}".replace("-", "\n", 1)
                figure.text(place, 0.995, heading, ha="center", va="top", size=9, color=INK)
    return figure
