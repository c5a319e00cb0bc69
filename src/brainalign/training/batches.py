"""Cut a training set into batches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np


def draw_batches(
    n_samples: int, batch_size: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    """Permute the samples and cut them into batches.

    A last batch of less than half the batch size is skipped: its gradient is too noisy, and a
    contrastive loss of one sample is zero whatever the model does.

    Parameters
    ----------
    n_samples : int
        Number of samples.
    batch_size : int
        Samples per batch, at least 1.
    generator : numpy.random.Generator
        Source of the order.

    Yields
    ------
    rows : array of shape (n_batch,), int64
        Rows of one batch; no row comes twice in an epoch.
    """
    order = generator.permutation(n_samples)
    for start in range(0, n_samples, batch_size):
        rows = order[start : start + batch_size]
        if 2 * len(rows) >= batch_size:
            yield rows
