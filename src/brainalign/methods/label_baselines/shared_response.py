"""The shared response model on stimuli that all subjects saw; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def fit_shared_response(
    responses: Mapping[str, np.ndarray], n_features: int, n_iterations: int, seed: int
) -> dict[str, np.ndarray]:
    """Learn an orthonormal map per subject to features that all subjects share.

    Parameters
    ----------
    responses : mapping of str to array of shape (n_shared, n_units)
        Standardised responses of each subject to the same stimuli in the same order.
    n_features : int
        Shared features, cut to the number of stimuli and of the fewest units.
    n_iterations : int
        Alternating updates.
    seed : int
        Seed of the first maps.

    Returns
    -------
    basis : dict of str to array of shape (n_units, n_features), float32
        Orthonormal columns, scaled so that the shared features have a mean square of 1.

    Notes
    -----
    Chen et al. (2015), the deterministic form: alternately the mean of the mapped responses and
    the orthogonal Procrustes map of each subject to it. Minimises
    ``sum_s |X_s - S W_s'|^2``.
    """
    centred = {name: values - values.mean(axis=0) for name, values in responses.items()}
    n_kept = min(n_features, *(min(values.shape) for values in centred.values()))
    generator = np.random.default_rng(seed)
    basis = {
        name: np.linalg.qr(generator.normal(size=(values.shape[1], n_kept)))[0]
        for name, values in centred.items()
    }
    for _ in range(n_iterations):
        shared = sum(values @ basis[name] for name, values in centred.items()) / len(centred)
        for name, values in centred.items():
            left, _, right = np.linalg.svd(values.T @ shared, full_matrices=False)
            basis[name] = left @ right
    square = np.mean([np.mean((values @ basis[name]) ** 2) for name, values in centred.items()])
    return {name: (axes / np.sqrt(square)).astype(np.float32) for name, axes in basis.items()}
