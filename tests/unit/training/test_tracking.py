"""The course of a fit can be followed while it runs where that is asked for, and only there."""

from __future__ import annotations

import importlib.util
import os
import socket
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from brainalign.methods.experiment import ExperimentJob
from brainalign.training.history import EpochRecord
from brainalign.training.progress import ProgressReport
from brainalign.training.tracking import MlflowTracker, TensorBoardTracker, WatchedFit
from command_line import Command
from fit_jobs import FitJob, write_fit_job

METHOD = {"epochs": 3, "batch_size": 40, "embedding_dimension": 8}
PART = "area-all/seed-0/fold-0/"


def track(job: FitJob, output: str, **tracking: bool) -> list[str]:
    tracked = FitJob(job.folder, {**job.options, "tracking": tracking})
    return [*tracked.list_words(output), "--tracking", str(job.folder / f"{output}_tracking")]


def make_record(epoch: int, loss: float = 0.5) -> EpochRecord:
    return EpochRecord(epoch, loss, 0.25, 1e-3, 0, 0.1)


def read_scalars(folder: Path, name: str) -> list[int]:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    events = accumulator.EventAccumulator(str(folder))
    events.Reload()
    return [event.step for event in events.Scalars(name)]


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> FitJob:
    return write_fit_job(tmp_path_factory.mktemp("tracked"), METHOD, seeds=[0, 1])


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """Stand-in for MLflow that remembers what it is told."""
    told = SimpleNamespace(runs={}, metrics=[], ended=[], experiments=[])

    class Client:
        def __init__(self, tracking_uri: str) -> None:
            told.uri = tracking_uri

        def get_experiment_by_name(self, name: str) -> None:
            return None

        def create_experiment(self, name: str) -> str:
            told.experiments.append(name)
            return "7"

        def search_runs(self, experiments: list[str], query: str) -> list[SimpleNamespace]:
            found = [run for run, tag in told.runs.items() if f"'{tag}'" in query]
            return [SimpleNamespace(info=SimpleNamespace(run_id=run)) for run in found]

        def create_run(self, experiment: str, *, run_name: str, tags: dict) -> SimpleNamespace:
            told.runs[run_name] = tags["fit"]
            return SimpleNamespace(info=SimpleNamespace(run_id=run_name))

        def update_run(self, run: str, status: str) -> None:
            told.ended.append((run, status))

        def log_batch(self, run: str, metrics: list[tuple]) -> None:
            told.metrics += [(run, *metric) for metric in metrics]

        def set_terminated(self, run: str, status: str) -> None:
            told.ended.append((run, status))

    module, entities = ModuleType("mlflow"), ModuleType("mlflow.entities")
    module.MlflowClient = Client
    entities.Metric = lambda name, value, timestamp, step: (name, value, step)
    module.__spec__ = importlib.util.spec_from_loader("mlflow", loader=None)
    monkeypatch.setitem(sys.modules, "mlflow", module)
    monkeypatch.setitem(sys.modules, "mlflow.entities", entities)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "")
    return told


def test_tensorboard_reads_every_epoch_of_every_seed(job: FitJob, command: Command):
    pytest.importorskip("tensorboard")
    outcome = command(*track(job, "tracked", tensorboard=True))
    assert outcome.status == 0, outcome.error
    folder = job.folder / "tracked_tracking" / "tensorboard" / "vna" / "planted" / "planted"
    runs = sorted(folder.rglob("events*"))
    assert [run.parts[-3] for run in runs] == ["seed-0", "seed-1"]
    for name in ("loss", "validation_score", "learning_rate"):
        assert read_scalars(runs[0].parent, name) == [1, 2, 3]


def test_an_epoch_can_be_seen_before_the_fit_has_ended(tmp_path: Path):
    pytest.importorskip("tensorboard")
    tracker = TensorBoardTracker(tmp_path)
    watched = WatchedFit("vna", PART, [tracker])
    watched(make_record(1), 3)
    tracker._writers[PART].flush()  # as the writer does by itself every few seconds
    assert read_scalars(tmp_path / PART, "loss") == [1]
    watched(make_record(2, loss=float("nan")), 3)
    tracker.close(failed=True)
    assert read_scalars(tmp_path / PART, "loss") == [1]
    assert read_scalars(tmp_path / PART, "validation_score") == [1, 2]


