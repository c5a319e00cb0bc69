"""What fitting and predicting took is part of what they publish."""

from __future__ import annotations

from pathlib import Path

import pytest

from brainalign.stores.manifest import read_manifest
from brainalign.training import cards
from command_line import Command
from fit_jobs import FitJob, write_fit_job

METHOD = {"epochs": 2, "batch_size": 40, "embedding_dimension": 8}
GPU = {"gpu": "stand-in", "peak_gpu_memory_mb": 12}


def predict(job: FitJob, command: Command) -> int:
    fitting = dict(zip(*[iter(job.list_words("model")[1:])] * 2, strict=True))
    fitting |= {"--model": str(job.folder / "model"), "--output": str(job.folder / "predictions")}
    return command("predict", *(word for pair in fitting.items() for word in pair)).status


@pytest.mark.parametrize("gpu", [{}, GPU], ids=["cpu", "gpu"])
def test_models_and_predictions_record_memory_and_time(
    gpu: dict[str, object], tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(cards, "measure_gpu_memory", lambda device: gpu)
    job = write_fit_job(tmp_path, METHOD, seeds=[0])
    job.options["n_half_splits"] = 2
    assert command(*job.list_words("model")).status == 0
    assert predict(job, command) == 0
    for output in ("model", "predictions"):
        provenance = read_manifest(tmp_path / output).provenance
        run = provenance["run"]
        assert provenance["device"] == "cpu"
        assert run["peak_memory_mb"] > 50
        assert run["wall_s"] >= 0
        assert {name: run[name] for name in GPU if name in run} == gpu
