"""Retrieved stimuli: for some responses the stimuli that fit best, the correct one framed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from brainalign.report.figures.style import CORRECT, MUTED, PANEL_WIDTH, use_style

_ROW_HEIGHT = 0.78  # inches
_HEAD_HEIGHT = 0.3  # inches


@dataclass(frozen=True)
class RetrievedRow:
    """What one response retrieves.

    Attributes
    ----------
    shown : array of shape (y, x, 3), uint8
        The stimulus that evoked the response.
    retrieved : list of array
        The stimuli that fit best, best first.
    correct : int or None
        Place of the right one among them.
    rank : int
        Rank of the right one among all candidates, from 1.
    n_candidates : int
        Size of the gallery.
    """

    shown: NDArray[np.uint8]
    retrieved: list[NDArray[np.uint8]]
    correct: int | None
    rank: int
    n_candidates: int


def draw_retrieval(rows: Sequence[RetrievedRow]) -> Figure:
    """Draw one line per response: what was shown, and what it retrieves."""
    n_retrieved = max(len(row.retrieved) for row in rows)
    with use_style():
        figure = Figure(
            figsize=(PANEL_WIDTH, _HEAD_HEIGHT + _ROW_HEIGHT * len(rows)),
            layout=ConstrainedLayoutEngine(w_pad=0.02, h_pad=0.02, wspace=0.02, hspace=0.02),
        )
        # A narrow column parts what was shown from what was retrieved.
        grid = figure.add_gridspec(
            len(rows), n_retrieved + 3, width_ratios=[1, 0.12, *[1] * n_retrieved, 0.75]
        )
        for line, row in enumerate(rows):
            axes = [figure.add_subplot(grid[line, column]) for column in range(n_retrieved + 3)]
            if line == 0:
                axes[0].set_title("shown", loc="center", weight="normal")
                for place in range(n_retrieved):
                    axes[place + 2].set_title(f"{place + 1}", loc="center", weight="normal")
                axes[-1].set_title("rank", loc="center", weight="normal")
            axes[1].axis("off")
            _draw_row(axes[0], axes[2:-1], axes[-1], row)
    return figure


def _draw_row(shown: Axes, places: Sequence[Axes], note: Axes, row: RetrievedRow) -> None:
    _draw_image(shown, row.shown, MUTED, 0.6)
    for place, axes in enumerate(places):
        if place >= len(row.retrieved):
            axes.axis("off")
            continue
        is_correct = place == row.correct
        _draw_image(
            axes, row.retrieved[place], CORRECT if is_correct else MUTED, 4 if is_correct else 0.6
        )
    note.axis("off")
    note.text(0.5, 0.62, f"{row.rank}", ha="center", va="center", weight="bold", size=11)
    note.text(0.5, 0.3, f"of {row.n_candidates}", ha="center", va="center", size=8, color=MUTED)


def _draw_image(axes: Axes, image: NDArray[np.uint8], colour: str, width: float) -> None:
    axes.imshow(image)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(visible=True, color=colour, linewidth=width)
