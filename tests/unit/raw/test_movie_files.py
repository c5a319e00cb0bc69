"""Movies as folders of frames, arrays and TIFF stacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.frame_files import count_frames, open_frames, read_movie_frames
from brainalign.raw.movie_files import open_movie_file, open_movie_tables
from movie_lab import N_FRAMES, write_movie_files

_FRAMES = np.random.default_rng(0).integers(0, 256, (5, 6, 7), dtype=np.uint8)


def _write(folder: Path, form: str) -> Path:
    if form == "folder":
        (folder / "movie").mkdir()
        for number, frame in enumerate(_FRAMES):
            Image.fromarray(frame).save(folder / "movie" / f"frame_{number:03d}.png")
        return folder / "movie"
    path = folder / f"movie.{form}"
    if form == "npy":
        np.save(path, _FRAMES)
    elif form == "npz":
        np.savez(path, frames=_FRAMES)
    else:
        pages = [Image.fromarray(frame) for frame in _FRAMES]
        pages[0].save(path, save_all=True, append_images=pages[1:])
    return path


@pytest.mark.parametrize("form", ["folder", "npy", "npz", "tif"])
def test_every_form_of_a_movie_gives_the_same_frames(tmp_path: Path, form: str) -> None:
    path = _write(tmp_path, form)
    assert count_frames(path) == 5
    np.testing.assert_array_equal(read_movie_frames(path), np.stack([_FRAMES] * 3, axis=3))


def test_single_frames_of_a_video_are_refused_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / "movie.mp4").write_bytes(b"video")
    with pytest.raises(InputError, match=r"single frames of a video.*ffmpeg -i movie.mp4"):
        open_frames(tmp_path / "movie.mp4")


def test_separate_frames_need_a_rate(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no frame rate of their own"):
        open_movie_file(_write(tmp_path, "npy"), None)


def test_a_movie_that_changed_meanwhile_is_refused(tmp_path: Path) -> None:
    movies = open_movie_tables([write_movie_files(tmp_path)])
    np.save(tmp_path / "first.npy", np.zeros((N_FRAMES - 1, 12, 12), np.uint8))
    with pytest.raises(CorruptDataError, match="changed while it was read"):
        movies.read_frames("first")


def test_missing_movie_file_is_named(tmp_path: Path) -> None:
    table = write_movie_files(tmp_path)
    (tmp_path / "second.npy").unlink()
    with pytest.raises(InputError, match=r"second\.npy: no such movie"):
        open_movie_tables([table])


def test_damaged_array_is_refused(tmp_path: Path) -> None:
    table = write_movie_files(tmp_path)
    path = tmp_path / "first.npy"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CorruptDataError, match="cannot be read as an array"):
        open_movie_tables([table])


def test_given_splits_come_from_the_table_of_frames(tmp_path: Path) -> None:
    table = write_movie_files(tmp_path)
    rows = [f"first\t{frame}\t{'train' if frame < 50 else 'test'}" for frame in range(N_FRAMES)]
    (tmp_path / "movie_frames.tsv").write_text("movie\tframe\tsplit\n" + "\n".join(rows) + "\n")
    movies = open_movie_tables([table]).movies
    assert movies["first"].split is not None
    assert (movies["first"].split == "train").sum() == 50
    assert movies["second"].split is None


def test_stated_number_of_frames_must_be_right(tmp_path: Path) -> None:
    write_movie_files(tmp_path)
    table = tmp_path / "stated.tsv"
    table.write_text("movie\tpath\tframe_rate_hz\tn_frames\nfirst\tfirst.npy\t20\t79\n")
    with pytest.raises(InputError, match=r"another number of frames.*expected 79, found 80"):
        open_movie_tables([table])
