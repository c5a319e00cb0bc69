"""Spike-triggered averages of all cells at once, with a held-out test of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from brainalign.errors import InputError


@dataclass(frozen=True)
class SpikeTriggeredAverage:
    """The mean stimulus before a spike, per unit, as a product of space and time.

    Attributes
    ----------
    average : array of shape (n_units, n_lags, n_pixels)
        Mean contrast at each lag (in frames) before a spike, above that of all frames.
    spatial : array of shape (n_units, n_pixels)
        Spatial part, positive in the centre.
    time_course : array of shape (n_units, n_lags)
        Temporal part: positive first for ON, negative for OFF; its largest value is 1 or -1.
    polarity : array of shape (n_units,)
        1 for ON, -1 for OFF.
    p_value : array of shape (n_units,)
        Of the held-out test; 1 for units without spikes.
    """

    average: NDArray[np.float64]
    spatial: NDArray[np.float64]
    time_course: NDArray[np.float64]
    polarity: NDArray[np.float64]
    p_value: NDArray[np.float64]


def compute_spike_triggered_average(
    contrast: NDArray[np.floating], count: NDArray[np.floating], n_lags: int
) -> NDArray[np.float64]:
    """Average the stimulus before the spikes of all units, as one matrix product.

    Parameters
    ----------
    contrast : array of shape (n_frames, n_pixels)
        Stimulus, continuous in time, with mean 0 over frames.
    count : array of shape (n_frames, n_units)
        Spikes in each frame.
    n_lags : int
        Frames before a spike, the spike's own included.

    Returns
    -------
    average : array of shape (n_units, n_lags, n_pixels)
        Lag 0 is the frame of the spike; 0 for units without spikes.

    Notes
    -----
    Chichilnisky (2001), Network 12:199-213. Shifting the counts, which are few columns, leaves the
    stimulus where it is: one product of (pixels x frames) and (frames x lags and units).
    """
    n_frames, n_units = count.shape
    dtype = contrast.dtype
    shifted = np.zeros((n_frames, n_lags, n_units), dtype=dtype)
    for lag in range(min(n_lags, n_frames)):
        shifted[: n_frames - lag, lag] = count[lag:]
    # The first frames lack a past of all lags: their spikes count for the lags that they have.
    total = (contrast.T @ shifted.reshape(n_frames, -1)).astype(np.float64)
    n_spikes = shifted.sum(axis=0, dtype=np.float64)
    average = total.reshape(-1, n_lags, n_units) / np.maximum(n_spikes, 1)
    return np.ascontiguousarray(average.transpose(2, 1, 0))


def estimate_receptive_fields(
    segments: list[tuple[NDArray[np.floating], NDArray[np.floating]]], n_lags: int
) -> SpikeTriggeredAverage:
    """Compute spike-triggered averages over stretches of stimulus and test them on held-out ones.

    Parameters
    ----------
    segments : list of (contrast, count)
        Continuous stretches: contrast of shape (n_frames, n_pixels), spikes of shape
        (n_frames, n_units).
    n_lags : int
        Frames before a spike.

    Returns
    -------
    estimate : SpikeTriggeredAverage
        Space and time are the first singular vectors of the average.

    Raises
    ------
    InputError
        If there are not more frames than lags.

    Notes
    -----
    Significance: the second half of every stretch is filtered with the average of the first
    halves, and the output is correlated with the spikes. The p-value is the rank of that
    correlation, summed over stretches, among all circular shifts of the output by more than the
    lags, which keeps the rhythm of spikes and stimulus. Its smallest value is one over the number
    of shifts. The other direction is not added: it is nearly the same number, so that the sum
    would vary more than its shifts do.
    """
    long_enough = [(x, c) for x, c in segments if len(x) >= 4 * n_lags]
    if not long_enough:
        raise InputError(
            "the stimulus has too few frames for receptive fields",
            where="responses.receptive_fields.n_lags",
            expected=f"at least {4 * n_lags} frames for {n_lags} lags",
            found=f"{max((len(x) for x, _ in segments), default=0)} frames",
            remedy="Lower n_lags, or set source: none.",
        )
    halves = [_halve(long_enough, second) for second in (False, True)]
    averages = [_average_segments(half, n_lags) for half in halves]
    spikes = [sum(count.sum(axis=0) for _, count in half) for half in halves]
    weight = np.stack(spikes).astype(np.float64)
    weight /= np.maximum(weight.sum(axis=0), 1)
    average = sum(w[:, None, None] * one for w, one in zip(weight, averages, strict=True))
    spatial, time_course, polarity = _separate(np.asarray(average))
    p_value = _test_held_out(halves[1], averages[0], n_lags)
    p_value[np.stack(spikes).sum(axis=0) == 0] = 1.0
    return SpikeTriggeredAverage(np.asarray(average), spatial, time_course, polarity, p_value)


def _halve(
    segments: list[tuple[NDArray[np.floating], NDArray[np.floating]]], second: bool
) -> list[tuple[NDArray[np.floating], NDArray[np.floating]]]:
    return [
        (x[len(x) // 2 :], c[len(x) // 2 :]) if second else (x[: len(x) // 2], c[: len(x) // 2])
        for x, c in segments
    ]


def _average_segments(
    segments: list[tuple[NDArray[np.floating], NDArray[np.floating]]], n_lags: int
) -> NDArray[np.float64]:
    total = sum(
        compute_spike_triggered_average(x, c, n_lags) * c.sum(axis=0)[:, None, None]
        for x, c in segments
    )
    n_spikes = sum(c.sum(axis=0) for _, c in segments)
    return np.asarray(total / np.maximum(n_spikes, 1)[:, None, None], dtype=np.float64)


def _separate(
    average: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Split averages into space, positive in the centre, and time, which carries the polarity."""
    left, value, right = np.linalg.svd(average, full_matrices=False)
    time_course, spatial = left[:, :, 0], right[:, 0] * value[:, :1]
    peak = np.take_along_axis(spatial, np.abs(spatial).argmax(axis=1)[:, None], axis=1)
    sign = np.where(peak < 0, -1.0, 1.0)
    spatial, time_course = spatial * sign, time_course * sign
    largest = np.take_along_axis(time_course, np.abs(time_course).argmax(axis=1)[:, None], axis=1)
    scale = np.abs(largest)
    scale[scale == 0] = 1.0
    polarity = np.where(largest < 0, -1.0, 1.0)[:, 0]
    return spatial * scale, time_course / scale, polarity


