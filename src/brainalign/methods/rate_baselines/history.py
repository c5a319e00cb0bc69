"""A cell's own earlier spikes: basis, fit on single trials, and simulation of new ones."""

from __future__ import annotations

import numpy as np

from brainalign.methods.rate_baselines.link import compute_rate

# Added to a lag before its logarithm: spreads the first lags, as is usual for the basis.
_LOG_OFFSET = 1.0
_TOLERANCE = 1e-6


def make_history_basis(n_lags: int, n_functions: int) -> np.ndarray:
    """Make raised cosines over the logarithm of the lag.

    Parameters
    ----------
    n_lags : int
        Frames of history.
    n_functions : int
        At least two; the first has its peak one frame back, the last at the end.

    Returns
    -------
    basis : array of shape (n_functions, n_lags)
        Lag 1 first. Functions sum to a constant between the first and the last peak.

    Notes
    -----
    Pillow et al. (2008), doi 10.1038/nature07140.
    """
    place = np.log(np.arange(1, n_lags + 1) + _LOG_OFFSET)
    centre, spacing = np.linspace(place[0], place[-1], n_functions, retstep=True)
    angle = np.clip((place - centre[:, None]) * np.pi / (2 * spacing), -np.pi, np.pi)
    return (1 + np.cos(angle)) / 2


def collect_past(
    count: np.ndarray, expected: np.ndarray, spans: list[slice], basis: np.ndarray
) -> np.ndarray:
    """Weigh the earlier spikes of each trial with the functions of a basis.

    Parameters
    ----------
    count : array of shape (n_trials, n_frames, n_units)
        Spikes per frame; NaN where nothing is known.
    expected : array of shape (n_units,)
        Mean count per frame, which stands for a past that is not known.
    spans : list of slice
        Frames of each movie; a trial's past begins with its movie.
    basis : array of shape (n_functions, n_lags)
        From :func:`make_history_basis`.

    Returns
    -------
    past : array of shape (n_functions, n_trials, n_frames, n_units), float32
        Of counts less the expected one.
    """
    deviation = np.where(np.isfinite(count), count - expected, 0).astype(np.float32)
    past = np.zeros((len(basis), *count.shape), np.float32)
    for span in spans:
        for lag in range(1, min(basis.shape[1], span.stop - span.start - 1) + 1):
            earlier = deviation[:, span.start : span.stop - lag]
            for function, row in enumerate(basis):
                past[function, :, span.start + lag : span.stop] += row[lag - 1] * earlier
    return past


def measure_loss(drive: np.ndarray, rate: np.ndarray, weight: np.ndarray, link: str) -> float:
    """Negative Poisson log likelihood of single trials, without terms of the data alone.

    Parameters
    ----------
    drive : array of shape (n_trials, n_frames)
        Linear sum.
    rate : array of shape (n_trials, n_frames)
        Recorded counts as rates in Hz.
    weight : array of shape (n_trials, n_frames)
        Share of each trial in the mean of a frame; 0 where it was not recorded.
    link : {"softplus", "exp"}
        From the sum to the rate.
    """
    predicted = compute_rate(drive, link)[0]
    return float((weight * (predicted - rate * np.log(predicted))).sum())


