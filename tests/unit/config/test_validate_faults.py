"""Every class of fault that a new user makes, found by one call of ``brainalign validate``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml

import sorting_labs
from brainalign.raw.stimulus_table import suggest_ids
from command_line import Command
from nwb_files import STIMULI, write_config, write_images, write_lab, write_nwb


@pytest.fixture(autouse=True)
def _work_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")


def _list_problems(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("problem: ")]


def _change(config: Path, change: Callable[[dict], object]) -> Path:
    content = yaml.safe_load(config.read_text(encoding="utf-8"))
    change(content)
    config.write_text(yaml.safe_dump(content), encoding="utf-8")
    return config


def test_problems_of_the_configuration_do_not_hide_those_of_the_data(
    tmp_path: Path, command: Command
) -> None:
    config = write_lab(tmp_path)
    write_nwb(tmp_path / "nwb" / "sub-002_ses-1.nwb", spikes=[(-1.0,)])
    (tmp_path / "images" / "003.png").write_bytes(b"no image")
    text = config.read_text().replace("seeds", "seedz") + "seedz: [0]\ndevice: no\ndevice: cpu\n"
    config.write_text(text)
    outcome = command("validate", config)
    problems = "\n".join(_list_problems(outcome.output))
    assert outcome.status == 3
    assert "key 'device' stands twice" in problems
    assert "sub-002_ses-1.nwb unit row 0: 1 spike times are negative" in problems
    assert "003.png: is no image that can be read" in problems


def test_a_data_set_with_wrong_options_does_not_hide_another(
    tmp_path: Path, command: Command
) -> None:
    config = write_config(tmp_path)
    _change(
        config,
        lambda content: content["datasets"].update(other={"kind": "nwb", "foldr": "x"}),
    )
    outcome = command("validate", config)
    assert "datasets.other.foldr: unknown option 'foldr'. Did you mean 'folder'?" in outcome.output
    assert "files of data set 'other' were not checked" in outcome.output
    assert "data set 'lab': folder" in outcome.output


@pytest.mark.parametrize("factor", [1e3, 3e4], ids=["milliseconds", "samples"])
def test_spike_times_in_other_units_are_found(
    factor: float, tmp_path: Path, command: Command
) -> None:
    config = write_lab(tmp_path)
    times = np.sort(np.random.default_rng(0).uniform(0.1, 12, 300)) * factor
    write_nwb(tmp_path / "nwb" / "sub-001_ses-1.nwb", spikes=[times])
    outcome = command("validate", config)
    assert outcome.status == 3
    assert "spike times reach far beyond the last trial" in outcome.output


def test_results_inside_the_data_are_found(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    _change(config, lambda content: content.update(results=str(tmp_path / "nwb" / "results")))
    outcome = command("validate", config)
    assert outcome.status == 2
    assert "the results folder lies in the folder of the data" in outcome.output


def test_a_table_separated_by_commas_is_told(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    table = tmp_path / "images" / "stimuli.tsv"
    table.write_text(table.read_text().replace("\t", ","))
    outcome = command("validate", config)
    assert outcome.status == 2
    assert "It looks separated by commas; save it separated by tabs." in outcome.output


def test_a_table_may_be_named_with_variables(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINALIGN_TEST_FOLDER", str(tmp_path))
    table = "${BRAINALIGN_TEST_FOLDER}/images/stimuli.tsv"
    assert command("validate", write_lab(tmp_path, stimuli_table=table)).status == 0


def test_a_relative_path_is_told_where_it_starts(tmp_path: Path, command: Command) -> None:
    outcome = command("validate", write_lab(tmp_path, folder="nwb"))
    assert outcome.status == 2
    assert f"Relative paths start at the working folder, {tmp_path / 'empty'}" in outcome.output


def test_tabs_in_yaml_are_told(tmp_path: Path, command: Command) -> None:
    (tmp_path / "tabs.yaml").write_text("datasets:\n\tlab: {}\n")
    outcome = command("validate", tmp_path / "tabs.yaml")
    assert outcome.status == 2
    assert "Indent with spaces, not with tabs." in outcome.error


def test_of_many_pictures_the_headers_are_read(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brainalign.config.validation._DECODED_IMAGES", 4)
    config = write_lab(tmp_path)
    (tmp_path / "images" / "001.png").write_bytes(b"no image")
    (tmp_path / "images" / "011.png").unlink()
    outcome = command("validate", config)
    assert "note: 4 of 12 pictures of data set 'lab' were decoded" in outcome.output
    assert [line.split(".png")[0][-3:] for line in _list_problems(outcome.output)] == ["001", "011"]


def test_pictures_are_checked_beside_broken_recordings(tmp_path: Path, command: Command) -> None:
    config = write_config(tmp_path, stimuli_table=str(write_images(tmp_path / "images")))
    write_nwb(tmp_path / "nwb" / "sub-001_ses-1.nwb", spikes=None, stimuli=STIMULI)
    (tmp_path / "images" / "005.png").unlink()
    outcome = command("validate", config)
    problems = _list_problems(outcome.output)
    assert len(problems) == 2
    assert "has no units table" in problems[0]
    assert "005.png: no such image file" in problems[1]


@pytest.mark.parametrize(
    ("stimuli", "hint"),
    [
        ([f"{number}.0" for number in range(12)], "write the ids as text or whole numbers"),
        ([f"{number}.png" for number in range(12)], "Ids have no file ending"),
        ([f"{number:02d}" for number in range(12)], "'1' and '001' differ"),
        ([f"{number}" for number in range(1, 13)], "count from 0 in one place and from 1"),
        (["face"], "Add the images to the NWB file"),
    ],
    ids=["decimal", "ending", "zeros", "off by one", "unknown"],
)
def test_why_ids_are_unknown_is_told(stimuli: list[str], hint: str) -> None:
    known = {str(number) for number in range(12)}
    missing = sorted(set(stimuli) - known)
    assert hint in (suggest_ids(missing, known) or "Add the images to the NWB file")


def test_an_unknown_format_of_a_sort_is_listed_beside_other_problems(
    tmp_path: Path, command: Command
) -> None:
    session = sorting_labs.write_lab(tmp_path / "one")
    sessions = [{**session, "format": "phyy"}, {**session, "session": "2", "area": ""}]
    config = tmp_path / "lab.yaml"
    dataset = {"kind": "spike_sorts", "sessions": sessions}
    config.write_text(
        yaml.safe_dump({"datasets": {"lab": dataset}, "experiments": [{"datasets": ["lab"]}]})
    )
    outcome = command("validate", config)
    assert outcome.status == 2
    problems = _list_problems(outcome.output)
    [problem] = [one for one in problems if "unknown format" in one]
    assert "unknown format 'phyy'. Did you mean 'phy'? Known: alf_sorting, " in problem
    assert "lab.yaml line " in problem
    assert any("area: String should have at least 1 character" in one for one in problems)


def test_all_faults_of_sessions_to_sort_are_listed(tmp_path: Path, command: Command) -> None:
    table = write_images(tmp_path / "images", sorting_labs.STIMULI)
    session = sorting_labs.write_lab(tmp_path / "one")
    late = 1000.0 * np.arange(1, 13)
    sorting_labs.write_events(tmp_path / "ms.tsv", [*sorting_labs.STIMULI[:11], "lost"], onset=late)
    raw = {"session": "3", "format": "binary", "folder": session["folder"], "events": "nowhere.tsv"}
    sessions = [
        session,
        {**session, "session": "2", "events": str(tmp_path / "ms.tsv")},
        {**session, **raw},
        session,
    ]
    dataset = {"kind": "spike_sorts", "stimuli_table": str(table), "sessions": sessions}
    config = tmp_path / "lab.yaml"
    config.write_text(
        yaml.safe_dump({"datasets": {"lab": dataset}, "experiments": [{"datasets": ["lab"]}]})
    )
    outcome = command("validate", config)
    assert outcome.status == 3
    problems = _list_problems(outcome.output)
    for position, claim in enumerate(
        [
            "ms.tsv: onsets reach far beyond the last spike",
            "1 labels of events are not in the stimulus table; found lost",
            "a binary recording does not tell its sampling rate",
            "sub-m1 ses-3 events nowhere.tsv: no such file or folder",
            "sub-m1 ses-1: stands twice in sessions",
        ]
    ):
        assert claim in problems[position]
    assert len(problems) == 5
