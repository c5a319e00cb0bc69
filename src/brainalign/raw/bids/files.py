"""The files of a BIDS data set by their entities, listed once."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from brainalign.errors import CorruptDataError, InputError

_ENTITY = re.compile(r"([A-Za-z]+)-([A-Za-z0-9]+)")
_SKIPPED = frozenset({"derivatives", "sourcedata", "code", "stimuli", "figures", "log"})
LISTING_NAME = "files.tsv"


@dataclass(frozen=True)
class BIDSFile:
    """One file of a data set.

    Parameters
    ----------
    path : Path
        Where it lies.
    entities : mapping of str to str
        Such as ``{"sub": "01", "task": "viewing", "run": "02"}``.
    suffix : str
        The last word before the extension, such as ``bold``.
    extension : str
        Such as ``.nii.gz``.
    """

    path: Path
    entities: Mapping[str, str]
    suffix: str
    extension: str


def parse_name(path: Path) -> BIDSFile | None:
    """Read the entities of a file off its name; None where it does not follow BIDS."""
    stem, dot, extension = path.name.partition(".")
    *parts, suffix = stem.split("_")
    entities: dict[str, str] = {}
    for part in parts:
        match = _ENTITY.fullmatch(part)
        if match is None or match[1] in entities:
            return None
        entities[match[1]] = match[2]
    if not dot or not suffix or "-" in suffix:
        return None
    return BIDSFile(path, entities, suffix, dot + extension)


def list_subject_folders(folder: Path) -> list[str]:
    """List the labels of the subjects of a data set, sorted; only its top folder is read.

    Raises
    ------
    InputError
        If there is none, or two labels differ in leading zeros alone.
    """
    labels = sorted(
        entry.name.removeprefix("sub-")
        for entry in os.scandir(folder)
        if entry.name.startswith("sub-") and entry.is_dir()
    )
    if not labels:
        raise InputError(
            "no subject in the data set",
            where=folder,
            expected="folders sub-<label>",
            remedy="Point folder to the top of a BIDS data set.",
        )
    check_labels_differ(labels, folder)
    return labels


def check_labels_differ(labels: list[str], where: object) -> None:
    """Refuse labels that stand twice, also as ``1`` and ``01``: readers would mix them up.

    Raises
    ------
    InputError
        With both labels.
    """
    seen: dict[str, str] = {}
    for label in labels:
        plain = label.lstrip("0") or "0"
        if plain in seen:
            raise InputError(
                f"a subject is listed twice, as '{seen[plain]}' and '{label}'",
                where=where,
                remedy="Give every subject one label.",
            )
        seen[plain] = label


def walk_files(folder: Path, subjects: list[str] | None = None) -> list[BIDSFile]:
    """List the files of a data set: those at its top and those of its subjects.

    Parameters
    ----------
    folder : Path
        Top of a raw data set or of derivatives.
    subjects : list of str, optional
        Labels to list; all by default.

    Returns
    -------
    files : list of BIDSFile
        Sorted by path. Files whose names do not follow BIDS are left out.
    """
    wanted = None if subjects is None else {f"sub-{label}" for label in subjects}
    paths = sorted(_walk(folder, wanted))
    return [file for path in paths if (file := parse_name(path)) is not None]


def _walk(folder: Path, wanted: set[str] | None) -> Iterator[Path]:
    for entry in os.scandir(folder):
        # A dangling link is neither a file nor a folder, and must not go unseen.
        if entry.is_file() or (entry.is_symlink() and not Path(entry.path).exists()):
            yield Path(entry.path)
        elif _is_walked(folder, entry.name, wanted):
            yield from _walk(Path(entry.path), None)


def _is_walked(folder: Path, name: str, wanted: set[str] | None) -> bool:
    if name.startswith("sub-"):
        return wanted is None or name in wanted
    inside_subject = folder.name.startswith(("sub-", "ses-"))
    return name.startswith("ses-") or (inside_subject and name not in _SKIPPED)


def write_listing(path: Path, folder: Path, files: list[BIDSFile]) -> None:
    """Write the paths of files relative to the data set, one a line."""
    lines = [file.path.relative_to(folder).as_posix() for file in files]
    path.write_text("\n".join(["path", *lines]) + "\n", encoding="utf-8")


def read_listing(path: Path, folder: Path) -> list[BIDSFile]:
    """Read a list of files that :func:`write_listing` wrote.

    Raises
    ------
    InputError
        If it does not exist.
    CorruptDataError
        If it is no such list.
    """
    try:
        header, *lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise InputError("no listing of the data set", where=path) from None
    except ValueError:
        header, lines = "", []
    if header != "path":
        raise CorruptDataError("is no listing of files", where=path, expected="a column path")
    return [file for line in lines if (file := parse_name(folder / line)) is not None]


def check_present(path: Path) -> None:
    """Refuse a file whose content is not there.

    Raises
    ------
    InputError
        If the path does not exist, is a dangling link, or is the pointer of git-annex or git-lfs.
    """
    if not path.exists():
        if path.is_symlink():
            raise InputError(
                "is a dangling link, as after a clone without content",
                where=path,
                found=f"a link to {path.readlink()}",
                remedy="Fetch the content (datalad get, git annex get) and run again.",
            )
        raise InputError("no such file", where=path)
    if not path.is_file():
        raise InputError("is no file", where=path)
    with path.open("rb") as file:
        start = file.read(64)
    if start.startswith((b"/annex/objects/", b"version https://git-lfs")):
        raise InputError(
            "is a pointer to content that was not fetched",
            where=path,
            remedy="Fetch the content (git annex get, git lfs pull) and run again.",
        )
