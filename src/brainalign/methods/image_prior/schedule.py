"""The sigmoid noise schedule (Jabri, Fleet and Chen 2022, arXiv 2212.11972)."""

from __future__ import annotations

import numpy as np

from brainalign.errors import InputError

_START, _END, _LARGEST_BETA = -3.0, 3.0, 0.999


def compute_alpha_bar(n_levels: int) -> np.ndarray:
    """Share of the image's variance that is left at every noise level.

    Parameters
    ----------
    n_levels : int
        Number of levels T.

    Returns
    -------
    alpha_bar : array of shape (n_levels + 1,), float64
        ``alpha_bar[k]`` at level k; 1 at level 0, the image itself.

    Notes
    -----
    ``(s(3) - s(6 k / T - 3)) / (s(3) - s(-3))`` with the logistic function s, and then the
    running product of ``1 - beta`` with beta clipped to at most .999, as the public
    implementations of this schedule have it.
    """
    position = np.arange(n_levels + 1, dtype=np.float64) / n_levels
    height = _logistic(np.array([_START, _END]))
    curve = (height[1] - _logistic(position * (_END - _START) + _START)) / (height[1] - height[0])
    beta = np.clip(1 - curve[1:] / curve[:-1], 0, _LARGEST_BETA)
    return np.concatenate([[1.0], np.cumprod(1 - beta)])


def compute_betas(alpha_bar: np.ndarray) -> np.ndarray:
    """Variance that each level adds, such as ``trained_betas`` of `diffusers` wants it.

    Returns
    -------
    betas : array of shape (n_levels,), float64
        Of levels 1 to T.
    """
    return 1 - alpha_bar[1:] / alpha_bar[:-1]


def choose_levels(level: int, n_steps: int | None) -> np.ndarray:
    """Choose the noise levels that a trajectory visits.

    Parameters
    ----------
    level : int
        Highest level.
    n_steps : int or None
        Number of network evaluations; None for one per level.

    Returns
    -------
    levels : array of shape (n_visited,), int64
        Ascending from 0 to `level`, evenly spaced.

    Raises
    ------
    InputError
        There are more steps than levels.
    """
    if n_steps is None:
        return np.arange(level + 1)
    if n_steps > level:
        raise InputError(
            "more steps than noise levels",
            where="n_steps",
            expected=f"at most {level}",
            found=n_steps,
            remedy="Use fewer steps or a higher edit_level.",
        )
    return np.round(np.linspace(0, level, n_steps + 1)).astype(np.int64)


def _logistic(value: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-value))
