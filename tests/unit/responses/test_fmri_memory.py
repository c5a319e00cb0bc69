"""What building the responses of volumes needs of memory, beside the responses."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from bids_files import name_run, write_bids, write_events, write_nifti
from brainalign.raw.bids.dataset import BIDSFolder
from brainalign.raw.fmri_options import BIDSDataset, NoPreprocessing
from brainalign.responses.fmri_build import build_fmri_responses
from brainalign.responses.fmri_options import FMRIResponseOptions, RegionOptions

_SHAPE, _N_RUNS, _N_VOLUMES, _N_TRIALS = (20, 20, 8), 12, 100, 45


@pytest.fixture(scope="module")
def bids(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_bids(tmp_path_factory.mktemp("lab") / "bids", runs=0)
    generator = np.random.default_rng(0)
    for run in range(_N_RUNS):
        series = 1000 + 10 * generator.standard_normal((*_SHAPE, _N_VOLUMES))
        # Not compressed: what is measured is the stage, and random numbers pack slowly.
        write_nifti(name_run(folder, f"{run:02d}", "bold.nii"), series.astype(np.float32))
        rows = [(4 + 4 * n, 2, f"s{(n + 7 * run) % 40}.png") for n in range(_N_TRIALS)]
        write_events(name_run(folder, f"{run:02d}", "events.tsv"), rows)
    write_nifti(folder / "derivatives" / "atlas.nii.gz", np.ones(_SHAPE, np.int16))
    return folder


@pytest.mark.parametrize("estimate", ["lss", "lsa", "time_series"])
def test_the_peak_stays_below_one_and_a_half_times_the_output(estimate: str, bids: Path) -> None:
    dataset = BIDSFolder(
        BIDSDataset(kind="bids", folder=str(bids), preprocessing=NoPreprocessing(kind="none"))
    )
    options = FMRIResponseOptions(
        regions=RegionOptions(atlas="derivatives/atlas.nii.gz"), n_half_splits=2, estimate=estimate
    )
    tracemalloc.start()
    try:
        responses = build_fmri_responses(dataset, "01", options, None)
        names = {"response", "cleaned_series", "onset_locked"} & set(responses.variables)
        output = sum(responses[name].nbytes for name in names)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    print(f"{estimate}: output {output / 1e6:.1f} MB, peak {peak / output:.2f} times it")
    assert peak < 1.5 * output
