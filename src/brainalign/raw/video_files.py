"""Read video files (MP4, AVI, Matroska …) through FFmpeg's libraries (PyAV), frame by frame.

Time is that of the file's presentation timestamps, from its first frame on. Frames are taken at
one rate; at each moment the frame that the file shows then is taken.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.container import InputContainer
from av.stream import Disposition
from av.video.reformatter import VideoReformatter
from av.video.stream import VideoStream

from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.images import to_rgb

# Playlists and pictures are no videos, and a playlist may name any other file.
_FORMATS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,ogg,asf,flv,m4v"

_LARGEST_FRAME_PIXELS = 50_000_000
"""As for images: a file that claims more is refused undecoded."""

_LONGEST_HOLD_S = 1.0
"""A frame that a video holds for longer than this, and for longer than two of the frames that are
taken, is more likely a gap than a still scene: recorders drop frames in runs of fractions of a
second."""

_EVEN_SHARE = 0.5
"""Timestamps count as even when none is further than this share of an interval from its place."""

_EARLY_SHARE = 0.1
"""Rounding of timestamps (1 ms in Matroska), as a share of an interval."""

_SHORTEST_DURATION_SHARE = 0.98
"""Share of the duration in a stream's header below which the file is cut off."""


@dataclass(frozen=True)
class VideoTiming:
    """Which frames of a file are taken.

    Attributes
    ----------
    frame_rate_hz : float
        Frames per second that are taken.
    time_s : array of shape (n_file_frames,), float64
        Presentation times of the file's frames from the first on, ascending.
    source : array of shape (n_frames,), int64
        Number of the file's frame that stands at each moment, not descending.
    """

    frame_rate_hz: float
    time_s: np.ndarray
    source: np.ndarray

    @property
    def source_time(self) -> np.ndarray:
        """Presentation time of every frame that is taken, in s."""
        return self.time_s[self.source]


def probe_video(
    path: Path, frame_rate_hz: float | None = None, has_own_clock: bool = True
) -> VideoTiming:
    """Find the times of a video's frames without decoding them.

    Parameters
    ----------
    path : Path
        Video file; its content counts, not its ending.
    frame_rate_hz : float, optional
        Rate at which frames are taken; None: that of the file, whose frames must come evenly.
    has_own_clock : bool
        False: timestamps are not used, and every frame of the file is one frame at
        `frame_rate_hz`, as where a stimulator showed them one by one.

    Returns
    -------
    timing : VideoTiming
        All frames once where they come evenly at the rate; otherwise, at each moment, the latest
        one that was due.

    Raises
    ------
    InputError
        If there is no video stream or no frame in it, a frame claims too many pixels, the frames
        of a file come unevenly and no rate is given, or a frame is held for too long.
    CorruptDataError
        If the file is no video, damaged or cut off.
    """
    times, duration_s = _read_times(path)
    n_frames = len(times)
    intervals = np.diff(times)
    own_rate = n_frames / duration_s
    if not has_own_clock:
        if frame_rate_hz is None:
            raise InputError("a video without its own clock needs a frame rate", where=path)
        return VideoTiming(frame_rate_hz, times, np.arange(n_frames))
    if frame_rate_hz is None:
        if not _is_even(times, own_rate):
            raise InputError(
                "the video has a variable frame rate",
                where=path,
                expected="even intervals, or a frame rate to take frames at",
                found=f"{1e3 * intervals.min():.4g} to {1e3 * intervals.max():.4g} ms from frame "
                "to frame",
                remedy="State frame_rate_hz: the latest frame before each moment is taken.",
            )
        return VideoTiming(own_rate, times, np.arange(n_frames))
    longest_s = max(_LONGEST_HOLD_S, 2 / frame_rate_hz)
    if n_frames > 1 and intervals.max() > longest_s:
        place = int(intervals.argmax())
        raise InputError(
            "the video has missing frames",
            where=path,
            expected=f"at most {longest_s:g} s from frame to frame at {frame_rate_hz:g} Hz",
            found=f"{intervals[place]:.4g} s after frame {place} at {times[place]:.4g} s",
            remedy="Copy the video again, or save its frames one by one.",
        )
    if _is_even(times, frame_rate_hz):
        return VideoTiming(frame_rate_hz, times, np.arange(n_frames))
    moment = np.arange(max(1, round(duration_s * frame_rate_hz))) / frame_rate_hz
    early_s = _EARLY_SHARE * duration_s / n_frames
    source = np.searchsorted(times, moment + early_s, side="right") - 1
    return VideoTiming(frame_rate_hz, times, source)


