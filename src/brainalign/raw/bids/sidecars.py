"""Sidecars of a BIDS file: JSON that is inherited from the folders above."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from brainalign.errors import CorruptDataError
from brainalign.raw.bids.files import BIDSFile, check_present


def find_sidecars(
    file: BIDSFile, candidates: Iterable[BIDSFile], extension: str = ".json"
) -> list[BIDSFile]:
    """Find the files that apply to another one, the most general first.

    Parameters
    ----------
    file : BIDSFile
        The file that is described.
    candidates : iterable of BIDSFile
        Files of the data set.
    extension : str
        ``.json`` for sidecars, ``.tsv`` for tables such as events.

    Returns
    -------
    applicable : list of BIDSFile
        Those with the same suffix and no entity that the file lacks or has otherwise, in its own
        folder or one above (the inheritance principle of BIDS), by depth, then by entities.
    """
    folders = set(file.path.parents)
    own = dict(file.entities)
    found = [
        one
        for one in candidates
        if one.extension == extension
        and one.suffix == file.suffix
        and one.path.parent in folders
        and all(own.get(name) == value for name, value in one.entities.items())
    ]
    return sorted(found, key=lambda one: (len(one.path.parts), len(one.entities)))


def read_sidecar(file: BIDSFile, candidates: Iterable[BIDSFile]) -> dict[str, Any]:
    """Merge the sidecars of a file; nearer ones win.

    Raises
    ------
    CorruptDataError
        If one of them is no JSON object.
    InputError
        If one is a dangling link.
    """
    merged: dict[str, Any] = {}
    for sidecar in find_sidecars(file, candidates):
        merged |= read_json_object(sidecar.path)
    return merged


def read_json_object(path: Path) -> dict[str, Any]:
    """Read a JSON file that holds one object.

    Raises
    ------
    CorruptDataError
        If it is damaged or holds something else.
    """
    check_present(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
    except ValueError as error:
        raise CorruptDataError("is no JSON", where=path, found=str(error)) from error
    if not isinstance(content, dict):
        raise CorruptDataError("is no JSON object", where=path, found=type(content).__name__)
    return content
