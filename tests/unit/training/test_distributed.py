"""Two processes started by torchrun train one module as one process does; only one publishes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from brainalign.errors import InputError
from brainalign.training.distributed import Processes
from brainalign.training.gradients import BatchGradient
from fit_jobs import make_environment, write_fit_job
from unit.training.linear_task import LinearTask

METHOD = {
    "epochs": 12,
    # Odd, so that the processes get unequal shares.
    "batch_size": 41,
    "embedding_dimension": 8,
    "visual_dropout": 0.0,
    "neural_dropout": 0.0,
    "unit_dropout": 0.0,
}


def test_two_processes_have_the_losses_and_weights_of_one(tmp_path: Path):
    job = write_fit_job(tmp_path, METHOD, seeds=[0])
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    for output, program in {
        "one": [sys.executable, "-m", "brainalign"],
        "two": [*launcher, "--nproc-per-node", "2", "-m", "brainalign"],
    }.items():
        finished = subprocess.run(
            [*program, *job.list_words(output, "scratch")],
            env=make_environment(),
            capture_output=True,
            text=True,
            check=False,
        )
        assert finished.returncode == 0, finished.stderr
        # Progress comes from the first process only.
        assert finished.stderr.count("epoch 12/12") == 1
    histories = [pd.read_csv(tmp_path / name / "training.csv") for name in ("one", "two")]
    np.testing.assert_allclose(histories[1].loss, histories[0].loss, rtol=1e-4)
    one, two = job.read_weights("one"), job.read_weights("two")
    for name, value in one.items():
        np.testing.assert_allclose(two[name], value, rtol=1e-3, atol=1e-4, err_msg=name)
    manifest = (tmp_path / "two" / "manifest.json").read_text()
    assert '"processes": 2' in manifest
    assert not list((tmp_path / "scratch").iterdir())


def test_a_task_that_cannot_be_divided_refuses_several_processes():
    task = LinearTask()
    with pytest.raises(InputError, match="several processes"):
        BatchGradient(task, [], torch.device("cpu"), "fp32", Processes(0, 2))


@pytest.mark.parametrize(("n_rows", "count"), [(7, 3), (4, 4), (10, 1)])
def test_shares_hold_every_row_once_and_are_of_nearly_one_size(n_rows: int, count: int):
    shares = Processes(0, count).divide_rows(n_rows)
    rows = [row for share in shares for row in range(n_rows)[share]]
    assert rows == list(range(n_rows))
    sizes = [share.stop - share.start for share in shares]
    assert max(sizes) - min(sizes) <= 1


def test_more_processes_than_rows_are_an_error():
    with pytest.raises(InputError, match="fewer rows"):
        Processes(0, 5).divide_rows(3)
