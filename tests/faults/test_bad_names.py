"""Ids and names that try to be paths, and odd ones that must work."""

from __future__ import annotations

from pathlib import Path

import pytest
import xarray as xr

from brainalign.stores.read import read_labels
from command_line import Command, make_responses, make_stimuli
from nwb_files import STIMULI, write_config, write_images, write_lab, write_nwb

ODD_STIMULI = ["with space", "it's", 'say "hi"', "Gesicht-ä", "家", "a;b", "$HOME", "%d", "001"]


@pytest.mark.parametrize("name", ["../x", "a/b", "/etc", "..", "a b", "é", ""])
def test_subject_names_cannot_leave_their_folder(
    name: str, tmp_path: Path, command: Command
) -> None:
    outcome = make_responses(command, write_lab(tmp_path, subjects=[name]))
    assert outcome.status == 2
    assert "datasets.lab.subjects.0" in outcome.error
    assert "becomes part of a path" in outcome.error


@pytest.mark.parametrize("name", ["../x", "a/b", "a b", ".hidden"])
@pytest.mark.parametrize("kind", ["datasets", "backbones", "methods"])
def test_names_of_the_configuration_cannot_leave_their_folder(
    kind: str, name: str, tmp_path: Path, command: Command
) -> None:
    entry = {
        "datasets": "{kind: simulated_it}",
        "backbones": "{kind: pixels}",
        "methods": "{method: vna}",
    }
    config = tmp_path / "config.yaml"
    config.write_text(f'{kind}:\n  "{name}": {entry[kind]}\n')
    outcome = command("validate", config)
    assert outcome.status == 2
    assert f"{config} line 2: {kind}.{name}: '{name}' becomes part of a path" in outcome.output


@pytest.mark.parametrize("file", ["../outside.png", "/etc/passwd", "a/../../outside.png", ""])
def test_files_of_the_table_lie_below_it(file: str, tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    files = [f"{name}.png" for name in STIMULI]
    write_images(tmp_path / "images", file=[*files[:3], file, *files[4:]])
    outcome = make_stimuli(command, config)
    assert outcome.status == 2
    assert f"stimuli.tsv line 5: file '{file}' does not lie below the folder" in outcome.error


@pytest.mark.parametrize("name", ["sub-a.b_ses-1.nwb", "sub-été_ses-1.nwb", "recording.nwb"])
def test_a_file_name_without_a_clear_subject_is_refused(
    name: str, tmp_path: Path, command: Command
) -> None:
    write_nwb(tmp_path / "nwb" / name)
    outcome = make_responses(command, write_config(tmp_path))
    assert outcome.status == 2
    assert "the name tells no subject; expected sub-<subject>_ses-<session>" in outcome.error


def test_odd_stimulus_names_come_through(tmp_path: Path, command: Command) -> None:
    folder = tmp_path / "folder with 'quotes' and ü"
    write_nwb(folder / "nwb" / "sub-001_ses-1.nwb", stimuli=ODD_STIMULI * 2)
    table = write_images(folder / "images", stimuli=ODD_STIMULI)
    assert make_stimuli(command, write_config(folder, stimuli_table=str(table))).status == 0
    assert make_responses(command, folder / "lab.yaml").status == 0
    for store in ("stimuli.zarr", "responses.zarr"):
        found = read_labels(xr.open_datatree(folder / store, engine="zarr"), "stimulus")
        assert set(found) == set(ODD_STIMULI)
    assert command("verify", folder / "stimuli.zarr").status == 0


def test_repeated_stimulus_ids_of_the_table_are_refused(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    write_images(tmp_path / "images", stimulus=["000", "000", *STIMULI[2:]])
    outcome = make_stimuli(command, config)
    assert outcome.status == 2
    assert "stimuli.tsv line 3: stimulus id '000' stands twice" in outcome.error
