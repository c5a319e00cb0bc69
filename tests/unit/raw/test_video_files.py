"""Video files as movies: times, rates, upright pixels, one frame at a time."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from brainalign.raw.movie_files import open_movie_file, open_movie_tables
from brainalign.raw.movies import Movie, MovieCollection
from brainalign.raw.video_files import iterate_video_frames, probe_video
from brainalign.stimuli.movies import build_movie_stimuli, describe_videos
from brainalign.stimuli.options import MovieSplitOptions, MovieStimuliOptions
from video_files import make_frames, read_levels, turn_video, write_video


def read(path: Path, rate: float | None = None, has_own_clock: bool = True) -> np.ndarray:
    return np.stack(list(open_movie_file(path, rate, has_own_clock).iterate()))


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("film.mp4", "libx264"),
        ("film.mov", "mpeg4"),
        ("film.mkv", "ffv1"),
        ("film.avi", "mjpeg"),
        ("film.webm", "libvpx-vp9"),
    ],
)
def test_every_frame_of_an_even_video_comes_once_in_the_order_of_time(
    tmp_path: Path, name: str, codec: str
) -> None:
    kind = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write_video(tmp_path / name, make_frames(30), codec=codec, pixel_format=kind)
    movie = open_movie_file(path, None)
    assert (movie.n_frames, round(movie.frame_rate_hz, 2)) == (30, 10.0)
    assert read_levels(read(path)) == list(range(30))
    np.testing.assert_allclose(movie.source_time, np.arange(30) / 10, atol=1e-3)


def test_pixels_of_a_lossless_video_are_those_that_were_written(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (4, 17, 23, 3), dtype=np.uint8)
    path = write_video(tmp_path / "film.mkv", frames, codec="ffv1", pixel_format="bgr0")
    np.testing.assert_array_equal(read(path), frames)


def test_a_lower_rate_takes_the_latest_frame_before_each_moment(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", make_frames(30), 10.0)
    movie = open_movie_file(path, 4.0)
    assert movie.n_frames == 12
    assert read_levels(read(path, 4.0)) == [0, 2, 5, 7, 10, 12, 15, 17, 20, 22, 25, 27]


def test_a_higher_rate_shows_frames_again(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", make_frames(5), 10.0)
    assert read_levels(read(path, 20.0)) == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]


def test_a_nearly_equal_rate_takes_every_frame_once(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", make_frames(40), 29.97)
    movie = open_movie_file(path, 30.0)
    assert (movie.n_frames, movie.frame_rate_hz) == (40, 30.0)


def test_variable_intervals_are_taken_at_the_stated_rate(tmp_path: Path) -> None:
    times = [0, 0.1, 0.2, 0.35, 0.4, 0.7, 0.8, 0.9]
    path = write_video(tmp_path / "film.mp4", make_frames(8), times)
    assert read_levels(read(path, 10.0)) == [0, 1, 2, 2, 4, 4, 4, 5, 6, 7]
    expected = [0, 0.1, 0.2, 0.2, 0.4, 0.4, 0.4, 0.7, 0.8, 0.9]
    np.testing.assert_allclose(probe_video(path, 10.0).source_time, expected, atol=1e-3)


def test_frames_shown_one_by_one_have_the_clock_of_the_stimulator(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", make_frames(8), 10.0)
    movie = open_movie_file(path, 25.0, has_own_clock=False)
    assert (movie.n_frames, movie.frame_rate_hz) == (8, 25.0)


@pytest.mark.parametrize(
    ("matrix", "quarters"), [((1, 0, 0, 1), 0), ((0, 1, -1, 0), -1), ((-1, 0, 0, -1), 2)]
)
def test_a_turned_video_is_read_upright(
    tmp_path: Path, matrix: tuple[int, ...], quarters: int
) -> None:
    frames = make_frames(3)
    frames[:, :8, :8] = 250
    path = turn_video(write_video(tmp_path / "film.mp4", frames), matrix)
    upright = np.rot90(frames, quarters, axes=(1, 2))
    assert np.abs(read(path).astype(int) - upright).mean() < 3


def test_alpha_lies_over_mid_grey(tmp_path: Path) -> None:
    frames = np.full((2, 8, 8, 4), 255, np.uint8)
    frames[..., 3] = 0
    path = write_video(tmp_path / "film.mov", frames, codec="png", pixel_format="rgba")
    assert set(np.unique(read(path))) == {128}


def test_odd_sizes_are_kept(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.avi", make_frames(3, 33, 47), codec="mpeg4")
    assert read(path).shape == (3, 33, 47, 3)


def test_content_counts_and_not_the_ending(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mkv", make_frames(5), codec="ffv1")
    assert read_levels(read(path.rename(tmp_path / "film.mp4"))) == list(range(5))


def test_a_film_is_never_in_memory_as_a_whole(tmp_path: Path) -> None:
    path = write_video(tmp_path / "film.mp4", make_frames(60, 240, 320), 30.0)
    whole = 60 * 240 * 320 * 3
    frames = iterate_video_frames(path, probe_video(path))
    next(frames)
    tracemalloc.start()
    n_read = sum(1 for _ in frames)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert n_read == 59
    assert peak < whole / 8


def test_stimuli_are_resized_frame_by_frame_and_keep_the_times_of_the_file(tmp_path: Path) -> None:
    write_video(tmp_path / "film.mp4", make_frames(60), 12.0)
    np.save(tmp_path / "array.npy", make_frames(20))
    (tmp_path / "movies.tsv").write_text(
        "movie\tpath\tframe_rate_hz\na\tfilm.mp4\t4\nb\tarray.npy\t4\n"
    )
    collection = open_movie_tables([tmp_path / "movies.tsv"])
    options = MovieStimuliOptions(frame_size=16, split=MovieSplitOptions(guard_s=0))
    stimuli = build_movie_stimuli(collection, options)
    assert stimuli["frame"].shape == (40, 16, 16, 3)
    np.testing.assert_allclose(stimuli["source_time"], np.tile(np.arange(20) / 4, 2), atol=1e-3)
    assert "libavcodec" in stimuli.attrs["video_decoder"]
    [line] = describe_videos(collection)
    assert line.startswith("a: 20 frames at 4 Hz of a video, 0 of them the one before again")


def test_an_empty_rate_is_that_of_the_file(tmp_path: Path) -> None:
    write_video(tmp_path / "film.mp4", make_frames(10), 25.0)
    (tmp_path / "movies.tsv").write_text("movie\tpath\tframe_rate_hz\na\tfilm.mp4\t\n")
    movie = open_movie_tables([tmp_path / "movies.tsv"]).movies["a"]
    assert (movie.n_frames, round(movie.frame_rate_hz, 3)) == (10, 25.0)


def test_frames_are_decoded_when_they_are_asked_for() -> None:
    asked: list[int] = []

    def iterate(name: str):
        for number in itertools.count():
            asked.append(number)
            yield np.zeros((4, 4, 3), np.uint8)

    collection = MovieCollection({"a": Movie("a", 5, 1.0)}, lambda _: np.empty(0), iterate)
    frames = collection.stream("a")
    next(frames)
    assert asked == [0]
