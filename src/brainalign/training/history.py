"""What happened in each epoch."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields

import pandas as pd


@dataclass(frozen=True)
class EpochRecord:
    """Summary of one epoch: one row of ``training.csv``.

    Attributes
    ----------
    epoch : int
        Epoch, counted from 1.
    loss : float
        Mean over the steps that were taken; NaN where all were skipped.
    validation_score : float
        Larger is better; its meaning is the method's.
    learning_rate : float
        Learning rate of all steps of the epoch.
    skipped_steps : int
        Steps left out because loss or gradient was not finite.
    seconds : float
        Wall time of the epoch, in s, of fits that were trained at once the share of each; the
        only column that differs between equal fits.
    """

    epoch: int
    loss: float
    validation_score: float
    learning_rate: float
    skipped_steps: int
    seconds: float


def tabulate_history(records: Iterable[EpochRecord]) -> pd.DataFrame:
    """Put the records of a fit into a table that can be written as CSV.

    Parameters
    ----------
    records : iterable of EpochRecord
        One per epoch.

    Returns
    -------
    history : pandas.DataFrame
        One row per epoch, one column per field of `EpochRecord`.
    """
    columns = [field.name for field in fields(EpochRecord)]
    return pd.DataFrame([asdict(record) for record in records], columns=columns)
