"""Reading, masking and cleaning of a run, against nilearn.

Run with ``pytest tests/benchmarks/benchmark_volumes.py -s``.
"""

import gzip
import time
import warnings
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nilearn import signal
from nilearn.maskers import NiftiMasker

from benchmarks.timing import compare_times
from brainalign.raw.bids.volumes import read_header, read_voxels
from brainalign.responses.fmri_cleaning import clean_series

SHAPE, N_VOLUMES, TR_S, HIGH_PASS = (64, 64, 32), 60, 2.0, 1 / 128
N_CONFOUNDS = 24


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> tuple[Path, np.ndarray]:
    generator = np.random.default_rng(0)
    volumes = 1000 + 10 * generator.standard_normal((*SHAPE, N_VOLUMES), dtype=np.float32)
    path = tmp_path_factory.mktemp("volumes") / "bold.nii.gz"
    path.write_bytes(
        gzip.compress(nib.Nifti1Image(volumes.astype(np.int16), np.eye(4)).to_bytes(), 3)
    )
    distance = np.linalg.norm(np.indices(SHAPE).T / SHAPE - 0.5, axis=-1).T
    return path, distance < 0.42


@pytest.mark.benchmark
def test_reading_and_masking(run):
    path, mask = run
    index = np.argwhere(mask)
    mask_image = nib.Nifti1Image(mask.astype(np.uint8), np.eye(4))

    def use_nilearn():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return NiftiMasker(mask_image, standardize=None).fit().transform(str(path))

    def use_ours():
        return read_voxels(read_header(path), index)

    def decompress():
        with gzip.open(path) as file:
            return len(file.read())

    np.testing.assert_array_equal(use_ours(), use_nilearn())
    label = f"read and mask {len(index)} of {np.prod(SHAPE)} voxels x {N_VOLUMES} volumes"
    compare_times(label, use_nilearn, use_ours, clock=time.process_time)
    compare_times("the same, against decompression", decompress, use_ours, clock=time.process_time)


@pytest.mark.benchmark
def test_cosine_cleaning():
    generator = np.random.default_rng(0)
    series = (1000 + generator.standard_normal((200, 30_000))).astype(np.float32)
    confounds = generator.standard_normal((200, N_CONFOUNDS))

    def use_nilearn(values=series):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return signal.clean(
                values,
                detrend=False,
                standardize="zscore_sample",
                confounds=confounds,
                standardize_confounds=True,
                filter="cosine",
                high_pass=HIGH_PASS,
                t_r=TR_S,
            )

    centred = confounds - confounds.mean(axis=0)

    def use_ours():
        return clean_series(series.copy(), centred, TR_S, HIGH_PASS, "zscore")

    # In single precision nilearn itself is a thousandth away from its own double precision.
    apart = np.abs(use_ours() - use_nilearn(series.astype(np.float64))).max()
    print(f"\nlargest difference {apart:.2g}")
    assert apart < 1e-4
    label = f"cosine clean, {N_CONFOUNDS} confounds x {series.shape[1]} voxels x 200 volumes"
    compare_times(label, use_nilearn, use_ours, clock=time.process_time)
