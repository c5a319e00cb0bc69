"""How the latents of a group are moved, and when a move leaves the data."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_SUPPORT_QUANTILE = 0.999
_RIDGE = 1e-6


def move_group(
    latent: np.ndarray,
    group: slice,
    strength: float,
    move: str,
    *,
    target: np.ndarray,
    training: np.ndarray,
) -> np.ndarray:
    """Move one group of latents and leave the others.

    Parameters
    ----------
    latent : array of shape (n_references, n_latents)
        Latents of the references.
    group : slice
        Columns that move.
    strength : float
        How far, in the units of the move.
    move : {"traverse", "swap", "axis"}
        Adds the strength to every latent of the group; goes that share of the way to the target;
        goes that many SD along the group's first principal axis in training.
    target : array of shape (n_references, n_latents)
        Latents of other stimuli, for swaps.
    training : array of shape (n_stimuli, n_latents)
        Latents of training stimuli, for axes.

    Returns
    -------
    moved : array of shape (n_references, n_latents)
    """
    moved = latent.copy()
    if move == "traverse":
        moved[:, group] += strength
    elif move == "swap":
        moved[:, group] += strength * (target[:, group] - latent[:, group])
    else:
        centred = training[:, group] - training[:, group].mean(axis=0)
        _, singular, axes = np.linalg.svd(centred, full_matrices=False)
        sd = singular[0] / np.sqrt(len(centred))
        # Axes have no sign of their own: the largest entry is positive.
        axis = axes[0] * np.sign(axes[0][np.abs(axes[0]).argmax()])
        moved[:, group] += (strength * sd * axis).astype(latent.dtype)
    return moved


def find_off_support(moved: np.ndarray, group: slice, training: np.ndarray) -> np.ndarray:
    """Tell which moved latents lie farther out than nearly all training latents.

    Parameters
    ----------
    moved : array of shape (n_moved, n_latents)
        Moved latents.
    group : slice
        Columns that moved.
    training : array of shape (n_stimuli, n_latents)
        Latents of training stimuli.

    Returns
    -------
    is_off : array of shape (n_moved,), bool
        Mahalanobis distance above the 99.9 % quantile of training.
    """
    centre = training[:, group].mean(axis=0)
    size = group.stop - group.start
    centred = training[:, group] - centre
    covariance = centred.T @ centred / len(centred) + _RIDGE * np.eye(size)
    precision = np.linalg.inv(covariance)

    def measure(rows: np.ndarray) -> np.ndarray:
        return np.einsum("ni,ij,nj->n", rows, precision, rows)

    limit = np.quantile(measure(centred), _SUPPORT_QUANTILE)
    return measure(moved[:, group] - centre) > limit


def plan_moves(
    latent: np.ndarray,
    target: np.ndarray,
    training: np.ndarray,
    groups: Sequence[slice],
    move: str,
    strengths: Sequence[float],
) -> tuple[np.ndarray, np.ndarray]:
    """Move the latents of all references along all groups with all strengths.

    Returns
    -------
    moved : array of shape (n_references, n_groups, n_strengths, n_latents), float32
        Moved latents.
    off_support : array of shape (n_references, n_groups, n_strengths), bool
        See `find_off_support`.
    """
    moved = np.empty((len(latent), len(groups), len(strengths), latent.shape[1]), dtype=np.float32)
    off = np.zeros(moved.shape[:3], dtype=bool)
    for number, group in enumerate(groups):
        for place, strength in enumerate(strengths):
            one = move_group(latent, group, strength, move, target=target, training=training)
            moved[:, number, place] = one
            off[:, number, place] = find_off_support(one, group, training)
    return moved, off


def choose_references(
    stimulus: np.ndarray, category: np.ndarray, n_references: int, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Choose stimuli to edit, spread over categories, and for each another one to move towards.

    Parameters
    ----------
    stimulus, category : array of shape (n_stimuli,) of str
        Test stimuli and their categories, empty where unknown.
    n_references : int
        How many.
    seed : int
        Of the choice, which looks at no result.

    Returns
    -------
    reference, target : array of shape (n_references,), int64
        Rows; a target is of another category where there are several.
    """
    generator = np.random.default_rng(seed)
    order = generator.permutation(len(stimulus))
    rank = np.zeros(len(stimulus), dtype=np.int64)
    counts: dict[str, int] = {}
    for row in order:
        name = str(category[row])
        rank[row] = counts.get(name, 0)
        counts[name] = rank[row] + 1
    # The first of every category, then the second of every category, and so on.
    reference = order[np.argsort(rank[order], kind="stable")][:n_references]
    targets = []
    for row in reference:
        others = np.flatnonzero(category != category[row])
        if not len(others):
            others = np.delete(np.arange(len(stimulus)), row)
        targets.append(generator.choice(others) if len(others) else row)
    return reference.astype(np.int64), np.array(targets, dtype=np.int64)


def shuffle_rows(n_rows: int, generator: np.random.Generator) -> np.ndarray:
    """Permute rows so that none stays where it is, as far as there are two."""
    if n_rows < 2:
        return np.arange(n_rows)
    order = generator.permutation(n_rows)
    shuffled = np.empty(n_rows, dtype=np.int64)
    shuffled[order] = np.roll(order, 1)
    return shuffled
