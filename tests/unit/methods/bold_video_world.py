"""Planted latents behind BOLD and video, after the acceptance world of the specification."""

from __future__ import annotations

import itertools

import numpy as np

from brainalign.methods.clips.arrays import Segments

TAPS = np.array([0, 0.1, 0.35, 0.3, 0.15, 0.07, 0.03])
N_TRAINING, N_VALIDATION, N_TEST, N_TRS = 32, 2, 8, 120


def make_segments(seed: int, delay: int = 0) -> tuple[Segments, Segments, Segments]:
    """Draw training, validation and test segments; `delay` shifts all BOLD by so many TRs."""
    generator = np.random.default_rng(seed)
    n_segments, n_latents = N_TRAINING + N_VALIDATION + N_TEST, 12
    latent = np.empty((n_segments, N_TRS, n_latents))
    latent[:, 0] = generator.standard_normal((n_segments, n_latents))
    for time in range(1, N_TRS):
        noise = generator.standard_normal((n_segments, n_latents))
        latent[:, time] = 0.8 * latent[:, time - 1] + 0.6 * noise
    video_weight = generator.normal(0, np.sqrt(1 / 12), (n_latents, 96))
    bold_weight = generator.normal(0, np.sqrt(1 / 12), (n_latents, 300))
    shared_weight = generator.normal(0, np.sqrt(1 / 8), (8, 300))
    video = np.tanh(latent @ video_weight)
    video = video + 0.5 * generator.standard_normal(video.shape)
    driven = np.zeros_like(latent)
    for lag, tap in enumerate(TAPS / TAPS.sum()):
        shift = lag + delay
        driven[:, shift:] += tap * latent[:, : N_TRS - shift]
    shared = generator.standard_normal((n_segments, N_TRS, 8)) @ shared_weight
    bold = driven @ bold_weight + 0.5 * shared
    bold = bold + 0.75 * generator.standard_normal(bold.shape)
    names = np.repeat([f"segment-{number:02d}" for number in range(n_segments)], N_TRS)
    edges = np.cumsum([0, N_TRAINING, N_VALIDATION, N_TEST]) * N_TRS

    def take(rows: slice) -> Segments:
        return Segments(
            names[rows],
            bold.reshape(-1, 300)[rows].astype(np.float32),
            video.reshape(-1, 96)[rows].astype(np.float32),
            np.full(300, "V1"),
            2.0,
        )

    training, validation, test = (take(slice(*pair)) for pair in itertools.pairwise(edges))
    return training, validation, test


def rank_windows(stimulus: np.ndarray, response: np.ndarray) -> tuple[float, float]:
    """R@1 from BOLD to video and back."""
    score = response @ stimulus.T
    own = np.arange(len(score))
    return float((score.argmax(1) == own).mean()), float((score.argmax(0) == own).mean())
