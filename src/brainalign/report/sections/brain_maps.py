"""Brain maps: noise ceilings on slices of each subject's own volumes."""

from __future__ import annotations

import numpy as np

from brainalign.report.artifacts import Artifact, Run
from brainalign.report.blocks import Block, FigureGroup, Heading, Section, Text
from brainalign.report.figures.brain_maps import draw_brain_map
from brainalign.report.names import make_slug, write_count
from brainalign.report.pictures import Picture, encode_figure
from brainalign.responses.maps import fill_volume, read_voxel_grid, read_voxel_values
from brainalign.stores.read import open_store

_READING = (
    "Noise ceiling of every voxel on axial slices of the subject's first functional volume; the "
    "subject's left is on the left. brainalign map writes this and any other value per voxel as a "
    "NIfTI volume."
)
_VARIABLE = "noise_ceiling"


def compose_brain_maps(run: Run) -> Section | None:
    """Draw a map per subject of data sets of functional volumes; None without one.

    Parameters
    ----------
    run : Run
        Published folders.
    """
    blocks: list[Block] = []
    for dataset in dict.fromkeys(name for name, _ in run.responses):
        pictures = [
            _draw_subject(run.responses[dataset, subject], dataset, subject)
            for subject in run.list_subjects(dataset)
            if _has_voxels(run.responses[dataset, subject])
        ]
        if pictures:
            caption = f"{dataset}: noise ceiling per voxel, one row of slices per subject."
            blocks += [Heading(dataset), FigureGroup(pictures, caption)]
    return Section("brain-maps", "Brain maps", [Text(_READING), *blocks]) if blocks else None


def _has_voxels(artifact: Artifact) -> bool:
    variables = open_store(artifact.path, "responses").variables
    return "voxel_index" in variables and "reference_volume" in variables


def _draw_subject(artifact: Artifact, dataset: str, subject: str) -> Picture:
    grid = read_voxel_grid(artifact.path)
    values = read_voxel_values(artifact.path, "/", _VARIABLE, grid)
    known = values[np.isfinite(values)]
    median = f"{np.median(known):.2f}" if len(known) else "unknown"
    count = write_count(len(values), "voxel")
    alt = f"Slices of subject {subject} with the noise ceiling of {count}; median {median}."
    figure = draw_brain_map(
        fill_volume(values, grid),
        grid.background,
        grid.affine,
        f"{subject} · {count}",
        "noise ceiling (share)",
    )
    return encode_figure(figure, make_slug("map", dataset, subject), alt)
