"""Values per voxel or per vertex as figures, on what the units lie on."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from brainalign.report.figures.brain_maps import draw_brain_map
from brainalign.report.figures.glass_brain import draw_glass_brain
from brainalign.report.figures.map_colours import choose_limits
from brainalign.responses.maps import VoxelGrid, fill_volume


def draw_voxels(values: NDArray[np.floating], grid: VoxelGrid, title: str, label: str) -> Figure:
    """Draw values per voxel: as a glass brain in MNI space, else on the subject's own slices.

    Parameters
    ----------
    values : array of shape (n_units,)
        NaN where there is none.
    grid : VoxelGrid
        Places of the units.
    title, label : str
        Name of the subject and of the values.
    """
    volume, limits = fill_volume(values, grid), choose_limits(values)
    if grid.is_mni:
        return draw_glass_brain(volume, grid.affine, title, label, limits)
    return draw_brain_map(volume, grid.background, grid.affine, title, label, limits)
