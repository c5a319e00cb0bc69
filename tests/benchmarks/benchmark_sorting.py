"""Sorting: time as a share of the recording's length, and counting spikes against pynapple."""

from __future__ import annotations

import json
import time
from pathlib import Path

import numpy as np
import pytest
from pynwb import NWBHDF5IO

from benchmarks.timing import compare_times
from brainalign.raw.nwb import read_session
from brainalign.responses.counts import count_trial_bins
from brainalign.sorting.electrode_plan import (
    ElectrodePlan,
    PlannedRecording,
    write_electrode_plan,
    write_planted_spikes,
)
from brainalign.stores.publish import publish_folder
from sorting_environment import run_sorting
from sorting_labs import STIMULI, describe_lab, describe_session, write_events

N_UNITS, N_TRIALS, N_BINS, BIN_S, PERIOD_S = 200, 1000, 100, 0.01, 1.25


def draw_poisson(n_units: int, duration_s: float, rate_hz: float = 10.0) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [
        np.sort(generator.uniform(0, duration_s, generator.poisson(rate_hz * duration_s)))
        for _ in range(n_units)
    ]


@pytest.mark.benchmark
@pytest.mark.parametrize("duration_s", [20.0, 60.0])
def test_sorting_time_as_a_share_of_the_recording(sorting_python, tmp_path, duration_s):
    trains = draw_poisson(10, duration_s)
    with publish_folder(tmp_path / "recording", "raw", {}) as draft:
        write_planted_spikes(draft / "spikes.npz", [f"c{i}" for i in range(10)], trains)
        plan = ElectrodePlan(duration_s=duration_s)
        write_electrode_plan(draft, [PlannedRecording(name="a", spikes="spikes.npz", plan=plan)])
    electrodes = tmp_path / "electrodes"
    words = ["simulate-electrodes", "--recording", tmp_path / "recording", "--output", electrodes]
    assert run_sorting(sorting_python, *words).returncode == 0
    write_events(tmp_path / "events.tsv", STIMULI)
    session = describe_session(
        tmp_path,
        **{
            "format": "binary",
            "folder": str(electrodes / "a" / "recording.bin"),
            "probe": str(electrodes / "a" / "probe.json"),
            "sampling_rate_hz": plan.sampling_rate_hz,
        },
    )
    words = ["sort", "--dataset", "lab", "--options", describe_lab([session])]
    started = time.perf_counter()
    finished = run_sorting(sorting_python, *words, "--output", tmp_path / "sorted")
    wall_s = time.perf_counter() - started
    assert finished.returncode == 0, finished.stderr
    summary = json.loads((tmp_path / "sorted" / "summary.json").read_text())["sessions"][0]
    print(
        f"\nsorting 16 channels x {duration_s:.0f} s: {summary['sorting_cpu_s']:.1f} CPU-s, "
        f"{summary['sorting_cpu_s'] / duration_s:.2f} of the length ({wall_s:.1f} s wall)"
    )


@pytest.mark.benchmark
def test_counting_in_trials_and_bins_against_pynapple():
    pynapple = pytest.importorskip("pynapple", reason="pynapple is not installed")
    trains = draw_poisson(N_UNITS, N_TRIALS * PERIOD_S)
    onset = np.arange(N_TRIALS) * PERIOD_S
    group = pynapple.TsGroup({index: pynapple.Ts(times) for index, times in enumerate(trains)})
    trials = pynapple.IntervalSet(start=onset, end=onset + N_BINS * BIN_S)

    def build() -> np.ndarray:
        return pynapple.build_tensor(group, trials, bin_size=BIN_S)

    def count() -> np.ndarray:
        return count_trial_bins(trains, onset, BIN_S, N_BINS)

    def fill() -> None:
        np.empty((N_UNITS, N_TRIALS, N_BINS), dtype=np.float32)[:] = 0

    np.testing.assert_array_equal(build(), count())
    label = f"{N_UNITS} units x {N_TRIALS} trials x {N_BINS} bins"
    compare_times(label, build, count, clock=time.process_time)
    compare_times(f"{label}, zeros alone", build, fill, clock=time.process_time)


@pytest.mark.benchmark
def test_share_of_pynwb_in_reading_a_session(tmp_path: Path):
    from nwb_files import write_nwb

    stimuli = [f"{number:03d}" for number in range(100)] * 10
    path = write_nwb(tmp_path / "a.nwb", draw_poisson(200, 500.0), stimuli)

    def read_bare() -> None:
        with NWBHDF5IO(str(path), "r", load_namespaces=True) as stream:
            nwb = stream.read()
            nwb.units.spike_times_index.target.data[:]
            for name in ("stimulus", "start_time"):
                nwb.trials[name].data[:]

    def read() -> None:
        read_session(path, stimulus_columns=["stimulus"], onset_column="start_time")

    read_bare()
    read()
    ratio = compare_times(
        "reading 200 units and 1,000 trials: ours against bare pynwb", read, read_bare
    )
    share = ratio.candidate_seconds / ratio.reference_seconds
    print(f"pynwb alone takes {share:.0%} of the time of reading and checking a session")