def _test_held_out(
    held_out: list[tuple[NDArray[np.floating], NDArray[np.floating]]],
    average: NDArray[np.float64],
    n_lags: int,
) -> NDArray[np.float64]:
    """Rank the agreement of output and spikes among circular shifts of the output."""
    spatial, time_course, _ = _separate(average)
    agreement = []
    for contrast, count in held_out:
        drive = contrast @ spatial.T.astype(contrast.dtype)
        output = np.zeros(drive.shape)
        for lag in range(n_lags):
            output[lag:] += time_course[:, lag] * drive[: len(drive) - lag]
        agreement.append(_correlate_shifts(output, count.astype(np.float64)))
    n_shifts = min(len(one) for one in agreement)
    total = np.asarray(sum(one[:n_shifts] for one in agreement))
    null = total[n_lags : n_shifts - n_lags]
    return (1.0 + (null >= total[0]).sum(axis=0)) / (1.0 + len(null))


def _correlate_shifts(
    output: NDArray[np.float64], count: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Correlate spikes with the output at every circular shift, (n_frames, n_units)."""
    output, count = output - output.mean(axis=0), count - count.mean(axis=0)
    scale = np.sqrt((output**2).sum(axis=0) * (count**2).sum(axis=0))
    spectrum = np.conj(np.fft.rfft(output, axis=0)) * np.fft.rfft(count, axis=0)
    product = np.fft.irfft(spectrum, n=len(output), axis=0)
    return np.divide(product, scale, out=np.zeros_like(product), where=scale > 0)
