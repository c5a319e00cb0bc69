"""From ``brainalign new`` to a plan: each template with its own example, in a folder of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from brainalign.config.load import load_config
from brainalign.config.plan import Plan
from brainalign.raw.options import DatasetOptions
from brainalign.templates.command import FILES, find_snakefile, write_template
from brainalign.templates.registry import TEMPLATES
from command_line import Command

KINDS = sorted(TEMPLATES)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One folder per template, with the example that its script writes."""
    home = tmp_path_factory.mktemp("Labor Müller")
    for kind in KINDS:
        write_template(kind, home / kind)
        _run(home / kind, sys.executable, "make_recording.py")
    return {kind: home / kind for kind in KINDS}


def _run(folder: Path, *words: str) -> str:
    run = subprocess.run(words, cwd=folder, capture_output=True, text=True, env={**os.environ})
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout + run.stderr


@pytest.mark.parametrize("kind", KINDS)
def test_the_example_of_a_template_has_no_problem(
    kind: str, folders: dict[str, Path], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folders[kind])
    outcome = command("validate", "config.yaml")
    assert (outcome.status, outcome.error) == (0, ""), outcome.output
    assert "fits are planned" in outcome.output


@pytest.mark.parametrize("kind", KINDS)
def test_the_configuration_leads_to_scores_and_a_page(
    kind: str, folders: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folders[kind])
    config = load_config([Path("config.yaml")])
    plan = Plan(config)
    [(name, options)] = config.datasets.items()
    assert options.kind == TEMPLATES[kind].dataset
    assert plan.datasets == [name]
    assert len(plan.rows) >= 3
    assert all(target.startswith("results/") for target in plan.list_targets())


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_commented_out_is_true(kind: str, folders: dict[str, Path]) -> None:
    """Options behind comment marks would be accepted."""
    text = (folders[kind] / "config.yaml").read_text(encoding="utf-8")
    known = set(re.findall(r'"(\w+)":', str(_list_option_names())))
    for key in re.findall(r"^\s*# (?:- )?(\w+):", text, flags=re.MULTILINE):
        assert key in known, key


def _list_option_names() -> str:
    import json

    from brainalign.config.models import Config

    schema = json.dumps(Config.model_json_schema())
    return schema + '"dinov2":'


def test_the_command_of_the_guide_plans_the_run_from_another_folder(
    folders: dict[str, Path],
) -> None:
    guide = (folders["it_nwb"] / "README.md").read_text(encoding="utf-8")
    [line] = re.findall(r"^    (snakemake .*)$", guide, flags=re.MULTILINE)
    assert find_snakefile() in line
    words = line.replace(find_snakefile(), "SNAKEFILE").split()
    words = [find_snakefile().strip("'") if word == "SNAKEFILE" else word for word in words]
    printed = _run(folders["it_nwb"], sys.executable, "-m", *words, "-n")
    assert re.search(r"^fit +3$", printed, flags=re.MULTILINE), printed
    assert re.search(r"^report +1$", printed, flags=re.MULTILINE), printed


def test_a_configuration_of_another_name_needs_no_default_beside_it(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    text = (folders["it_nwb"] / "config.yaml").read_text(encoding="utf-8")
    text = text.replace("recordings ", f'"{folders["it_nwb"]}/recordings" ')
    (tmp_path / "lab.yaml").write_text(text, encoding="utf-8")
    snakefile = find_snakefile().strip("'")
    words = ["-s", snakefile, "-n", "--configfile", "lab.yaml"]
    assert "report" in _run(tmp_path, sys.executable, "-m", "snakemake", *words)


def test_nothing_is_overwritten(tmp_path: Path, command: Command) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "notes.txt").write_text("mine")
    outcome = command("new", "it_nwb", tmp_path / "lab")
    assert outcome.status == 2
    assert "exists and is not empty" in outcome.error
    assert [path.name for path in (tmp_path / "lab").iterdir()] == ["notes.txt"]


def test_an_empty_folder_is_filled(tmp_path: Path, command: Command) -> None:
    outcome = command("new", "retina_movie", tmp_path)
    assert outcome.status == 0
    assert {path.name for path in tmp_path.iterdir()} == {*FILES, "recordings", "movies"}


def test_an_unknown_kind_names_the_known_ones(tmp_path: Path, command: Command) -> None:
    outcome = command("new", "it_nbw", tmp_path / "lab")
    assert outcome.status == 2
    assert "Did you mean 'it_nwb'? Known: fmri_bids, it_nwb, retina_movie, spike_sorts." in (
        outcome.error
    )
    assert not (tmp_path / "lab").exists()


def test_help_lists_the_kinds(command: Command, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        command("new", "--help")
    printed = capfd.readouterr().out
    assert all(f"  {kind} " in printed for kind in KINDS)


def test_templates_are_of_known_kinds_of_data_sets() -> None:
    known = str(DatasetOptions)
    assert all(
        any(template.dataset in str(part.model_fields["kind"]) for part in _list_kinds())
        for template in TEMPLATES.values()
    ), known


def _list_kinds() -> list[type]:
    from typing import get_args

    return list(get_args(get_args(DatasetOptions)[0]))


def test_the_guide_of_the_project_has_a_section_per_template() -> None:
    guide = (Path(__file__).resolve().parents[2] / "docs" / "own_data.md").read_text()
    for kind in KINDS:
        assert f"brainalign new {kind} " in guide
    for command in re.findall(r"^brainalign (\S+)", guide, flags=re.MULTILINE):
        assert command in ("new", "validate", "inspect", "map"), command
