"""Bring tokens and receptive fields to the grid of a model; imports no torch."""

from __future__ import annotations

import numpy as np


def weigh_cells(n_sources: int, n_targets: int) -> np.ndarray:
    """Weights that resample a line of cells linearly between their centres.

    Parameters
    ----------
    n_sources, n_targets : int
        Cells along the line before and after.

    Returns
    -------
    weights : array of shape (n_targets, n_sources)
        Rows sum to 1; the outermost cells are continued beyond their centres.
    """
    place = np.clip((np.arange(n_targets) + 0.5) * n_sources / n_targets - 0.5, 0, n_sources - 1)
    lower = np.minimum(place.astype(np.int64), max(0, n_sources - 2))
    weights = np.zeros((n_targets, n_sources), np.float32)
    row = np.arange(n_targets)
    weights[row, lower] = 1 - (place - lower)
    if n_sources > 1:
        weights[row, lower + 1] = place - lower
    return weights


def average_cells(n_sources: int, n_targets: int) -> np.ndarray:
    """Weights that average what of each source cell lies in a target cell.

    Parameters
    ----------
    n_sources, n_targets : int
        Cells along the line before and after.

    Returns
    -------
    weights : array of shape (n_targets, n_sources)
        Rows sum to 1.
    """
    edge = np.arange(n_targets + 1) * n_sources / n_targets
    source = np.arange(n_sources)
    overlap = np.minimum(edge[1:, None], source + 1) - np.maximum(edge[:-1, None], source)
    overlap = np.clip(overlap, 0, None)
    return (overlap / overlap.sum(1, keepdims=True)).astype(np.float32)


def resample_tokens(token: np.ndarray, grid: int) -> np.ndarray:
    """Resample tokens bilinearly to another grid of patches.

    Parameters
    ----------
    token : array of shape (n_frames, n_patches, n_dimensions)
        Patches row by row on a square grid.
    grid : int
        Patches along each side.

    Returns
    -------
    resampled : array of shape (n_frames, grid * grid, n_dimensions)
        The input itself where it has that grid already.
    """
    side = round(token.shape[1] ** 0.5)
    if side == grid:
        return token
    weights = weigh_cells(side, grid)
    maps = token.reshape(len(token), side, side, -1)
    resampled = np.einsum("Yy,Xx,fyxd->fYXd", weights, weights, maps, optimize=True)
    return resampled.reshape(len(token), grid * grid, -1).astype(token.dtype)


def average_patches(luminance: np.ndarray, grid: int) -> np.ndarray:
    """Mean luminance of each patch.

    Parameters
    ----------
    luminance : array of shape (n_frames, y, x)
        Frames.
    grid : int
        Patches along each side.

    Returns
    -------
    mean : array of shape (n_frames, grid, grid), float32
        In the unit of the input.
    """
    n_frames, height, width = luminance.shape
    # One product of matrices; a product per frame would not reach BLAS.
    along_x = luminance.reshape(-1, width) @ average_cells(width, grid).T
    along_x = along_x.reshape(n_frames, height, grid)
    return np.einsum("Yy,fyX->fYX", average_cells(height, grid), along_x, optimize=True)


def resample_fields(rf_map: np.ndarray, grid: int) -> np.ndarray:
    """Bring receptive fields to a grid of patches, each with peak 1.

    Parameters
    ----------
    rf_map : array of shape (n_units, y, x)
        At least 0.
    grid : int
        Patches along each side.

    Returns
    -------
    resampled : array of shape (n_units, grid, grid), float32
        All 0 for a cell without a field.
    """
    side_y, side_x = rf_map.shape[1:]
    rows = average_cells(side_y, grid) if side_y >= grid else weigh_cells(side_y, grid)
    columns = average_cells(side_x, grid) if side_x >= grid else weigh_cells(side_x, grid)
    resampled = np.matmul(np.matmul(rows, np.nan_to_num(rf_map).astype(np.float32)), columns.T)
    peak = resampled.max((1, 2), keepdims=True)
    return np.divide(resampled, peak, out=np.zeros_like(resampled), where=peak > 0)
