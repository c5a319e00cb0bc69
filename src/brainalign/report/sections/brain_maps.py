"""Brain maps: noise ceilings on slices of each subject's own volumes."""

from __future__ import annotations

import numpy as np

from brainalign.report.artifacts import Artifact, Run
from brainalign.report.blocks import Block, Bullets, FigureGroup, Heading, Section, Text
from brainalign.report.figures.unit_maps import draw_voxels
from brainalign.report.names import make_slug, write_count
from brainalign.report.pictures import Picture, encode_figure
from brainalign.responses.maps import has_variables, read_unit_values, read_voxel_grid
from brainalign.stores.read import open_store

_READING = (
    "Noise ceiling of every voxel on axial slices of the subject's first functional volume; the "
    "subject's left is on the left. brainalign map writes this and any other value per voxel as a "
    "NIfTI volume. Subjects whose volumes lie in MNI space are drawn as a glass brain instead: the "
    "largest value along each line of sight: left half, from the back, right half, from the top."
)
_VARIABLE = "noise_ceiling"
_CIFTI = (
    "No map is drawn, since the surface is no part of the responses; brainalign map writes one as "
    "a CIFTI file (.dscalar.nii), and draws it when given --surface-left and --surface-right."
)
_UNPLACED = "No map can be drawn: the responses do not say where on a surface a unit lies."


def compose_brain_maps(run: Run) -> Section | None:
    """Draw a map per subject of data sets of functional volumes; None without one.

    Parameters
    ----------
    run : Run
        Published folders.
    """
    blocks: list[Block] = []
    for dataset in dict.fromkeys(name for name, _ in run.responses):
        subjects = {one: run.responses[dataset, one] for one in run.list_subjects(dataset)}
        pictures = [
            _draw_subject(artifact, dataset, subject)
            for subject, artifact in subjects.items()
            if has_variables(artifact.path, "voxel_index", "reference_volume")
        ]
        on_surface = [
            _describe_surface(subject, artifact)
            for subject, artifact in subjects.items()
            if _lies_on_surface(artifact)
        ]
        if pictures or on_surface:
            blocks.append(Heading(dataset))
        if pictures:
            caption = f"{dataset}: noise ceiling per voxel, one row per subject."
            blocks.append(FigureGroup(pictures, caption))
        if on_surface:
            blocks.append(Bullets(on_surface))
    return Section("brain-maps", "Brain maps", [Text(_READING), *blocks]) if blocks else None


def _lies_on_surface(artifact: Artifact) -> bool:
    """Say whether units are vertices: of CIFTI, or of human recordings without voxels."""
    if has_variables(artifact.path, "vertex"):
        return True
    modality = open_store(artifact.path, "responses").attrs.get("modality")
    return modality == "fmri" and not has_variables(artifact.path, "voxel_index")


def _describe_surface(subject: str, artifact: Artifact) -> str:
    """Say why there is no picture of a subject, and what it would show."""
    values = np.asarray(open_store(artifact.path, "responses")[_VARIABLE].data)
    how = _CIFTI if has_variables(artifact.path, "vertex") else _UNPLACED
    count = write_count(len(values), "unit")
    return f"{subject}: {count} on the surface of the brain, {_describe(values)}. {how}"


def _describe(values: np.ndarray) -> str:
    known = values[np.isfinite(values)]
    median = f"{np.median(known):.2f}" if len(known) else "unknown"
    return f"median noise ceiling {median}"


def _draw_subject(artifact: Artifact, dataset: str, subject: str) -> Picture:
    grid = read_voxel_grid(artifact.path)
    values = read_unit_values(artifact.path, "/", _VARIABLE, grid.unit)
    count = write_count(len(values), "voxel")
    name = make_slug("map", dataset, subject)
    shown = "Glass brain" if grid.is_mni else "Slices"
    alt = f"{shown} of subject {subject} with the noise ceiling of {count}; {_describe(values)}."
    figure = draw_voxels(values, grid, f"{subject} · {count}", "noise ceiling (share)")
    # Projections are pictures with hundreds of outlines; as pixels they stay small.
    return encode_figure(figure, name, alt, file_format="png" if grid.is_mni else "svg")
