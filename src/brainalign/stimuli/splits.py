"""Divide stimuli into training, validation and test, once per data set."""

from __future__ import annotations

import numpy as np

from brainalign.errors import InputError
from brainalign.stimuli.options import SplitOptions


def split_stimuli(
    stimulus: np.ndarray, given: np.ndarray | None, options: SplitOptions
) -> tuple[np.ndarray, np.ndarray | None]:
    """Assign every stimulus to a split or a fold.

    Parameters
    ----------
    stimulus : array of shape (n_stimuli,) of str
        Ids. The result depends on the ids and the seed, not on their order.
    given : array of shape (n_stimuli,) of str or None
        Splits that the data set states.
    options : SplitOptions
        Where splits come from.

    Returns
    -------
    split : array of shape (n_stimuli,) of str
        ``train``, ``validation`` or ``test``; with folds, that of fold 0.
    fold : array of shape (n_stimuli,), int32, or None
        The fold in which a stimulus is tested; None for one split.

    Raises
    ------
    InputError
        If splits are asked for but not given, or a split would be empty.
    """
    if options.n_folds:
        fold = _draw_folds(stimulus, options)
        return assign_splits(stimulus, fold, 0, options), fold
    if options.source == "given" or (options.source == "auto" and given is not None):
        if given is None:
            raise InputError(
                "the data set states no split",
                where="stimuli.split.source",
                remedy="Add a column split to the stimulus table, or set source: random.",
            )
        _check_none_empty(given, "the given split")
        return given.astype(np.str_), None
    order = _shuffle(stimulus, options.seed)
    n_test = round(len(stimulus) * options.test_share)
    n_validation = round((len(stimulus) - n_test) * options.validation_share)
    split = np.full(len(stimulus), "train", dtype="<U10")
    split[order[:n_test]] = "test"
    split[order[n_test : n_test + n_validation]] = "validation"
    _check_none_empty(split, "the random split")
    return split, None


def assign_splits(
    stimulus: np.ndarray, fold: np.ndarray, tested_fold: int, options: SplitOptions
) -> np.ndarray:
    """Give the split of every stimulus when one fold is tested.

    Parameters
    ----------
    stimulus : array of shape (n_stimuli,) of str
        Ids.
    fold : array of shape (n_stimuli,), int
        Fold of each stimulus.
    tested_fold : int
        The fold that is the test gallery.
    options : SplitOptions
        Share of validation stimuli among the others, and seed.

    Returns
    -------
    split : array of shape (n_stimuli,) of str
        ``train``, ``validation`` or ``test``.
    """
    split = np.full(len(stimulus), "train", dtype="<U10")
    split[fold == tested_fold] = "test"
    rest = np.flatnonzero(fold != tested_fold)
    order = rest[_shuffle(stimulus[rest], options.seed + 1 + tested_fold)]
    n_validation = max(1, round(len(rest) * options.validation_share))
    split[order[:n_validation]] = "validation"
    _check_none_empty(split, f"fold {tested_fold}")
    return split


def _draw_folds(stimulus: np.ndarray, options: SplitOptions) -> np.ndarray:
    if options.n_folds > len(stimulus):
        raise InputError(
            "more folds than stimuli",
            where="stimuli.split.n_folds",
            expected=f"at most {len(stimulus)}",
            found=options.n_folds,
        )
    fold = np.empty(len(stimulus), dtype=np.int32)
    fold[_shuffle(stimulus, options.seed)] = np.arange(len(stimulus)) % options.n_folds
    return fold


def _shuffle(stimulus: np.ndarray, seed: int) -> np.ndarray:
    """Shuffle positions so that the outcome depends on ids and seed alone."""
    by_id = np.argsort(stimulus, kind="stable")
    return by_id[np.random.default_rng(seed).permutation(len(stimulus))]


def _check_none_empty(split: np.ndarray, where: str) -> None:
    for name in ("train", "validation", "test"):
        if not np.any(split == name):
            raise InputError(
                f"no stimulus in the {name} split",
                where=where,
                found=f"{len(split)} stimuli",
                remedy="Change the shares of stimuli.split, or give more stimuli.",
            )
