"""Training curves of every model, and the choices of those that are solved in one step."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pandas as pd

from brainalign.errors import CorruptDataError
from brainalign.evaluation.predictions import ALL
from brainalign.report.artifacts import Artifact, Fit, Run
from brainalign.report.blocks import Block, Cell, FigureGroup, Heading, Row, Section, Table
from brainalign.report.figures.training import draw_training
from brainalign.report.names import MISSING, make_slug, write_count, write_name
from brainalign.report.pictures import Picture, encode_figure

_HISTORY_FILE = "training.csv"
_FIT_COLUMNS = ("subject", "protocol", "fold")
_SOLVED = {
    "training_error": "Training error",
    "validation_error": "Validation error",
    "median_alpha": "Median penalty",
    "penalty": "Mean penalty",
    "validation_loss": "Validation loss",
}


def compose_training(run: Run) -> Section | None:
    """Show how the models were trained; None without a model.

    Parameters
    ----------
    run : Run
        Its published folders.
    """
    blocks: list[Block] = []
    for dataset in run.list_datasets():
        histories = {
            fit: _read_history(artifact)
            for fit, artifact in run.models.items()
            if fit.dataset == dataset
        }
        trained = {fit: table for fit, table in histories.items() if "epoch" in table}
        solved = {fit: table for fit, table in histories.items() if "epoch" not in table}
        if histories:
            blocks.append(Heading(dataset))
        if trained:
            blocks.append(_draw_curves(trained))
        if solved:
            blocks.append(_tabulate_solved(solved, dataset))
    return Section("training", "Training", blocks) if blocks else None


def _read_history(artifact: Artifact) -> pd.DataFrame:
    """Read ``training.csv`` of the fits to all areas, with a label of each single fit."""
    path = artifact.path / _HISTORY_FILE
    try:
        history = pd.read_csv(BytesIO(path.read_bytes()), dtype={"subject": str, "area": str})
    except (OSError, ValueError) as error:
        raise CorruptDataError(
            "cannot be read as a table",
            where=path,
            found=str(error),
            remedy="Delete the model and run its rule again.",
        ) from error
    if "area" in history:
        history = history[history["area"] == ALL]
    columns = [name for name in _FIT_COLUMNS if name in history]
    fits = history[columns].astype(str).agg("/".join, axis=1) if columns else ""
    history = history.rename(columns={"alpha": "penalty"})
    return history.assign(fit=fits, seed=history.get("seed", 0))


def _draw_curves(histories: dict[Fit, pd.DataFrame]) -> FigureGroup:
    pictures = [_draw_model(fit, history) for fit, history in histories.items()]
    n_fits = max(history["fit"].nunique() for history in histories.values())
    several = (
        f"; thin lines are the single fits of a seed (up to {n_fits}: folds, and subjects where a "
        "method fits each alone), the thick line is their mean up to the epoch that all reached"
        if n_fits > 1
        else ""
    )
    caption = (
        "Training loss (mean over the steps of an epoch) and validation score by epoch, one panel "
        f"per method and backbone, units of all areas, one colour per seed{several}. A higher "
        "validation score is better; its scale is the method's own."
    )
    return FigureGroup(pictures, caption)


def _draw_model(fit: Fit, history: pd.DataFrame) -> Picture:
    title = f"{write_name(fit.method)} · {write_name(fit.backbone)}"
    n_seeds = history["seed"].nunique()
    last = history.groupby(["seed", "fit"])["epoch"].max()
    alt = (
        f"Training curves of {title} on {fit.dataset}: {write_count(n_seeds, 'seed')}, "
        f"{write_count(len(last), 'fit')}, {last.min()} to {last.max()} epochs; validation score "
        f"up to {history['validation_score'].max():.3g}."
    )
    name = make_slug("training", fit.dataset, fit.method, fit.backbone)
    return encode_figure(draw_training(history, title), name, alt)


def _tabulate_solved(histories: dict[Fit, pd.DataFrame], dataset: str) -> Table:
    columns = [name for name in _SOLVED if any(name in history for history in histories.values())]
    rows = []
    for fit, history in histories.items():
        cells = []
        for name in columns:
            mean = float(history[name].mean()) if name in history else float("nan")
            text = MISSING if np.isnan(mean) else f"{mean:.4g}"
            cells.append(Cell(text, sort=None if np.isnan(mean) else mean))
        # Some methods write a row per unit.
        n_fits = len(history[["fit", "seed"]].drop_duplicates())
        rows.append(
            Row(
                (
                    Cell(write_name(fit.method)),
                    Cell(write_name(fit.backbone)),
                    *cells,
                    Cell(f"{n_fits:,}", sort=n_fits),
                )
            )
        )
    return Table(
        f"{dataset}: methods that are solved in one step and have no curve. Means over fits "
        "(subjects, folds and seeds) and, where each has its own, units; errors are mean squares "
        "of standardised targets.",
        ["Method", "Backbone", *(_SOLVED[name] for name in columns), "Fits"],
        rows,
        n_headings=2,
    )
