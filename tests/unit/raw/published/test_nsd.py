"""The Natural Scenes Dataset, from a miniature in its published layout to stores."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from brainalign.raw.published.coco import measure_visible_share
from brainalign.raw.published.nsd_betas import read_betas
from command_line import Command, make_responses, make_stimuli
from nsd_files import (
    AFFINE,
    N_SESSIONS,
    SHAPE,
    draw_order,
    find_betas,
    list_pictures,
    make_pictures,
    plant_betas,
    write_annotations,
    write_config,
    write_nsd,
    write_volume,
)


@pytest.fixture
def nsd(tmp_path: Path) -> Path:
    return write_nsd(tmp_path / "nsd")


def _build(command: Command, nsd: Path, subject: str = "subj01", **options: object) -> xr.Dataset:
    outcome = make_responses(command, write_config(nsd.parent, nsd, **options), subject)
    assert outcome.status == 0, outcome.error
    return xr.open_zarr(nsd.parent / "responses.zarr")


def test_responses_are_the_betas_in_percent(nsd: Path, command: Command) -> None:
    store = _build(command, nsd)
    planted = np.concatenate([plant_betas(1, one + 1) for one in range(N_SESSIONS)])
    expected = planted[(slice(None), *store["voxel_index"].values.T)]
    np.testing.assert_allclose(store["response"].values, expected, atol=1e-6)
    assert store["response"].attrs["units"] == "percent"
    assert store.attrs["estimate"] == "betas_fithrf_GLMdenoise_RR"


def test_both_published_formats_give_the_same(tmp_path: Path, nsd: Path, command: Command) -> None:
    from_hdf5 = _build(command, nsd).load()
    (tmp_path / "other").mkdir()
    from_nifti = _build(command, write_nsd(tmp_path / "other" / "nsd", as_nifti=True))
    xr.testing.assert_equal(from_hdf5.drop_attrs(), from_nifti.load().drop_attrs())


def test_trials_show_the_pictures_of_the_design(nsd: Path, command: Command) -> None:
    store = _build(command, nsd)
    expected = [f"nsd-{one:05d}" for one in list_pictures(1)[draw_order()]]
    assert [str(one) for one in store["stimulus"].values] == expected
    assert [str(one) for one in np.unique(store["session"].values)] == ["01", "02"]
    # Six trials a run; the first slot of 4 s is blank.
    assert [str(one) for one in store["run"].values[4:8]] == ["01", "01", "02", "02"]
    np.testing.assert_array_equal(store["onset"].values[:6], np.arange(1, 7) * 4.0)
    assert store["repeat"].values.max() == 2


def test_voxels_have_region_and_place(nsd: Path, command: Command) -> None:
    store = _build(command, nsd)
    index = store["voxel_index"].values
    assert store.sizes["unit"] == SHAPE[0] * SHAPE[1] * (SHAPE[2] - 1)  # the mask
    by_row = {0: "V1v", 1: "V1d", 2: "OFA", 3: "nsdgeneral", 4: "nsdgeneral"}
    assert [str(one) for one in store["area"].values] == [by_row[row] for row in index[:, 1]]
    np.testing.assert_allclose(
        store["coordinate_mm"].values, index @ AFFINE[:3, :3].T + AFFINE[:3, 3], rtol=1e-6
    )


def test_regions_can_be_joined_and_unlabelled_voxels_left_out(nsd: Path, command: Command) -> None:
    store = _build(
        command, nsd, joined_regions={"V1": ["V1v", "V1d"]}, keep_unlabelled=False, mask=None
    )
    assert {str(one) for one in store["area"].values} == {"V1", "OFA"}
    assert store.sizes["unit"] == SHAPE[0] * 3 * SHAPE[2]


def test_the_noise_ceiling_is_that_of_the_planted_betas(nsd: Path, command: Command) -> None:
    ceiling = _build(command, nsd)["noise_ceiling"].values
    # Signal variance 1, noise variance 0.09 over three repeats.
    assert abs(np.median(ceiling) - 1 / (1 + 0.09 / 3)) < 0.03


def test_the_published_ceiling_is_kept_where_it_is_there(nsd: Path, command: Command) -> None:
    values = np.random.default_rng(0).random(SHAPE).astype(np.float32)
    write_volume(find_betas(nsd) / "ncsnr.nii.gz", values)
    store = _build(command, nsd)
    np.testing.assert_array_equal(
        store["ncsnr"].values, values[tuple(store["voxel_index"].values.T)]
    )


def test_only_pictures_that_were_seen_are_stored(nsd: Path, command: Command) -> None:
    assert make_stimuli(command, write_config(nsd.parent, nsd)).status == 0
    store = xr.open_zarr(nsd.parent / "stimuli.zarr")
    seen = np.unique(list_pictures(1)[draw_order()])
    assert [str(one) for one in store["stimulus"].values] == [f"nsd-{one:05d}" for one in seen]
    np.testing.assert_array_equal(store["image"].values, make_pictures()[seen])
    split = dict(zip(seen.tolist(), map(str, store["split"].values), strict=True))
    assert {one for one, name in split.items() if name == "test"} == set(range(4))
    assert list(split.values()).count("validation") == 1


def test_many_pictures_are_gathered_in_a_file(
    nsd: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("brainalign.stimuli.build._IN_MEMORY_MB", 0.0001)
    assert make_stimuli(command, write_config(nsd.parent, nsd)).status == 0
    store = xr.open_zarr(nsd.parent / "stimuli.zarr")
    seen = np.unique(list_pictures(1)[draw_order()])
    np.testing.assert_array_equal(store["image"].values, make_pictures()[seen])


def test_labels_are_of_objects_that_the_square_picture_shows(nsd: Path, command: Command) -> None:
    instances, captions = write_annotations(nsd.parent)
    config = write_config(nsd.parent, nsd, annotations=[str(instances)], captions=[str(captions)])
    assert make_stimuli(command, config).status == 0
    store = xr.open_zarr(nsd.parent / "stimuli.zarr")
    assert [str(one) for one in store["class"].values] == ["person"]
    numbers = [int(str(one).removeprefix("nsd-")) for one in store["stimulus"].values]
    np.testing.assert_array_equal(store["label"].values[:, 0], np.array(numbers) % 2 == 1)
    assert str(store["caption"].values[0]) == "A picture. It."


@pytest.mark.parametrize(
    ("crop", "share"),
    [((0, 0, 0, 0), 1.0), ((0, 0, 0.5, 0), 0.0), ((0, 0, 0.125, 0), 0.5), ((0.5, 0, 0, 0), 0.5)],
)
def test_the_visible_share_follows_the_crop(crop: tuple[float, ...], share: float) -> None:
    box = (0.0, 0.0, 25.0, 100.0)
    assert measure_visible_share(box, (100.0, 100.0), crop) == pytest.approx(share)  # type: ignore[arg-type]


def test_voxels_are_read_in_any_order(nsd: Path) -> None:
    index = np.random.default_rng(0).permutation(np.indices(SHAPE).reshape(3, -1).T)[:40]
    found = read_betas(find_betas(nsd) / "betas_session01.hdf5", index)
    np.testing.assert_allclose(found, plant_betas(1, 1)[(slice(None), *index.T)], atol=1e-6)


def test_several_subjects_share_pictures(tmp_path: Path, command: Command) -> None:
    nsd = write_nsd(tmp_path / "nsd", (1, 5))
    subjects = ["subj01", "subj05"]
    assert make_stimuli(command, write_config(tmp_path, nsd, subjects=subjects)).status == 0
    known = set(map(str, xr.open_zarr(tmp_path / "stimuli.zarr")["stimulus"].values))
    shown = [
        set(map(str, _build(command, nsd, one, subjects=subjects)["stimulus"].values))
        for one in subjects
    ]
    assert shown[0] | shown[1] == known
    assert shown[0] & shown[1] == {f"nsd-{one:05d}" for one in range(4)}


def test_a_sound_copy_is_summarised(
    nsd: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(nsd.parent, nsd)
    (nsd.parent / "empty").mkdir()
    monkeypatch.chdir(nsd.parent / "empty")
    outcome = command("validate", config)
    assert outcome.status == 0, outcome.output
    assert "1 subjects, 2 sessions, 24 presentations, 8 stimuli" in outcome.output