def iterate_video_frames(path: Path, timing: VideoTiming) -> Iterator[np.ndarray]:
    """Decode the frames of a video that are taken, one after the other.

    Parameters
    ----------
    path : Path
        Video file.
    timing : VideoTiming
        Of :func:`probe_video`.

    Yields
    ------
    frame : array of shape (y, x, 3), uint8
        RGB by the matrix that the file names; upright where it is turned by quarters; alpha over
        mid-grey. Pixels that are not square, and interlaced lines, stay as they are.

    Raises
    ------
    InputError
        If frames differ in size, or a video is turned by another angle.
    CorruptDataError
        If a frame cannot be decoded, or there are fewer than the file announces.
    """
    source, taken, n_decoded = timing.source, 0, 0
    shape: tuple[int, ...] | None = None
    with _open_video(path) as (container, stream):
        # Damaged frames shall fail, not be painted over with their neighbours.
        stream.codec_context.options = {"err_detect": "crccheck+bitstream+buffer+explode"}
        stream.thread_count = 1
        reformatter = VideoReformatter()
        for frame in _decode(container, stream, path):
            n_repeats = int(np.searchsorted(source[taken:], n_decoded, side="right"))
            n_decoded += 1
            if not n_repeats:
                continue
            pixels = _to_pixels(frame, reformatter, path)
            if shape is not None and pixels.shape != shape:
                raise InputError(
                    "frames of the video differ in size",
                    where=path,
                    expected=f"{shape[1]} x {shape[0]} pixels",
                    found=f"{pixels.shape[1]} x {pixels.shape[0]} at frame {n_decoded - 1}",
                )
            shape = pixels.shape
            taken += n_repeats
            for _ in range(n_repeats):
                yield pixels
    if n_decoded < len(timing.time_s):
        raise CorruptDataError(
            "frames of the video cannot be decoded",
            where=path,
            expected=len(timing.time_s),
            found=n_decoded,
            remedy="Copy the file again; if it plays whole, encode it anew: "
            f"ffmpeg -i {path.name} -c:v libx264 -crf 12 whole_{path.stem}.mp4",
        )


def describe_decoder() -> str:
    """Name the libraries that decode, since decoders differ in their pixels."""
    parts = (".".join(map(str, av.library_versions[name])) for name in ("libavcodec", "libswscale"))
    return "PyAV {}, libavcodec {}, libswscale {}".format(av.__version__, *parts)


def _is_even(times: np.ndarray, rate_hz: float) -> bool:
    return bool((np.abs(times * rate_hz - np.arange(len(times))) < _EVEN_SHARE).all())


