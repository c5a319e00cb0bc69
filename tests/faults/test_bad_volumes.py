"""Volumes, events, masks and tables that are broken in the ways of the field."""

from __future__ import annotations

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import xarray as xr

from bids_files import (
    AFFINE,
    N_VOLUMES,
    SHAPE,
    build,
    make_series,
    name_run,
    write_bids,
    write_config,
    write_events,
    write_nifti,
)
from brainalign.errors import BrainalignError, CorruptDataError, ResourceError
from brainalign.raw.bids.volumes import VolumeHeader, read_header, read_voxels, verify_stream
from command_line import Command

EVERY_VOXEL = np.indices(SHAPE).reshape(3, -1).T


@pytest.fixture
def bids(tmp_path: Path) -> Path:
    return write_bids(tmp_path / "bids")


@pytest.fixture
def bold(bids: Path) -> Path:
    return name_run(bids, "01", "bold.nii.gz")


def test_a_sound_data_set_is_published(bids: Path, command: Command) -> None:
    assert build(command, bids).status == 0
    store = xr.open_zarr(bids.parent / "responses.zarr")
    assert store["response"].shape == (16, 100)
    assert [str(name) for name in np.unique(store["area"].values)] == ["early", "late"]


def test_a_file_that_is_cut_off_is_corrupt(bids: Path, bold: Path, command: Command) -> None:
    bold.write_bytes(bold.read_bytes()[:-2000])
    outcome = build(command, bids)
    assert outcome.status == 3
    assert "the file is cut off" in outcome.error
    assert not (bids.parent / "responses.zarr").exists()


def test_a_wrong_checksum_is_corrupt(bids: Path, bold: Path, command: Command) -> None:
    content = bytearray(bold.read_bytes())
    content[-6] ^= 1
    bold.write_bytes(content)
    outcome = build(command, bids)
    assert outcome.status == 3
    assert "incorrect data check" in outcome.error


def test_a_header_that_asks_for_terabytes_is_refused_unread(
    bids: Path, bold: Path, command: Command
) -> None:
    content = bytearray(gzip.decompress(bold.read_bytes()))
    content[40:56] = np.array([4, 32767, 32767, 32767, 100, 1, 1, 1], "<i2").tobytes()
    bold.write_bytes(gzip.compress(bytes(content)))
    tracemalloc.start()
    with pytest.raises(ResourceError, match=r"claims more than allowed.*GB \(32767x"):
        read_header(bold)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()
    outcome = build(command, bids)
    assert outcome.status == 4
    assert str(bold) in outcome.error
    assert "claims more than allowed" in outcome.error
    assert "max_volume_gb" in outcome.error


def test_a_claim_that_cannot_fit_the_file_is_corrupt(bold: Path) -> None:
    content = bytearray(gzip.decompress(bold.read_bytes()))
    content[40:56] = np.array([4, 600, 500, 400, 20, 1, 1, 1], "<i2").tobytes()
    bold.write_bytes(gzip.compress(bytes(content)))
    with pytest.raises(CorruptDataError, match="too short for what its header claims"):
        read_header(bold)


@pytest.mark.parametrize(
    "read",
    [verify_stream, lambda header: read_voxels(header, EVERY_VOXEL)],
    ids=["checked", "read"],
)
def test_a_gzip_bomb_is_not_unpacked(read: Callable[[VolumeHeader], object], bold: Path) -> None:
    content = gzip.decompress(bold.read_bytes())
    bold.write_bytes(gzip.compress(content + bytes(200_000_000), compresslevel=1))
    header = read_header(bold)
    tracemalloc.start()
    with pytest.raises(CorruptDataError, match="holds more than its header claims"):
        read(header)
    assert tracemalloc.get_traced_memory()[1] < 5e6
    tracemalloc.stop()


def test_a_gzip_bomb_stops_the_command(bids: Path, bold: Path, command: Command) -> None:
    content = gzip.decompress(bold.read_bytes())
    bold.write_bytes(gzip.compress(content + bytes(50_000_000), compresslevel=1))
    outcome = build(command, bids)
    assert outcome.status == 3
    assert f"{bold}: the file holds more than its header claims" in outcome.error


