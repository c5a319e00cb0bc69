"""The course of a fit is written for TensorBoard where that is asked for, and only there."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from command_line import Command
from fit_jobs import FitJob, write_fit_job

METHOD = {"epochs": 3, "batch_size": 40, "embedding_dimension": 8}


def track(job: FitJob, **tracking: bool) -> FitJob:
    return FitJob(job.folder, {**job.options, "tracking": tracking})


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> FitJob:
    return write_fit_job(tmp_path_factory.mktemp("tracked"), METHOD, seeds=[0, 1])


def test_tensorboard_reads_every_epoch_of_every_seed(job: FitJob, command: Command):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    outcome = command(*track(job, tensorboard=True).list_words("tracked"))
    assert outcome.status == 0, outcome.error
    runs = sorted((job.folder / "tracked" / "tensorboard").rglob("events*"))
    assert [run.parts[-3] for run in runs] == ["seed-0", "seed-1"]
    events = EventAccumulator(str(runs[0].parent))
    events.Reload()
    assert [event.step for event in events.Scalars("loss")] == [1, 2, 3]
    assert {"validation_score", "learning_rate"} <= set(events.Tags()["scalars"])


def test_nothing_is_tracked_by_default(job: FitJob, command: Command):
    assert command(*job.list_words("plain")).status == 0
    assert sorted(path.name for path in (job.folder / "plain").iterdir()) == [
        "manifest.json",
        "options.json",
        "training.csv",
        "weights.safetensors",
    ]


def test_a_missing_tracker_is_an_error_before_the_fit(
    job: FitJob, command: Command, monkeypatch: pytest.MonkeyPatch
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "tensorboard" else find(name, *rest),
    )
    outcome = command(*track(job, tensorboard=True).list_words("missing"))
    assert outcome.status == 2
    assert "tracking.tensorboard: the package tensorboard is not installed" in outcome.error
    assert "epoch" not in outcome.error
    assert not Path(job.folder / "missing").exists()
