"""Z-scores per session and unit that see training stimuli only."""

from __future__ import annotations

import numpy as np


def compute_session_statistics(
    response: np.ndarray, session: np.ndarray, sessions: np.ndarray, is_training: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and SD of each unit in each session over training presentations.

    Parameters
    ----------
    response : array of shape (n_presentations, n_units)
        Responses; NaN where a unit was not recorded.
    session : array of shape (n_presentations,) of str
        Session per presentation.
    sessions : array of shape (n_sessions,) of str
        The sessions, in the order of the result.
    is_training : array of shape (n_presentations,), bool
        Presentations of training stimuli; no other enters.

    Returns
    -------
    mean, sd : array of shape (n_sessions, n_units), float32
        SD with one degree of freedom removed; both NaN where fewer than two presentations exist.
    """
    shape = (len(sessions), response.shape[1])
    mean, sd = np.full(shape, np.nan, np.float32), np.full(shape, np.nan, np.float32)
    for row, name in enumerate(sessions):
        chosen = response[(session == name) & is_training].astype(np.float64)
        present = np.isfinite(chosen)
        number = present.sum(axis=0)
        enough = number >= 2
        safe = np.maximum(number, 1)
        centre = np.where(present, chosen, 0).sum(axis=0) / safe
        squares = np.where(present, (chosen - centre) ** 2, 0).sum(axis=0)
        mean[row, enough] = centre[enough]
        sd[row, enough] = np.sqrt(squares[enough] / (number[enough] - 1))
    return mean, sd


def apply_session_statistics(
    response: np.ndarray,
    session: np.ndarray,
    sessions: np.ndarray,
    mean: np.ndarray,
    sd: np.ndarray,
) -> np.ndarray:
    """Z-score responses with the statistics of their session.

    Parameters
    ----------
    response : array of shape (n_presentations, n_units)
        Responses.
    session : array of shape (n_presentations,) of str
        Session per presentation; each must be among `sessions`.
    sessions : array of shape (n_sessions,) of str
        The sessions, in the order of the statistics.
    mean, sd : array of shape (n_sessions, n_units)
        From :func:`compute_session_statistics`.

    Returns
    -------
    zscored : array of shape (n_presentations, n_units), float32
        A unit without variance in a session is 0 there: it says nothing, and dividing by its SD
        would blow up noise. NaN stays where a unit was not recorded.
    """
    order = np.argsort(sessions)
    row = order[np.searchsorted(sessions, session, sorter=order)]
    centre, scale = mean[row], sd[row]
    varies = scale > 0
    centred = response - centre
    zscored = np.where(varies, centred / np.where(varies, scale, 1), 0 * centred)
    return zscored.astype(np.float32)
