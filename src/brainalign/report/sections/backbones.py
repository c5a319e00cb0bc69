"""Backbones: what they are, and what those that were trained here can do."""

from __future__ import annotations

import json

from brainalign.errors import CorruptDataError
from brainalign.report.artifacts import Artifact, Run
from brainalign.report.blocks import Block, Cell, FigureGroup, Row, Section, Table
from brainalign.report.figures.backbone_accuracy import draw_backbone_accuracy
from brainalign.report.names import MISSING, write_name, write_score
from brainalign.report.pictures import encode_figure
from brainalign.stores.read import open_store

_EVALUATION_FILE = "evaluation.json"
_DIGEST_LENGTH = 12
_MEASURES = {
    "zero_shot_accuracy": "Zero-shot",
    "probe_accuracy": "Linear probe",
    "pixel_probe_accuracy": "Pixel probe",
    "chance": "Chance",
}


def list_floors(run: Run) -> list[str]:
    """List backbones that are pixels: the floor that others must beat."""
    floors = []
    for (_, backbone), artifact in run.features.items():
        options = artifact.provenance.get("options", {}).get("backbone", {})
        if options.get("kind") == "pixels" or backbone == "pixels":
            floors.append(backbone)
    return list(dict.fromkeys(floors))


def compose_backbones(run: Run) -> Section | None:
    """Describe the backbones; None without features.

    Parameters
    ----------
    run : Run
        Its published folders.
    """
    if not run.features and not run.backbones:
        return None
    blocks: list[Block] = []
    evaluations = {
        name: evaluation
        for name, artifact in run.backbones.items()
        if (evaluation := _read_evaluation(artifact)) is not None
    }
    if evaluations:
        blocks += [_tabulate_accuracy(evaluations), _draw_accuracy(evaluations)]
    if run.features:
        blocks.append(_tabulate_features(run))
    return Section("backbones", "Backbones", blocks)


def _read_evaluation(artifact: Artifact) -> dict[str, float] | None:
    path = artifact.path / _EVALUATION_FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {name: float(value) for name, value in content.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise CorruptDataError(
            "cannot be read as numbers",
            where=path,
            found=str(error),
            remedy="Delete the backbone and run its rule again.",
        ) from error


def _tabulate_accuracy(evaluations: dict[str, dict[str, float]]) -> Table:
    rows = []
    for name, evaluation in evaluations.items():
        cells = []
        for measure in _MEASURES:
            value = evaluation.get(measure, float("nan"))
            cells.append(Cell(write_score(value, measure), sort=value))
        rows.append(Row((Cell(write_name(name)), *cells)))
    return Table(
        "Backbones that were trained on the simulated world: share of held-out images whose "
        "category is right. The linear probe reads the last layer, the pixel probe luminance and "
        "contrast in an 8 by 8 grid; zero-shot compares with captions and needs a text tower.",
        ["Backbone", *_MEASURES.values()],
        rows,
    )


def _draw_accuracy(evaluations: dict[str, dict[str, float]]) -> FigureGroup:
    written = {write_name(name): evaluation for name, evaluation in evaluations.items()}
    numbers = "; ".join(
        f"{name}: "
        + ", ".join(
            f"{label.lower()} {evaluation[measure]:.3f}"
            for measure, label in _MEASURES.items()
            if measure in evaluation
        )
        for name, evaluation in written.items()
    )
    picture = encode_figure(
        draw_backbone_accuracy(written),
        "backbones",
        f"Accuracy of trained backbones on held-out images. {numbers}.",
    )
    return FigureGroup(
        [picture],
        "Share of held-out images whose category is right. Dashed line: chance. A backbone whose "
        "probe lies at the probe on pixels has learned nothing about categories.",
    )


def _tabulate_features(run: Run) -> Table:
    rows = []
    for (dataset, backbone), artifact in run.features.items():
        store = open_store(artifact.path, "features")
        groups = [
            f"{node.path.lstrip('/')} ({next(iter(node.data_vars.values())).shape[-1]})"
            for node in store.subtree
            if node.data_vars
        ]
        weights = str(store.attrs.get("backbone_weights_sha256") or "")
        rows.append(
            Row(
                (
                    Cell(write_name(backbone)),
                    Cell(dataset),
                    Cell(str(store.attrs.get("backbone_model") or MISSING)),
                    Cell(str(store.attrs.get("backbone_revision") or MISSING)),
                    Cell(weights[:_DIGEST_LENGTH] or "no weights", is_code=bool(weights)),
                    Cell(", ".join(groups)),
                )
            )
        )
    return Table(
        "Features that methods could read, with the number of features in brackets.",
        ["Backbone", "Data set", "Model", "Revision", "Weights (SHA-256)", "Layers and outputs"],
        rows,
        n_headings=2,
    )
