"""Decoding of categories by a linear read-out: from responses, and from layers as a reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainalign.evaluation.bootstrap import bootstrap_interval
from brainalign.evaluation.yardsticks.layer_encoding import EncodingSplit, predict_responses
from brainalign.evaluation.yardsticks.options import YardstickOptions
from brainalign.evaluation.yardsticks.recordings import YardstickSubject

TASK = "category_decoding"
FROM_RESPONSES, FROM_FEATURES = "accuracy_from_responses", "accuracy_from_features"
READ_OUT = "linear read-out"
_UNKNOWN = ("", "n/a", "none")


@dataclass(frozen=True)
class Categories:
    """What stimuli show.

    Attributes
    ----------
    name : array of shape (n_categories,) of str
        Sorted.
    number : dict of str to int
        Category of each stimulus that has one.
    """

    name: NDArray[np.str_]
    number: dict[str, int]

    def mark(self, stimuli: NDArray[np.str_]) -> NDArray[np.float64]:
        """Mark the category of each stimulus; rows of stimuli without one are 0.

        Returns
        -------
        marked : array of shape (n_stimuli, n_categories)
        """
        number = self.list_numbers(stimuli)
        return (number[:, None] == np.arange(len(self.name))).astype(np.float64)

    def list_numbers(self, stimuli: NDArray[np.str_]) -> NDArray[np.intp]:
        """Give the category of each stimulus, -1 where there is none."""
        return np.array([self.number.get(name, -1) for name in stimuli.tolist()], dtype=np.intp)


def collect_categories(category: Mapping[str, str]) -> Categories | None:
    """Collect categories by stimulus; None where there are fewer than two.

    Parameters
    ----------
    category : mapping of str to str
        By stimulus id; empty, ``n/a`` and ``none`` say that a stimulus has none, as a scene of
        several objects.
    """
    known = {name: label for name, label in category.items() if label not in _UNKNOWN}
    names = sorted(set(known.values()))
    if len(names) < 2:
        return None
    number = {label: row for row, label in enumerate(names)}
    return Categories(np.array(names), {name: number[label] for name, label in known.items()})


def check_answers(
    answer: NDArray[np.float64], stimuli: NDArray[np.str_], categories: Categories
) -> NDArray[np.float64]:
    """Tell which stimuli have their own category as the highest answer.

    Parameters
    ----------
    answer : array of shape (n_stimuli, n_categories)
        Predicted marks.
    stimuli : array of shape (n_stimuli,) of str
        Their ids.
    categories : Categories
        Truth.

    Returns
    -------
    is_right : array of shape (n_stimuli,)
        1 or 0; NaN for stimuli without a category.
    """
    truth = categories.list_numbers(stimuli)
    return np.where(truth >= 0, answer.argmax(axis=1) == truth, np.nan)


def score_answers(
    is_right: NDArray[np.float64],
    stimuli: NDArray[np.str_],
    subject: YardstickSubject,
    categories: Categories,
    options: YardstickOptions,
) -> dict[str, object]:
    """Accuracy with its interval over test stimuli, and chance.

    Parameters
    ----------
    is_right : array of shape (n_stimuli,)
        From :func:`check_answers`, for the test stimuli of all folds.
    stimuli : array of shape (n_stimuli,) of str
        Their ids.
    subject : YardstickSubject
        Whose training stimuli say which category is the most frequent.
    categories : Categories
        Truth.
    options : YardstickOptions
        Draws and coverage.

    Returns
    -------
    score : dict
        ``value``, ``ci_low``, ``ci_high``, ``chance`` (always answering the category that is the
        most frequent in training), ``ceiling`` (NaN: it is not known how well noisy responses
        could tell categories), ``n_queries``.
    """
    low, high = bootstrap_interval(
        is_right, "mean", options.n_bootstrap, options.level, options.seed
    )
    shown = categories.list_numbers(
        np.concatenate([fold.stimulus["train"] for fold in subject.folds])
    )
    frequent = np.bincount(shown[shown >= 0], minlength=len(categories.name)).argmax()
    truth = categories.list_numbers(stimuli)
    return {
        "task": TASK,
        "direction": "higher",
        "value": float(np.nanmean(is_right)),
        "ci_low": float(low),
        "ci_high": float(high),
        "chance": float((truth[truth >= 0] == frequent).mean()),
        "ceiling": float("nan"),
        "n_candidates": float(len(categories.name)),
        "n_queries": int((truth >= 0).sum()),
    }


def decode_responses(
    subject: YardstickSubject, categories: Categories, options: YardstickOptions
) -> pd.DataFrame:
    """Read categories out of the responses of each area of one subject.

    Parameters
    ----------
    subject : YardstickSubject
        Mean responses.
    categories : Categories
        Truth.
    options : YardstickOptions
        Draws and coverage.

    Returns
    -------
    scores : pandas.DataFrame
        One row per area. No layer takes part: the same rows stand beside every backbone.

    Notes
    -----
    Ridge regression to marks of the categories, penalty of each by five-fold cross-validation on
    the training stimuli; the highest answer to a test stimulus counts.
    """
    rows = []
    stimuli = np.concatenate([fold.stimulus["test"] for fold in subject.folds])
    for area in subject.list_areas():
        chosen = subject.choose_units(area)
        right = []
        for fold in subject.folds:
            training = EncodingSplit(
                fold.response["train"][:, chosen], categories.mark(fold.stimulus["train"])
            )
            [answer] = predict_responses(training, [fold.response["test"][:, chosen]])
            right.append(check_answers(answer, fold.stimulus["test"], categories))
        rows.append(
            {
                **score_answers(np.concatenate(right), stimuli, subject, categories, options),
                "subject": subject.subject,
                "area": area,
                "feature": "responses",
                "matching": READ_OUT,
                "metric": FROM_RESPONSES,
            }
        )
    return pd.DataFrame(rows)
