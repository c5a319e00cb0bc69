"""The epochs that a fit has behind it, and which of them is the best."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

from brainalign.errors import CorruptDataError
from brainalign.training.history import EpochRecord


class Course:
    """Records of one fit with its budget and its patience.

    Parameters
    ----------
    epochs : int
        Budget.
    patience : int or None
        Epochs without a better score after which the fit ends; None: never.

    Attributes
    ----------
    records : list of EpochRecord
        One per epoch.
    best_score : float
        Largest validation score; minus infinity before the first finite one.
    epochs_since_better : int
        Epochs since a strictly better score.
    """

    def __init__(self, epochs: int, patience: int | None) -> None:
        self.epochs, self.patience = epochs, patience
        self.records: list[EpochRecord] = []
        self.best_score = -math.inf
        self.epochs_since_better = 0

    def is_finished(self) -> bool:
        """Whether the budget or the patience is spent.

        Returns
        -------
        finished : bool
            True where no further epoch is due.
        """
        out_of_patience = self.patience is not None and self.epochs_since_better >= self.patience
        return len(self.records) >= self.epochs or out_of_patience

    def add(self, record: EpochRecord) -> bool:
        """Take in an epoch.

        Parameters
        ----------
        record : EpochRecord
            Summary of the epoch.

        Returns
        -------
        is_best : bool
            Whether its weights are those to keep. Of equal scores the last one wins, but only a
            better one resets the patience.
        """
        self.records.append(record)
        score = record.validation_score
        if score > self.best_score:
            self.epochs_since_better = 0
        else:
            self.epochs_since_better += 1
        # A NaN score compares as False and so never becomes the best.
        if score >= self.best_score:
            self.best_score = score
            return True
        return False

    def describe(self) -> dict[str, Any]:
        """State as JSON values, for a checkpoint.

        Returns
        -------
        progress : dict
            For `restore`.
        """
        return {
            "records": [asdict(record) for record in self.records],
            "best_score": self.best_score,
            "epochs_since_better": self.epochs_since_better,
        }

    def restore(self, progress: dict[str, Any]) -> None:
        """Take up the state of a checkpoint.

        Parameters
        ----------
        progress : dict
            As from `describe`; further keys are not looked at.
        """
        self.records = [EpochRecord(**record) for record in progress["records"]]
        self.best_score = progress["best_score"]
        self.epochs_since_better = progress["epochs_since_better"]

    def check_best(self) -> None:
        """Refuse a fit without a best epoch.

        Raises
        ------
        CorruptDataError
            No validation score was finite.
        """
        if not math.isfinite(self.best_score):
            raise CorruptDataError(
                "the validation score was never finite, so no epoch is the best",
                where="training",
                remedy="Look for NaN in the validation split.",
            )
