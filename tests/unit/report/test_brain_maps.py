"""Brain maps of the report: one per subject of volumes, none for other recordings."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bids_files import build, write_bids
from brainalign.report.artifacts import Artifact, Run
from brainalign.report.blocks import iterate_pictures
from brainalign.report.figures.brain_maps import draw_brain_map
from brainalign.report.sections.brain_maps import compose_brain_maps
from brainalign.stores.manifest import read_manifest
from command_line import Command


def test_every_subject_of_volumes_has_a_map(tmp_path: Path, command: Command) -> None:
    assert build(command, write_bids(tmp_path / "bids")).status == 0
    path = tmp_path / "responses.zarr"
    run = Run(responses={("lab", "01"): Artifact(path, read_manifest(path))})
    section = compose_brain_maps(run)
    assert section is not None
    [picture] = iterate_pictures(section.blocks)
    assert picture.alt.startswith("Slices of subject 01 with the noise ceiling of 100 voxels")


def test_a_run_without_volumes_has_no_maps() -> None:
    assert compose_brain_maps(Run()) is None


def test_the_left_of_the_subject_is_on_the_left() -> None:
    volume = np.full((4, 3, 2), np.nan)
    volume[0] = 1.0
    shown = []
    for affine in (np.eye(4), np.diag([-1.0, 1, 1, 1])):
        figure = draw_brain_map(volume, np.ones(volume.shape), affine, "01", "share")
        shown.append(np.isfinite(np.ma.filled(figure.axes[0].images[1].get_array(), np.nan)))
    assert shown[0][:, 0].all()
    assert shown[1][:, -1].all()
