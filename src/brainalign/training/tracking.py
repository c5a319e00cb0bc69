"""Write the course of fits for TensorBoard."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path

import pandas as pd
from pandas.api.types import is_numeric_dtype

from brainalign.errors import InputError
from brainalign.training.tracking_options import TrackingOptions

TENSORBOARD_FOLDER = "tensorboard"

_PARTS = ("area", "subject", "seed", "fold")
"""Columns that tell one fit of a history from another."""


def check_tracking(options: TrackingOptions) -> None:
    """Refuse a tracker that is not installed before anything is fitted.

    Parameters
    ----------
    options : TrackingOptions
        Which trackers are wanted.

    Raises
    ------
    InputError
        A package is missing; the message names it.
    """
    if options.tensorboard and importlib.util.find_spec("tensorboard") is None:
        raise InputError(
            "the package tensorboard is not installed",
            where="tracking.tensorboard",
            remedy="Install it (pip install tensorboard) or set tracking.tensorboard: false.",
        )


def write_tensorboard(history: pd.DataFrame, folder: Path) -> None:
    """Write every number of a history as scalars, one run per fit.

    Parameters
    ----------
    history : pandas.DataFrame
        Rows of all fits; ``epoch`` counts the steps where there is one.
    folder : Path
        Gets a folder of events per fit, such as ``area-IT/seed-0/fold-0``.
    """
    from torch.utils.tensorboard import SummaryWriter

    parts = [name for name in _PARTS if name in history.columns]
    numbers = [
        name
        for name in history.columns
        if name not in (*parts, "epoch") and is_numeric_dtype(history[name])
    ]
    groups = history.groupby(parts, sort=False, dropna=False) if parts else [((), history)]
    for key, rows in groups:
        place = folder.joinpath(
            *(f"{name}-{value}" for name, value in zip(parts, key, strict=True))
        )
        with SummaryWriter(str(place)) as writer:
            for position, (_, row) in enumerate(rows.iterrows()):
                step = int(row["epoch"]) if "epoch" in history.columns else position
                for name in numbers:
                    if math.isfinite(row[name]):
                        writer.add_scalar(name, row[name], step)
