"""Results folders that cannot be written, and two writers of one store."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from command_line import Command
from nwb_files import write_lab


def test_a_read_only_results_folder_is_a_resource_error(
    read_only_disk: Path, tmp_path: Path, command: Command
) -> None:
    config = write_lab(tmp_path)
    output = read_only_disk / "stimuli.zarr"
    outcome = command("stimuli", "--config", config, "--dataset", "lab", "--output", output)
    assert outcome.status == 4
    assert "the file system is read-only; nothing was published" in outcome.error


def test_validate_finds_a_read_only_results_folder(
    read_only_disk: Path, tmp_path: Path, command: Command
) -> None:
    config = write_lab(tmp_path)
    text = config.read_text().replace(str(tmp_path / "results"), str(read_only_disk / "results"))
    config.write_text(text)
    outcome = command("validate", config)
    assert outcome.status == 4
    assert f"problem: {read_only_disk}: the results folder is not writable" in outcome.output


def test_two_runs_at_once_publish_one_whole_store(tmp_path: Path, command: Command) -> None:
    config = write_lab(tmp_path)
    output = tmp_path / "stimuli.zarr"
    words = ["stimuli", "--config", config, "--dataset", "lab", "--output", output]
    line = [sys.executable, "-m", "brainalign.cli", *map(str, words)]
    runs = [subprocess.Popen(line, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    for run in runs:
        _, error = run.communicate(timeout=60)
        assert run.returncode == 0, error
    assert command("verify", output).status == 0
    assert not list(tmp_path.glob(".stimuli.zarr*")), "a draft was left behind"
