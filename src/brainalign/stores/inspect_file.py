"""Describe single files: tables, JSON, arrays, volumes, HDF5, pictures and logs."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import nibabel
import numpy as np
from PIL import Image

from brainalign.errors import CorruptDataError

_MOST_COLUMNS, _MOST_KEYS, _MOST_MEMBERS, _N_LAST_LINES = 30, 12, 24, 5
_MOST_CHARACTERS = 100
_LARGEST_JSON = 20 << 20


def describe_file(path: Path, name: str) -> Iterator[str]:
    """Describe one file by its ending; files of unknown endings give nothing.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        How it is called in the description.

    Yields
    ------
    line : str
        Its name with its shape or size, then columns, keys or members.

    Raises
    ------
    CorruptDataError
        If the file does not hold what its ending says.
    """
    describe = _find_description(name)
    if describe is None:
        return
    try:
        yield from describe(path, name)
    except (OSError, ValueError, KeyError, EOFError, csv.Error) as error:
        raise CorruptDataError(
            "cannot be read",
            where=path,
            expected=f"a file of kind {Path(name).suffix}",
            found=str(error) or type(error).__name__,
            remedy="Run brainalign verify, delete the folder and run its rule again.",
        ) from error


def choose_examples(names: list[str], count: int) -> tuple[list[str], dict[str, int]]:
    """Choose the first files of each ending that can be described.

    Parameters
    ----------
    names : list of str
        Files, sorted.
    count : int
        How many of each ending.

    Returns
    -------
    chosen : list of str
        In the order of the names.
    n_left : dict of str to int
        By ending, how many are left out.
    """
    chosen: list[str] = []
    seen: dict[str, int] = {}
    for name in names:
        ending = next((one for one in _DESCRIPTIONS if name.lower().endswith(one)), None)
        if ending is None:
            continue
        seen[ending] = seen.get(ending, 0) + 1
        if seen[ending] <= count:
            chosen.append(name)
    return chosen, {ending: n - count for ending, n in seen.items() if n > count}


def _find_description(name: str) -> Callable[[Path, str], Iterator[str]] | None:
    return next(
        (one for ending, one in _DESCRIPTIONS.items() if name.lower().endswith(ending)), None
    )


def _describe_table(path: Path, name: str) -> Iterator[str]:
    delimiter = "\t" if name.lower().endswith(".tsv") else ","
    with path.open(encoding="utf-8", newline="") as stream:
        rows = csv.reader(stream, delimiter=delimiter)
        columns = next(rows, [])
        first = next(rows, None)
        n_rows = (first is not None) + sum(1 for _ in rows)
    more = f", ... and {len(columns) - _MOST_COLUMNS} more" if len(columns) > _MOST_COLUMNS else ""
    yield f"{name}  {n_rows} rows, {len(columns)} columns"
    yield f"  columns: {', '.join(columns[:_MOST_COLUMNS])}{more}"
    if first is not None:
        yield f"  first: {_shorten(', '.join(first))}"


def _describe_json(path: Path, name: str) -> Iterator[str]:
    if path.stat().st_size > _LARGEST_JSON:
        yield f"{name}  JSON of {path.stat().st_size} bytes, not read"
        return
    content = json.loads(path.read_text(encoding="utf-8"))
    if not isinstance(content, dict):
        yield f"{name}  {_summarise(content)}"
        return
    yield f"{name}  {len(content)} keys"
    for key, value in list(content.items())[:_MOST_KEYS]:
        yield f"  {key}: {_summarise(value)}"
    if len(content) > _MOST_KEYS:
        yield f"  ... and {len(content) - _MOST_KEYS} more keys"


def _summarise(value: Any) -> str:
    if isinstance(value, list):
        return f"list of {len(value)}"
    if isinstance(value, dict):
        return f"{len(value)} keys: {_shorten(', '.join(map(str, value)))}"
    return _shorten(json.dumps(value, ensure_ascii=False))


def _describe_array(path: Path, name: str) -> Iterator[str]:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    yield f"{name}  {tuple(array.shape)} {array.dtype}"


def _describe_archive(path: Path, name: str) -> Iterator[str]:
    with np.load(path, allow_pickle=False) as archive:
        yield f"{name}  {len(archive.files)} arrays"
        for key in archive.files[:_MOST_MEMBERS]:
            array = archive[key]
            yield f"  {key}  {tuple(array.shape)} {array.dtype}"


def _describe_volume(path: Path, name: str) -> Iterator[str]:
    try:
        # nibabel's types leave open what kind of image a file is.
        image: Any = nibabel.load(path)
    except nibabel.filebasedimages.ImageFileError as error:
        raise ValueError(str(error)) from error
    steps = " x ".join(f"{step:.4g}" for step in image.header.get_zooms())
    yield f"{name}  {tuple(image.shape)} {image.get_data_dtype()}, steps {steps} (mm, then s)"


def _describe_hierarchy(path: Path, name: str) -> Iterator[str]:
    """List the arrays of an HDF5 file, such as NWB, without reading any."""
    found: list[tuple[int, str]] = []

    def note(inside: str, member: object) -> None:
        if isinstance(member, h5py.Dataset) and not inside.startswith("specifications/"):
            shape = tuple(member.shape or ())
            found.append((-member.size if shape else 0, f"  {inside}  {shape} {member.dtype}"))

    with h5py.File(path) as file:
        file.visititems(note)
    yield f"{name}  {len(found)} arrays, the largest first"
    yield from (line for _, line in sorted(found)[:_MOST_MEMBERS])
    if len(found) > _MOST_MEMBERS:
        yield f"  ... and {len(found) - _MOST_MEMBERS} more arrays"


def _describe_picture(path: Path, name: str) -> Iterator[str]:
    with Image.open(path) as image:
        yield f"{name}  {image.width} x {image.height} pixels, {image.mode}"


def _describe_log(path: Path, name: str) -> Iterator[str]:
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    yield f"{name}  {len(lines)} lines, the last:"
    yield from (f"  {line}" for line in lines[-_N_LAST_LINES:])


def _shorten(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} ..."


_DESCRIPTIONS: dict[str, Callable[[Path, str], Iterator[str]]] = {
    ".csv": _describe_table,
    ".tsv": _describe_table,
    ".json": _describe_json,
    ".npy": _describe_array,
    ".npz": _describe_archive,
    ".nii": _describe_volume,
    ".nii.gz": _describe_volume,
    ".nwb": _describe_hierarchy,
    ".h5": _describe_hierarchy,
    ".png": _describe_picture,
    ".jpg": _describe_picture,
    ".log": _describe_log,
}
