"""The salamander retina of Onken et al. (2016), experiment 1."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from brainalign.raw.onken2016 import Onken2016Salamander, convert_outline, read_raw_image
from brainalign.raw.options import Onken2016Options
from brainalign.raw.recording import SpikeSession
from brainalign.responses.build import build_image_responses
from brainalign.responses.counts import count_spikes

pytestmark = pytest.mark.real_data


@pytest.fixture(scope="module")
def dataset(data_folder: Path) -> Onken2016Salamander:
    folder = str(data_folder / "retina_onken2016")
    return Onken2016Salamander(Onken2016Options(kind="onken2016_salamander", folder=folder))


@pytest.fixture(scope="module")
def session(dataset: Onken2016Salamander) -> SpikeSession:
    [session] = dataset.read_sessions("retina-1")
    return session


def test_cells_images_and_trials_are_complete(session: SpikeSession) -> None:
    assert len(session.units) == 38
    stimulus = session.presentations["stimulus"]
    assert stimulus.nunique() == 60
    assert set(stimulus.value_counts()) == {30}


def test_no_spike_is_lost_on_the_made_up_clock(session: SpikeSession, data_folder: Path) -> None:
    import scipy.io

    path = data_folder / "retina_onken2016" / "NeuralData" / "Spikes" / "NaturalImages1.mat"
    arrays = scipy.io.loadmat(path)["Spikes"].ravel()
    onset = session.presentations["onset_s"].to_numpy()
    # A window of the whole presentation; times count milliseconds from 1.
    count = count_spikes(session.spike_times, onset, [0.0, 300.0]).reshape(60, 30, 38)
    expected = np.array([[[cell.size for cell in trial] for trial in array.T] for array in arrays])
    np.testing.assert_array_equal(count, expected)


def test_image_counts_are_reliable(dataset: Onken2016Salamander) -> None:
    options = Onken2016Options(kind="onken2016_salamander", folder="x").responses
    responses = build_image_responses(dataset.read_sessions("retina-1"), options, None)
    is_usable = (responses["unit_status"] == "ok").values
    reliability = float(responses["reliability"].values[is_usable].mean())
    print(f"mean reliability of {is_usable.sum()} cells: {reliability:.3f}")
    assert is_usable.sum() >= 36
    assert reliability > 0.95


def test_receptive_fields_lie_where_the_luminance_drives_the_cells(
    dataset: Onken2016Salamander, session: SpikeSession
) -> None:
    collection = dataset.read_stimuli()
    onset = session.presentations["onset_s"].to_numpy()
    count = count_spikes(session.spike_times, onset, [30.0, 300.0])
    names = session.presentations["stimulus"].to_numpy()
    images = {
        name: gaussian_filter(collection.read_image(name)[:, :, 0].astype(float), 8)
        for name in sorted(set(names))
    }
    summed = np.array([count[names == name].sum(axis=0) for name in images])
    column, row = session.units["rf_x_px"].to_numpy(), session.units["rf_y_px"].to_numpy()

    def correlate(transposed: bool, flip_x: bool, flip_y: bool) -> float:
        blurred = np.array(list(images.values()))
        blurred = blurred.transpose(0, 2, 1) if transposed else blurred
        blurred = blurred[:, :, ::-1] if flip_x else blurred
        blurred = blurred[:, ::-1] if flip_y else blurred
        luminance = blurred[:, np.rint(row).astype(int), np.rint(column).astype(int)]
        both = [np.corrcoef(luminance[:, k], summed[:, k])[0, 1] for k in range(len(column))]
        return float(np.abs(both).mean())

    found = {turns: correlate(*turns) for turns in product([False, True], repeat=3)}
    right = found.pop((False, False, False))
    print(f"right mapping: {right:.3f}; others: {sorted(round(r, 3) for r in found.values())}")
    assert right > 0.55
    assert max(found.values()) < 0.40


def test_the_centre_of_the_screen_is_the_centre_of_the_image() -> None:
    points = convert_outline(np.array([[400.0, 410.0], [300.0, 320.0]]), 256)
    np.testing.assert_array_equal(points, [[128, 138], [128, 108]])


def test_raw_images_are_column_major(tmp_path: Path) -> None:
    pixels = np.arange(16, dtype=np.uint8).reshape(4, 4)
    pixels.T.tofile(tmp_path / "image001.raw")
    np.testing.assert_array_equal(read_raw_image(tmp_path / "image001.raw"), pixels)


def test_all_files_are_sound(dataset: Onken2016Salamander) -> None:
    assert dataset.find_problems() == []
    assert len(dataset.read_stimuli().table) == 60
