"""Responses, labels and images without use end a command with one line, and publish nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from brainalign.methods.weights import read_weights, write_weights
from brainalign.stores.publish import publish_folder
from command_line import Command, Outcome, check_refusal
from square_world import list_squares, write_square_world

METHOD = {
    "method": "mig_vis",
    "image_prior": None,
    "variants": ["mig_vis"],
    "groups": [{"size": 2, "label": "place"}, {"size": 3, "label": "category"}],
    "attributes": {"place": ["x"]},
    "vae": {"epochs": 2},
}


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "out" / "published"


def run_job(command: Command, verb: str, folder: Path, output: Path, **method: Any) -> Outcome:
    options = {
        "method": {**METHOD, **method},
        "seeds": [0],
        "feature": "none",
        "device": "cpu",
        "normalisation": "none",
        "by_area": False,
    }
    model = ["--model", folder / "model"] if verb == "predict" else []
    return command(
        *(verb, "--method", "mig_vis", "--dataset", "squares", "--backbone", "none", *model),
        *("--stimuli", folder / "stimuli.zarr", "--responses", folder / "monkey.zarr"),
        *("--options", json.dumps(options), "--output", output),
    )


def test_responses_to_unknown_images(command: Command, tmp_path: Path, output: Path) -> None:
    shown = list_squares().astype("U20")
    shown[7] = "square-nowhere"
    write_square_world(tmp_path, shown_as=shown)
    outcome = run_job(command, "fit", tmp_path, output)
    check_refusal(outcome, output, "square-nowhere")


def test_a_category_with_one_image(command: Command, tmp_path: Path, output: Path) -> None:
    categories = np.tile(["red", "green", "blue"], 20).astype("U8")
    categories[0] = "unicorn"
    write_square_world(tmp_path, categories=categories)
    outcome = run_job(command, "fit", tmp_path, output)
    parts = ("groups: category 'unicorn' has one training image", "two or more", "Join it")
    check_refusal(outcome, output, *parts)


def test_a_label_that_the_stimuli_lack(command: Command, tmp_path: Path, output: Path) -> None:
    write_square_world(tmp_path)
    outcome = run_job(command, "fit", tmp_path, output, attributes={"place": ["xx"]})
    check_refusal(outcome, output, "xx", "Did you mean 'x'")


def test_latents_with_nan(command: Command, tmp_path: Path, output: Path) -> None:
    write_square_world(tmp_path)
    assert run_job(command, "fit", tmp_path, tmp_path / "fitted").status == 0
    weights, description = read_weights(tmp_path / "fitted")
    for name, value in weights.items():
        if "/module/" in name and value.ndim == 2:
            weights[name] = np.full_like(value, np.nan)
    with publish_folder(tmp_path / "model", "model") as draft:
        write_weights(draft, weights, description)
    outcome = run_job(command, "predict", tmp_path, output)
    check_refusal(outcome, output, "latents of 60 rows are not finite", "fit the latents again")


@pytest.mark.parametrize("options", [{"image_size": 18}, {"image_size": 36, "patch_size": 8}])
def test_an_image_size_that_the_network_cannot_halve(
    command: Command, tmp_path: Path, output: Path, options: dict[str, int]
) -> None:
    write_square_world(tmp_path)
    prior = {"block_channels": [8, 16, 16], "attention_blocks": [False] * 3, **options}
    outcome = command(
        *("train-prior", "--dataset", "squares", "--prior", "odd"),
        *("--stimuli", tmp_path / "stimuli.zarr", "--output", output),
        *("--options", json.dumps({"prior": prior, "device": "cpu"})),
    )
    size = options["image_size"]
    check_refusal(outcome, output, f"image_size {size} cannot be halved 2 times", "use a multiple")


def test_validation_finds_an_image_size_before_any_job(command: Command, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("image_priors: {odd: {image_size: 33, patch_size: 4}}\n")
    outcome = command("validate", config)
    assert outcome.status == 2
    assert "image_size 33 cannot be halved" in outcome.output
