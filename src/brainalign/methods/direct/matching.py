"""Match predictions with candidates: correlation, whitened distance or likelihood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.linalg import solve_triangular

from brainalign.errors import InputError
from brainalign.methods.arrays import PairedEmbedding, Similarity
from brainalign.methods.direct.options import MatchingVariant
from brainalign.methods.weights import Weights, check_weights

Direction = Literal["encoding", "decoding"]


@dataclass(frozen=True)
class Whitening:
    """Residual and total covariance of the targets, as inverse Cholesky factors.

    Attributes
    ----------
    residual, total : arrays of shape (n_targets, n_targets), float64
        Lower triangular ``W`` with ``W.T @ W`` the inverse of the shrunk covariance.
    """

    residual: np.ndarray
    total: np.ndarray

    def get_weights(self) -> Weights:
        """Both factors.

        Returns
        -------
        weights : dict of str to array
            ``residual`` and ``total``.
        """
        return {"residual": self.residual, "total": self.total}

    @classmethod
    def from_weights(cls, weights: Mapping[str, np.ndarray], n_targets: int) -> Whitening:
        """Rebuild from the factors; the inverse of `get_weights`.

        Parameters
        ----------
        weights : mapping of str to array
            ``residual`` and ``total``.
        n_targets : int
            Width that is expected.

        Returns
        -------
        whitening : Whitening
            As it was learned.

        Raises
        ------
        InputError
            A name or a width is another one.
        """
        shape = (n_targets, n_targets)
        check_weights(weights, {"residual": shape, "total": shape}, where="whitening")
        return cls(weights["residual"], weights["total"])


def fit_whitening(residual: np.ndarray, target: np.ndarray, shrinkage: float) -> Whitening:
    """Estimate residual and total covariance of the targets.

    Parameters
    ----------
    residual : array of shape (n_rows, n_targets)
        Targets minus out-of-fold predictions. Training residuals of a map that nearly
        interpolates would be too small.
    target : array of shape (n_rows, n_targets)
        Standardised targets of the training split.
    shrinkage : float
        Weight of the scaled identity, in (0, 1].

    Returns
    -------
    whitening : Whitening
        Factors of both inverse covariances.
    """
    return Whitening(
        residual=invert_cholesky(shrink_covariance(residual, shrinkage)),
        total=invert_cholesky(shrink_covariance(target, shrinkage)),
    )


def shrink_covariance(rows: np.ndarray, shrinkage: float) -> np.ndarray:
    """Covariance, shrunk towards a scaled identity.

    Parameters
    ----------
    rows : array of shape (n_rows, n_columns)
        Observations.
    shrinkage : float
        Weight ``a`` of the identity.

    Returns
    -------
    covariance : array of shape (n_columns, n_columns), float64
        ``(1 - a) Cov + a mean(diag Cov) I``.
    """
    centred = rows.astype(np.float64) - rows.mean(axis=0, dtype=np.float64)
    covariance = centred.T @ centred / len(centred)
    ridge = shrinkage * np.trace(covariance) / len(covariance)
    return (1 - shrinkage) * covariance + ridge * np.eye(len(covariance))


def invert_cholesky(covariance: np.ndarray) -> np.ndarray:
    """Inverse of the lower Cholesky factor: the matrix that whitens.

    Parameters
    ----------
    covariance : array of shape (n, n)
        Symmetric and positive definite.

    Returns
    -------
    whitening : array of shape (n, n)
        Lower triangular ``W`` with ``W @ covariance @ W.T`` the identity.

    Raises
    ------
    InputError
        The matrix has no such factor, as where all residuals are zero.
    """
    try:
        factor = np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError as error:
        raise InputError(
            "the residual covariance is not positive definite",
            where="matching",
            remedy="Raise shrinkage, or match by pearson only.",
        ) from error
    return solve_triangular(factor, np.eye(len(factor)), lower=True)


def match_predictions(
    predicted: np.ndarray,
    candidate: np.ndarray,
    direction: Direction,
    variants: Sequence[MatchingVariant],
    whitening: Whitening | None,
) -> dict[str, PairedEmbedding]:
    """Express each variant of matching as a pair of embeddings with biases.

    Parameters
    ----------
    predicted : array of shape (n_predicted, n_targets)
        Standardised predictions: of responses (encoding) or of features (decoding).
    candidate : array of shape (n_candidates, n_targets)
        Standardised measured responses (encoding) or true features (decoding).
    direction : {"encoding", "decoding"}
        Which side the predictions stand for: stimuli in encoding, responses in decoding.
    variants : sequence of str
        ``pearson``, ``mahalanobis``, ``likelihood``.
    whitening : Whitening or None
        Needed for the last two.

    Returns
    -------
    embeddings : dict of str to PairedEmbedding
        One per variant.

    Notes
    -----
    With residual covariance ``Sig`` and total covariance ``Tot`` of the targets, ``likelihood`` is
    ``-1/2 (c - p)^T Sig^-1 (c - p) + 1/2 c^T Tot^-1 c``: log p(candidate | prediction) minus
    log p(candidate), up to a constant. ``mahalanobis`` leaves the second term out, and with it the
    correction for candidates that are near to everything.
    """
    embeddings: dict[str, PairedEmbedding] = {}
    for variant in variants:
        if variant == "pearson":
            embeddings[variant] = _pair(direction, predicted, candidate, "pearson")
            continue
        if whitening is None:
            raise InputError(f"matching by {variant} needs a whitening", where="matching")
        bias = None
        if variant == "likelihood":
            bias = 0.5 * np.square(candidate @ whitening.total.T).sum(axis=1)
        embeddings[variant] = _pair(
            direction,
            predicted @ whitening.residual.T,
            candidate @ whitening.residual.T,
            "negative_half_squared_distance",
            bias,
        )
    return embeddings


def _pair(
    direction: Direction,
    predicted: np.ndarray,
    candidate: np.ndarray,
    similarity: Similarity,
    candidate_bias: np.ndarray | None = None,
) -> PairedEmbedding:
    predicted, candidate = predicted.astype(np.float32), candidate.astype(np.float32)
    bias = None if candidate_bias is None else candidate_bias.astype(np.float32)
    if direction == "encoding":
        return PairedEmbedding(predicted, candidate, similarity, response_bias=bias)
    return PairedEmbedding(candidate, predicted, similarity, stimulus_bias=bias)
