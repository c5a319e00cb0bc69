"""Single files and the files of folders, described."""

from __future__ import annotations

from pathlib import Path

import h5py
import nibabel
import numpy as np
import pytest

from brainalign.errors import CorruptDataError
from brainalign.stores.inspect import describe_store
from brainalign.stores.inspect_file import choose_examples, describe_file
from brainalign.stores.publish import publish_folder


def test_a_table_gives_its_columns_and_rows(tmp_path: Path) -> None:
    (tmp_path / "events.tsv").write_text("onset\tstimulus\n1.5\t007\n2.5\t008\n")
    assert list(describe_file(tmp_path / "events.tsv", "events.tsv")) == [
        "events.tsv  2 rows, 2 columns",
        "  columns: onset, stimulus",
        "  first: 1.5, 007",
    ]


def test_arrays_of_a_recording_are_listed_the_largest_first(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.nwb", "w") as file:
        file["identifier"] = "x"
        file["units/id"] = np.arange(3)
        file["units/spike_times"] = np.arange(9.0)
    first, *lines = describe_file(tmp_path / "a.nwb", "a.nwb")
    assert first == "a.nwb  3 arrays, the largest first"
    assert lines[:2] == ["  units/spike_times  (9,) float64", "  units/id  (3,) int64"]


def test_a_volume_gives_its_shape_and_steps(tmp_path: Path) -> None:
    image = nibabel.Nifti1Image(np.zeros((2, 3, 4), np.float32), np.diag([2.0, 2.0, 3.0, 1.0]))
    nibabel.save(image, tmp_path / "a.nii.gz")
    (line,) = describe_file(tmp_path / "a.nii.gz", "a.nii.gz")
    assert line == "a.nii.gz  (2, 3, 4) float32, steps 2 x 2 x 3 (mm, then s)"


def test_a_log_gives_its_last_lines(tmp_path: Path) -> None:
    path = tmp_path / "fit.log"
    path.write_text("\n".join(f"epoch {number}" for number in range(9)))
    assert describe_store(path).splitlines()[0].endswith("9 lines, the last:")
    assert describe_store(path).endswith("epoch 8")


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.json", "a.nwb", "a.nii", "a.png"])
def test_a_file_that_is_not_what_its_ending_says_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\x00nothing of the kind")
    with pytest.raises(CorruptDataError, match=name):
        list(describe_file(tmp_path / name, name))


def test_the_first_files_of_each_ending_are_chosen() -> None:
    names = [f"{number}.png" for number in range(5)] + ["a.tsv", "x.bin"]
    assert choose_examples(names, 3) == (["0.png", "1.png", "2.png", "a.tsv"], {".png": 2})


def test_a_raw_folder_shows_what_its_files_hold(tmp_path: Path) -> None:
    with publish_folder(tmp_path / "lab", "raw") as draft:
        (draft / "movies.tsv").write_text("movie\tframe_rate_hz\nfish\t30\n")
    description = describe_store(tmp_path / "lab")
    assert "columns: movie, frame_rate_hz" in description
