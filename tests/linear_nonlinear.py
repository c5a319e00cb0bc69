"""The linear-nonlinear recipe whose figures the salamander movies must reproduce."""

from __future__ import annotations

import numpy as np

N_LAGS = 18
PENALTY = 100.0
N_BINS = 12


def make_features(
    frames: np.ndarray, centres: np.ndarray, radii: tuple[float, float]
) -> np.ndarray:
    """Give luminance under each receptive field at two scales and 18 lags, (cell, frame, 36).

    `frames` (frame, y, x) are grey levels in [0, 1]; `centres` (cell, 2) are x and y in shares of
    the frame, and `radii` SDs of the blur in frame widths. Lags before the first frame repeat it.
    """
    size = frames.shape[1]
    grid = (np.arange(size) + 0.5) / size
    flat = frames.reshape(len(frames), -1).astype(np.float32)
    scales = []
    for radius in radii:
        x = np.exp(-0.5 * ((grid - centres[:, :1]) / radius) ** 2)
        y = np.exp(-0.5 * ((grid - centres[:, 1:]) / radius) ** 2)
        weight = (y[:, :, None] * x[:, None]).reshape(len(centres), -1)
        weight /= weight.sum(axis=1, keepdims=True)
        scales.append(flat @ weight.T.astype(np.float32))
    past = np.maximum(np.arange(len(frames))[:, None] - np.arange(N_LAGS), 0)
    return np.concatenate([scale[past] for scale in scales], axis=1).transpose(2, 0, 1)


def predict_rate(features: np.ndarray, rate: np.ndarray, tested: np.ndarray) -> np.ndarray:
    """Fit one cell on features (bin, 36) and its rate (bin,), and predict the tested features."""
    mean, sd = features.mean(axis=0), features.std(axis=0)
    scaled = (features - mean) / sd
    gram = scaled.T @ scaled + PENALTY * np.eye(scaled.shape[1])
    weight = np.linalg.solve(gram, scaled.T @ (rate - rate.mean()))
    drive, tested_drive = scaled @ weight, ((tested - mean) / sd) @ weight
    edges = np.quantile(drive, np.linspace(0, 1, N_BINS + 1))
    group = np.clip(np.searchsorted(edges, drive, side="right") - 1, 0, N_BINS - 1)
    filled = [own for own in range(N_BINS) if np.any(group == own)]
    middle = [drive[group == own].mean() for own in filled]
    height = [rate[group == own].mean() for own in filled]
    return np.interp(tested_drive, middle, height)


def correlate(predicted: np.ndarray, recorded: np.ndarray) -> float:
    """Signed Pearson correlation."""
    return float(np.corrcoef(predicted, recorded)[0, 1])
