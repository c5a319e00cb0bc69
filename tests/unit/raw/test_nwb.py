from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pynwb import NWBHDF5IO, NWBFile

from brainalign.errors import InputError
from brainalign.raw.nwb import find_nwb_files, read_session
from brainalign.raw.nwb_dataset import NWBFolder
from brainalign.raw.options import NWBDataset
from nwb_files import SPIKES, STIMULI, make_pixels, write_nwb


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("sub-001_ses-1.nwb", "001"),
        ("sub-001.nwb", "001"),
        ("sub-anm372793_ses-20170508.nwb", "anm372793"),
        ("sub_anm00239123_ses_20170627T093549_ecephys_and_ogen.nwb", "anm00239123"),
        ("sub-monkey-a_ses-x_behavior+ecephys.nwb", "monkey-a"),
    ],
)
def test_the_file_name_tells_the_subject(name: str, subject: str, tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / name).touch()
    assert list(find_nwb_files(tmp_path)) == [subject]


def test_spikes_and_onsets_come_as_they_were_written(tmp_path: Path) -> None:
    path = write_nwb(tmp_path / "sub-1_ses-a.nwb")
    session = read_session(path, stimulus_columns=["stimulus"], onset_column="start_time")
    assert [times.tolist() for times in session.spike_times] == [list(unit) for unit in SPIKES]
    assert session.presentations["stimulus"].tolist() == STIMULI * 2
    np.testing.assert_array_equal(session.presentations["onset_s"], np.arange(24) * 0.5)


def test_a_silent_unit_has_no_spikes(tmp_path: Path) -> None:
    path = write_nwb(tmp_path / "sub-1_ses-a.nwb", spikes=[(), (0.5,), ()])
    session = read_session(path, stimulus_columns=["stimulus"], onset_column="start_time")
    assert [times.tolist() for times in session.spike_times] == [[], [0.5], []]


def test_the_session_is_the_files_own_id_before_that_of_its_name(tmp_path: Path) -> None:
    columns = {"stimulus_columns": ["stimulus"], "onset_column": "start_time"}
    own = write_nwb(tmp_path / "sub-1_ses-a.nwb", session_id="monday")
    named = write_nwb(tmp_path / "sub-1_ses-b.nwb")
    assert read_session(own, **columns).session == "monday"  # type: ignore[arg-type]
    assert read_session(named, **columns).session == "b"  # type: ignore[arg-type]


def test_the_area_column_is_read(tmp_path: Path) -> None:
    path = write_nwb(tmp_path / "sub-1_ses-a.nwb", area="V4")
    session = read_session(
        path, stimulus_columns=["stimulus"], onset_column="start_time", area_column="area"
    )
    assert session.units["area"].tolist() == ["V4", "V4"]


def test_the_area_of_the_electrodes_is_taken_without_a_column(tmp_path: Path) -> None:
    path = tmp_path / "sub-1_ses-a.nwb"
    from datetime import UTC, datetime

    nwb = NWBFile("test", "id", datetime(2026, 1, 1, tzinfo=UTC))
    group = nwb.create_electrode_group("shank", "a shank", "somewhere", nwb.create_device("array"))
    for area in ("V1", "IT"):
        nwb.add_electrode(group=group, location=area)
    nwb.add_unit(spike_times=[0.1], electrodes=[1])
    nwb.add_unit(spike_times=[0.2], electrodes=[])
    nwb.add_unit(spike_times=[0.3], electrodes=[0, 1])
    nwb.add_trial_column("stimulus", "image")
    nwb.add_trial(start_time=0.0, stop_time=1.0, stimulus="a")
    with NWBHDF5IO(str(path), "w") as stream:
        stream.write(nwb)
    session = read_session(path, stimulus_columns=["stimulus"], onset_column="start_time")
    assert session.units["area"].tolist() == ["IT", "unknown", "V1"]


def _open(folder: Path, **options: object) -> NWBFolder:
    return NWBFolder(NWBDataset.model_validate({"kind": "nwb", "folder": str(folder), **options}))


def test_only_the_asked_subjects_are_read(tmp_path: Path) -> None:
    for subject in ("001", "002", "003"):
        write_nwb(tmp_path / f"sub-{subject}_ses-1.nwb")
    assert _open(tmp_path, subjects=["003", "001"]).list_subjects() == ["001", "003"]
    with pytest.raises(InputError, match=r"no NWB file of subject '1'\. Did you mean '001'"):
        _open(tmp_path, subjects=["1"])


def test_images_inside_the_files_are_the_stimuli(tmp_path: Path) -> None:
    images = {name: make_pixels(seed) for seed, name in enumerate(STIMULI)}
    write_nwb(tmp_path / "sub-1_ses-a.nwb", images=images)
    collection = _open(tmp_path).read_stimuli()
    assert collection is not None
    assert collection.table.index.tolist() == STIMULI
    for name, pixels in images.items():
        np.testing.assert_array_equal(collection.read_image(name), pixels)


def test_several_columns_name_a_stimulus_together(tmp_path: Path) -> None:
    path = write_nwb(tmp_path / "sub-1_ses-a.nwb", stimuli=["a", "b"])
    session = read_session(
        path, stimulus_columns=["stimulus", "start_time"], onset_column="start_time"
    )
    assert session.presentations["stimulus"].tolist() == ["a_0.0", "b_0.5"]
