"""Values per voxel of a template's space drawn as projections through a glass brain."""

from __future__ import annotations

import warnings

import nibabel as nib
import numpy as np
from matplotlib.figure import Figure
from nilearn.plotting import plot_glass_brain
from numpy.typing import NDArray

from brainalign.report.figures.map_colours import choose_colours
from brainalign.report.figures.style import PANEL_WIDTH, use_style

_HEIGHT = 2.0  # inches
_SMALLEST = 1e-6  # nilearn takes voxels without a value as 0, which is not to be painted


def draw_glass_brain(
    volume: NDArray[np.floating],
    affine: NDArray[np.floating],
    title: str,
    label: str,
    limits: tuple[float, float] = (0.0, 1.0),
) -> Figure:
    """Draw the largest value along each line of sight through the head.

    Parameters
    ----------
    volume : array of shape (x, y, z)
        Values; NaN where there is none.
    affine : array of shape (4, 4)
        From voxel indices to mm of MNI space, in which the outline of the head is drawn.
    title, label : str
        Name of the subject and of the values.
    limits : tuple of float
        Values of the first and the last colour.

    Notes
    -----
    ``nilearn.plotting.plot_glass_brain``: left half from its side, from the back, right half from
    its side, from the top; the subject's left is on the left.
    """
    image = nib.Nifti1Image(np.asarray(volume, dtype=np.float32), affine)
    with use_style(), warnings.catch_warnings():
        # Voxels without a value are meant.
        warnings.filterwarnings("ignore", message="Non-finite values detected")
        warnings.filterwarnings("ignore", message="empty mask")
        figure = Figure(figsize=(PANEL_WIDTH * 1.5, _HEIGHT))
        figure.suptitle(title, x=0.01, ha="left", size=9, weight="bold")
        plot_glass_brain(
            image,
            display_mode="lyrz",
            figure=figure,
            axes=(0.0, 0.0, 1.0, 0.88),
            colorbar=True,
            cmap=choose_colours(limits),
            vmin=limits[0],
            vmax=limits[1],
            threshold=_SMALLEST,
            plot_abs=False,
        )
        figure.text(0.995, 0.97, label, size=8, ha="right", va="top")
    return figure
