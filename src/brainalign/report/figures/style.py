"""One look for all figures: fonts, sizes, and a colour per method that never changes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

import matplotlib as mpl

PIXELS_PER_INCH = 96
"""CSS pixels per inch of figure: 9 pt text is then 12 pixels high."""

PANEL_WIDTH = 4.2
"""Width of a panel, in inches: a little more than a phone, so that it shrinks but stays legible."""

SMALL_PANEL_WIDTH = 3.6
"""Width of a panel of which there are many, in inches: three stand side by side on a desktop."""

INK, MUTED, RULE = "#1f2933", "#6b7680", "#d9dee3"
CORRECT = "#009e73"

# Okabe & Ito's colour-blind-safe palette (jfly.uni-koeln.de/color, 2008), without its yellow,
# which is too light for lines on white.
_PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#4d4d4d")

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "font.family": "DejaVu Sans",
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": False,
    "text.color": INK,
    # Names are data: a dollar sign in an id is no formula.
    "text.parse_math": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "svg.fonttype": "path",
    "svg.hashsalt": "brainalign",
}


@contextlib.contextmanager
def use_style() -> Iterator[None]:
    """Draw with the look of the report inside the block, and leave global settings alone."""
    with mpl.rc_context(_STYLE):
        yield


def assign_colours(methods: Sequence[str]) -> dict[str, str]:
    """Give each method its colour: VNA the first, the others in alphabetical order.

    Parameters
    ----------
    methods : sequence of str
        All methods of the run, so that figures of a part of them agree.
    """
    ordered = sorted(set(methods), key=lambda name: (name != "vna", name))
    return {name: _PALETTE[rank % len(_PALETTE)] for rank, name in enumerate(ordered)}


def colour_seeds(n_seeds: int) -> list[str]:
    """Colours of the seeds, which are many and alike: shades of one hue."""
    shades = mpl.colormaps["viridis"]
    return [mpl.colors.to_hex(shades(0.8 * rank / max(1, n_seeds - 1))) for rank in range(n_seeds)]
