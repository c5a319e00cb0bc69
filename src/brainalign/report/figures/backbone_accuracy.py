"""What backbones that were trained here can do: probes against pixels and chance."""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from brainalign.report.figures.style import INK, MUTED, PANEL_WIDTH, RULE, use_style

# Key in evaluation.json: name, marker, colour, height within the line of the backbone.
_MEASURES = {
    "zero_shot_accuracy": ("zero-shot", "s", "#cc79a7", -0.2),
    "probe_accuracy": ("linear probe", "o", "#0072b2", 0.0),
    "pixel_probe_accuracy": ("same probe on pixels", "D", MUTED, 0.2),
}


def draw_backbone_accuracy(evaluations: Mapping[str, Mapping[str, float]]) -> Figure:
    """Draw the accuracies of each backbone, with chance.

    Parameters
    ----------
    evaluations : mapping of str to mapping
        Content of ``evaluation.json`` by name of the backbone.
    """
    with use_style():
        figure = Figure(figsize=(PANEL_WIDTH, 1.3 + 0.55 * len(evaluations)), layout="constrained")
        axes = figure.add_subplot()
        for line, evaluation in enumerate(evaluations.values()):
            axes.axhline(line, color=RULE, lw=0.6, zorder=0)
            axes.plot(
                [evaluation.get("chance", float("nan"))] * 2,
                [line - 0.45, line + 0.45],
                color=INK,
                lw=1.1,
                ls=(0, (2, 1.5)),
                label="chance" if line == 0 else None,
            )
            for key, (_, marker, colour, height) in _MEASURES.items():
                if key in evaluation:
                    axes.plot(evaluation[key], line + height, marker, color=colour, ms=6)
        for name, marker, colour, _ in _MEASURES.values():
            axes.plot([], [], marker, color=colour, ms=6, label=name)
        axes.set_yticks(range(len(evaluations)), list(evaluations))
        axes.set_ylim(len(evaluations) - 0.4, -0.6)
        axes.set_xlim(0, 1.02)
        axes.set_xlabel("share of held-out images whose category is right")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        figure.legend(loc="outside lower center", ncols=2)
    return figure
