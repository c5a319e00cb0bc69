"""The page of one store or folder."""

from __future__ import annotations

from pathlib import Path

from brainalign.errors import CorruptDataError, InputError
from brainalign.report.document import Group, render_page
from brainalign.report.views.parts import Opened, compose_about
from brainalign.report.views.registry import get_view
from brainalign.stores.manifest import Manifest, find_incomplete_files, read_manifest

_REPORT_PAGE = "index.html"


def find_report_page(path: Path) -> Path | None:
    """Give the page of a published report, which is its own; None for any other folder.

    Raises
    ------
    InputError, CorruptDataError
        See :func:`compose_store_page`.
    """
    manifest = _read_whole_manifest(path)
    is_report = manifest.kind == "report" and _REPORT_PAGE in manifest.files
    return path / _REPORT_PAGE if is_report else None


def compose_store_page(path: Path) -> str:
    """Compose the page of a published store or folder.

    Parameters
    ----------
    path : Path
        The folder.

    Returns
    -------
    html : str
        A document that needs no other file.

    Raises
    ------
    InputError
        If nothing is there.
    CorruptDataError
        If it was never published, lacks a file, breaks its contract, or a chunk does not decode.

    Notes
    -----
    Of arrays only samples are read, so that memory stays bounded however large the store is.
    Checksums are not recomputed; ``brainalign verify`` does that.
    """
    manifest = _read_whole_manifest(path)
    opened = Opened(path, manifest)
    sections = [compose_about(opened), *get_view(manifest.kind)(opened)]
    name = "/".join([*path.resolve().parts[-3:]])
    return render_page(f"{manifest.kind}: {name}", [Group("Contents", sections)]).html


def _read_whole_manifest(path: Path) -> Manifest:
    if path.is_file():
        raise InputError(
            "is a file, not a published folder",
            where=path,
            remedy="Give the folder that holds it, such as results/scores.zarr.",
        )
    manifest = read_manifest(path)
    incomplete = find_incomplete_files(path, manifest)
    if incomplete:
        raise CorruptDataError(
            "; ".join(incomplete[:3]),
            where=path,
            remedy="Run brainalign verify, delete the folder and run its rule again.",
        )
    return manifest
