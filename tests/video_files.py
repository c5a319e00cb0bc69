"""Small videos, written by the library that reads them."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

TIME_BASE = Fraction(1, 12_000)


def make_frames(n_frames: int, height: int = 32, width: int = 48) -> np.ndarray:
    """Frames whose grey tells their number, from 0 to 59: four levels apart, from 8 on."""
    level = (8 + 4 * np.arange(n_frames)).astype(np.uint8)
    return np.broadcast_to(level[:, None, None, None], (n_frames, height, width, 3)).copy()


def write_video(
    path: Path,
    frames: np.ndarray,
    times_s: Sequence[float] | float = 10.0,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    **options: str,
) -> Path:
    """Write frames at some times, or at a rate.

    Parameters
    ----------
    path : Path
        Its ending chooses the container.
    frames : array of shape (n_frames, y, x, 3 or 4), uint8
        RGB or RGBA.
    times_s : sequence of float, or float
        Presentation times in s, or a rate in Hz.
    codec, pixel_format : str
        Of FFmpeg.
    **options : str
        Of the container, such as ``movflags``.
    """
    rate = times_s if isinstance(times_s, float) else 10.0
    times = np.arange(len(frames)) / rate if isinstance(times_s, float) else times_s
    container_options = {"options": options} if options else {}
    with av.open(str(path), "w", **container_options) as container:
        stream = container.add_stream(codec, rate=Fraction(rate).limit_denominator(1001))
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = pixel_format
        stream.bit_rate = 8_000_000
        stream.thread_count = 1
        if codec == "libx264":
            stream.options = {"crf": "1", "preset": "ultrafast", "bf": "2"}
        # AVI counts frames and knows no other times.
        base = 1 / Fraction(rate).limit_denominator(1001) if path.suffix == ".avi" else TIME_BASE
        stream.codec_context.time_base = base
        for pixels, time_s in zip(frames, times, strict=True):
            kind = "rgba" if pixels.shape[2] == 4 else "rgb24"
            frame = av.VideoFrame.from_ndarray(pixels, format=kind).reformat(format=pixel_format)
            frame.pts, frame.time_base = round(time_s / float(base)), base
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def read_levels(frames: np.ndarray) -> list[int]:
    """Numbers of frames made by :func:`make_frames`."""
    return np.rint((frames.mean(axis=(1, 2, 3)) - 8) / 4).astype(int).tolist()


def write_sound(path: Path) -> Path:
    """Write a file of sound without pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 8000), np.float32), "fltp", "mono")
        frame.rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def turn_video(path: Path, matrix: tuple[int, ...]) -> Path:
    """Write a display matrix (a, b, c, d) into the track header of an MP4 file."""
    content = bytearray(path.read_bytes())
    # Behind the name: version and flags, times, ids, duration, reserved bytes, layer, volume.
    place = content.index(b"tkhd") + 4 + 40
    a, b, c, d = (int(value * 65536).to_bytes(4, "big", signed=True) for value in matrix)
    for offset, value in ((0, a), (4, b), (12, c), (16, d)):
        content[place + offset : place + offset + 4] = value
    path.write_bytes(content)
    return path
