"""Open raw recordings with SpikeInterface, leave out bad channels, filter and reference."""

from __future__ import annotations

import contextlib
import io
import traceback
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import probeinterface
import spikeinterface
import spikeinterface.extractors
import spikeinterface.preprocessing

from brainalign.errors import CorruptDataError, InputError
from brainalign.sorting.channels import judge_channels, refuse_bad_recording
from brainalign.sorting.options import PreprocessingOptions, SortSessionOptions

N_STRETCHES, STRETCH_S = 10, 1.0  # of the recording, by which channels are judged
_EXTRACTORS = {"nwb": "nwb_recording"}


@dataclass(frozen=True)
class PreparedRecording:
    """A recording ready to be sorted.

    Parameters
    ----------
    filtered : spikeinterface.BaseRecording
        Good channels, filtered and referenced, lazily.
    bad_channels : dict of str to str
        What is wrong with the others.
    """

    filtered: spikeinterface.BaseRecording
    bad_channels: dict[str, str]


def open_recording(
    session: SortSessionOptions, path: Path, probe_path: Path | None
) -> spikeinterface.BaseRecording:
    """Open a raw recording with the places of its electrodes.

    Parameters
    ----------
    session : SortSessionOptions
        Format, sampling rate, type and gain.
    path : Path
        The file.
    probe_path : Path or None
        Probe as ProbeInterface writes it; needed where the format holds none.

    Raises
    ------
    InputError
        If sampling rate or probe are missing, or the probe has other channels.
    CorruptDataError
        If the file cannot be read or ends within a sample.
    """
    probe = _read_probe(probe_path)
    if session.format == "binary":
        recording = _open_binary(session, path, probe)
    else:
        recording = _open_any(session, path)
    if probe is not None:
        if probe.get_contact_count() != recording.get_num_channels():
            raise InputError(
                "probe and recording have different numbers of channels",
                where=probe_path,
                expected=recording.get_num_channels(),
                found=probe.get_contact_count(),
            )
        probe.set_device_channel_indices(_list_channels(probe))
        placed = recording.set_probe(probe)
        recording = recording if placed is None else placed
    if not recording.has_probe():
        raise InputError(
            "nothing tells where the electrodes are",
            where=path,
            remedy="Name a probe file (ProbeInterface JSON) as probe.",
        )
    return recording


def prepare_recording(
    recording: spikeinterface.BaseRecording, options: PreprocessingOptions, where: str
) -> PreparedRecording:
    """Leave out bad channels, filter and subtract the common reference.

    Raises
    ------
    InputError
        If too many channels are bad.
    """
    verdict = judge_channels(_read_stretches(recording), options)
    refuse_bad_recording(verdict, options, where)
    names = np.asarray(recording.channel_ids)
    good = recording.select_channels(names[verdict == "ok"])
    rate = recording.get_sampling_frequency()
    filtered = spikeinterface.preprocessing.bandpass_filter(
        good,
        freq_min=options.low_hz,
        freq_max=min(options.high_hz, 0.45 * rate),
        dtype="float32",
    )
    if options.reference == "median" and good.get_num_channels() > 1:
        filtered = spikeinterface.preprocessing.common_reference(
            filtered, reference="global", operator="median"
        )
    bad = {
        str(name): str(why) for name, why in zip(names, verdict, strict=True) if str(why) != "ok"
    }
    return PreparedRecording(filtered, bad)


def _read_probe(path: Path | None) -> probeinterface.Probe | None:
    if path is None:
        return None
    try:
        return probeinterface.read_probeinterface(path).probes[0]
    except (OSError, ValueError, KeyError, IndexError, TypeError) as error:
        raise CorruptDataError(
            "cannot be read as a ProbeInterface file", where=path, found=str(error)
        ) from error


def _list_channels(probe: probeinterface.Probe) -> np.ndarray:
    known = probe.device_channel_indices
    return np.arange(probe.get_contact_count()) if known is None else known


def _open_binary(
    session: SortSessionOptions, path: Path, probe: probeinterface.Probe | None
) -> spikeinterface.BaseRecording:
    if session.sampling_rate_hz is None:
        raise InputError(
            "a binary recording does not tell its sampling rate",
            where=path,
            remedy="Set sampling_rate_hz of this session.",
        )
    n_channels = session.n_channels
    if n_channels is None:
        if probe is None:
            raise InputError(
                "a binary recording does not tell its number of channels",
                where=path,
                remedy="Set n_channels, or name a probe.",
            )
        n_channels = probe.get_contact_count()
    frame = n_channels * np.dtype(session.dtype).itemsize
    size = path.stat().st_size
    if size == 0 or size % frame:
        raise CorruptDataError(
            "the binary recording is truncated: it ends within a sample",
            where=path,
            expected=f"a multiple of {frame} bytes ({n_channels} channels of {session.dtype})",
            found=f"{size} bytes",
            remedy="Copy the file again, or correct n_channels and dtype.",
        )
    duration = size // frame / session.sampling_rate_hz
    if session.duration_s is not None and duration < session.duration_s - 1 / 1000:
        raise CorruptDataError(
            "the binary recording is truncated",
            where=path,
            expected=f"{session.duration_s:.3f} s as declared",
            found=f"{duration:.3f} s",
            remedy="Copy the file again, or correct duration_s.",
        )
    return spikeinterface.read_binary(
        path,
        sampling_frequency=session.sampling_rate_hz,
        dtype=session.dtype,
        num_channels=n_channels,
        gain_to_uV=session.gain_uv,
        offset_to_uV=0.0,
    )


def _open_any(session: SortSessionOptions, path: Path) -> spikeinterface.BaseRecording:
    name = _EXTRACTORS.get(session.format, session.format)
    reader = getattr(spikeinterface.extractors, f"read_{name}")
    try:
        return reader(path)
    except Exception as error:
        # Extractors raise whatever their format's library raises. Those of half-opened files may
        # complain once more as they are thrown away; one line is enough.
        with contextlib.redirect_stderr(io.StringIO()):
            traceback.clear_frames(error.__traceback__)
        raise CorruptDataError(
            f"SpikeInterface cannot read it as {session.format}",
            where=path,
            found=f"{type(error).__name__}: {error}",
        ) from error


def _read_stretches(recording: spikeinterface.BaseRecording) -> np.ndarray:
    """Read evenly spaced stretches of raw samples."""
    n_samples = recording.get_num_samples()
    length = min(n_samples, max(1, round(STRETCH_S * recording.get_sampling_frequency())))
    starts = np.unique(np.linspace(0, n_samples - length, N_STRETCHES).astype(int))
    return np.concatenate(
        [recording.get_traces(start_frame=int(s), end_frame=int(s) + length) for s in starts]
    )
