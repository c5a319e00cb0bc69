from __future__ import annotations

from pathlib import Path

import h5py
import pytest
import yaml
from PIL import Image

from command_line import Command
from nwb_files import STIMULI, make_pixels, write_config, write_images, write_lab, write_nwb


@pytest.fixture(autouse=True)
def _work_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")


def _list_problems(output: str) -> list[str]:
    return [line for line in output.splitlines() if line.startswith("problem: ")]


def test_a_sound_laboratory_is_summarised(tmp_path: Path, command: Command) -> None:
    outcome = command("validate", write_lab(tmp_path))
    assert (outcome.status, outcome.error) == (0, "")
    assert (
        "ok: data set 'lab': 1 subjects, 1 sessions, 2 units, 24 presentations, 12 stimuli"
        in outcome.output
    )


def test_nothing_is_written(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    command("validate", config)
    assert sorted(tmp_path.rglob("*")) == before


def test_all_problems_of_files_are_listed_with_the_worst_exit_code(
    tmp_path: Path, command: Command
) -> None:
    config = write_lab(tmp_path)
    write_nwb(tmp_path / "nwb" / "sub-002_ses-1.nwb", spikes=[(-1.0,)])
    write_nwb(tmp_path / "nwb" / "sub-003_ses-1.nwb", spikes=None)
    write_nwb(tmp_path / "nwb" / "sub-004_ses-1.nwb", stimuli=["lost"])
    outcome = command("validate", config)
    assert outcome.status == 3
    problems = _list_problems(outcome.output)
    assert len(problems) == 3
    assert all("data set 'lab'" in problem for problem in problems)
    assert "3 problems found" in outcome.error


def test_every_undecodable_image_is_listed(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    for name in ("002", "007"):
        (tmp_path / "images" / f"{name}.png").write_bytes(b"no image")
    (tmp_path / "images" / "009.png").unlink()
    outcome = command("validate", config)
    assert outcome.status == 3
    found = [line.split(".png")[0][-3:] for line in _list_problems(outcome.output)]
    assert found == ["002", "007", "009"]


def test_a_picture_in_two_splits_is_found(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    splits = ["train"] * 8 + ["validation"] * 2 + ["test"] * 2
    write_images(tmp_path / "images", split=splits)
    Image.fromarray(make_pixels(0)).save(tmp_path / "images" / "011.png")
    outcome = command("validate", config)
    assert outcome.status == 2
    assert "the same picture stands in train as '000' and in test as '011'" in outcome.output


def test_a_missing_folder_is_found(tmp_path: Path, command: Command) -> None:
    outcome = command("validate", write_config(tmp_path))
    assert outcome.status == 2
    assert f"problem: data set 'lab': folder {tmp_path / 'nwb'}: no such folder" in outcome.output


def test_a_missing_variable_is_found(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BRAINALIGN_TEST_FOLDER", raising=False)
    outcome = command("validate", write_config(tmp_path, folder="${BRAINALIGN_TEST_FOLDER}/x"))
    assert outcome.status == 2
    assert "the environment variable BRAINALIGN_TEST_FOLDER is not set" in outcome.output


def test_variables_and_home_are_filled_in(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINALIGN_TEST_FOLDER", str(tmp_path))
    config = write_lab(tmp_path, folder="${BRAINALIGN_TEST_FOLDER}/nwb")
    assert command("validate", config).status == 0


def test_models_for_data_without_images_are_a_problem(tmp_path: Path, command: Command) -> None:
    write_nwb(tmp_path / "nwb" / "sub-001_ses-1.nwb")
    outcome = command("validate", write_config(tmp_path))
    assert outcome.status == 2
    assert "holds no stimulus images, but an experiment has backbones for it" in outcome.output


def test_too_few_stimuli_for_the_split_are_a_problem(tmp_path: Path, command: Command) -> None:
    outcome = command("validate", write_lab(tmp_path, stimuli={"split": {"n_folds": 13}}))
    assert outcome.status == 2
    assert "more folds than stimuli; expected at most 12, found 13" in outcome.output


def _change(config: Path, **parts: object) -> Path:
    content = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump({**content, **parts}))
    return config


@pytest.mark.parametrize("model", ["./absent", "/absent/model", "one/two/three"])
def test_a_missing_model_folder_is_found(model: str, tmp_path: Path, command: Command) -> None:
    backbones = {"pixels": {"kind": "pretrained", "model": model}}
    outcome = command("validate", _change(write_lab(tmp_path), backbones=backbones))
    assert outcome.status == 2
    assert f"problem: backbones.pixels.model: {model}: there is no such folder" in outcome.output


def test_a_model_on_a_hub_is_noted_and_not_fetched(tmp_path: Path, command: Command) -> None:
    backbones = {"pixels": {"kind": "pretrained", "model": "facebook/dinov2-base"}}
    outcome = command("validate", _change(write_lab(tmp_path), backbones=backbones))
    assert outcome.status == 0
    assert "note: backbone 'pixels' (facebook/dinov2-base) comes from a hub" in outcome.output


def test_a_method_for_another_design_is_found(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from brainalign.raw.options import NWBDataset

    monkeypatch.setattr(NWBDataset, "design", "movies")
    outcome = command("validate", write_lab(tmp_path))
    assert outcome.status == 2
    assert (
        "experiments[0]: method 'direct_encoding_ridge' does not fit data set 'lab': the "
        "design differs" in outcome.output
    )


def test_simulated_data_are_noted(tmp_path: Path, command: Command) -> None:
    config = tmp_path / "world.yaml"
    config.write_text(
        "datasets: {it: {kind: simulated_it}}\nexperiments: [{datasets: [it]}]\n"
        f"results: {tmp_path / 'results'}\n"
    )
    outcome = command("validate", config)
    assert outcome.status == 0
    assert "note: data set 'it' is simulated; it has no files before the run" in outcome.output


def test_the_default_file_of_the_folder_comes_first(
    tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_lab(tmp_path)
    monkeypatch.chdir(tmp_path)
    Path("config.yaml").write_text("seedz: [0]\n")
    outcome = command("validate", config)
    assert outcome.status == 2
    assert "problem: config.yaml line 1: seedz: unknown option" in outcome.output


def test_all_problems_of_the_configuration_are_listed(tmp_path: Path, command: Command) -> None:
    config = tmp_path / "bad.yaml"
    config.write_text("seedz: [0]\ndevice: gpu\n")
    outcome = command("validate", config)
    assert outcome.status == 2
    assert len(_list_problems(outcome.output)) == 2
    assert outcome.error == "brainalign validate: 2 problems found, listed above\n"


def test_subject_ids_stay_text_from_file_name_to_store(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    output = tmp_path / "results" / "responses" / "lab" / "001.zarr"
    words = ["responses", "--config", config, "--dataset", "lab", "--subject", "001"]
    assert command(*words, "--output", output).status == 0
    import xarray as xr

    assert xr.open_zarr(output).attrs["subject"] == "001"


def test_images_inside_files_are_checked(tmp_path: Path, command: Command) -> None:
    path = tmp_path / "nwb" / "sub-001_ses-1.nwb"
    write_nwb(path, images={name: make_pixels(seed) for seed, name in enumerate(STIMULI)})
    with h5py.File(path, "r+") as file:
        place = f"stimulus/presentation/images/{STIMULI[4]}"
        attributes = dict(file[place].attrs)
        del file[place]
        file[place] = make_pixels(1).astype("float32")
        file[place].attrs.update(attributes)
    outcome = command("validate", write_config(tmp_path))
    assert outcome.status == 2
    assert "neither 8 bit, 16 bit nor in [0, 1]" in outcome.output
