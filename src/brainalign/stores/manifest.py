"""The manifest of a published folder: what it is, where it came from, a checksum per file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from brainalign.errors import CorruptDataError, InputError

MANIFEST_NAME = "manifest.json"
FORMAT_VERSION = 1

# Snakemake drops its time stamp into every folder that a rule declares as its output.
_FOREIGN_FILES = frozenset({MANIFEST_NAME, ".snakemake_timestamp"})
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Manifest:
    """Content of ``manifest.json``.

    Parameters
    ----------
    kind : str
        Kind of the folder: a kind of store, or ``raw``, ``backbone``, ``model``, ``report``.
    files : dict of str to dict
        For each file, by its path inside the folder: ``sha256`` and ``size`` in bytes.
    provenance : dict
        Config digest, input digests, package version, seeds, device, times.
    """

    kind: str
    files: dict[str, dict[str, Any]]
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """Identity of the content: a SHA-256 over the checksums of all files."""
        lines = [f"{name} {self.files[name]['sha256']}" for name in sorted(self.files)]
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def to_json(self) -> str:
        """Write the manifest as indented JSON."""
        content = {
            "format_version": FORMAT_VERSION,
            "kind": self.kind,
            "digest": self.digest,
            "provenance": self.provenance,
            "files": dict(sorted(self.files.items())),
        }
        content["checksum"] = _compute_content_checksum(content)
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def list_files(folder: Path) -> list[str]:
    """List the files of a folder that its manifest covers, sorted, as POSIX paths."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in names if name not in _FOREIGN_FILES)


def compute_checksum(path: Path) -> str:
    """Compute the SHA-256 of one file in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _compute_content_checksum(content: dict[str, Any]) -> str:
    """Protect the manifest itself: nothing else would notice a changed byte of provenance."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def build_manifest(folder: Path, kind: str, provenance: dict[str, Any]) -> Manifest:
    """Compute the manifest of a finished folder.

    Parameters
    ----------
    folder : Path
        The folder; its present files are taken as the truth.
    kind : str
        Kind of the folder.
    provenance : dict
        Where its content came from; must be JSON.
    """
    files = {
        name: {
            "sha256": compute_checksum(folder / name),
            "size": (folder / name).stat().st_size,
        }
        for name in list_files(folder)
    }
    return Manifest(kind=kind, files=files, provenance=provenance)


def read_manifest(folder: Path) -> Manifest:
    """Read the manifest of a published folder.

    Raises
    ------
    InputError
        If the folder does not exist.
    CorruptDataError
        If it has no manifest (it was never published) or an unreadable one.
    """
    path = folder / MANIFEST_NAME
    if not folder.is_dir():
        raise InputError(
            "no such store", where=folder, remedy="Run the rule that makes it: snakemake PATH."
        )
    if not path.is_file():
        raise CorruptDataError(
            f"has no {MANIFEST_NAME}, so it was never published whole",
            where=folder,
            remedy="Delete it and run its rule again.",
        )
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content.pop("checksum") != _compute_content_checksum(content):
            raise ValueError("another checksum than when it was published")
        return Manifest(
            kind=content["kind"], files=content["files"], provenance=content["provenance"]
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CorruptDataError(
            f"damaged {MANIFEST_NAME}",
            where=path,
            found=str(error) or type(error).__name__,
            remedy="Delete the store and run its rule again.",
        ) from error


def find_damage(folder: Path) -> list[str]:
    """Compare every file of a published folder with its manifest.

    Returns
    -------
    damage : list of str
        One sentence per file that is missing, changed or not in the manifest.
    """
    manifest = read_manifest(folder)
    present = set(list_files(folder))
    damage = find_incomplete_files(folder, manifest)
    damage += [f"{name} is not in the manifest" for name in sorted(present - set(manifest.files))]
    for name in sorted(present & set(manifest.files)):
        expected = manifest.files[name]
        if (folder / name).stat().st_size != expected["size"]:
            continue
        if compute_checksum(folder / name) != expected["sha256"]:
            damage.append(f"{name} has another checksum than when it was published")
    return damage


def find_incomplete_files(folder: Path, manifest: Manifest) -> list[str]:
    """Compare only the presence and size of files with the manifest, which costs no reading.

    Returns
    -------
    damage : list of str
        One sentence per file that is missing or has another size.
    """
    damage = []
    for name, expected in sorted(manifest.files.items()):
        path = folder / name
        if not path.is_file():
            damage.append(f"{name} is missing")
        elif (size := path.stat().st_size) != expected["size"]:
            damage.append(f"{name} has {size} bytes, expected {expected['size']}")
    return damage
