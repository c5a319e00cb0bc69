"""Compare run times of two ways to the same result: interleaved repeats, median and spread."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Ratio:
    """How many times faster a candidate is than its reference.

    Attributes
    ----------
    median, low, high : float
        Ratio of the reference's time to the candidate's, over repeats that ran side by side.
    reference_seconds, candidate_seconds : float
        Median time of each in s.
    """

    median: float
    low: float
    high: float
    reference_seconds: float
    candidate_seconds: float


def compare_times(
    label: str,
    reference: Callable[[], object],
    candidate: Callable[[], object],
    n_repeats: int = 5,
    clock: Callable[[], float] = time.perf_counter,
) -> Ratio:
    """Time a reference and a candidate in turn and print one line.

    Parameters
    ----------
    label : str
        What is compared.
    reference, candidate : callable
        Called without arguments; both should have run once before, as the parity check does.
    n_repeats : int
        Pairs of runs. Within a pair both see the same load of the machine, so each pair gives
        one ratio.
    clock : callable
        ``time.perf_counter`` (default) or ``time.process_time`` where others share the cores.

    Returns
    -------
    ratio : Ratio
        Median and range of the ratios. Nothing is asserted about them.
    """
    seconds = np.array(
        [[_time_call(call, clock) for call in (reference, candidate)] for _ in range(n_repeats)]
    )
    ratios = seconds[:, 0] / seconds[:, 1]
    ratio = Ratio(
        float(np.median(ratios)),
        float(ratios.min()),
        float(ratios.max()),
        *(float(value) for value in np.median(seconds, axis=0)),
    )
    print(
        f"\n{label}: {ratio.median:.1f} times faster ({ratio.low:.1f} to {ratio.high:.1f}, "
        f"{n_repeats} pairs), {ratio.reference_seconds:.3g} s against "
        f"{ratio.candidate_seconds:.3g} s"
    )
    return ratio


def _time_call(call: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    call()
    return clock() - start
