"""From the linear sum of a Poisson regression to a rate."""

from __future__ import annotations

import numpy as np

# Keeps exp and the weights of the regression finite; no recorded rate comes near.
_LARGEST_DRIVE = 20.0
SMALLEST_RATE = 1e-6
"""Rate in Hz below which none is predicted."""


def compute_rate(drive: np.ndarray, link: str) -> tuple[np.ndarray, np.ndarray]:
    """Rate and its slope.

    Parameters
    ----------
    drive : array
        Linear sum.
    link : {"softplus", "exp"}
        From the sum to the rate.

    Returns
    -------
    rate, slope : array
        In Hz, at least 1e-6, and its derivative.
    """
    if link == "exp":
        rate = np.exp(np.clip(drive, -_LARGEST_DRIVE, _LARGEST_DRIVE))
        return np.maximum(rate, SMALLEST_RATE), rate
    rate = np.logaddexp(0.0, drive)
    return np.maximum(rate, SMALLEST_RATE), 1.0 / (1.0 + np.exp(-np.clip(drive, -50, 50)))
