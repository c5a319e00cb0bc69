"""Several GPU jobs on one machine take different cards; a scheduler's choice is left alone."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from brainalign.errors import ResourceError
from brainalign.training.cards import claim_card, claim_device


@pytest.fixture
def two_cards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for name in ("CUDA_VISIBLE_DEVICES", "WORLD_SIZE", "RANK"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("two_cards")
def test_jobs_spread_evenly_over_the_cards(tmp_path: Path):
    with contextlib.ExitStack() as jobs:
        claims = [jobs.enter_context(claim_device("auto", tmp_path)) for _ in range(5)]
    assert [str(device) for device in claims] == ["cuda:0", "cuda:1", "cuda:0", "cuda:1", "cuda:0"]


@pytest.mark.usefixtures("two_cards")
def test_a_card_that_is_given_back_is_the_next_to_be_taken(tmp_path: Path):
    with claim_device("cuda", tmp_path) as first:
        with claim_device("cuda", tmp_path) as second:
            assert (first.index, second.index) == (0, 1)
        with claim_device("cuda", tmp_path) as third:
            assert third.index == 1


def test_the_card_of_a_job_that_is_killed_is_free_again(tmp_path: Path):
    program = (
        "import sys, time; from pathlib import Path; from brainalign.training.cards import *\n"
        "with claim_card(2, Path(sys.argv[1])) as card: print(card, flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "0\n"
        with claim_card(2, tmp_path) as card:
            assert card == 1
        other.kill()
    with claim_card(2, tmp_path) as card:
        assert card == 0


@pytest.mark.usefixtures("two_cards")
def test_the_choice_of_a_scheduler_and_of_the_user_are_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    with claim_device("cuda:1", tmp_path) as device:
        assert device == torch.device("cuda:1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    with claim_device("cuda", tmp_path) as device:
        assert device == torch.device("cuda")
    assert not list(tmp_path.iterdir())


@pytest.mark.usefixtures("two_cards")
def test_each_process_of_a_launcher_gets_the_card_of_its_place_on_the_node(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in {"WORLD_SIZE": "4", "RANK": "3", "LOCAL_RANK": "1"}.items():
        monkeypatch.setenv(name, value)
    with claim_device("auto", tmp_path) as device:
        assert device == torch.device("cuda:1")


def test_a_lock_folder_that_cannot_be_written_is_a_clear_error(tmp_path: Path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(ResourceError, match="CUDA_VISIBLE_DEVICES"),
        claim_card(1, tmp_path / "file" / "cards"),
    ):
        pass


def test_a_cpu_needs_no_lock(tmp_path: Path):
    with claim_device("cpu", tmp_path) as device:
        assert device == torch.device("cpu")
    assert not list(tmp_path.iterdir())
