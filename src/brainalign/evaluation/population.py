"""What more cells add: moments of a movie told apart by a population's predicted pattern."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

SEGMENT_FRAMES = 15
"""Frames of a moment; half a second at 30 Hz."""

N_DRAWS = 20
"""Random populations of each size."""


def identify_segments(
    predicted: NDArray[np.floating],
    recorded: NDArray[np.floating],
    stretch: NDArray[np.integer],
    seed: int = 0,
) -> pd.DataFrame:
    """Find each recorded moment among all moments by the predicted rates of some cells.

    Parameters
    ----------
    predicted, recorded : array of shape (n_frames, n_units)
        Rates at the test frames.
    stretch : array of shape (n_frames,)
        Contiguous stretch of each frame; a moment lies in one stretch.
    seed : int
        Seed of the populations.

    Returns
    -------
    table : pandas.DataFrame
        Per number of cells: top-1 share (mean over populations), its lowest and highest tenth
        over populations, and chance. Empty with fewer than two moments.

    Notes
    -----
    Similarity is the cosine of z-scored rates over cells and frames together. Score per cell
    cannot grow with the population; this one does where cells tell different things.
    """
    rows = cut_segments(stretch)
    columns = ["n_units", "top_1", "low", "high", "chance", "n_segments"]
    usable = np.isfinite(predicted).all(0)
    n_units = int(usable.sum())
    if len(rows) < 2 or n_units == 0:
        return pd.DataFrame(columns=columns)
    first, second = (_standardise(table[:, usable])[rows] for table in (predicted, recorded))
    product = np.einsum("ifk,jfk->kij", first, second, optimize=True)
    power = [(table**2).sum(1).T for table in (first, second)]
    sizes = sorted({size for size in (1, 2, 4, 8, 16, 32, 64, 128) if size < n_units} | {n_units})
    generator = np.random.default_rng(seed)
    table = []
    for size in sizes:
        n_draws = N_DRAWS if size < n_units else 1
        shares = []
        for _ in range(n_draws):
            chosen = generator.permutation(n_units)[:size]
            scale = np.sqrt(power[0][chosen].sum(0)[:, None] * power[1][chosen].sum(0)[None, :])
            shares.append(_count_hits(product[chosen].sum(0) / np.where(scale > 0, scale, 1)))
        low, high = np.quantile(shares, [0.1, 0.9])
        table.append((size, np.mean(shares), low, high, 1 / len(rows), len(rows)))
    return pd.DataFrame(table, columns=columns)


def cut_segments(stretch: NDArray[np.integer]) -> NDArray[np.int64]:
    """Cut stretches into moments of equal length.

    Parameters
    ----------
    stretch : array of shape (n_frames,)
        Contiguous stretch of each frame.

    Returns
    -------
    rows : array of shape (n_segments, n_segment_frames)
        15 frames each, fewer where the longest stretch is shorter.
    """
    edges = np.flatnonzero(np.diff(stretch)) + 1
    spans = np.split(np.arange(len(stretch)), edges)
    length = min(SEGMENT_FRAMES, max(len(span) for span in spans))
    starts = [span[first] for span in spans for first in range(0, len(span) - length + 1, length)]
    return np.asarray(starts, np.int64)[:, None] + np.arange(length)


def _standardise(rate: NDArray[np.floating]) -> NDArray[np.float64]:
    centred = np.asarray(rate, np.float64) - rate.mean(0, dtype=np.float64)
    deviation = centred.std(0)
    return centred / np.where(deviation > 0, deviation, 1)


def _count_hits(similarity: NDArray[np.float64]) -> float:
    """Share of recorded moments (columns) whose own prediction is the best; ties by chance."""
    own = similarity.diagonal()
    n_better, n_tied = (similarity > own).sum(0), (similarity == own).sum(0)
    return float(((n_better == 0) / np.maximum(n_tied, 1)).mean())