def test_voxels_that_are_not_finite_or_constant_are_marked(bids: Path, command: Command) -> None:
    series = make_series(1)
    series[1, 1, 1, 5] = np.nan
    series[2, 2, 2] = 1000
    write_nifti(name_run(bids, "01", "bold.nii.gz"), series)
    assert build(command, bids).status == 0
    store = xr.open_zarr(bids.parent / "responses.zarr")
    status = dict(
        zip(map(str, store["unit"].values), map(str, store["unit_status"].values), strict=True)
    )
    assert status["voxel-001-001-001"] == "not_finite"
    assert status["voxel-002-002-002"] == "constant"
    marked = np.isin(list(status.values()), ["not_finite", "constant"])
    assert marked.sum() == 2
    assert (store["response"].values[:, marked] == 0).all()
    assert np.isfinite(store["response"].values).all()


def test_a_conflict_of_repetition_times_names_both(bids: Path, command: Command) -> None:
    write_nifti(name_run(bids, "02", "bold.nii.gz"), make_series(2), tr_s=2.5)
    outcome = build(command, bids)
    assert outcome.status == 2
    assert "expected 2 s as in the sidecar, found 2.5 s in the header" in outcome.error
    assert build(command, bids, tr_s=2.0).status == 0


@pytest.mark.parametrize(
    ("onset", "message"),
    [
        (80.0, "onset 80 s lies after the scan's end; expected 0 to 80 s"),
        (-1.0, "onset -1 s lies before the scan's start"),
    ],
)
def test_events_outside_the_scan_are_refused_or_dropped(
    onset: float, message: str, bids: Path, command: Command
) -> None:
    rows = [(4, 2, "a.png"), (14, 2, "b.png"), (onset, 2, "c.png")]
    write_events(name_run(bids, "01", "events.tsv"), rows)
    outcome = build(command, bids)
    assert outcome.status == 2
    assert message in outcome.error
    assert "line 4" in outcome.error
    assert build(command, bids, events={"outside_scan": "drop"}).status == 0
    assert xr.open_zarr(bids.parent / "responses.zarr").sizes["presentation"] == 10


def test_a_stimulus_of_na_is_no_presentation(bids: Path, command: Command) -> None:
    rows = [(4, 2, "a.png"), ("n/a", "n/a", "n/a"), (24, "n/a", "b.png")]
    write_events(name_run(bids, "01", "events.tsv"), rows)
    assert build(command, bids, responses={"estimate": "lss"}).status == 0
    assert xr.open_zarr(bids.parent / "responses.zarr").sizes["presentation"] == 10


def test_an_onset_of_na_is_corrupt(bids: Path, command: Command) -> None:
    write_events(name_run(bids, "01", "events.tsv"), [(4, 2, "a.png"), ("n/a", 2, "b.png")])
    outcome = build(command, bids)
    assert outcome.status == 3
    assert "line 3: an onset is no number; expected seconds, found n/a" in outcome.error


def test_line_ends_and_byte_order_marks_change_nothing(bids: Path, command: Command) -> None:
    assert build(command, bids).status == 0
    plain = xr.open_zarr(bids.parent / "responses.zarr")["response"].values
    for run in ("01", "02"):
        path = name_run(bids, run, "events.tsv")
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert build(command, bids).status == 0
    np.testing.assert_array_equal(
        plain, xr.open_zarr(bids.parent / "responses.zarr")["response"].values
    )


def test_marks_and_line_ends_of_other_files_change_nothing(bids: Path, command: Command) -> None:
    (bids / "participants.tsv").write_text("participant_id\nsub-01\n")
    for path in ("task-see_bold.json", "participants.tsv", "derivatives/atlas.tsv"):
        content = (bids / path).read_bytes().replace(b"\n", b"\r\n")
        (bids / path).write_bytes(b"\xef\xbb\xbf" + content)
    assert build(command, bids).status == 0
    store = xr.open_zarr(bids.parent / "responses.zarr")
    assert [str(name) for name in np.unique(store["area"].values)] == ["early", "late"]
    assert store.attrs["repetition_time_s"] == 2.0


@pytest.mark.parametrize("n_bytes", [0, 200, 5000])
def test_an_uncompressed_file_that_is_cut_off_is_corrupt(
    n_bytes: int, bids: Path, bold: Path, command: Command
) -> None:
    content = gzip.decompress(bold.read_bytes())
    bold.unlink()
    name_run(bids, "01", "bold.nii").write_bytes(content[:n_bytes])
    outcome = build(command, bids)
    assert outcome.status == 3
    assert "bold.nii" in outcome.error
    assert not (bids.parent / "responses.zarr").exists()


