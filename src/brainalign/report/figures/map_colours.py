"""Range and colours of values that are drawn on a brain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_HIGH_PERCENTILE = 99.0  # a few outliers must not flatten the rest


def choose_limits(values: NDArray[np.floating]) -> tuple[float, float]:
    """Choose the range of colours.

    Parameters
    ----------
    values : array
        NaN where there is none.

    Returns
    -------
    low, high : float
        0 and 1 for shares, 0 and a high percentile for other positive values, symmetric about 0
        where values are negative by more than a share of a noise ceiling can be.
    """
    known = values[np.isfinite(values)]
    if not len(known) or (known.min() >= 0 and known.max() <= 1):
        return 0.0, 1.0
    high = float(np.percentile(np.abs(known), _HIGH_PERCENTILE)) or 1.0
    return (-high, high) if known.min() < 0 else (0.0, high)


def choose_colours(limits: tuple[float, float]) -> str:
    """Choose a map of colours: one with a middle where 0 is in the middle."""
    return "RdBu_r" if limits[0] < 0 else "viridis"
