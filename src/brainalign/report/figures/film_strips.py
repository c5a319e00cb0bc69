"""Windows of movies as strips of frames: the shown one above the retrieved one."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from numpy.typing import NDArray

from brainalign.report.figures.style import CORRECT, INK, use_style

_FRAME = 0.62  # inches
_WRONG = "#d55e00"


def draw_film_strips(
    shown: NDArray[np.uint8], retrieved: NDArray[np.uint8], is_right: bool, title: str
) -> Figure:
    """Draw the window that was shown and the window that was retrieved for its BOLD.

    Parameters
    ----------
    shown, retrieved : array of shape (n_steps, y, x, 3), uint8
        A frame per TR.
    is_right : bool
        Whether they are the same window; the border of the retrieved one says so in colour, its
        name in words.
    title : str
        Rank and place of the window.
    """
    n_steps = len(shown)
    colour = CORRECT if is_right else _WRONG
    with use_style():
        tight = ConstrainedLayoutEngine(w_pad=0.01, h_pad=0.02, wspace=0.01, hspace=0.02)
        figure = Figure(figsize=(_FRAME * n_steps + 0.9, 2 * _FRAME + 0.45), layout=tight)
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        rows = figure.subplots(2, n_steps, squeeze=False)
        names = ("shown", "retrieved\n(right)" if is_right else "retrieved\n(wrong)")
        strips = zip(rows, (shown, retrieved), names, (INK, colour), strict=True)
        for row, frames, name, border in strips:
            for axes, frame in zip(row, frames, strict=True):
                axes.imshow(frame, interpolation="nearest")
                axes.set(xticks=[], yticks=[])
                for spine in axes.spines.values():
                    spine.set(visible=True, color=border, lw=1.5)
            row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    return figure