def test_epochs_before_an_interruption_stay(
    job: FitJob, command: Command, monkeypatch: pytest.MonkeyPatch
):
    pytest.importorskip("tensorboard")
    show = ProgressReport.__call__

    def interrupt(self: ProgressReport, record: EpochRecord, epochs: int) -> None:
        show(self, record, epochs)
        if record.epoch == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(ProgressReport, "__call__", interrupt)
    assert command(*track(job, "killed", tensorboard=True)).status != 0
    (events,) = (job.folder / "killed_tracking").rglob("events*")
    assert read_scalars(events.parent, "loss") == [1, 2]


def test_fits_of_several_subjects_are_told_apart(tmp_path: Path):
    job = ExperimentJob("direct_encoding_nonlinear", {}, {}, tmp_path, (), tmp_path)
    report = job.watch(PART).divide("subject-monkey-a")
    assert report.part == f"{PART}subject-monkey-a/"


def test_mlflow_is_told_each_epoch_when_it_ends(mlflow: SimpleNamespace, tmp_path: Path):
    tracker = MlflowTracker(tmp_path / "mlflow", "vna/it/clip", "0123")
    watched = WatchedFit("vna", PART, [tracker])
    for epoch in (1, 2):
        watched(make_record(epoch), 2)
        assert ("area-all/seed-0/fold-0", "loss", 0.5, epoch) in mlflow.metrics
        assert not mlflow.ended
    tracker.close(failed=False)
    assert mlflow.ended == [("area-all/seed-0/fold-0", "FINISHED")]
    assert mlflow.experiments == ["vna/it/clip"]


def test_a_resumed_fit_goes_on_in_its_run_of_mlflow(mlflow: SimpleNamespace, tmp_path: Path):
    for identity, epoch in (("0123", 1), ("0123", 2), ("4567", 1)):
        tracker = MlflowTracker(tmp_path / "mlflow", "vna/it/clip", identity)
        tracker.write(PART, make_record(epoch))
        tracker.close(failed=True)
    assert mlflow.runs == {"area-all/seed-0/fold-0": f"4567/{PART}"}
    assert [status for _, status in mlflow.ended] == ["FAILED", "RUNNING", "FAILED", "FAILED"]


def test_mlflow_writes_local_files_and_counts_nothing(mlflow: SimpleNamespace, tmp_path: Path):
    MlflowTracker(tmp_path / "mlflow", "vna/it/clip", "0123")
    assert mlflow.uri == (tmp_path / "mlflow").as_uri()
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_a_real_mlflow_holds_every_epoch_without_a_network(
    job: FitJob, command: Command, monkeypatch: pytest.MonkeyPatch
):
    mlflow = pytest.importorskip("mlflow")

    def refuse(*arguments: object) -> None:
        raise AssertionError("a connection was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    outcome = command(*track(job, "real", mlflow=True))
    assert outcome.status == 0, outcome.error
    folder = job.folder / "real_tracking" / "mlflow"
    client = mlflow.MlflowClient(tracking_uri=folder.as_uri())
    experiment = client.get_experiment_by_name("vna/planted/planted").experiment_id
    runs = client.search_runs([experiment])
    assert sorted(run.info.status for run in runs) == ["FINISHED", "FINISHED"]
    for run in runs:
        history = client.get_metric_history(run.info.run_id, "validation_score")
        assert [metric.step for metric in history] == [1, 2, 3]


def test_nothing_is_tracked_by_default(job: FitJob, command: Command):
    words = [*job.list_words("plain"), "--tracking", job.folder / "none"]
    assert command(*words).status == 0
    assert not (job.folder / "none").exists()
    assert sorted(path.name for path in (job.folder / "plain").iterdir()) == [
        "manifest.json",
        "options.json",
        "training.csv",
        "weights.safetensors",
    ]


@pytest.mark.parametrize(
    ("name", "package"), [("tensorboard", "tensorboard"), ("mlflow", "mlflow-skinny")]
)
def test_a_missing_tracker_is_an_error_before_the_fit(
    name: str, package: str, job: FitJob, command: Command, monkeypatch: pytest.MonkeyPatch
):
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda module, *rest: None if module == name else find(module, *rest),
    )
    outcome = command(*track(job, "missing", **{name: True}))
    assert outcome.status == 2
    assert f"tracking.{name}: the package {name} is not installed" in outcome.error
    assert f"pip install {package})" in outcome.error
    assert "epoch" not in outcome.error
    assert not (job.folder / "missing").exists()


def test_trackers_without_a_folder_are_an_error(job: FitJob, command: Command):
    pytest.importorskip("tensorboard")
    tracked = FitJob(job.folder, {**job.options, "tracking": {"tensorboard": True}})
    outcome = command(*tracked.list_words("nowhere"))
    assert outcome.status == 2
    assert "Name one with --tracking" in outcome.error
