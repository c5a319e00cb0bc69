from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from brainalign import cli
from brainalign.config import job_options
from brainalign.config.load import load_config
from brainalign.errors import (
    BrainalignError,
    CorruptDataError,
    InputError,
    InternalError,
    ResourceError,
)
from brainalign.methods.direct.options import RidgeOptions
from command_line import Command
from nwb_files import write_lab

# A parser that loads one of these costs seconds at each --help and each job.
HEAVY = ("torch", "transformers", "pynwb", "himalaya", "xarray", "zarr", "pandas", "sklearn")


@pytest.mark.parametrize("verb", sorted(cli.VERBS))
def test_every_verb_has_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main([verb, "--help"])
    assert caught.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: brainalign {verb}" in text
    assert "==SUPPRESS==" not in text


def test_parsers_are_light() -> None:
    program = (
        "import sys\n"
        "from brainalign.cli import VERBS, build_parser\n"
        "for verb in VERBS:\n"
        "    build_parser(verb)\n"
        f"    print(verb, *[name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.splitlines() == list(cli.VERBS)


@pytest.mark.parametrize("verb", ["stimuli", "responses"])
def test_stages_without_a_model_never_import_torch(verb: str, tmp_path: Path) -> None:
    config = write_lab(tmp_path)
    subject = ["--subject", "001"] if verb == "responses" else []
    words = [verb, "--config", str(config), "--dataset", "lab", *subject]
    words += ["--output", str(tmp_path / "out.zarr")]
    program = (
        "import sys\nfrom brainalign.cli import main\n"
        f"assert main({words!r}) == 0\nprint('torch' in sys.modules)\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == "False\n", run.stderr


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_overview_lists_every_verb(words: list[str], command: Command) -> None:
    outcome = command(*words)
    assert outcome.status == 0
    assert all(f"  {verb} " in outcome.output for verb in cli.VERBS)


def test_an_unknown_verb_suggests_the_nearest(command: Command) -> None:
    outcome = command("responsess")
    assert outcome.status == 2
    assert "no verb 'responsess'. Did you mean 'responses'?" in outcome.error


def test_a_missing_argument_is_an_input_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["stimuli"])
    assert caught.value.code == 2
    assert "--dataset" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InputError("wrong"), 2),
        (CorruptDataError("wrong"), 3),
        (ResourceError("wrong"), 4),
        (MemoryError(), 4),
        (InternalError("wrong"), 5),
        (BrainalignError("wrong"), 5),
        (ZeroDivisionError("wrong"), 5),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_class_of_errors_has_its_exit_code(
    error: BaseException, status: int, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from brainalign.config import validate_command

    def fail(arguments: object) -> None:
        raise error

    monkeypatch.setattr(validate_command, "run", fail)
    outcome = command("validate")
    assert outcome.status == status
    # Only a bug shows its trace; a user's error is one line.
    assert ("Traceback" in outcome.error) == isinstance(error, ZeroDivisionError)
    if status != 5:
        assert outcome.error.count("\n") == 1
        assert outcome.error.startswith("brainalign validate: ")


def test_options_as_json_equal_those_of_the_configuration(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    options = json.dumps(job_options.describe_stimuli(load_config([config]), "lab"))
    for name, source in (("config", ["--config", config]), ("json", ["--options", options])):
        words = ["stimuli", "--dataset", "lab", *source, "--output", tmp_path / f"{name}.zarr"]
        assert command(*words).status == 0
    manifests = [
        json.loads((tmp_path / f"{name}.zarr" / "manifest.json").read_text())
        for name in ("config", "json")
    ]
    assert manifests[0]["files"] == manifests[1]["files"]


def test_job_options_come_back_from_json_as_the_same_models(tmp_path: Path) -> None:
    config = load_config([write_lab(tmp_path)])
    for describe in (job_options.describe_stimuli, job_options.describe_responses):
        options = job_options.parse_job_options(json.dumps(describe(config, "lab")))
        dataset = job_options.read_dataset_options(options)
        assert type(dataset) is type(config.datasets["lab"])
        assert dataset.model_dump(include={"folder", "onset_column"}) == config.datasets[
            "lab"
        ].model_dump(include={"folder", "onset_column"})
    backbone = job_options.read_backbone_options(job_options.describe_features(config, "pixels"))
    assert backbone == config.backbones["pixels"]
    fit = job_options.describe_fit(config, "direct_encoding_ridge", "lab", "pixels")
    name, method_options = job_options.read_method_options(fit)
    assert name == "direct_encoding_ridge"
    # Defaults are filled in, so that a fitted model means the same after they change.
    assert method_options == RidgeOptions().model_dump(mode="json")


def test_stages_do_not_see_options_of_others(tmp_path: Path) -> None:
    config = load_config([write_lab(tmp_path)])
    assert "responses" not in job_options.describe_stimuli(config, "lab")["dataset"]
    assert "stimuli" not in job_options.describe_responses(config, "lab")["dataset"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("{", "--options is no JSON"),
        ("[1]", "--options is no JSON object; found list"),
        ("{}", "--options lacks 'dataset'"),
        ('{"dataset": {"kind": "nwb", "folder": "x", "fold": 1}}', "Did you mean 'folder'?"),
    ],
)
def test_wrong_job_options_are_an_input_error(
    options: str, message: str, tmp_path: Path, command: Command
) -> None:
    words = ["stimuli", "--dataset", "lab", "--options", options]
    outcome = command(*words, "--output", tmp_path / "out.zarr")
    assert outcome.status == 2
    assert message in outcome.error


def test_an_unknown_data_set_names_the_known_ones(tmp_path: Path, command: Command) -> None:
    words = ["stimuli", "--config", write_lab(tmp_path), "--dataset", "labb"]
    outcome = command(*words, "--output", tmp_path / "out.zarr")
    assert outcome.status == 2
    assert "no data set named 'labb'. Did you mean 'lab'? Known: lab." in outcome.error
