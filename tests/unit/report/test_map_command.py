"""The verb map: values per voxel or vertex as files and figures."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.evaluation.table import compose_score_tree
from brainalign.report.artifacts import Artifact, Run
from brainalign.report.blocks import Bullets, iterate_pictures
from brainalign.report.figures.map_colours import choose_limits
from brainalign.report.sections.brain_maps import compose_brain_maps
from brainalign.stores.manifest import read_manifest
from brainalign.stores.write import write_store
from command_line import Command
from example_stores import make_responses

SHAPE, N_UNITS, N_VERTICES = (6, 5, 4), 12, 42
SIDES = ("left", "right")


def _write_responses(path: Path, subject: str, **parts: object) -> Path:
    responses = make_responses(4, N_UNITS).to_dataset()
    responses = responses.assign(parts).assign(unit=[f"u{n}" for n in range(N_UNITS)])
    responses["noise_ceiling"] = ("unit", np.linspace(0.1, 0.8, N_UNITS).astype(np.float32))
    for variable in responses.variables.values():
        variable.attrs.setdefault("units", "1")
        variable.attrs.setdefault("long_name", "value")
    responses.attrs.update({"dataset": "lab", "subject": subject})
    if "vertex" in parts:
        responses.attrs["surface_vertices"] = {f"cortex_{side}": N_VERTICES for side in SIDES}
    write_store(path, responses, "responses")
    return path


@pytest.fixture
def voxels(tmp_path: Path) -> Path:
    index = np.argwhere(np.ones(SHAPE))[:: np.prod(SHAPE) // N_UNITS][:N_UNITS].astype(np.int32)
    volume = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    return _write_responses(
        tmp_path / "01.zarr",
        "01",
        voxel_index=(("unit", "axis"), index),
        affine=(("row", "column"), np.diag([3.0, 3, 3, 1])),
        reference_volume=(("x", "y", "z"), volume),
    )


@pytest.fixture
def vertices(tmp_path: Path) -> Path:
    half = N_UNITS // 2
    return _write_responses(
        tmp_path / "02.zarr",
        "02",
        vertex=("unit", np.tile(np.arange(half, dtype=np.int32) * 5, 2)),
        structure=("unit", np.repeat([f"cortex_{side}" for side in SIDES], half)),
    )


@pytest.fixture
def scores(tmp_path: Path) -> Path:
    rows = pd.DataFrame(
        {
            "dataset": "lab",
            "subject": np.repeat(["01", "02"], 2 * N_UNITS),
            "feature": np.tile(np.repeat(["early", "late"], N_UNITS), 2),
            "unit": np.tile([f"u{n}" for n in range(N_UNITS)], 4),
            "pearson": np.linspace(-0.5, 0.5, 4 * N_UNITS),
        }
    )
    path = tmp_path / "scores.zarr"
    table = pd.DataFrame(
        {"metric": ["x"], "value": [0.5], "direction": ["y"], "subject": ["01"], "dataset": ["lab"]}
    )
    write_store(path, compose_score_tree(table, {"unit_encoding": rows}), "scores")
    return path


def _write_sphere(path: Path) -> Path:
    """A surface of 42 vertices: an icosahedron whose edges are halved."""
    golden = (1 + 5**0.5) / 2
    points = [(0, s, t * golden) for s in (-1, 1) for t in (-1, 1)]
    corner = np.array([np.roll(point, turn) for turn in range(3) for point in points], float)
    corner /= np.linalg.norm(corner[0])
    near = np.linalg.norm(corner[:, None] - corner, axis=2).round(3)
    edge = near == np.unique(near)[1]
    faces = [
        (a, b, c)
        for a in range(12)
        for b in range(a + 1, 12)
        for c in range(b + 1, 12)
        if edge[a, b] and edge[b, c] and edge[a, c]
    ]
    middle = {
        pair: 12 + n
        for n, pair in enumerate((a, b) for a, b in np.argwhere(edge).tolist() if a < b)
    }
    halves = np.array([corner[a] + corner[b] for a, b in middle])
    place = 50 * np.concatenate([corner, halves / np.linalg.norm(halves, axis=1, keepdims=True)])
    triangle = []
    for a, b, c in faces:
        ab, bc, ac = middle[a, b], middle[b, c], middle[a, c]
        triangle += [(a, ab, ac), (b, ab, bc), (c, ac, bc), (ab, bc, ac)]
    arrays = [
        nib.gifti.GiftiDataArray(place.astype(np.float32), "NIFTI_INTENT_POINTSET"),
        nib.gifti.GiftiDataArray(np.array(triangle, np.int32), "NIFTI_INTENT_TRIANGLE"),
    ]
    nib.save(nib.gifti.GiftiImage(darrays=arrays), path)
    return path


@pytest.mark.parametrize("ending", ["png", "svg"])
def test_values_of_voxels_are_drawn(voxels: Path, command: Command, ending: str) -> None:
    figure = voxels.parent / f"map.{ending}"
    outcome = command("map", voxels, "noise_ceiling", "--figure", figure)
    assert outcome.status == 0, outcome.error
    assert figure.read_bytes()[:5] == {"png": b"\x89PNG\r", "svg": b"<?xml"}[ending]


def test_scores_of_one_layer_are_mapped(voxels: Path, scores: Path, command: Command) -> None:
    output = voxels.parent / "map.nii"
    words = ("map", voxels, "pearson", "--values", scores, "--group", "/unit_encoding")
    outcome = command(*words, "--where", "feature=late", "--output", output)
    assert outcome.status == 0, outcome.error
    index = xr.open_zarr(voxels)["voxel_index"].values
    written = nib.load(output).get_fdata()[tuple(index.T)]
    # Rows of this subject and layer only.
    expected = np.linspace(-0.5, 0.5, 4 * N_UNITS)[N_UNITS : 2 * N_UNITS]
    np.testing.assert_allclose(written, expected, atol=1e-6)


def test_several_rows_per_unit_name_what_to_choose(
    voxels: Path, scores: Path, command: Command
) -> None:
    words = ("map", voxels, "pearson", "--values", scores, "--group", "/unit_encoding")
    outcome = command(*words, "--figure", voxels.parent / "map.png")
    assert outcome.status == 2
    assert "feature: early, late" in outcome.error
    assert "--where" in outcome.error


def test_a_value_that_no_row_has_names_those_that_are_there(
    voxels: Path, scores: Path, command: Command
) -> None:
    words = ("map", voxels, "pearson", "--values", scores, "--group", "/unit_encoding")
    outcome = command(*words, "--where", "feature=middle", "--figure", voxels.parent / "m.png")
    assert outcome.status == 2
    assert "early, late" in outcome.error


def test_vertices_are_drawn_on_given_surfaces(vertices: Path, command: Command) -> None:
    figure = vertices.parent / "map.png"
    surfaces = [
        word
        for side in SIDES
        for word in (f"--surface-{side}", _write_sphere(vertices.parent / f"{side}.surf.gii"))
    ]
    outcome = command("map", vertices, "noise_ceiling", "--figure", figure, *surfaces)
    assert outcome.status == 0, outcome.error
    assert figure.stat().st_size > 5000


def test_vertices_without_surfaces_are_not_drawn(vertices: Path, command: Command) -> None:
    figure, output = vertices.parent / "map.png", vertices.parent / "map.dscalar.nii"
    outcome = command("map", vertices, "noise_ceiling", "--figure", figure, "--output", output)
    assert outcome.status == 2
    assert "--surface-left" in outcome.error
    assert not figure.exists()
    assert not output.exists()


def test_a_surface_of_another_mesh_is_refused(vertices: Path, command: Command) -> None:
    path = vertices.parent / "left.surf.gii"
    mesh = nib.load(_write_sphere(path))
    fewer = mesh.darrays[0].data[:40]
    mesh.darrays[0] = nib.gifti.GiftiDataArray(fewer, "NIFTI_INTENT_POINTSET")
    nib.save(mesh, path)
    words = ("--figure", vertices.parent / "map.png", "--surface-left", path)
    outcome = command("map", vertices, "noise_ceiling", *words)
    assert outcome.status == 2
    assert "42 vertices" in outcome.error


def test_what_is_no_surface_is_refused(vertices: Path, command: Command) -> None:
    path = vertices.parent / "left.surf.gii"
    path.write_text("<gifti")
    words = ("--figure", vertices.parent / "map.png", "--surface-left", path)
    outcome = command("map", vertices, "noise_ceiling", *words)
    assert outcome.status != 0
    assert "is no surface in GIFTI" in outcome.error


def test_a_map_needs_a_file_to_write(voxels: Path, command: Command) -> None:
    outcome = command("map", voxels, "noise_ceiling")
    assert outcome.status == 2
    assert "--figure" in outcome.error


def test_the_report_says_why_a_surface_has_no_picture(voxels: Path, vertices: Path) -> None:
    run = Run(
        responses={
            ("lab", path.stem): Artifact(path, read_manifest(path)) for path in (voxels, vertices)
        }
    )
    section = compose_brain_maps(run)
    assert section is not None
    assert len(list(iterate_pictures(section.blocks))) == 1
    [said] = [block for block in section.blocks if isinstance(block, Bullets)]
    assert str(said.items[0]).startswith("02: 12 units on the surface of the brain")
    assert "--surface-left" in said.items[0]


def test_colours_are_symmetric_where_values_are_negative() -> None:
    low, high = choose_limits(np.array([-0.2, 0.1, np.nan]))
    assert low == -high
    assert choose_limits(np.array([0.2, 0.9])) == (0, 1)
