"""Losses of CLIP-MUSED: representational similarity, orthogonality and multi-label."""

from __future__ import annotations

from typing import Literal

import torch
from torch.nn.functional import binary_cross_entropy_with_logits, normalize

RDM_EPSILON = 1e-6
"""Keeps the dissimilarity of rows of length zero finite, as published."""

Orthogonality = Literal["all_pairs", "absolute", "squared"]


def compute_rdm(rows: torch.Tensor) -> torch.Tensor:
    """Dissimilarity of all pairs of rows: one less their cosine.

    Parameters
    ----------
    rows : tensor of shape (n_rows, width)
        Any rows; those of length zero are dissimilar to all by 1.

    Returns
    -------
    dissimilarity : tensor of shape (n_rows, n_rows)
        ``1 - u_i.u_j / (|u_i||u_j| + 1e-6)``.
    """
    # The gradient of a norm is not defined at zero, where the published tokens start.
    length = (rows.square().sum(1) + torch.finfo(rows.dtype).tiny).sqrt()
    return 1 - rows @ rows.T / (length[:, None] * length[None, :] + RDM_EPSILON)


def compute_rsa_loss(token: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Mean squared difference of the dissimilarities of tokens and of targets.

    Parameters
    ----------
    token : tensor of shape (n_samples, width)
        Output tokens, of subjects and stimuli in any mixture.
    target : tensor of shape (n_samples, n_features)
        Features of the stimuli, rows of length 1.

    Returns
    -------
    loss : tensor of shape ()
        Mean over all n_samples squared pairs, the diagonal included.
    """
    return (target @ target.T - (1 - compute_rdm(token))).square().mean()


def compute_orthogonality(
    high: torch.Tensor, low: torch.Tensor, kind: Orthogonality = "all_pairs"
) -> torch.Tensor:
    """Penalty on tokens of the two levels that point the same way.

    Parameters
    ----------
    high, low : tensor of shape (n_samples, width)
        Output tokens, not normalised.
    kind : {"all_pairs", "absolute", "squared"}
        Mean of squared products over all pairs of samples (published), or of the absolute or
        squared product of the two tokens of each sample.

    Returns
    -------
    penalty : tensor of shape ()
        0 where every high token is orthogonal to every low one.
    """
    if kind == "all_pairs":
        return (high @ low.T).square().mean()
    product = (high * low).sum(1)
    return product.abs().mean() if kind == "absolute" else product.square().mean()


def compute_label_loss(
    logit: torch.Tensor, label: torch.Tensor, learnable: torch.Tensor
) -> torch.Tensor:
    """Binary cross-entropy, mean over samples and the classes that can be learned.

    Parameters
    ----------
    logit : tensor of shape (n_samples, n_classes)
        Scores before the sigmoid.
    label : tensor of shape (n_samples, n_classes)
        0 or 1.
    learnable : tensor of shape (n_classes,), bool
        Classes with positives and negatives in training; the others have no weight.

    Returns
    -------
    loss : tensor of shape ()
        In nats.
    """
    losses = binary_cross_entropy_with_logits(logit, label, reduction="none")
    return losses[:, learnable].mean()


def process_target(
    feature: torch.Tensor, centre: torch.Tensor | None, clamp: float | None
) -> torch.Tensor:
    """Bring features into the form that the similarity losses compare.

    Parameters
    ----------
    feature : tensor of shape (n_stimuli, n_features)
        Raw features of a backbone.
    centre : tensor of shape (n_features,), optional
        Subtracted; the mean over training stimuli.
    clamp : float, optional
        Bound of each number in both directions; 1.5 as published.

    Returns
    -------
    target : tensor of shape (n_stimuli, n_features)
        Rows of length 1.
    """
    if centre is not None:
        feature = feature - centre
    if clamp is not None:
        feature = feature.clamp(-clamp, clamp)
    return normalize(feature, dim=1)
