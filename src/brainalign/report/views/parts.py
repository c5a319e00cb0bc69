"""Blocks that pages of all kinds of stores share."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.report.artifacts import Artifact, Run, file_artifact
from brainalign.report.blocks import Block, Cell, Code, Details, Row, Section, Table, Text
from brainalign.report.names import MISSING, write_count, write_memory, write_seconds
from brainalign.report.opening import write_import, write_opener
from brainalign.report.sections.provenance import describe_device
from brainalign.stores.inspect_folder import format_size
from brainalign.stores.manifest import Manifest
from brainalign.stores.read import open_store

_MOST_ROWS = 200
_MOST_CHARACTERS = 300


@dataclass(frozen=True)
class Opened:
    """A published folder that a page is made of.

    Attributes
    ----------
    path : Path
        The folder.
    manifest : Manifest
        Its manifest.
    """

    path: Path
    manifest: Manifest

    @cached_property
    def tree(self) -> xr.DataTree:
        """The store, lazy; only for kinds that are stores."""
        return open_store(self.path, self.manifest.kind)

    @cached_property
    def run(self) -> Run:
        """A run that holds nothing else, for the sections of the report."""
        run = Run()
        file_artifact(run, Artifact(self.path, self.manifest))
        return run


def compose_about(opened: Opened) -> Section:
    """Say what a folder is, where it came from and how it is opened."""
    manifest, provenance = opened.manifest, opened.manifest.provenance
    run = provenance.get("run", {})
    size = sum(entry["size"] for entry in manifest.files.values())
    facts = {
        "Kind": manifest.kind,
        "Folder": str(opened.path),
        "Content": f"{write_count(len(manifest.files), 'file')}, {format_size(size)}",
        "Digest": manifest.digest[:16],
        "Made by": f"stage {provenance.get('stage', MISSING)}, brainalign "
        f"{provenance.get('brainalign_version', MISSING)}",
        "Seeds": ", ".join(map(str, provenance.get("seeds", ()))) or MISSING,
        "Device": describe_device(provenance),
        "Started": str(run.get("started_at", MISSING)),
        "Cost": _describe_cost(run),
    }
    line = write_opener(opened.path, manifest)
    blocks: list[Block] = [
        tabulate_pairs("What this is and where it came from.", facts),
        Code(f"{write_import(line)}\n{line}"),
    ]
    if options := provenance.get("options"):
        pairs = dict(flatten(options))
        blocks.append(Details("Options of the job", [tabulate_pairs("Options.", pairs)]))
    if inputs := provenance.get("inputs"):
        pairs = {role: str(digest)[:16] for role, digest in inputs.items()}
        blocks.append(
            Details("Made from", [tabulate_pairs("Inputs and their digests.", pairs, is_code=True)])
        )
    return Section("about", "About", blocks)


def compose_variables(opened: Opened) -> Section:
    """List the groups and variables of a store."""
    rows = []
    for node in opened.tree.subtree:
        dataset = node.to_dataset(inherit=False)
        for name, variable in dataset.variables.items():
            dimensions = ", ".join(f"{axis} {length:,}" for axis, length in variable.sizes.items())
            kind = "text" if variable.dtype.kind in "OUT" else str(variable.dtype)
            rows.append(
                Row(
                    (
                        Cell(f"{node.path.rstrip('/')}/{name}"),
                        Cell(dimensions or "single value"),
                        Cell(kind),
                        Cell(str(variable.attrs.get("units", "")) or MISSING),
                        Cell(str(variable.attrs.get("long_name", "")) or MISSING),
                    )
                )
            )
    shown = f" The first {_MOST_ROWS} are listed." if len(rows) > _MOST_ROWS else ""
    table = Table(
        f"{write_count(len(rows), 'variable')} in "
        f"{write_count(len(list(opened.tree.subtree)), 'group')}.{shown}",
        ["Variable", "Dimensions", "Type", "Units", "Meaning"],
        rows[:_MOST_ROWS],
    )
    attributes = {
        str(key): str(value)
        for key, value in opened.tree.attrs.items()
        # The provenance is shown above, whole.
        if key not in opened.manifest.provenance
    }
    blocks: list[Block] = [table] if len(rows) <= 40 else [Details("All variables", [table])]
    if attributes:
        blocks.append(tabulate_pairs("Attributes of the store.", attributes))
    return Section("contents", "Contents", blocks)


def compose_files(opened: Opened) -> Section:
    """List the files of a folder, grouped where there are many."""
    files = opened.manifest.files
    shown = sorted(files)[:_MOST_ROWS]
    note = f" The first {_MOST_ROWS} are listed." if len(files) > _MOST_ROWS else ""
    table = Table(
        f"{write_count(len(files), 'file')} in the order of their names.{note}",
        ["File", "Size"],
        [
            Row(
                (
                    Cell(name),
                    Cell(format_size(files[name]["size"]), sort=float(files[name]["size"])),
                )
            )
            for name in shown
        ],
    )
    endings: dict[str, list[int]] = {}
    for name, entry in files.items():
        endings.setdefault("".join(Path(name).suffixes[-2:]) or "none", []).append(entry["size"])
    by_ending = Table(
        "Files by ending.",
        ["Ending", "Files", "Size"],
        [
            Row(
                (
                    Cell(ending),
                    Cell(f"{len(sizes):,}", sort=len(sizes)),
                    Cell(format_size(sum(sizes)), sort=float(sum(sizes))),
                )
            )
            for ending, sizes in sorted(endings.items())
        ],
    )
    blocks: list[Block] = [by_ending, Details("All files" if not note else "Files", [table])]
    return Section("files", "Files", blocks)


def tabulate_pairs(caption: str, pairs: Mapping[str, Any], *, is_code: bool = False) -> Table:
    """Make a table of names and values."""
    rows = [
        Row((Cell(str(name)), Cell(_shorten(str(value)), is_code=is_code)))
        for name, value in pairs.items()
    ]
    return Table(caption, ["Name", "Value"], rows)


def tabulate_frame(frame: pd.DataFrame, caption: str, n_rows: int = 30) -> Table:
    """Make a table of the first rows of a data frame, and say how many there are."""
    note = f" The first {n_rows} of {len(frame):,} rows." if len(frame) > n_rows else ""
    rows = [
        Row(tuple(_write_value(value) for value in row))
        for row in frame.head(n_rows).itertuples(index=False, name=None)
    ]
    return Table(caption + note, [str(name) for name in frame.columns], rows)


def flatten(options: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Write nested options as ``optimiser.rate`` and its value."""
    for name, value in options.items():
        if isinstance(value, Mapping) and value:
            yield from flatten(value, f"{prefix}{name}.")
        else:
            is_text = isinstance(value, str)
            yield f"{prefix}{name}", value if is_text else json.dumps(value, ensure_ascii=False)


def list_sections(*sections: Section | None) -> list[Section]:
    """Leave out sections that have nothing to show."""
    return [section for section in sections if section is not None and section.blocks]


def describe_sample(note: str) -> Text:
    """Say that what is drawn is a part."""
    return Text(f"Read for this page: {note}. The store itself holds all of it.")


def _describe_cost(run: Mapping[str, Any]) -> str:
    if "wall_s" not in run:
        return "not recorded"
    return (
        f"{write_seconds(float(run['wall_s']))} of wall time, "
        f"{write_seconds(float(run.get('cpu_s', 0)))} of CPU time, peak "
        f"{write_memory(float(run.get('peak_memory_mb', 0)))}"
    )


def _write_value(value: object) -> Cell:
    if isinstance(value, float | np.floating):
        if not np.isfinite(value):
            return Cell(MISSING)
        return Cell(f"{value:.4g}", sort=float(value))
    if isinstance(value, int | np.integer) and not isinstance(value, bool):
        return Cell(f"{value}", sort=float(value))
    return Cell(_shorten(str(value)))


def _shorten(text: str) -> str:
    return text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]} …"