@contextlib.contextmanager
def _open_video(path: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    if not path.is_file():
        raise InputError("no such video", where=path)
    # With its protocol a name such as 'pipe:0.mp4' is still that of a file.
    options = {"format_whitelist": _FORMATS, "protocol_whitelist": "file"}
    try:
        container = av.open(f"file:{path}", options=options, metadata_errors="replace")
    except (av.FFmpegError, OSError, ValueError) as error:
        raise CorruptDataError(
            "cannot be read as a video",
            where=path,
            expected="a whole file of a usual video format",
            found=_shorten(error),
            remedy="Copy the file again.",
        ) from error
    with container:
        streams = [
            one for one in container.streams.video if not one.disposition & Disposition.attached_pic
        ]
        if not streams:
            found = sorted({one.type for one in container.streams}) or "no stream"
            raise InputError("the file holds no video stream", where=path, found=found)
        stream = streams[0]
        if stream.width * stream.height > _LARGEST_FRAME_PIXELS:
            raise InputError(
                "frames of the video claim more pixels than allowed",
                where=path,
                expected=f"at most {_LARGEST_FRAME_PIXELS}",
                found=f"{stream.width} x {stream.height} pixels",
            )
        yield container, stream


def _read_times(path: Path) -> tuple[np.ndarray, float]:
    """Presentation times of all frames from the first on, and the duration, in s."""
    stamps: list[int | None] = []
    last_duration, n_packets = 0, 0
    with _open_video(path) as (container, stream):
        time_base = float(stream.time_base or 0)
        announced, stated_s = stream.frames, _read_stated_duration(stream.metadata)
        average = float(stream.average_rate or 0)
        try:
            for packet in container.demux(stream):
                if not packet.size:
                    continue
                n_packets += 1
                if not packet.is_discard:
                    stamps.append(packet.pts if packet.pts is not None else packet.dts)
                    last_duration = packet.duration or 0
        except (av.FFmpegError, OSError) as error:
            raise _report_damage(path, error) from error
    if n_packets < announced:
        raise CorruptDataError(
            "the video is cut off",
            where=path,
            expected=f"{announced} frames as its header says",
            found=n_packets,
            remedy="Copy the file again.",
        )
    if not stamps:
        raise InputError("the video holds no frame", where=path)
    known = [stamp for stamp in stamps if stamp is not None]
    if len(known) == len(stamps) and time_base:
        times = np.sort(np.array(known, dtype=np.float64)) * time_base
        times -= times[0]
    elif average:
        times = np.arange(len(stamps)) / average
    else:
        raise InputError("the video has neither timestamps nor a frame rate", where=path)
    last_s = float(np.median(np.diff(times))) if len(times) > 1 else last_duration * time_base
    duration_s = float(times[-1]) + (last_s or (1 / average if average else 1.0))
    if duration_s < _SHORTEST_DURATION_SHARE * stated_s:
        raise CorruptDataError(
            "the video is cut off",
            where=path,
            expected=f"{stated_s:g} s as its header says",
            found=f"{duration_s:.4g} s",
            remedy="Copy the file again.",
        )
    return times, duration_s


def _read_stated_duration(metadata: dict[str, str]) -> float:
    """Duration of the stream that Matroska states, in s; 0 where none is."""
    try:
        hours, minutes, seconds = metadata.get("DURATION", "").split(":")
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds)
    except ValueError:
        return 0.0


def _decode(container: InputContainer, stream: VideoStream, path: Path) -> Iterator[Any]:
    try:
        for frame in container.decode(stream):
            if frame.is_corrupt:
                raise _report_damage(path, "a frame is marked as damaged")
            yield frame
    except (av.FFmpegError, OSError) as error:
        raise _report_damage(path, error) from error


def _to_pixels(frame: Any, reformatter: VideoReformatter, path: Path) -> np.ndarray:
    has_alpha = any(component.is_alpha for component in frame.format.components)
    wanted = "rgba" if has_alpha else "rgb24"
    pixels = np.asarray(reformatter.reformat(frame, format=wanted).to_ndarray())
    quarters, rest = divmod(round(frame.rotation), 90)
    if rest:
        raise InputError(
            "the video is turned by an odd angle",
            where=path,
            expected="quarters of a turn",
            found=f"{frame.rotation:g} degrees",
        )
    return to_rgb(np.ascontiguousarray(np.rot90(pixels, quarters)), path)


def _report_damage(path: Path, error: object) -> CorruptDataError:
    return CorruptDataError(
        "the video is damaged or cut off",
        where=path,
        found=_shorten(error),
        remedy="Copy the file again.",
    )


def _shorten(error: object) -> str:
    return " ".join(str(error).split())[:200]
