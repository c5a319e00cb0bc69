"""What receptive fields see of a movie, and its history."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def pool_luminance(
    luminance: np.ndarray, center: np.ndarray, scales: Sequence[float]
) -> np.ndarray:
    """Read the luminance at the centre of each receptive field through Gaussians.

    Parameters
    ----------
    luminance : array of shape (n_frames, y, x), float32
        Frames.
    center : array of shape (n_units, 2)
        Shares of width and height (x, y); the middle of the frame where NaN.
    scales : sequence of float
        Standard deviations in frame widths.

    Returns
    -------
    pooled : array of shape (n_frames, n_units, n_scales), float32
        Weights sum to 1 inside the frame; equals a blur of the frames, read at one pixel.
    """
    height, width = luminance.shape[1:]
    place = np.where(np.isfinite(center), center, 0.5)
    pooled = np.empty((len(luminance), len(center), len(scales)), np.float32)
    for position, scale in enumerate(scales):
        columns = _weigh(place[:, 0] * width, width, scale * width)
        rows = _weigh(place[:, 1] * height, height, scale * width)
        # One product of matrices; a product per frame would not reach BLAS.
        along_x = (luminance.reshape(-1, width) @ columns.T).reshape(-1, height, len(center))
        pooled[:, :, position] = np.einsum("fyk,ky->fk", along_x, rows)
    return pooled


def _weigh(center: np.ndarray, n_pixels: int, deviation: float) -> np.ndarray:
    # A blur is read at a whole pixel: the one that the centre lies in.
    offset = np.arange(n_pixels) - np.clip(np.rint(center), 0, n_pixels - 1)[:, None]
    weights = np.exp(-0.5 * (offset / deviation) ** 2)
    return (weights / weights.sum(1, keepdims=True)).astype(np.float32)


def stack_lags(signal: np.ndarray, spans: list[slice], n_lags: int, step: int = 1) -> np.ndarray:
    """Put the history of a signal side by side.

    Parameters
    ----------
    signal : array of shape (n_frames, n_units, n_columns)
        One value per frame.
    spans : list of slice
        Rows of each movie; before its first frame that frame is repeated.
    n_lags, step : int
        Steps of history and frames between them.

    Returns
    -------
    history : array of shape (n_frames, n_units, n_lags * n_columns)
        The present first.
    """
    rows = np.concatenate(
        [
            np.maximum(
                np.arange(span.start, span.stop)[:, None] - step * np.arange(n_lags), span.start
            )
            for span in spans
        ]
    )
    stacked = signal[rows].transpose(0, 2, 1, 3)
    return stacked.reshape(len(rows), signal.shape[1], -1)
