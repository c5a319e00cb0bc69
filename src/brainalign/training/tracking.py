"""Follow fits while they run: TensorBoard events and MLflow's local files.

Trackers get each epoch when it ends. What they write lies in a folder of its own, beside what is
published, since a model appears only when its job has ended. Nothing is sent anywhere.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from brainalign.errors import InputError
from brainalign.training.history import EpochRecord
from brainalign.training.progress import ProgressReport
from brainalign.training.tracking_options import TrackingOptions

_PACKAGES = {"tensorboard": "tensorboard", "mlflow": "mlflow-skinny"}
"""Modules that trackers import, and the packages to install for them."""

_FLUSH_SECONDS = 5
"""How late TensorBoard may show an epoch, in s."""


class Tracker(Protocol):
    """Takes the epochs of all fits of one job."""

    def write(self, part: str, record: EpochRecord) -> None:
        """Take one epoch of the fit `part`, such as ``area-IT/seed-0/fold-0/``."""

    def close(self, *, failed: bool) -> None:
        """End, after success or after an error."""


class WatchedFit:
    """Report of one fit: on the terminal or in the log, and to trackers.

    Parameters
    ----------
    method : str
        Name of the method, for the terminal.
    part : str
        Which fit of the job it is, such as ``area-IT/seed-0/fold-0/``.
    trackers : sequence of Tracker
        May be empty.
    """

    def __init__(self, method: str, part: str, trackers: Sequence[Tracker] = ()) -> None:
        self.method, self.part, self.trackers = method, part, trackers
        self._progress = ProgressReport(f"{method} {part}")

    def __call__(self, record: EpochRecord, epochs: int) -> None:
        """Take one epoch.

        Parameters
        ----------
        record : EpochRecord
            The epoch that has ended.
        epochs : int
            Number of epochs of the whole fit.
        """
        self._progress(record, epochs)
        for tracker in self.trackers:
            tracker.write(self.part, record)

    def divide(self, name: str) -> WatchedFit:
        """Report of one of several fits that make up this one.

        Parameters
        ----------
        name : str
            Such as ``subject-monkey-a``.

        Returns
        -------
        report : WatchedFit
            Under a name of its own.
        """
        return WatchedFit(self.method, f"{self.part}{name}/", self.trackers)


class TensorBoardTracker:
    """One folder of events per fit.

    Parameters
    ----------
    folder : Path
        Gets folders such as ``area-IT/seed-0/fold-0``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._writers: dict[str, Any] = {}

    def write(self, part: str, record: EpochRecord) -> None:
        """Write the numbers of an epoch as scalars."""
        from torch.utils.tensorboard import SummaryWriter

        if part not in self._writers:
            self._writers[part] = SummaryWriter(str(self.folder / part), flush_secs=_FLUSH_SECONDS)
        for name, value in _list_numbers(record).items():
            self._writers[part].add_scalar(name, value, record.epoch)

    def close(self, *, failed: bool) -> None:
        """Flush the events, after an error as well."""
        for writer in self._writers.values():
            writer.close()


class MlflowTracker:
    """One run per fit in MLflow's local files; a fit that is resumed goes on in its run.

    Parameters
    ----------
    folder : Path
        Where the files of all jobs lie: ``mlflow ui --backend-store-uri FOLDER``.
    experiment : str
        Name of the experiment; one per job, so that jobs never write one together.
    identity : str
        Digest of options and inputs; tells the runs of an experiment apart.
    """

    def __init__(self, folder: Path, experiment: str, identity: str) -> None:
        # MLflow 3 counts its use over the network unless told not to, and asks whoever wants
        # local files, which need no server and no database, to say so.
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
        self._identity = identity
        self._runs: dict[str, str] = {}
        with _lock(folder):
            self._client = import_module("mlflow").MlflowClient(
                tracking_uri=folder.absolute().as_uri()
            )
            found = self._client.get_experiment_by_name(experiment)
            self._experiment = (
                found.experiment_id if found else self._client.create_experiment(experiment)
            )

    def write(self, part: str, record: EpochRecord) -> None:
        """Write the numbers of an epoch as metrics."""
        if part not in self._runs:
            self._runs[part] = self._find_run(part)
        metric_class = import_module("mlflow.entities").Metric
        now = int(time.time() * 1000)
        metrics = [
            metric_class(name, value, now, record.epoch)
            for name, value in _list_numbers(record).items()
        ]
        self._client.log_batch(self._runs[part], metrics=metrics)

    def close(self, *, failed: bool) -> None:
        """Set the state of all runs."""
        for run in self._runs.values():
            self._client.set_terminated(run, status="FAILED" if failed else "FINISHED")

    def _find_run(self, part: str) -> str:
        tag = f"{self._identity}/{part}"
        for run in self._client.search_runs([self._experiment], f"tags.fit = '{tag}'"):
            self._client.update_run(run.info.run_id, status="RUNNING")
            return str(run.info.run_id)
        run = self._client.create_run(self._experiment, run_name=part.strip("/"), tags={"fit": tag})
        return str(run.info.run_id)


def check_tracking(options: TrackingOptions, folder: Path | None) -> None:
    """Refuse a tracker that cannot work before anything is fitted.

    Parameters
    ----------
    options : TrackingOptions
        Which trackers are wanted.
    folder : Path or None
        Where they may write.

    Raises
    ------
    InputError
        A package or the folder is missing.
    """
    wanted = [name for name in _PACKAGES if getattr(options, name)]
    for name in wanted:
        if importlib.util.find_spec(name) is None:
            raise InputError(
                f"the package {name} is not installed",
                where=f"tracking.{name}",
                remedy=f"Install it (pip install {_PACKAGES[name]}) or set tracking.{name}: false.",
            )
    if wanted and folder is None:
        raise InputError(
            "trackers have no folder to write to",
            where=f"tracking.{wanted[0]}",
            remedy="Name one with --tracking.",
        )


@contextlib.contextmanager
def open_trackers(
    options: TrackingOptions, folder: Path | None, job: str, identity: str
) -> Iterator[tuple[Tracker, ...]]:
    """Open the trackers of a job for the length of the block.

    Parameters
    ----------
    options : TrackingOptions
        Which trackers are wanted.
    folder : Path or None
        Where the trackers of all jobs write; needed where one is wanted.
    job : str
        ``{method}/{dataset}/{backbone}``.
    identity : str
        Digest of options and inputs; another one never continues the same curves.

    Yields
    ------
    trackers : tuple of Tracker
        None by default.
    """
    trackers: list[Tracker] = []
    if folder is not None and options.tensorboard:
        trackers.append(TensorBoardTracker(folder / "tensorboard" / job / identity))
    if folder is not None and options.mlflow:
        trackers.append(MlflowTracker(folder / "mlflow", job, identity))
    failed = True
    try:
        yield tuple(trackers)
        failed = False
    finally:
        for tracker in trackers:
            tracker.close(failed=failed)


def _list_numbers(record: EpochRecord) -> dict[str, float]:
    numbers = {name: value for name, value in asdict(record).items() if name != "epoch"}
    return {name: float(value) for name, value in numbers.items() if math.isfinite(value)}


@contextlib.contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Let jobs that start together make MLflow's folder one after the other."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f".{folder.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
