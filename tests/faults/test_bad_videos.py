"""Videos that would be silently wrong are refused with the reason."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.raw.movie_files import open_movie_file, open_movie_tables
from video_files import make_frames, turn_video, write_sound, write_video


def read(path: Path, rate: float | None = None) -> np.ndarray:
    return np.stack(list(open_movie_file(path, rate).iterate()))


def write_noise(path: Path, **options: str) -> Path:
    frames = np.random.default_rng(0).integers(0, 256, (20, 32, 48, 3), dtype=np.uint8)
    return write_video(path, frames, **options)


def cut(path: Path, share: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("film.mp4", {}),
        ("film.mp4", {"movflags": "faststart"}),
        ("film.mkv", {}),
        ("film.avi", {"codec": "mpeg4"}),
    ],
)
def test_a_video_that_is_cut_off_is_corrupt(
    tmp_path: Path, name: str, options: dict[str, str], share: float
) -> None:
    path = cut(write_noise(tmp_path / name, **options), share)
    with pytest.raises(CorruptDataError):
        read(path, 10.0)


def test_damaged_bytes_are_corrupt(tmp_path: Path) -> None:
    path = write_noise(tmp_path / "film.mp4")
    content = bytearray(path.read_bytes())
    middle = slice(len(content) // 3, len(content) // 3 + 2000)
    content[middle] = np.random.default_rng(0).bytes(2000)
    path.write_bytes(content)
    with pytest.raises(CorruptDataError):
        read(path)


@pytest.mark.parametrize("content", [b"video", b"#EXTM3U\n#EXTINF:1,\n/etc/hostname\n"])
def test_a_text_is_no_video(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "film.mp4").write_bytes(content)
    with pytest.raises(CorruptDataError, match="cannot be read as a video"):
        read(tmp_path / "film.mp4")


def test_a_picture_is_no_video(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "film.png")
    (tmp_path / "film.png").rename(tmp_path / "film.mp4")
    with pytest.raises(CorruptDataError, match="cannot be read as a video"):
        read(tmp_path / "film.mp4")


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no video stream.*found \['audio'\]"):
        read(write_sound(tmp_path / "film.mp4"))


def test_a_video_without_frames_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.avi", make_frames(0), codec="mpeg4")
    with pytest.raises(BrainalignError, match=r"no frame|cannot be read"):
        read(path)


def test_missing_frames_are_refused_with_their_place(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", make_frames(4), [0, 0.1, 2.6, 2.7])
    with pytest.raises(InputError, match=r"missing frames.*at most 1 s.*2\.5 s after frame 1"):
        read(path, 10.0)


def test_a_variable_rate_needs_a_stated_one(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", make_frames(5), [0, 0.1, 0.2, 0.5, 0.6])
    with pytest.raises(InputError, match=r"variable frame rate.*found 100 to 300 ms"):
        read(path)


def test_an_odd_angle_is_refused(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", make_frames(2))
    turn_video(path, (0.7071, 0.7071, -0.7071, 0.7071))
    with pytest.raises(InputError, match="turned by an odd angle"):
        read(path)


@pytest.mark.parametrize("rate", ["", "many", "-3", "inf"])
def test_a_rate_that_is_none_is_refused(tmp_path: Path, rate: str) -> None:
    np.save(tmp_path / "movie.npy", make_frames(5))
    (tmp_path / "movies.tsv").write_text(f"movie\tpath\tframe_rate_hz\na\tmovie.npy\t{rate}\n")
    with pytest.raises(InputError, match="frame_rate_hz is no positive number"):
        open_movie_tables([tmp_path / "movies.tsv"])


def test_a_video_that_lost_frames_has_not_the_stated_number(tmp_path: Path) -> None:
    write_video(tmp_path / "film.mp4", make_frames(18))
    table = tmp_path / "movies.tsv"
    table.write_text("movie\tpath\tframe_rate_hz\tn_frames\na\tfilm.mp4\t10\t20\n")
    with pytest.raises(InputError, match=r"another number of frames.*expected 20, found 18"):
        open_movie_tables([table])


def test_a_corrupt_video_ends_a_command_with_exit_code_3_and_one_line(tmp_path: Path) -> None:
    (tmp_path / "film.mp4").write_bytes(b"video")
    program = (
        "from pathlib import Path; from brainalign.raw.movie_files import open_movie_file;"
        "from brainalign.errors import BrainalignError\n"
        "import sys\n"
        f"try: open_movie_file(Path({str(tmp_path / 'film.mp4')!r}), 3.0)\n"
        "except BrainalignError as error: print(error, file=sys.stderr); sys.exit(error.exit_code)"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (run.returncode, run.stderr.count("\n")) == (3, 1)
