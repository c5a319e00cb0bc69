"""Describe published folders that are no Zarr stores: raw data, backbones, models, reports."""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from safetensors import SafetensorError, safe_open

from brainalign.errors import CorruptDataError
from brainalign.stores.inspect_file import choose_examples, describe_file
from brainalign.stores.manifest import Manifest

_KIB = 1024
_SIZE_UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_MAX_TENSORS = 200
_EXAMPLES = 3
_SHOWN = frozenset({"options.json", "config.json", "training.csv"})


def describe_folder_content(path: Path, manifest: Manifest, statistics: bool) -> Iterator[str]:
    """Describe what a published folder holds.

    Parameters
    ----------
    path : Path
        The folder.
    manifest : Manifest
        Its manifest; only files named there are described.
    statistics : bool
        Whether to read weights for their norms.

    Yields
    ------
    line : str
        Weights with shapes, types and norms; options; a summary of the training; the first
        tables, arrays, volumes and recordings; and all files by suffix.

    Raises
    ------
    CorruptDataError
        If weights, options or training history cannot be read.
    """
    for name in sorted(manifest.files):
        file = PurePosixPath(name)
        if file.suffix == ".safetensors":
            yield from _describe_weights(path, name, statistics)
        elif file.name in ("options.json", "config.json"):
            yield from _describe_options(path, name)
        elif file.name == "training.csv":
            yield from _describe_training(path, name)
    yield from _describe_examples(path, manifest)
    yield from _count_by_suffix(manifest)


def _describe_examples(path: Path, manifest: Manifest) -> Iterator[str]:
    """Describe the first files of each ending; what is shown above is not repeated."""
    names = [name for name in sorted(manifest.files) if PurePosixPath(name).name not in _SHOWN]
    chosen, n_left = choose_examples(names, _EXAMPLES)
    for name in chosen:
        yield from describe_file(path / name, name)
    for ending, count in n_left.items():
        yield f"... and {count} more {ending} files"


def format_size(n_bytes: int) -> str:
    """Write a number of bytes for a reader, ``1536`` as ``1.5 KiB``."""
    size, unit = float(n_bytes), 0
    while size >= _KIB and unit < len(_SIZE_UNITS) - 1:
        size, unit = size / _KIB, unit + 1
    return f"{size:.0f} B" if unit == 0 else f"{size:.1f} {_SIZE_UNITS[unit]}"


def _describe_weights(path: Path, name: str, statistics: bool) -> Iterator[str]:
    lines: list[str] = []
    n_parameters = 0
    try:
        with safe_open(path / name, framework="numpy") as weights:
            for key in sorted(weights.keys()):
                tensor = weights.get_slice(key)
                shape, dtype = tuple(tensor.get_shape()), tensor.get_dtype()
                n_parameters += math.prod(shape)
                if len(lines) < _MAX_TENSORS:
                    norm = _format_norm(weights, key, dtype) if statistics else ""
                    lines.append(f"  {key}  {shape} {dtype}{norm}")
                else:
                    lines[_MAX_TENSORS:] = ["  ... and more tensors"]
    except (SafetensorError, OSError) as error:
        raise CorruptDataError(
            "weights cannot be read",
            where=path / name,
            found=str(error),
            remedy="Run brainalign verify, delete the folder and run its rule again.",
        ) from error
    yield f"{name}  {n_parameters} parameters"
    yield from lines


def _format_norm(weights: safe_open, key: str, dtype: str) -> str:
    if dtype not in ("F64", "F32", "F16"):
        # NumPy has no bfloat16 and no 8-bit floats; integers have no norm worth a line.
        return ""
    values = weights.get_tensor(key).astype(np.float64)
    missing = int(np.isnan(values).sum())
    return f", norm {np.linalg.norm(values):.4g}" + (f", {missing} NaN" if missing else "")


def _describe_options(path: Path, name: str) -> Iterator[str]:
    try:
        options = json.loads((path / name).read_text(encoding="utf-8"))
    except ValueError as error:
        raise CorruptDataError("is no JSON", where=path / name, found=str(error)) from error
    yield name
    if not isinstance(options, dict):
        yield f"  {json.dumps(options, ensure_ascii=False)}"
        return
    for key, value in options.items():
        yield f"  {key}: {json.dumps(value, ensure_ascii=False)}"


def _describe_training(path: Path, name: str) -> Iterator[str]:
    """Summarise a history: number of epochs and the best value of each validation column."""
    with (path / name).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    n_epochs = len({row.get("epoch") for row in rows})
    # Many seeds, folds or areas share one table; methods solved in one step have no epochs.
    has_fits = n_epochs != len(rows)
    yield f"{name}  {len(rows)} rows of several fits" if has_fits else f"{name}  {n_epochs} epochs"
    columns = [column for column in (rows[0] if rows else {}) if "validation" in column]
    for column in columns:
        try:
            scores = [float(row[column]) if row[column] else math.nan for row in rows]
        except (TypeError, ValueError) as error:
            raise CorruptDataError(
                f"column '{column}' holds no numbers", where=path / name, found=str(error)
            ) from error
        finite = [(place, score) for place, score in enumerate(scores) if math.isfinite(score)]
        if not finite:
            yield f"  {column}: no finite value"
            continue
        choose = min if "loss" in column else max
        place, best = choose(finite, key=lambda pair: pair[1])
        epoch = rows[place].get("epoch", place + 1)
        yield f"  best {column} {best:.4g} in epoch {epoch}"


def _count_by_suffix(manifest: Manifest) -> Iterator[str]:
    sizes: dict[str, list[int]] = defaultdict(list)
    for name, entry in manifest.files.items():
        sizes["".join(PurePosixPath(name).suffixes[-2:]) or "no suffix"].append(entry["size"])
    yield "files"
    for suffix, present in sorted(sizes.items()):
        yield f"  {suffix}  {len(present)} files, {format_size(sum(present))}"
