"""Page of a folder with weights: a model, a backbone or an image prior."""

from __future__ import annotations

import json
import math
from io import BytesIO
from pathlib import PurePosixPath

import numpy as np
import pandas as pd
from safetensors import SafetensorError, safe_open

from brainalign.errors import CorruptDataError
from brainalign.report.blocks import Block, Cell, Details, FigureGroup, Row, Section, Table, Text
from brainalign.report.figures.value_plots import draw_lines
from brainalign.report.names import make_slug, write_count
from brainalign.report.pictures import Picture, encode_figure
from brainalign.report.sections.training import compose_training
from brainalign.report.views.parts import (
    Opened,
    compose_files,
    flatten,
    list_sections,
    tabulate_frame,
    tabulate_pairs,
)

_MOST_TENSORS, _MOST_CURVES = 200, 6
_OPTION_FILES = ("options.json", "config.json", "evaluation.json")
_HISTORY_FILE = "training.csv"


def compose_view(opened: Opened) -> list[Section]:
    """Show the training, the options, the weights and the files."""
    return list_sections(
        _compose_history(opened),
        Section("options", "Options", _show_options(opened)),
        Section("weights", "Weights", _show_weights(opened)),
        compose_files(opened),
    )


def _compose_history(opened: Opened) -> Section | None:
    if _HISTORY_FILE not in opened.manifest.files:
        return None
    path = opened.path / _HISTORY_FILE
    try:
        history = pd.read_csv(BytesIO(path.read_bytes()), dtype={"subject": str, "area": str})
    except ValueError as error:
        raise CorruptDataError("cannot be read as a table", where=path, found=str(error)) from error
    table = Details(
        f"The table itself ({write_count(len(history), 'row')})",
        [tabulate_frame(history, f"{_HISTORY_FILE}.")],
    )
    is_model = opened.manifest.kind == "model"
    known = {"epoch", "loss", "validation_score"} <= set(history) or "epoch" not in history
    section = compose_training(opened.run) if is_model and known else None
    blocks = section.blocks if section is not None else _draw_columns(history)
    return Section("training", "Training", [*blocks, table])


def _draw_columns(history: pd.DataFrame) -> list[Block]:
    """Draw every number of a history against the column that counts."""
    counter = next((name for name in ("epoch", "step") if name in history), None)
    numbers = [
        str(name)
        for name in history.columns
        if name not in (counter, "seed", "fold") and pd.api.types.is_numeric_dtype(history[name])
    ]
    if counter is None or not numbers:
        return []
    pictures: list[Picture] = []
    for name in numbers[:_MOST_CURVES]:
        mean = history.groupby(counter)[name].mean().dropna()
        if not len(mean):
            continue
        label = name.replace("_", " ")
        places = mean.index.to_numpy(dtype=float)
        figure = draw_lines(places, {label: mean.to_numpy()}, counter, label, label)
        alt = f"{label} by {counter}, from {mean.iloc[0]:.3g} to {mean.iloc[-1]:.3g}."
        pictures.append(encode_figure(figure, make_slug("training", name), alt))
    several = " Means over seeds and folds." if history[counter].duplicated().any() else ""
    return [FigureGroup(pictures, f"Training by {counter}.{several}")] if pictures else []


def _show_options(opened: Opened) -> list[Block]:
    blocks: list[Block] = []
    for name in sorted(opened.manifest.files):
        if PurePosixPath(name).name not in _OPTION_FILES:
            continue
        path = opened.path / name
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise CorruptDataError("is no JSON", where=path, found=str(error)) from error
        if isinstance(content, dict):
            blocks.append(tabulate_pairs(f"{name}.", dict(flatten(content))))
    return blocks


def _show_weights(opened: Opened) -> list[Block]:
    blocks: list[Block] = []
    for name in sorted(opened.manifest.files):
        if name.endswith(".safetensors"):
            blocks += _tabulate_weights(opened, name)
    return blocks


def _tabulate_weights(opened: Opened, name: str) -> list[Block]:
    rows: list[Row] = []
    n_tensors = n_parameters = 0
    try:
        with safe_open(opened.path / name, framework="numpy") as weights:
            for key in sorted(weights.keys()):
                tensor = weights.get_slice(key)
                shape, dtype = tensor.get_shape(), str(tensor.get_dtype())
                n_tensors += 1
                n_parameters += math.prod(shape)
                if len(rows) < _MOST_TENSORS:
                    # NumPy has no bfloat16 and no 8-bit floats.
                    is_float = dtype in ("F64", "F32", "F16")
                    values = weights.get_tensor(key).astype(np.float64) if is_float else None
                    rows.append(_compose_row(key, shape, dtype, values))
    except (SafetensorError, OSError) as error:
        raise CorruptDataError(
            "weights cannot be read",
            where=opened.path / name,
            found=str(error),
            remedy="Run brainalign verify, delete the folder and run its rule again.",
        ) from error
    note = f" The first {_MOST_TENSORS} are listed." if n_tensors > _MOST_TENSORS else ""
    caption = f"{name}: {n_parameters:,} numbers in {write_count(n_tensors, 'array')}.{note}"
    columns = ["Array", "Shape", "Type", "Mean", "SD", "Norm", "Missing"]
    return [Text(caption), Details("All arrays", [Table(caption, columns, rows)])]


def _compose_row(key: str, shape: list[int], dtype: str, values: np.ndarray | None) -> Row:
    first = (Cell(key), Cell(" x ".join(map(str, shape)) or "single value"), Cell(dtype))
    if values is None or not values.size:
        return Row((*first, *(Cell("") for _ in range(4))))
    finite = values[np.isfinite(values)]
    numbers = (
        (finite.mean(), finite.std(), np.linalg.norm(finite)) if finite.size else (np.nan,) * 3
    )
    n_missing = values.size - finite.size
    return Row(
        (
            *first,
            *(Cell(f"{number:.4g}", sort=float(number)) for number in numbers),
            Cell(f"{n_missing:,}", sort=n_missing),
        )
    )
