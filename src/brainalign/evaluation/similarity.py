"""Compatibility of stimuli and responses: similarities, biases and hubness correction."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from brainalign.errors import CorruptDataError, InputError
from brainalign.options import suggest_name

# The mean of a constant row is off by a few units in the last place; what is left of the row
# after centring is then rounding noise and must not be normalised to length one.
_CENTRING_TOLERANCE = 16.0


def compute_compatibility(
    stimulus_embedding: ArrayLike,
    response_embedding: ArrayLike,
    similarity: str,
    stimulus_bias: ArrayLike | None = None,
    response_bias: ArrayLike | None = None,
) -> NDArray[np.floating]:
    """Score every stimulus against every response.

    Parameters
    ----------
    stimulus_embedding : array of shape (n_stimuli, dimension)
        Stimuli in the space in which they are matched.
    response_embedding : array of shape (n_responses, dimension)
        Responses in the same space.
    similarity : {'cosine', 'pearson', 'negative_half_squared_distance'}
        ``pearson`` correlates across the embedding's dimension (no z-scoring of dimensions).
    stimulus_bias : array of shape (n_stimuli,), optional
        Added to every score of a stimulus.
    response_bias : array of shape (n_responses,), optional
        Added to every score of a response.

    Returns
    -------
    compatibility : array of shape (n_stimuli, n_responses)
        ``similarity(stimulus_embedding[i], response_embedding[j]) + stimulus_bias[i]
        + response_bias[j]``; float32 if both embeddings are float32 (or narrower) and the
        similarity is bounded, otherwise float64.

    Raises
    ------
    InputError
        If the similarity is unknown or shapes do not fit together.
    CorruptDataError
        If an embedding or a bias is not finite.

    Notes
    -----
    A row of zero norm (``cosine``) or without variance (``pearson``) has no direction: it scores
    0 against everything, which ranks as a tie. Equal embeddings get exactly equal scores.
    """
    if similarity not in SIMILARITIES:
        raise InputError(
            f"unknown similarity '{similarity}'", remedy=suggest_name(similarity, SIMILARITIES)
        )
    stimuli = _check_embedding(stimulus_embedding, "stimulus_embedding")
    responses = _check_embedding(response_embedding, "response_embedding")
    if stimuli.shape[1] != responses.shape[1]:
        raise InputError(
            "stimuli and responses are embedded in different dimensions",
            expected=f"response_embedding of {stimuli.shape[1]} dimensions",
            found=responses.shape[1],
        )
    compatibility = _score_distinct_rows(stimuli, responses, SIMILARITIES[similarity])
    if stimulus_bias is not None:
        compatibility += _check_bias(stimulus_bias, stimuli, "stimulus_bias")[:, None]
    if response_bias is not None:
        compatibility += _check_bias(response_bias, responses, "response_bias")[None, :]
    return compatibility


def apply_csls(compatibility: ArrayLike, n_neighbours: int = 10) -> NDArray[np.floating]:
    """Correct compatibility for hubs by cross-domain similarity local scaling.

    Parameters
    ----------
    compatibility : array of shape (n_stimuli, n_responses)
        Scores; larger is more compatible.
    n_neighbours : int
        Nearest neighbours over which an item's local density is averaged.

    Returns
    -------
    corrected : array of shape (n_stimuli, n_responses)
        Twice the compatibility, less the mean score of the stimulus with its ``n_neighbours``
        most compatible responses and that of the response with its most compatible stimuli.

    Raises
    ------
    InputError
        If an axis has fewer than ``n_neighbours`` items.

    Notes
    -----
    Conneau et al. (2018), "Word translation without parallel data", equation 4. It looks at the
    whole test gallery (transductive), so offer it to every method or to none.
    """
    scores = np.asarray(compatibility)
    if not 1 <= n_neighbours <= min(scores.shape):
        raise InputError(
            f"CSLS cannot average {n_neighbours} neighbours in a gallery of shape {scores.shape}",
            where="csls_neighbours",
            expected=f"a number from 1 to {min(scores.shape)}",
            found=n_neighbours,
            remedy="Lower it, or set it to null to leave scores uncorrected.",
        )
    stimulus_density = _average_largest(scores, n_neighbours)
    response_density = _average_largest(scores.T, n_neighbours)
    return 2 * scores - stimulus_density[:, None] - response_density[None, :]


def _average_largest(scores: NDArray[np.floating], n_largest: int) -> NDArray[np.floating]:
    boundary = scores.shape[1] - n_largest
    return np.partition(scores, boundary, axis=1)[:, boundary:].mean(axis=1)


def _score_cosine(
    stimuli: NDArray[np.floating], responses: NDArray[np.floating]
) -> NDArray[np.floating]:
    return _normalise_rows(stimuli) @ _normalise_rows(responses).T


def _score_pearson(
    stimuli: NDArray[np.floating], responses: NDArray[np.floating]
) -> NDArray[np.floating]:
    return _score_cosine(_centre_rows(stimuli), _centre_rows(responses))


def _score_negative_half_squared_distance(
    stimuli: NDArray[np.floating], responses: NDArray[np.floating]
) -> NDArray[np.floating]:
    # Likelihood matching subtracts large, nearly equal terms: double precision, and a common
    # origin near the cloud, which leaves distances as they are.
    origin = responses.mean(axis=0, dtype=np.float64)
    stimuli, responses = stimuli - origin, responses - origin
    compatibility = stimuli @ responses.T
    compatibility -= 0.5 * np.square(stimuli).sum(axis=1)[:, None]
    compatibility -= 0.5 * np.square(responses).sum(axis=1)[None, :]
    return compatibility


SIMILARITIES: dict[
    str,
    Callable[[NDArray[np.floating], NDArray[np.floating]], NDArray[np.floating]],
] = {
    "cosine": _score_cosine,
    "pearson": _score_pearson,
    "negative_half_squared_distance": _score_negative_half_squared_distance,
}


def _centre_rows(embedding: NDArray[np.floating]) -> NDArray[np.floating]:
    centred = embedding - embedding.mean(axis=1, keepdims=True)
    remaining = np.linalg.norm(centred, axis=1)
    rounding = _CENTRING_TOLERANCE * np.finfo(embedding.dtype).eps
    centred[remaining <= rounding * np.linalg.norm(embedding, axis=1)] = 0.0
    return centred


def _normalise_rows(embedding: NDArray[np.floating]) -> NDArray[np.floating]:
    norm = np.linalg.norm(embedding, axis=1, keepdims=True)
    return np.divide(embedding, norm, out=np.zeros_like(embedding), where=norm > 0)


def _score_distinct_rows(
    stimuli: NDArray[np.floating],
    responses: NDArray[np.floating],
    score: Callable[[NDArray[np.floating], NDArray[np.floating]], NDArray[np.floating]],
) -> NDArray[np.floating]:
    """Score each distinct row once, so that equal embeddings tie whatever BLAS rounds."""
    stimulus_rows, stimulus_copies = _find_distinct_rows(stimuli)
    response_rows, response_copies = _find_distinct_rows(responses)
    compatibility = score(stimuli[stimulus_rows], responses[response_rows])
    if len(stimulus_rows) < len(stimuli):
        compatibility = compatibility[stimulus_copies]
    if len(response_rows) < len(responses):
        compatibility = compatibility[:, response_copies]
    return compatibility


def _find_distinct_rows(
    embedding: NDArray[np.floating],
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the first index of each distinct row, and for each row which of them it equals."""
    number: dict[bytes, int] = {}
    copies = np.array([number.setdefault(row.tobytes(), len(number)) for row in embedding], np.intp)
    rows = np.full(len(number), len(embedding), np.intp)
    np.minimum.at(rows, copies, np.arange(len(embedding)))
    return rows, copies


def _check_embedding(embedding: ArrayLike, name: str) -> NDArray[np.floating]:
    array = np.asarray(embedding)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(
            "an embedding must be a table of items by dimensions",
            where=name,
            expected="shape (n_items, dimension), both at least 1",
            found=array.shape,
        )
    array = array.astype(np.result_type(array.dtype, np.float32), copy=False)
    if not np.isfinite(array).all():
        item = int(np.flatnonzero(~np.isfinite(array).all(axis=1))[0])
        raise CorruptDataError("an embedding is not finite", where=f"{name} row {item}")
    return array


def _check_bias(
    bias: ArrayLike, embedding: NDArray[np.floating], name: str
) -> NDArray[np.floating]:
    array = np.asarray(bias, dtype=np.float64)
    if array.shape != (len(embedding),):
        raise InputError(
            "a bias needs one number per item",
            where=name,
            expected=f"shape ({len(embedding)},)",
            found=array.shape,
        )
    if not np.isfinite(array).all():
        item = int(np.flatnonzero(~np.isfinite(array))[0])
        raise CorruptDataError("a bias is not finite", where=f"{name} item {item}")
    return array
