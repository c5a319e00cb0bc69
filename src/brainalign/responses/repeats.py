"""Repeats of stimuli: means over them, and units that have too few."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from brainalign.errors import CorruptDataError, InputError

# Units are worked on in blocks of this many: rows of a block fit a few cache lines.
_UNITS_PER_BLOCK = 64


def mean_over_repeats(
    response: ArrayLike, stimulus: ArrayLike, stimuli: ArrayLike
) -> tuple[NDArray[np.floating], NDArray[np.intp]]:
    """Average each unit's responses to each stimulus.

    Parameters
    ----------
    response : array of shape (n_presentations, n_units)
        Responses; NaN where a unit was not recorded.
    stimulus : array of shape (n_presentations,)
        Stimulus of each presentation.
    stimuli : array of shape (n_stimuli,)
        Stimuli to average, each once; presentations of others are left out.

    Returns
    -------
    mean : array of shape (n_stimuli, n_units)
        In the order of ``stimuli`` and the precision of ``response`` (sums in float64); NaN where
        a unit has no response to a stimulus.
    n_repeats : array of shape (n_stimuli, n_units)
        Recorded responses behind each mean.

    Raises
    ------
    InputError
        If shapes do not fit or a stimulus is listed twice.
    CorruptDataError
        If a response is infinite.
    """
    array, labels = check_responses(response, stimulus)
    indicator = indicate_stimuli(labels, check_distinct(stimuli))
    mean = np.empty((indicator.shape[0], array.shape[1]), array.dtype)
    n_repeats = np.empty(mean.shape, np.intp)
    for block in block_units(np.arange(array.shape[1])):
        recorded = ~np.isnan(array[:, block])
        total = indicator @ np.where(recorded, array[:, block], 0).astype(np.float64)
        count = indicator @ recorded.astype(np.float64)
        mean[:, block] = divide_or_nan(total, count)
        n_repeats[:, block] = count
    return mean, n_repeats


def classify_units(
    response: ArrayLike, stimulus: ArrayLike, min_repeated_stimuli: int = 10
) -> NDArray[np.str_]:
    """Say of each unit whether its reliability can be estimated, or why not.

    Parameters
    ----------
    response : array of shape (n_presentations, n_units)
        Responses; NaN where a unit was not recorded.
    stimulus : array of shape (n_presentations,)
        Stimulus of each presentation.
    min_repeated_stimuli : int
        Stimuli with two or more recorded repeats that a unit needs.

    Returns
    -------
    status : array of shape (n_units,)
        ``silent`` (every recorded response is 0), ``constant`` (they are all the same),
        ``too_few_repeats``, or ``ok``; the first that applies. A unit that was never recorded
        has too few repeats.
    """
    array, labels = check_responses(response, stimulus)
    indicator = indicate_stimuli(labels, np.unique(labels))
    status = np.full(array.shape[1], "ok", dtype="<U15")
    for block in block_units(np.arange(array.shape[1])):
        values = array[:, block]
        recorded = ~np.isnan(values)
        n_repeats = indicator @ recorded.astype(np.float64)
        lowest = np.where(recorded, values, np.inf).min(axis=0)
        highest = np.where(recorded, values, -np.inf).max(axis=0)
        constant, silent = lowest == highest, (lowest == 0) & (highest == 0)
        too_few = np.count_nonzero(n_repeats >= 2, axis=0) < min_repeated_stimuli
        status[block] = np.select(
            [silent, constant, too_few], ["silent", "constant", "too_few_repeats"], "ok"
        )
    return status


def check_responses(
    response: ArrayLike, stimulus: ArrayLike
) -> tuple[NDArray[np.floating], NDArray[np.str_]]:
    """Check that responses fit their stimuli and are finite or NaN; return both as arrays."""
    array = np.asarray(response)
    array = array.astype(np.result_type(array.dtype, np.float32), copy=False)
    labels = np.asarray(stimulus).astype(np.str_)
    if array.ndim != 2 or labels.shape != array.shape[:1] or 0 in array.shape:
        raise InputError(
            "responses do not fit the stimuli of their presentations",
            where="response",
            expected=f"shape (n_presentations, n_units) for stimuli of shape {labels.shape}",
            found=array.shape,
        )
    if np.isinf(array).any():
        presentation, unit = np.argwhere(np.isinf(array))[0]
        raise CorruptDataError(
            "a response is infinite", where=f"presentation {presentation}, unit {unit}"
        )
    return array, labels


def check_distinct(stimuli: ArrayLike) -> NDArray[np.str_]:
    """Check that every stimulus is listed once; return them as string ids."""
    names = np.asarray(stimuli).astype(np.str_)
    if names.ndim != 1 or not len(names) or len(np.unique(names)) < len(names):
        raise InputError(
            "each stimulus must be listed once",
            where="stimuli",
            expected=f"{len(np.unique(names))} different ids, at least one",
            found=f"shape {names.shape}",
        )
    return names


def indicate_stimuli(stimulus: NDArray[np.str_], stimuli: NDArray[np.str_]) -> sparse.csr_array:
    """Build the matrix (n_stimuli, n_presentations) that sums presentations by stimulus."""
    order = np.argsort(stimuli)
    place = np.searchsorted(stimuli, stimulus, sorter=order)
    code = order[np.minimum(place, len(stimuli) - 1)]
    wanted = np.flatnonzero(stimuli[code] == stimulus)
    shape = (len(stimuli), len(stimulus))
    return sparse.csr_array((np.ones(len(wanted)), (code[wanted], wanted)), shape=shape)


def block_units(units: NDArray[np.intp]) -> list[NDArray[np.intp]]:
    """Divide units into blocks, which bounds the memory of what is computed for each."""
    return [units[i : i + _UNITS_PER_BLOCK] for i in range(0, len(units), _UNITS_PER_BLOCK)]


def divide_or_nan(
    numerator: NDArray[np.float64], denominator: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Divide where the denominator is positive; NaN elsewhere, without a warning."""
    undefined = np.full(np.shape(numerator), np.nan)
    return np.divide(numerator, denominator, out=undefined, where=denominator > 0)
