"""Which samples of which subjects stand in a batch together; imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import numpy as np

from brainalign.training.batches import draw_batches

Sampling = Literal["pooled", "subject_balanced", "stimulus_paired"]


def draw_pooled_batches(
    sampling: Sampling,
    subject: np.ndarray,
    stimulus_row: np.ndarray,
    batch_size: int,
    generator: np.random.Generator,
) -> Iterator[np.ndarray]:
    """Cut the samples of all subjects into batches.

    Parameters
    ----------
    sampling : {"pooled", "subject_balanced", "stimulus_paired"}
        ``pooled``: a shuffle of all samples, as published. ``subject_balanced``: every subject has
        the same number of samples in an epoch, and nearly so in each batch; subjects with few
        samples repeat them. ``stimulus_paired``: all subjects who saw a stimulus stand in one
        batch, so that the losses compare their responses to the same stimulus.
    subject, stimulus_row : array of shape (n_samples,), int
        Subject and stimulus of each sample.
    batch_size : int
        Samples per batch; a batch may be larger by the number of subjects less one.
    generator : numpy.random.Generator
        Source of the order.

    Yields
    ------
    rows : array of shape (n_batch,), int64
        Samples of one batch. A last batch of less than half the size is skipped.
    """
    if sampling == "pooled":
        yield from draw_batches(len(subject), batch_size, generator)
    elif sampling == "subject_balanced":
        order = _interleave_subjects(subject, generator)
        yield from _cut(order, batch_size)
    else:
        yield from _pair_stimuli(stimulus_row, batch_size, generator)


def _interleave_subjects(subject: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    rows = [np.flatnonzero(subject == number) for number in np.unique(subject)]
    n_each = max(len(one) for one in rows)
    columns = []
    for one in rows:
        shuffles = [generator.permutation(one) for _ in range(-(-n_each // len(one)))]
        columns.append(np.concatenate(shuffles)[:n_each])
    return np.stack(columns, axis=1).ravel()


def _cut(order: np.ndarray, batch_size: int) -> Iterator[np.ndarray]:
    for start in range(0, len(order), batch_size):
        rows = order[start : start + batch_size]
        if 2 * len(rows) >= batch_size:
            yield rows


def _pair_stimuli(
    stimulus_row: np.ndarray, batch_size: int, generator: np.random.Generator
) -> Iterator[np.ndarray]:
    order = np.argsort(stimulus_row, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(stimulus_row[order])) + 1)
    batch: list[np.ndarray] = []
    n_filled = 0
    for number in generator.permutation(len(groups)):
        batch.append(groups[number])
        n_filled += len(groups[number])
        if n_filled >= batch_size:
            yield np.concatenate(batch)
            batch, n_filled = [], 0
    if batch and 2 * n_filled >= batch_size:
        yield np.concatenate(batch)
