"""Values per vertex drawn on the surfaces of both hemispheres."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure
from nilearn.plotting import plot_surf_stat_map
from numpy.typing import NDArray

from brainalign.report.figures.map_colours import choose_colours, choose_limits
from brainalign.report.figures.style import PANEL_WIDTH, use_style

_HEIGHT = 2.2  # inches
_VIEWS = ("lateral", "medial")

Mesh = tuple[NDArray[np.floating], NDArray[np.integer]]


def draw_surface_map(
    meshes: dict[str, Mesh], textures: dict[str, NDArray[np.floating]], title: str, label: str
) -> Figure:
    """Draw each hemisphere from its outer and its inner side.

    Parameters
    ----------
    meshes : dict of str to (array of shape (n_vertices, 3), array of shape (n_triangles, 3))
        Coordinates in mm and triangles, by hemisphere: ``left``, ``right``.
    textures : dict of str to array of shape (n_vertices,)
        Values, likewise; NaN where there is none. A triangle has the mean of the values of its
        corners, and is grey where none has one.
    title, label : str
        Name of the subject and of the values.

    Notes
    -----
    ``nilearn.plotting.plot_surf_stat_map``.
    """
    limits = choose_limits(np.concatenate(list(textures.values())))
    colours = choose_colours(limits)
    with use_style():
        figure = Figure(figsize=(PANEL_WIDTH * 1.5, _HEIGHT))
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        panels = [(side, view) for side in meshes for view in _VIEWS]
        for number, (side, view) in enumerate(panels):
            # Types know flat axes only; these have a box.
            axes: Any = figure.add_axes(
                (0.88 * number / len(panels), 0.0, 0.88 / len(panels), 0.8), projection="3d"
            )
            plot_surf_stat_map(
                list(meshes[side]),
                textures[side],
                hemi=side,
                view=view,
                cmap=colours,
                colorbar=False,
                avg_method=_average_known,
                vmin=limits[0],
                vmax=limits[1],
                symmetric_cbar=False,
                figure=figure,
                axes=axes,
            )
            # As long as it is; nilearn fits each axis to the panel.
            axes.set_box_aspect(np.ptp(meshes[side][0], axis=0), zoom=1.25)
            axes.set_title(f"{side}, {view}", size=8)
        bar = figure.colorbar(
            mpl.cm.ScalarMappable(mpl.colors.Normalize(*limits), colours),
            cax=figure.add_axes((0.9, 0.12, 0.015, 0.65)),
        )
        bar.set_label(label, size=8)
        bar.outline.set_visible(False)
    return figure


def _average_known(corners: NDArray[np.floating]) -> float:
    known = corners[~np.isnan(corners)]
    return float(known.mean()) if len(known) else float("nan")