def fit_with_history(
    column: np.ndarray,
    past: np.ndarray,
    rate: np.ndarray,
    weight: np.ndarray,
    start: np.ndarray,
    penalty: float,
    link: str,
    n_iterations: int,
) -> np.ndarray:
    """Maximise the penalised Poisson likelihood of one cell's trials by Fisher scoring.

    Parameters
    ----------
    column : array of shape (n_frames, n_columns), float64
        What all trials share; the last column is the constant, which is not penalised.
    past : array of shape (n_functions, n_trials, n_frames)
        Own earlier spikes, of unit variance.
    rate, weight : array of shape (n_trials, n_frames)
        See :func:`measure_loss`.
    start : array of shape (n_columns,)
        Weights without history.
    penalty : float
        Half of it times the squared weights is added to the negative log likelihood.
    link : {"softplus", "exp"}
        From the sum to the rate.
    n_iterations : int
        Largest number of steps.

    Returns
    -------
    weights : array of shape (n_columns + n_functions,)
        Those of `column`, then those of `past`; never less likely than `start`.
    """
    n_columns, n_functions = column.shape[1], len(past)
    penalised = penalty * np.ones(n_columns + n_functions)
    penalised[n_columns - 1] = 0.0
    weights = np.concatenate([start, np.zeros(n_functions)])

    def combine(candidate: np.ndarray) -> np.ndarray:
        return column @ candidate[:n_columns] + np.tensordot(candidate[n_columns:], past, 1)

    def judge(candidate: np.ndarray, drive: np.ndarray) -> float:
        return measure_loss(drive, rate, weight, link) + 0.5 * float(penalised @ candidate**2)

    drive = combine(weights)
    loss = judge(weights, drive)
    for _ in range(n_iterations):
        predicted, slope = compute_rate(drive, link)
        error = weight * slope * (rate / predicted - 1)
        information = weight * slope**2 / predicted
        gradient = np.concatenate([error.sum(0) @ column, (past * error).sum((1, 2))])
        gradient -= penalised * weights
        # What trials share needs their sums only: this is what makes single trials cheap.
        weighed = past * information
        cross = weighed.sum(1) @ column
        curvature = np.block(
            [
                [(column * information.sum(0)[:, None]).T @ column, cross.T],
                [cross, weighed.reshape(n_functions, -1) @ past.reshape(n_functions, -1).T],
            ]
        )
        curvature[np.diag_indices_from(curvature)] += penalised + 1e-6
        step = np.linalg.solve(curvature, gradient)
        before = loss
        for _ in range(8):
            drive = combine(weights + step)
            loss = judge(weights + step, drive)
            if loss <= before:
                break
            step = 0.25 * step
        else:
            return weights
        weights = weights + step
        if before - loss <= _TOLERANCE * abs(before):
            break
    return weights


def simulate_rates(
    drive: np.ndarray,
    history: np.ndarray,
    expected: np.ndarray,
    largest: np.ndarray,
    spans: list[slice],
    frame_rate: float,
    link: str,
    n_trials: int,
) -> np.ndarray:
    """Mean rate over simulated trials in which each cell answers to its own spikes.

    Parameters
    ----------
    drive : array of shape (n_frames, n_units)
        Sum of what does not depend on spikes.
    history : array of shape (n_units, n_lags)
        Added to the sum per spike beyond the expected ones, lag 1 first.
    expected : array of shape (n_units,)
        Mean count per frame; also stands for the past of the first frame.
    largest : array of shape (n_units,)
        Rate in Hz that no simulated frame exceeds: a filter that excites could run away.
    spans : list of slice
        Frames of each movie; trials start anew, and so does the generator.
    frame_rate : float
        Frames per second.
    link : {"softplus", "exp"}
        From the sum to the rate.
    n_trials : int
        Simulated trials. Their conditional rates are averaged, not their spikes.

    Returns
    -------
    rate : array of shape (n_frames, n_units)
        In Hz. Equal calls give equal rates, and later frames change no earlier ones.
    """
    rate = np.empty(drive.shape)
    by_lag = history.T[:, None]
    for span in spans:
        generator = np.random.default_rng(0)
        recent = np.zeros((history.shape[1], n_trials, drive.shape[1]))
        for frame in range(span.start, span.stop):
            conditional = compute_rate(drive[frame] + (by_lag * recent).sum(0), link)[0]
            conditional = np.minimum(conditional, largest)
            rate[frame] = conditional.mean(0)
            recent[1:] = recent[:-1]
            recent[0] = generator.poisson(conditional / frame_rate) - expected
    return rate
