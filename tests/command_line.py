"""Run the real command line inside the test's process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from brainalign.cli import main


@dataclass(frozen=True)
class Outcome:
    """What a user sees of one command."""

    status: int
    output: str
    error: str


Command = Callable[..., Outcome]


@pytest.fixture
def command(capfd: pytest.CaptureFixture[str]) -> Command:
    """A function that runs words of the command line."""

    def run(*words: str | Path) -> Outcome:
        capfd.readouterr()
        status = main([str(word) for word in words])
        captured = capfd.readouterr()
        return Outcome(status, captured.out, captured.err)

    return run


def check_refusal(outcome: Outcome, output: Path, *parts: str, status: int = 2) -> None:
    """Check that a command ended as a refusal should.

    One line holds every part, the exit code is that of its class, and neither the output nor a
    draft of it is left.
    """
    assert outcome.status == status, outcome.error
    assert "Traceback" not in outcome.error
    (line,) = [line for line in outcome.error.splitlines() if line.startswith("brainalign ")]
    assert [part for part in parts if part not in line] == [], line
    assert list(output.parent.glob(f"*{output.name}*")) == []
    assert list(output.parent.glob(f".*{output.name}*")) == []


def make_responses(command: Command, config: Path, subject: str = "001") -> Outcome:
    """Run ``brainalign responses`` of the data set ``lab`` without a stimulus store."""
    words = ["responses", "--config", config, "--dataset", "lab", "--subject", subject]
    return publish(command, *words, output=config.parent / "responses.zarr")


def make_stimuli(command: Command, config: Path) -> Outcome:
    """Run ``brainalign stimuli`` of the data set ``lab``."""
    words = ["stimuli", "--config", config, "--dataset", "lab"]
    return publish(command, *words, output=config.parent / "stimuli.zarr")


def publish(command: Command, *words: str | Path, output: Path) -> Outcome:
    """Run a verb that publishes; a failure must be told in one last line and leave nothing new."""
    before = sorted(output.parent.glob(f"*{output.name}*"))
    outcome = command(*words, "--output", output)
    if outcome.status:
        lines = outcome.error.rstrip().splitlines()
        told = [line for line in lines if line.startswith(f"brainalign {words[0]}: ")]
        assert told == lines[-1:], outcome.error
        assert "Traceback" not in outcome.error
        assert sorted(output.parent.glob(f"*{output.name}*")) == before
    return outcome
