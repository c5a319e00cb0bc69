"""Spike times as many laboratories keep them: one file per unit in a folder."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from brainalign.errors import CorruptDataError, InputError

ENDINGS = (".txt", ".csv", ".npy")


def list_time_files(folder: Path) -> list[Path]:
    """List the files of a folder that hold spike times.

    Parameters
    ----------
    folder : Path
        One file per unit, named after it; files of other endings are left alone.

    Returns
    -------
    files : list of Path
        In the order of names, with numbers by value (``cell2`` before ``cell10``).

    Raises
    ------
    InputError
        If it is no folder, holds no such file, or two files name the same unit.
    """
    if not folder.is_dir():
        raise InputError("is no folder", where=folder, expected="one file of spike times per unit")
    files = sorted(
        (path for path in folder.iterdir() if path.suffix.lower() in ENDINGS),
        key=lambda path: [
            (int(part), "") if part.isdigit() else (-1, part)
            for part in re.split(r"(\d+)", path.name)
        ],
    )
    if not files:
        raise InputError(
            "the folder holds no file of spike times",
            where=folder,
            expected=f"one file per unit ({', '.join(ENDINGS)})",
            found=", ".join(sorted(path.name for path in folder.iterdir())[:5]) or "nothing",
        )
    seen: dict[str, Path] = {}
    for path in files:
        if path.stem in seen:
            raise InputError(
                f"unit '{path.stem}' stands in two files",
                where=folder,
                found=f"{seen[path.stem].name} and {path.name}",
                remedy="Remove one of them.",
            )
        seen[path.stem] = path
    return files


def read_times(path: Path) -> np.ndarray:
    """Read the spike times of one unit.

    Parameters
    ----------
    path : Path
        Text with one time per line (empty lines and ``#`` comments are skipped), or an array of
        NumPy. An empty file is a unit without spikes.

    Returns
    -------
    times : array of shape (n_spikes,), float64
        As the file gives them, in its unit and order.

    Raises
    ------
    CorruptDataError
        If an entry is no number, or an array has more than one column.
    """
    if path.suffix.lower() == ".npy":
        return _read_array(path)
    times = []
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise CorruptDataError("is no UTF-8 text", where=path, found=str(error)) from error
    for number, line in enumerate(lines, start=1):
        entry = line.split("#")[0].strip().rstrip(",;")
        if not entry:
            continue
        try:
            times.append(float(entry))
        except ValueError:
            raise CorruptDataError(
                "an entry is no time",
                where=f"{path} line {number}",
                expected="one number per line",
                found=repr(line[:40]),
                remedy="Remove headings and further columns, or mark comments with #.",
            ) from None
    return np.array(times, dtype=np.float64)


def _read_array(path: Path) -> np.ndarray:
    try:
        array = np.load(path, allow_pickle=False)
        times = np.asarray(array, dtype=np.float64)
    except (OSError, ValueError, EOFError, TypeError) as error:
        raise CorruptDataError(
            "cannot be read as an array", where=path, found=str(error)
        ) from error
    if times.size != max(times.shape, default=0):
        raise CorruptDataError(
            "the array has more than one column",
            where=path,
            expected="(n_spikes,)",
            found=f"shape {times.shape}",
        )
    return times.ravel()
