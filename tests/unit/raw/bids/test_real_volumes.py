"""Real volumes: unusual headers, and a slice of Haxby et al. (2001) up to its read-out."""

from __future__ import annotations

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import xarray as xr
import yaml
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import LeaveOneGroupOut, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from brainalign.errors import InputError
from brainalign.raw.bids.dataset import BOLDRun, settle_repetition_time
from brainalign.raw.bids.volumes import read_header, read_voxels
from command_line import Command

CONFIG = Path(__file__).parents[4] / "workflow" / "datasets" / "haxby2001_slice.yaml"


def _make_run(path: Path, **sidecar: float) -> BOLDRun:
    return BOLDRun("01", "1", "1", "x", path, dict(sidecar), None, None, None)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["example4d", "nitime_fmri1", "pcasl"])
def test_volumes_with_unusual_headers_are_read_as_nibabel_does(data_folder, name: str) -> None:
    path = data_folder / "nifti_odd_headers" / f"{name}.nii.gz"
    header, image = read_header(path), nib.load(path)
    np.testing.assert_array_equal(header.affine, image.affine)
    index = np.array([[0, 0, 0], [5, 4, 3], [9, 9, 17]])
    expected = image.get_fdata(dtype=np.float32)[tuple(index.T)].T
    np.testing.assert_array_equal(read_voxels(header, index), expected)


@pytest.mark.real_data
def test_a_repetition_time_of_2000_s_is_refused_beside_its_sidecar(data_folder) -> None:
    path = data_folder / "nifti_odd_headers" / "example4d.nii.gz"
    with pytest.raises(InputError, match="expected 2 s as in the sidecar, found 2000 s"):
        settle_repetition_time(_make_run(path, RepetitionTime=2.0), read_header(path), None)


@pytest.mark.real_data
def test_a_repetition_time_of_2000_s_is_refused_alone(data_folder) -> None:
    path = data_folder / "nifti_odd_headers" / "example4d.nii.gz"
    with pytest.raises(InputError, match=r"is implausible.*found 2000 s"):
        settle_repetition_time(_make_run(path), read_header(path), None)
    assert settle_repetition_time(_make_run(path), read_header(path), 2.0) == 2.0


@pytest.mark.real_data
def test_other_headers_state_their_repetition_time(data_folder) -> None:
    for name, expected in (("nitime_fmri1", 1.35), ("pcasl", 2.54)):
        path = data_folder / "nifti_odd_headers" / f"{name}.nii.gz"
        found = settle_repetition_time(_make_run(path), read_header(path), None)
        assert found == pytest.approx(expected)


@pytest.mark.real_data
def test_blocks_of_haxby_tell_eight_categories_apart(
    data_folder, tmp_path: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINALIGN_DATA", str(data_folder))
    name = next(iter(yaml.safe_load(CONFIG.read_text())["datasets"]))
    words = ["--config", CONFIG, "--dataset", name, "--subject", "01"]
    preprocessed, output = tmp_path / "preprocessed", tmp_path / "responses.zarr"
    assert command("preprocess", *words, "--output", preprocessed).status == 0
    outcome = command("responses", *words, "--preprocessed", preprocessed, "--output", output)
    assert outcome.status == 0, outcome.error
    store = xr.open_zarr(output)
    category = [str(one) for one in store["stimulus"].values]
    run = [str(one) for one in store["run"].values]
    assert len(set(category)) == 8
    assert len(category) == 12 * 8
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    score = cross_val_score(
        model, store["response"].values, category, groups=run, cv=LeaveOneGroupOut()
    )
    assert score.mean() > 0.5
