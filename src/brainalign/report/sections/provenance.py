"""Provenance and cost of every artifact, and the line that opens it."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from importlib import metadata
from pathlib import Path
from typing import Any

from brainalign.report.artifacts import Artifact, Run
from brainalign.report.blocks import Block, Cell, Drawing, Row, Section, Table, Text
from brainalign.report.names import MISSING, write_count, write_memory, write_seconds
from brainalign.report.opening import list_imports, write_opener
from brainalign.report.workflow_graph import draw_workflow

_DIGEST_LENGTH = 10
_GRAPH_CAPTION = (
    "Folders of the results in the order of the data, from the inputs that the manifests name: "
    "number of artifacts and wall time of their jobs one after the other. Arrows that a longer way "
    "implies are left out."
)
_PACKAGES = (
    "brainalign",
    "numpy",
    "scipy",
    "pandas",
    "xarray",
    "zarr",
    "torch",
    "transformers",
    "matplotlib",
    "snakemake",
)


def compose_provenance(run: Run) -> Section:
    """List every artifact with where it came from and what it cost.

    Parameters
    ----------
    run : Run
        Its published folders.
    """
    artifacts = run.list_artifacts()
    drawing = draw_workflow(artifacts, run.results)
    blocks: list[Block] = [Text(_describe_cost(artifacts))]
    if drawing is not None:
        blocks.append(Drawing(drawing, _GRAPH_CAPTION))
    blocks += [
        _tabulate_artifacts(artifacts, run.results),
        Text(
            f"The lines that open an artifact need one of: {'; '.join(list_imports())}. "
            "brainalign inspect PATH prints what any of them holds, brainalign open PATH writes a "
            "page of it, brainalign verify PATH recomputes its checksums."
        ),
        _tabulate_versions(artifacts),
    ]
    return Section("provenance", "Provenance and run time", blocks)


def _describe_cost(artifacts: Sequence[Artifact]) -> str:
    runs = [run for artifact in artifacts if (run := artifact.provenance.get("run"))]
    if not runs:
        count = write_count(len(artifacts), "artifact")
        return f"{count}; time, memory and energy: not recorded."
    wall = sum(float(run.get("wall_s", 0)) for run in runs)
    cpu = sum(float(run.get("cpu_s", 0)) for run in runs)
    peak = max(float(run.get("peak_memory_mb", 0)) for run in runs)
    text = (
        f"{write_count(len(artifacts), 'artifact')}. Their jobs took {write_seconds(wall)} of wall "
        f"time one after the other and {write_seconds(cpu)} of CPU time; the largest used "
        f"{write_memory(peak)}."
    )
    span = _find_span(runs)
    if span is not None:
        first, last = span
        text += (
            f" The first started on {first:%Y-%m-%d at %H:%M} UTC, the last ended "
            f"{write_seconds((last - first).total_seconds())} later (jobs that were not run "
            "again keep their old times)."
        )
    return f"{text} Energy: not recorded."


def _find_span(runs: Sequence[dict[str, Any]]) -> tuple[datetime, datetime] | None:
    try:
        starts = [datetime.fromisoformat(run["started_at"]) for run in runs]
        ends = [
            start + timedelta(seconds=float(run["wall_s"]))
            for start, run in zip(starts, runs, strict=True)
        ]
        return min(starts), max(ends)
    except (KeyError, ValueError, TypeError):
        return None


def _tabulate_artifacts(artifacts: Sequence[Artifact], results: Path) -> Table:
    anchors = {
        artifact.manifest.digest: f"artifact-{artifact.manifest.digest[:_DIGEST_LENGTH]}"
        for artifact in artifacts
    }
    # Artifacts of equal content share a digest; links lead to the first of them.
    first = {artifact.manifest.digest: artifact for artifact in reversed(artifacts)}
    return Table(
        f"Every artifact: path within {results} and the line that opens it, digest of its content, "
        "the artifacts it was made from, and the cost of its job.",
        [
            "Artifact",
            "Kind",
            "Wall time",
            "CPU time",
            "Peak memory",
            "Digest",
            "Made from",
            "Seeds",
            "Device",
            "Version",
        ],
        [
            _compose_row(
                artifact, anchors, results, is_first=first[artifact.manifest.digest] is artifact
            )
            for artifact in artifacts
        ],
    )


def _compose_row(
    artifact: Artifact, anchors: dict[str, str], results: Path, *, is_first: bool
) -> Row:
    provenance = artifact.provenance
    run = provenance.get("run", {})
    wall, cpu, peak = (run.get(name) for name in ("wall_s", "cpu_s", "peak_memory_mb"))
    inputs = tuple(
        (
            f"{_shorten(Path(role), results)} {digest[:_DIGEST_LENGTH]}",
            f"#{anchors[digest]}" if digest in anchors else "",
        )
        for role, digest in provenance.get("inputs", {}).items()
    )
    opener = write_opener(artifact.path, artifact.manifest)
    return Row(
        (
            Cell(_shorten(artifact.path, results), code=opener),
            Cell(artifact.manifest.kind),
            Cell(MISSING if wall is None else write_seconds(wall), sort=wall),
            Cell(MISSING if cpu is None else write_seconds(cpu), sort=cpu),
            Cell(MISSING if peak is None else write_memory(peak), sort=peak),
            Cell(artifact.manifest.digest[:_DIGEST_LENGTH], is_code=True),
            Cell(MISSING if not inputs else "", links=inputs),
            Cell(", ".join(map(str, provenance.get("seeds", ()))) or MISSING),
            Cell(describe_device(provenance)),
            Cell(str(provenance.get("brainalign_version") or MISSING)),
        ),
        anchor=anchors[artifact.manifest.digest] if is_first else "",
    )


def describe_device(provenance: Mapping[str, Any]) -> str:
    """Say where a job computed, and how much memory of a GPU it reserved.

    Parameters
    ----------
    provenance : mapping
        Of one artifact.
    """
    device = str(provenance.get("device") or MISSING)
    run = provenance.get("run", {})
    if "gpu" not in run:
        return device
    return f"{device}: {run['gpu']}, peak {write_memory(run['peak_gpu_memory_mb'])}"


def _shorten(path: Path, results: Path) -> str:
    """Write a path without the results folder; roles of inputs that are no path stay."""
    return str(path.relative_to(results)) if path.is_relative_to(results) else str(path)


def _tabulate_versions(artifacts: Sequence[Artifact]) -> Table:
    rows = [Row((Cell("Python"), Cell(platform.python_version())))]
    for name in _PACKAGES:
        try:
            rows.append(Row((Cell(name), Cell(metadata.version(name)))))
        except metadata.PackageNotFoundError:
            continue
    systems = sorted(
        {
            str(run["system"])
            for one in artifacts
            if "system" in (run := one.provenance.get("run", {}))
        }
    )
    rows.append(Row((Cell("system of the jobs"), Cell(", ".join(systems) or MISSING))))
    return Table(
        "Software of the environment in which this page was made.", ["Package", "Version"], rows
    )
