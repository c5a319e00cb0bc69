"""Named streams of random numbers, so that one part's draws never shift another's."""

from __future__ import annotations

import zlib

import numpy as np


def derive_generator(seed: int, *names: str | int) -> np.random.Generator:
    """Make the generator of one named part of the world.

    Parameters
    ----------
    seed : int
        Seed of the world or of the recording.
    *names : str or int
        Path of the part, such as ``"exemplar", "car", 3``.

    Returns
    -------
    generator : numpy.random.Generator
        Depends on seed and names only: neither on the order of calls nor on the hash seed.
    """
    key = [zlib.crc32(str(name).encode()) for name in names]
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def draw_stratified(
    generator: np.random.Generator, n_samples: int, n_dimensions: int
) -> np.ndarray:
    """Draw a Latin hypercube: every dimension is covered evenly, in an order of its own.

    Parameters
    ----------
    generator : numpy.random.Generator
        Source of randomness.
    n_samples, n_dimensions : int
        Size of the design.

    Returns
    -------
    design : array of shape (n_samples, n_dimensions)
        Values in [0, 1); each of ``n_samples`` equal bins holds one value per dimension.

    Notes
    -----
    McKay, Beckman & Conover (1979). Dimensions are independent of each other in expectation.
    """
    order = np.stack([generator.permutation(n_samples) for _ in range(n_dimensions)], axis=1)
    return (order + generator.random((n_samples, n_dimensions))) / n_samples
