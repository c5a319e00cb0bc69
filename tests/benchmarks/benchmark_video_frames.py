"""Frames of a video decoded per second against the loop of the library itself.

Run with ``pytest tests/benchmarks/benchmark_video_frames.py -s``.
"""

from __future__ import annotations

import time
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.timing import compare_times
from brainalign.raw.video_files import iterate_video_frames, probe_video
from video_files import write_video

N_FRAMES, HEIGHT, WIDTH = 150, 360, 640


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five seconds of a pattern that drifts, H.264."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    shift = np.arange(N_FRAMES)[:, None, None, None]
    phase = (x[..., None] + 2 * y[..., None] + 3 * shift + np.array([0, 40, 80])) % 256
    path = tmp_path_factory.mktemp("film") / "film.mp4"
    return write_video(path, phase.astype(np.uint8), 30.0)


def read_plainly(path: Path) -> int:
    total = 0
    with av.open(str(path)) as container:
        container.streams.video[0].thread_count = 1
        for frame in container.decode(video=0):
            total += int(frame.to_ndarray(format="rgb24")[0, 0, 0])
    return total


def read_ours(path: Path, rate: float | None = None) -> int:
    timing = probe_video(path, rate)
    return sum(int(frame[0, 0, 0]) for frame in iterate_video_frames(path, timing))


def test_every_frame_against_the_library(film: Path) -> None:
    assert read_ours(film) == read_plainly(film)
    ratio = compare_times(
        f"{N_FRAMES} frames of {WIDTH} x {HEIGHT}",
        lambda: read_plainly(film),
        lambda: read_ours(film),
        n_repeats=7,
        clock=time.process_time,
    )
    print(f"{N_FRAMES / ratio.candidate_seconds:.0f} frames per second")


def test_three_frames_per_second_against_the_library(film: Path) -> None:
    compare_times(
        "3 of 30 frames per second",
        lambda: read_plainly(film),
        lambda: read_ours(film, 3.0),
        n_repeats=7,
        clock=time.process_time,
    )
