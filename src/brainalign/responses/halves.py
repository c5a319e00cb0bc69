"""Random halves of the repeats, drawn among the presentations that a unit has."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from brainalign.errors import InputError
from brainalign.responses.repeats import block_units, check_distinct, check_responses

# Half sums are worked on in blocks near the size of the processor's cache.
_BLOCK_BYTES = 2**22


def half_split_means(
    response: ArrayLike,
    stimulus: ArrayLike,
    stimuli: ArrayLike,
    n_splits: int = 10,
    seed: int = 0,
) -> NDArray[np.floating]:
    """Average each unit's responses over random halves of the repeats.

    Parameters
    ----------
    response, stimulus, stimuli
        As in :func:`mean_over_repeats`.
    n_splits : int
        Random splits.
    seed : int
        Seed of the splits.

    Returns
    -------
    mean : array of shape (n_splits, 2, n_stimuli, n_units)
        Means of both halves; NaN in both where a unit has fewer than two recorded repeats.

    Raises
    ------
    InputError
        If shapes or numbers do not fit, or a stimulus is listed twice.
    CorruptDataError
        If a response is infinite.

    Notes
    -----
    Halves as in :func:`split_half_reliability`: units recorded on the same presentations share
    theirs, so that a half is a set of trials of a population. Allocates the whole result.
    """
    array, labels = check_responses(response, stimulus)
    wanted = check_distinct(stimuli)
    mean = np.full((n_splits, 2, len(wanted), array.shape[1]), np.nan, array.dtype)
    place = {name: index for index, name in enumerate(wanted)}
    for units, halves in halve_recordings(array, labels, n_splits, seed):
        source = np.array([i for i, name in enumerate(halves.stimuli) if name in place], np.intp)
        target = np.array([place[halves.stimuli[i]] for i in source], np.intp)
        for block in block_units(units):
            values = array[np.ix_(halves.presentations, block)].astype(np.float64)
            origin = values.mean(axis=0)
            for start, first, second in halves.average(values - origin):
                for half, half_mean in enumerate((first, second)):
                    for offset, split_mean in enumerate(half_mean):
                        mean[start + offset, half][np.ix_(target, block)] = (
                            split_mean[source] + origin
                        )
    return mean


@dataclass(frozen=True)
class Halves:
    """Halves of the repeated presentations that a group of units shares.

    ``in_first (n_splits, n_presentations)`` says which presentations make up the first half;
    ``code (n_presentations,)`` numbers their stimuli.
    """

    presentations: NDArray[np.intp]
    code: NDArray[np.intp]
    stimuli: NDArray[np.str_]
    in_first: NDArray[np.bool_]

    def average(
        self, values: NDArray[np.float64]
    ) -> Iterator[tuple[int, NDArray[np.float64], NDArray[np.float64]]]:
        """Yield first split and both halves' means ``(n_splits, n_stimuli, n_units)`` by block.

        The second half is the total less the first, so values should be centred per unit.
        """
        n_stimuli, n_splits = len(self.stimuli), len(self.in_first)
        n_repeats = np.bincount(self.code, minlength=n_stimuli)
        total = _sum_by_row(self.code, np.arange(len(values)), n_stimuli, values)
        block_size = max(1, _BLOCK_BYTES // (8 * n_stimuli * max(1, values.shape[1])))
        for start in range(0, n_splits, block_size):
            in_first = self.in_first[start : start + block_size]
            split, presentation = np.nonzero(in_first)
            rows = split * n_stimuli + self.code[presentation]
            shape = (len(in_first), n_stimuli)
            first = _sum_by_row(rows, presentation, shape[0] * n_stimuli, values)
            first = first.reshape(*shape, -1)
            n_first = np.bincount(rows, minlength=shape[0] * n_stimuli).reshape(shape)
            second = (total - first) / (n_repeats - n_first)[:, :, None]
            first /= n_first[:, :, None]
            yield start, first, second


def halve_recordings(
    response: NDArray[np.floating], stimulus: NDArray[np.str_], n_splits: int, seed: int
) -> Iterator[tuple[NDArray[np.intp], Halves]]:
    """Yield the groups of units that were recorded together, with halves of their repeats."""
    if n_splits < 1:
        raise InputError("halves need a split", where="n_splits", expected=">= 1", found=n_splits)
    names, code = np.unique(stimulus, return_inverse=True)
    generator = np.random.default_rng(seed)
    # Drawn once for all presentations, so that units do not depend on each other's groups.
    keys = generator.random((n_splits, len(stimulus)))
    larger_first = generator.integers(2, size=(n_splits, len(names)))
    for units, recorded in _group_by_recording(response):
        n_repeats = np.bincount(code[recorded], minlength=len(names))
        presentations = recorded[n_repeats[code[recorded]] >= 2]
        if len(presentations):
            numbers, group_code = np.unique(code[presentations], return_inverse=True)
            in_first = _draw_first_half(
                group_code, keys[:, presentations], larger_first[:, numbers]
            )
            yield units, Halves(presentations, group_code, names[numbers], in_first)


def _group_by_recording(
    response: NDArray[np.floating],
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Group units by the presentations on which they were recorded."""
    groups: dict[bytes, list[int]] = {}
    for unit in range(response.shape[1]):
        groups.setdefault(np.packbits(~np.isnan(response[:, unit])).tobytes(), []).append(unit)
    return [
        (np.array(units), np.flatnonzero(~np.isnan(response[:, units[0]])))
        for units in groups.values()
    ]


def _draw_first_half(
    code: NDArray[np.intp], keys: NDArray[np.float64], larger_first: NDArray[np.intp]
) -> NDArray[np.bool_]:
    """Choose half of each stimulus's presentations by the order of random keys in [0, 1)."""
    n_repeats = np.bincount(code)
    # Sorting "number of the stimulus + key" shuffles the presentations within each stimulus.
    order = np.argsort(code + keys, axis=1)
    place = np.arange(len(code)) - np.repeat(np.cumsum(n_repeats) - n_repeats, n_repeats)
    size = n_repeats // 2 + larger_first * (n_repeats % 2)
    in_first = np.empty(order.shape, bool)
    np.put_along_axis(in_first, order, place < np.repeat(size, n_repeats, axis=1), axis=1)
    return in_first


def _sum_by_row(
    rows: NDArray[np.intp],
    presentations: NDArray[np.intp],
    n_rows: int,
    values: NDArray[np.float64],
) -> NDArray[np.float64]:
    weights = np.ones(len(rows))
    indicator = sparse.csr_array((weights, (rows, presentations)), shape=(n_rows, len(values)))
    return indicator @ values
