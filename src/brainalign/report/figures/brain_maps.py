"""Values per voxel drawn on slices of the subject's own volumes."""

from __future__ import annotations

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from brainalign.report.figures.map_colours import choose_colours
from brainalign.report.figures.style import MUTED, PANEL_WIDTH, use_style

_HEIGHT = 1.75  # inches
_N_SLICES = 5


def draw_brain_map(
    volume: NDArray[np.floating],
    background: NDArray[np.floating],
    affine: NDArray[np.floating],
    title: str,
    label: str,
    limits: tuple[float, float] = (0.0, 1.0),
) -> Figure:
    """Draw axial slices through the voxels that have a value.

    Parameters
    ----------
    volume : array of shape (x, y, z)
        Values; NaN where there is none.
    background : array of shape (x, y, z)
        Drawn in grey below.
    affine : array of shape (4, 4)
        From voxel indices to mm: says which side is left.
    title, label : str
        Name of the subject and of the values.
    limits : tuple of float
        Values of the first and the last colour.

    Notes
    -----
    The subject's left is on the left. Slices lie evenly between the lowest and highest with a
    value; axes of the volume are taken as they are stored, without reslicing.
    """
    if affine[0, 0] < 0:
        volume, background = volume[::-1], background[::-1]
    if affine[1, 1] < 0:
        volume, background = volume[:, ::-1], background[:, ::-1]
    filled = np.flatnonzero(np.isfinite(volume).any(axis=(0, 1)))
    places = np.linspace(0, len(filled) - 1, min(_N_SLICES, len(filled)))
    levels = filled[np.unique(np.rint(places).astype(int))] if len(filled) else np.array([0])
    dark, bright = np.percentile(background, [2, 99.5])
    with use_style():
        figure = Figure(figsize=(PANEL_WIDTH * 1.5, _HEIGHT), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        panels = figure.subplots(1, len(levels), squeeze=False)[0]
        for axes, level in zip(panels, levels, strict=True):
            axes.imshow(
                background[:, :, level].T, cmap="gray", vmin=dark, vmax=bright * 1.3, origin="lower"
            )
            shown = axes.imshow(
                volume[:, :, level].T,
                cmap=choose_colours(limits),
                vmin=limits[0],
                vmax=limits[1],
                origin="lower",
            )
            height = affine[2, 2] * level + affine[2, 3]
            axes.set_xlabel(f"z = {height:.0f} mm", size=8, color=MUTED)
            axes.set_xticks([])
            axes.set_yticks([])
            axes.spines[:].set_visible(False)
        bar = figure.colorbar(
            mpl.cm.ScalarMappable(shown.norm, shown.cmap), ax=list(panels), shrink=0.9, pad=0.01
        )
        bar.set_label(label, size=8)
        bar.outline.set_visible(False)
    return figure
