"""Encoding models and ceilings block by block are those of all units at once, within a memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from brainalign.responses.reliability import estimate_noise_ceiling, split_half_reliability
from brainalign.stores.block_options import ArrayOptions
from brainalign.stores.blocks import divide_by_units, make_slurm_cluster, map_unit_blocks
from brainalign.stores.read import read_labels, read_store
from command_line import Command, Outcome
from fit_jobs import FitJob, write_fit_job
from wide_recording import LIMIT_MB, write_wide_recording


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> FitJob:
    return write_fit_job(tmp_path_factory.mktemp("encoded"), {}, seeds=[0])


def encode(command: Command, job: FitJob, output: str, **arrays: object) -> Outcome:
    options = {
        "arrays": arrays,
        "seeds": [0],
        "feature": "layer_1/mean",
        "normalisation": "none",
        "n_half_splits": 5,
        "min_repeated_stimuli": 3,
        "alphas": [1.0, 100.0],
    }
    return command(
        *("encode", "--dataset", "planted", "--backbone", "planted"),
        *("--stimuli", job.folder / "stimuli.zarr", "--features", job.folder / "features.zarr"),
        *("--responses", job.folder / "subject.zarr", "--scratch", job.folder / "scratch"),
        *("--options", json.dumps(options), "--output", job.folder / output),
    )


def test_planted_encoding_is_found_and_the_scratch_is_empty_afterwards(
    job: FitJob, command: Command
):
    outcome = encode(command, job, "encoding.zarr")
    assert outcome.status == 0, outcome.error
    store = read_store(job.folder / "encoding.zarr", "encoding")
    assert store["correlation"].dims == ("fold", "unit")
    assert float(store["correlation"].min()) > 0.9
    assert not [path for path in (job.folder / "scratch").rglob("*") if path.is_file()]


def test_ceiling_and_reliability_are_those_of_the_whole_array(job: FitJob, command: Command):
    encode(command, job, "ceilings.zarr")
    store = read_store(job.folder / "ceilings.zarr", "encoding")
    responses = read_store(job.folder / "subject.zarr", "responses")
    values, stimulus = responses["response"].values, read_labels(responses, "stimulus")
    expected = estimate_noise_ceiling(values, stimulus, min_repeated_stimuli=3).repeat_mean
    np.testing.assert_allclose(store["noise_ceiling"], expected, rtol=1e-6)
    expected = split_half_reliability(values, stimulus, 5, 0, 3)
    np.testing.assert_allclose(store["reliability"], expected, rtol=1e-6)


def count_block(blocks, units: slice, offset: float) -> dict[str, np.ndarray]:
    values = blocks.read(units)
    return {"sum": values.sum(axis=0, dtype=np.float64) + offset, "row": values[[3]]}


@pytest.mark.parametrize("n_workers", [1, 3])
def test_blocks_hold_every_unit_once_and_in_order(job: FitJob, tmp_path: Path, n_workers: int):
    options = ArrayOptions(memory_mb=8, n_workers=n_workers)
    store = job.folder / "subject.zarr"
    expected = read_store(store, "responses")["response"].values
    with divide_by_units(store, tmp_path, options) as blocks:
        narrow = type(blocks)(blocks.path, blocks.n_rows, blocks.n_units, blocks.n_units)
        np.testing.assert_array_equal(narrow.read(slice(0, blocks.n_units)), expected)
        found = map_unit_blocks(count_block, blocks, 1.0, options)
    np.testing.assert_allclose(found["sum"], expected.sum(axis=0, dtype=np.float64) + 1.0)
    np.testing.assert_array_equal(found["row"], expected[[3]])
    assert not list(tmp_path.glob("*.float32"))


def test_slurm_workers_ask_for_what_the_options_say(tmp_path: Path):
    options = ArrayOptions(
        cluster="slurm", memory_mb=1500, partition="long", account="lab", runtime_min=90
    )
    with make_slurm_cluster(options, tmp_path) as cluster:
        script = cluster.job_script()
    for line in ("-p long", "-A lab", "--mem=2", "-t 01:30:00"):
        assert f"#SBATCH {line}" in script, script


def test_memory_stays_bounded_on_data_of_ten_times_the_limit(tmp_path: Path):
    n_bytes = write_wide_recording(tmp_path)
    assert n_bytes >= 10 * LIMIT_MB << 20
    program = Path(__file__).parents[2] / "wide_recording.py"
    finished = subprocess.run(
        [sys.executable, str(program), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_ARENA_MAX": "2"},
    )
    assert finished.returncode == 0, finished.stderr
    before_mb, after_mb = json.loads(finished.stdout.splitlines()[-1])
    print(f"peak {before_mb:.0f} MB after a small run, {after_mb:.0f} MB after the large one")
    assert after_mb - before_mb < LIMIT_MB
    encoding = read_store(tmp_path / "encoding.zarr", "encoding")
    assert np.isfinite(encoding["correlation"].values).all()
    assert float(encoding["correlation"].median()) > 0.8
    assert float(encoding["noise_ceiling"].median()) > 0.5
