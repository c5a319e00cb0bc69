"""How far each attribute moves with each group, beside its controls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from brainalign.report.figures.style import INK, MUTED, PANEL_WIDTH, RULE, use_style

_ROW = 0.3  # inches per group
_CONTROL_MARKERS = {
    "no_guidance": ("o", "no guidance"),
    "own_latent": ("s", "own latent"),
    "shuffled_latents": ("^", "shuffled latents"),
    "random_critic": ("D", "random critic"),
}


def draw_selectivity(
    scores: pd.DataFrame, edits: pd.DataFrame, attributes: Sequence[str], quantity: str
) -> Figure:
    """Draw one panel per attribute: edits with intervals, controls as open marks.

    Parameters
    ----------
    scores : pandas.DataFrame
        Rows of one subject and variant, pooled over seeds.
    edits : pandas.DataFrame
        The table ``edits`` of the same.
    attributes : sequence of str
        What is read.
    quantity : {"shift", "transfer"}
        Distance, or share of the way to the target.
    """
    groups = list(dict.fromkeys(edits["group"]))
    with use_style():
        figure = Figure(
            figsize=(PANEL_WIDTH * 2, (_ROW * len(groups) + 0.75) * 2), layout="constrained"
        )
        panels = np.atleast_1d(figure.subplots((len(attributes) + 1) // 2, 2, sharey=True)).ravel()
        for axes, attribute in zip(panels, attributes, strict=False):
            metric = f"{attribute}_{quantity}"
            for row, group in enumerate(groups):
                one = scores[(scores["metric"] == metric) & (scores["response"] == group)]
                if len(one):
                    value, low, high = one[["value", "ci_low", "ci_high"]].to_numpy()[0]
                    axes.plot([low, high], [row, row], color=INK, lw=2, solid_capstyle="round")
                    axes.plot(value, row, "o", color=INK, ms=5)
                own = edits[(edits["metric"] == metric) & (edits["group"] == group)]
                for kind, (marker, label) in _CONTROL_MARKERS.items():
                    mean = own.loc[own["kind"] == kind, "value"].mean()
                    if np.isfinite(mean):
                        axes.plot(
                            *(mean, row),
                            marker,
                            color=MUTED,
                            mfc="white",
                            ms=5,
                            zorder=0,
                            label=label if row == 0 else None,
                        )
            axes.axvline(0, color=RULE, lw=0.8, zorder=-1)
            axes.set_title(attribute)
            axes.set_yticks(range(len(groups)), groups)
            axes.set_ylim(len(groups) - 0.5, -0.5)
        for axes in panels[len(attributes) :]:
            axes.set_axis_off()
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure
