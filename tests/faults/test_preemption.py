"""A job that a scheduler stops saves its state, leaves with code 4, and goes on when run again."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from command_line import Command
from fit_jobs import FitJob, list_program, make_environment, write_fit_job

METHOD = {"epochs": 300, "batch_size": 40, "embedding_dimension": 16}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> FitJob:
    return write_fit_job(tmp_path_factory.mktemp("preempted"), METHOD, seeds=[0, 1])


@pytest.fixture(scope="module")
def uninterrupted(job: FitJob) -> dict[str, np.ndarray]:
    finished = run(job, "reference")
    assert finished[0] == 0, finished[1]
    return job.read_weights("reference")


def run(
    job: FitJob,
    output: str,
    scratch: str | None = None,
    stop: Callable[[subprocess.Popen[str], str], None] = lambda process, line: None,
) -> tuple[int, str]:
    """Run the fit as a process and show each line of its log to `stop`."""
    lines = []
    with subprocess.Popen(
        [*list_program(), *job.list_words(output, scratch)],
        stderr=subprocess.PIPE,
        text=True,
        env=make_environment(),
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            stop(process, line)
    return process.returncode, "".join(lines)


def make_stop(sent: signal.Signals, n_lines: int, delay_s: float):
    """Send a signal a while after so many lines of progress."""
    seen = []

    def stop(process: subprocess.Popen[str], line: str) -> None:
        seen.append(line)
        if len(seen) == n_lines:
            try:
                process.wait(timeout=delay_s)
            except subprocess.TimeoutExpired:
                process.send_signal(sent)

    return stop


def test_a_fit_stopped_at_random_moments_ends_in_the_same_weights(
    job: FitJob, uninterrupted: dict[str, np.ndarray]
):
    generator = np.random.default_rng()
    epochs = []
    for sent in (signal.SIGTERM, signal.SIGUSR1, signal.SIGKILL, signal.SIGTERM):
        n_lines, delay_s = int(generator.integers(1, 4)), float(generator.uniform(0, 0.05))
        status, log = run(job, "resumed", "scratch", make_stop(sent, n_lines, delay_s))
        if sent == signal.SIGKILL:
            assert status == -signal.SIGKILL
            continue
        assert status == 4, log
        assert f"stopped by {sent.name}" in log
        assert "un again to go on" in log
        assert not (job.folder / "resumed").exists()
        assert not list(job.folder.glob(".resumed*"))
        epochs.append(log)
    assert any("after epoch" in log for log in epochs)
    status, log = run(job, "resumed", "scratch")
    assert status == 0, log
    found = job.read_weights("resumed")
    assert found.keys() == uninterrupted.keys()
    for name, value in uninterrupted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    assert not list((job.folder / "scratch").iterdir())


def test_a_damaged_newest_checkpoint_costs_a_line_and_no_result(
    job: FitJob, uninterrupted: dict[str, np.ndarray]
):
    stop = make_stop(signal.SIGTERM, 4, 0)
    status, log = run(job, "damaged", "scratch_damaged", stop)
    assert status == 4, log
    newest = max((job.folder / "scratch_damaged").rglob("epoch_*.safetensors"))
    newest.write_bytes(newest.read_bytes()[:-7])
    status, log = run(job, "damaged", "scratch_damaged")
    assert status == 0, log
    assert f"{newest.stem}.json is damaged and passed over" in log
    found = job.read_weights("damaged")
    for name, value in uninterrupted.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_cuda_that_is_asked_for_and_absent_is_one_clear_line(
    job: FitJob, command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    asked = FitJob(job.folder, {**job.options, "device": "cuda"})
    outcome = command(*asked.list_words("on_gpu"))
    assert outcome.status == 4
    assert "device 'cuda' is asked for but not available" in outcome.error
    assert len(outcome.error.splitlines()) == 1
