"""Read a table of stimuli and the image files that it names."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.raw.images import check_image_file, decode_image_file
from brainalign.raw.recording import StimulusCollection
from brainalign.stores.manifest import compute_checksum

_TEXT_COLUMNS = ("kind", "file", "sha256", "split", "category", "exemplar", "caption", "labels")
_SPLITS = ("train", "validation", "test")


def read_stimulus_table(path: Path) -> pd.DataFrame:
    """Read a tab-separated table of stimuli.

    Parameters
    ----------
    path : Path
        A table with at least the column ``stimulus``, and ``file`` where there are images; see
        ``docs/own_data.md`` for the others.

    Returns
    -------
    table : pandas.DataFrame
        Indexed by stimulus id, which stays text (``001`` is not 1). Columns that are not known
        by name are numeric factors.

    Raises
    ------
    InputError
        If a column is missing, an id is empty or repeated, a split is unknown, a file lies
        outside the table's folder, or a factor is no number.
    """
    try:
        table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such stimulus table", where=path) from None
    except OSError as error:
        raise InputError("cannot be read", where=path, found=error.strerror) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, UnicodeDecodeError) as error:
        raise InputError("is no tab-separated UTF-8 table", where=path, found=str(error)) from error
    for column in _list_needed(table):
        if column not in table.columns:
            raise InputError(
                f"the table has no column '{column}'",
                where=path,
                remedy=suggest_separator(table) or suggest_name(column, table.columns),
            )
    _check_rows(table, path)
    return _convert_factors(table.set_index("stimulus"), path)


def suggest_separator(table: pd.DataFrame) -> str | None:
    """Tell that a table is separated by other characters than tabs, where it looks so."""
    [only, *others] = [str(name) for name in table.columns]
    if others:
        return None
    for separator, name in ((",", "commas"), (";", "semicolons"), ("  ", "spaces")):
        if separator in only:
            return f"It looks separated by {name}; save it separated by tabs."
    return None


def suggest_ids(missing: list[str], known: set[str]) -> str | None:
    """Tell why ids of trials are not among those of the images, where it shows.

    Parameters
    ----------
    missing : list of str
        Ids of trials without an image.
    known : set of str
        Ids of the images.
    """
    if all(name.removesuffix(".0") in known for name in missing):
        return "The trials hold decimal numbers: write the ids as text or whole numbers."
    if all(str(Path(name).with_suffix("")) in known for name in missing):
        return "Ids have no file ending: remove it in the trials, or add it in the table."
    if not all(name.isdecimal() for name in [*missing, *known]) or not known:
        return None
    numbers = sorted(map(int, known))
    if {name.lstrip("0") or "0" for name in missing} <= {str(number) for number in numbers}:
        return "Ids are text: '1' and '001' differ. Write them alike in trials and table."
    if [int(name) for name in missing] in ([numbers[-1] + 1], [numbers[0] - 1]):
        return (
            "Numbers seem to count from 0 in one place and from 1 in the other: then every trial "
            "is off by one, not this one alone."
        )
    return None


def _list_needed(table: pd.DataFrame) -> tuple[str, ...]:
    """List what a table must have; one that says what stimuli are may do without images."""
    described = {"category", "labels"} & set(table.columns)
    return ("stimulus",) if described else ("stimulus", "file")


def _check_rows(table: pd.DataFrame, path: Path) -> None:
    for row, stimulus in enumerate(table["stimulus"], start=2):
        if not stimulus.strip():
            raise InputError("the stimulus id is empty", where=f"{path} line {row}")
    repeated = table["stimulus"][table["stimulus"].duplicated()]
    if len(repeated):
        raise InputError(
            f"stimulus id '{repeated.iloc[0]}' stands twice",
            where=f"{path} line {int(repeated.index[0]) + 2}",
        )
    for row, name in enumerate(table.get("file", []), start=2):
        parts = Path(name).parts
        if not name or Path(name).is_absolute() or ".." in parts:
            raise InputError(
                f"file '{name}' does not lie below the folder of the table",
                where=f"{path} line {row}",
                remedy="Give a path relative to the table, without '..'.",
            )
    if "split" in table.columns:
        for row, split in enumerate(table["split"], start=2):
            if split not in _SPLITS:
                raise InputError(
                    f"unknown split '{split}'",
                    where=f"{path} line {row}",
                    remedy=suggest_name(split, _SPLITS),
                )


def _convert_factors(table: pd.DataFrame, path: Path) -> pd.DataFrame:
    for column in table.columns.difference(list(_TEXT_COLUMNS)):
        text = table[column].where(~table[column].isin(["", "n/a", "nan"]), "nan")
        try:
            table[column] = text.astype(np.float64)
        except ValueError as error:
            raise InputError(
                f"column '{column}' is no known text column and no number",
                where=path,
                found=str(error),
                remedy=f"Text columns are {', '.join(_TEXT_COLUMNS)}; other columns are factors.",
            ) from error
    return table


def open_stimulus_table(path: Path, max_pixels: int) -> StimulusCollection:
    """Open a table of stimuli as a collection of images.

    Parameters
    ----------
    path : Path
        The table.
    max_pixels : int
        Limit per image, see :func:`brainalign.raw.images.decode_image_file`.

    Raises
    ------
    CorruptDataError
        From ``read_image``, if a file has another checksum than the table says.
    """
    table = read_stimulus_table(path)
    has_images = "file" in table.columns

    def read_image(stimulus: str) -> np.ndarray:
        if not has_images:
            raise InputError("the table names no images: it has no column 'file'", where=path)
        file = path.parent / str(table.at[stimulus, "file"])
        expected = str(table.at[stimulus, "sha256"]) if "sha256" in table.columns else ""
        if expected and file.is_file() and (found := compute_checksum(file)) != expected.lower():
            raise CorruptDataError(
                "has other bytes than when the table was written",
                where=file,
                expected=f"sha256 {expected[:12]}…",
                found=f"{found[:12]}…",
                remedy="Copy the file again, or correct the table.",
            )
        return decode_image_file(file, max_pixels)

    def check_image(stimulus: str) -> None:
        check_image_file(path.parent / str(table.at[stimulus, "file"]), max_pixels)

    factors = table.columns.difference(list(_TEXT_COLUMNS), sort=False)
    return StimulusCollection(
        table=table,
        factors=tuple(map(str, factors)),
        read_image=read_image,
        check_image=check_image,
        has_images=has_images,
    )