@pytest.mark.parametrize("path", ["events", "atlas", "names"])
def test_dangling_links_of_other_files_ask_for_the_content(
    path: str, bids: Path, command: Command
) -> None:
    file = {
        "events": name_run(bids, "01", "events.tsv"),
        "atlas": bids / "derivatives" / "atlas.nii.gz",
        "names": bids / "derivatives" / "atlas.tsv",
    }[path]
    file.unlink()
    file.symlink_to("../.git/annex/objects/x")
    outcome = build(command, bids)
    assert outcome.status == 2
    assert "is a dangling link" in outcome.error


def test_confounds_that_are_not_finite_do_not_spread(bids: Path, command: Command) -> None:
    home = bids / "derivatives" / "motion" / "sub-01" / "func"
    home.mkdir(parents=True)
    names = [f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz"]
    generator = np.random.default_rng(0)
    for run in ("01", "02"):
        rows = [[f"{one:.4f}" for one in generator.normal(size=6)] for _ in range(N_VOLUMES)]
        rows[0] = ["n/a"] * 6
        lines = ["\t".join(row) for row in [names, *rows]]
        path = home / f"sub-01_task-see_run-{run}_desc-confounds_timeseries.tsv"
        path.write_text("\n".join(lines) + "\n")
    ways = {"kind": "none", "derivatives": "derivatives/motion"}
    assert build(command, bids, preprocessing=ways).status == 0
    store = xr.open_zarr(bids.parent / "responses.zarr")
    assert np.isfinite(store["response"].values).all()


@pytest.mark.parametrize(
    ("mask", "affine", "message"),
    [
        (np.zeros(SHAPE), AFFINE, "the mask is empty"),
        (np.ones((6, 5, 3)), AFFINE, "has another shape than the functional volumes"),
        (np.ones(SHAPE), AFFINE + np.eye(4, k=3), "has another affine than the functional volumes"),
    ],
    ids=["empty", "shape", "affine"],
)
def test_masks_that_do_not_fit_are_refused(
    mask: np.ndarray, affine: np.ndarray, message: str, bids: Path, command: Command
) -> None:
    write_nifti(bids / "derivatives" / "mask.nii.gz", mask.astype(np.uint8), affine=affine)
    regions = {"atlas": "derivatives/atlas.nii.gz", "mask": "derivatives/mask.nii.gz"}
    outcome = build(command, bids, responses={"regions": regions})
    assert outcome.status == 2
    assert message in outcome.error


def test_confounds_with_another_number_of_rows_are_refused(bids: Path, command: Command) -> None:
    home = bids / "derivatives" / "motion" / "sub-01" / "func"
    home.mkdir(parents=True)
    names = "\t".join(f"{kind}_{axis}" for kind in ("trans", "rot") for axis in "xyz")
    rows = "\n".join(["\t".join(["0.1"] * 6)] * (N_VOLUMES - 1))
    path = home / "sub-01_task-see_run-01_desc-confounds_timeseries.tsv"
    path.write_text(f"{names}\n{rows}\n")
    ways = {"kind": "none", "derivatives": "derivatives/motion"}
    outcome = build(command, bids, preprocessing=ways)
    assert outcome.status == 2
    assert "expected 40 rows, one per volume" in outcome.error
    assert "found 39" in outcome.error


def test_a_subject_that_is_listed_twice_is_refused(tmp_path: Path, command: Command) -> None:
    outcome = build(command, write_bids(tmp_path / "bids", ("01", "1")))
    assert outcome.status == 2
    assert "a subject is listed twice, as '01' and '1'" in outcome.error


def test_a_participant_that_is_listed_twice_is_refused(bids: Path, command: Command) -> None:
    (bids / "participants.tsv").write_text("participant_id\nsub-01\nsub-1\n")
    outcome = build(command, bids)
    assert outcome.status == 2
    assert "participants.tsv: a subject is listed twice" in outcome.error


def test_dangling_links_ask_for_the_content(bids: Path, bold: Path, command: Command) -> None:
    bold.unlink()
    bold.symlink_to("../../.git/annex/objects/x/y.nii.gz")
    outcome = build(command, bids)
    assert outcome.status == 2
    assert "is a dangling link" in outcome.error
    assert "datalad get" in outcome.error


def test_runs_of_unequal_length_are_one_recording(bids: Path, command: Command) -> None:
    write_nifti(name_run(bids, "02", "bold.nii.gz"), make_series(2, 60))
    assert build(command, bids).status == 0
    assert xr.open_zarr(bids.parent / "responses.zarr").sizes["presentation"] == 16


def test_stored_integers_are_scaled(tmp_path: Path) -> None:
    image = nib.Nifti1Image(make_series(), AFFINE)
    image.set_data_dtype(np.int16)
    path = tmp_path / "scaled.nii.gz"
    nib.save(image, path)
    header = read_header(path)
    assert header.dtype == np.int16
    assert header.slope != 1
    expected = nib.load(path).get_fdata().reshape(-1, N_VOLUMES).T
    np.testing.assert_allclose(read_voxels(header, EVERY_VOXEL), expected, rtol=1e-6)


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_big_endian_files_are_read_right(ending: str, tmp_path: Path) -> None:
    values = make_series().astype(np.int16)
    image = nib.Nifti1Image(values, AFFINE, nib.Nifti1Header(endianness=">"))
    image.set_data_dtype(np.int16)
    path = tmp_path / f"big{ending}"
    nib.save(image, path)
    header = read_header(path)
    assert header.dtype == np.dtype(">i2")
    np.testing.assert_array_equal(
        read_voxels(header, EVERY_VOXEL), values.reshape(-1, N_VOLUMES).T.astype(np.float32)
    )


@pytest.mark.parametrize("order", ["<", ">"], ids=["little-endian", "big-endian"])
def test_scaled_integers_of_any_byte_order_give_the_responses_of_their_values(
    order: str, bids: Path, command: Command
) -> None:
    stored = {run: np.round(2 * make_series(run) - 2000).astype(np.int16) for run in (1, 2)}
    for run, values in stored.items():
        path = name_run(bids, f"0{run}", "bold.nii.gz")
        write_nifti(path, (0.5 * values + 1000).astype(np.float32))
    assert build(command, bids).status == 0
    plain = xr.open_zarr(bids.parent / "responses.zarr")["response"].values
    for run, values in stored.items():
        image = nib.Nifti1Image(values, AFFINE, nib.Nifti1Header(endianness=order))
        image.header.set_data_dtype(np.int16)
        image.header.set_xyzt_units("mm", "sec")
        image.header.set_zooms((3, 3, 3, 2.0))
        image.header.set_slope_inter(0.5, 1000)
        nib.save(image, name_run(bids, f"0{run}", "bold.nii.gz"))
    header = read_header(name_run(bids, "01", "bold.nii.gz"))
    assert (header.dtype, header.slope) == (np.dtype(f"{order}i2"), 0.5)
    assert build(command, bids).status == 0
    found = xr.open_zarr(bids.parent / "responses.zarr")["response"].values
    np.testing.assert_allclose(found, plain, rtol=1e-4, atol=1e-4)


def test_validation_finds_all_problems_at_once(
    bids: Path, bold: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    bold.write_bytes(bold.read_bytes()[:-2000])
    write_events(name_run(bids, "01", "events.tsv"), [(-4, 2, "a.png")])
    write_nifti(name_run(bids, "02", "bold.nii.gz"), make_series(2), tr_s=2.5)
    write_nifti(bids / "derivatives" / "atlas.nii.gz", np.ones((6, 5, 3), np.int16))
    config = write_config(bids.parent, bids)
    (bids.parent / "empty").mkdir()
    monkeypatch.chdir(bids.parent / "empty")
    outcome = command("validate", config)
    problems = [line for line in outcome.output.splitlines() if line.startswith("problem: ")]
    found = "\n".join(problems)
    assert len(problems) == 4, found
    assert outcome.status == 3
    for message in ("cut off", "before the scan's start", "disagree", "another shape"):
        assert message in found


def test_a_sound_data_set_is_summarised(
    bids: Path, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(bids.parent, bids)
    (bids.parent / "empty").mkdir()
    monkeypatch.chdir(bids.parent / "empty")
    outcome = command("validate", config)
    assert outcome.status == 0, outcome.output
    assert "1 subjects, 2 runs, 16 presentations, 4 stimuli" in outcome.output


def test_errors_of_volumes_are_ours(tmp_path: Path) -> None:
    path = tmp_path / "noise.nii.gz"
    path.write_bytes(gzip.compress(b"no header" * 100))
    with pytest.raises(BrainalignError, match="cannot be read as NIfTI"):
        read_header(path)
