"""Read the units that a spike sorter left, with SpikeInterface."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import spikeinterface
import spikeinterface.extractors

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.sorting.formats import TIME_FILES
from brainalign.sorting.options import SortSessionOptions
from brainalign.sorting.phy_folder import PhyFolder, read_phy_folder
from brainalign.sorting.time_files import list_time_files, read_times
from brainalign.sorting.units import FoundUnits

_PHY_FORMATS = ("phy", "kilosort")
_TIME_FORMATS = ("nwb_sorting",)  # hold times, which SpikeInterface rounds to samples


def read_sort(session: SortSessionOptions, path: Path) -> FoundUnits:
    """Read the units of one session.

    Parameters
    ----------
    session : SortSessionOptions
        Format, and what the folder does not tell.
    path : Path
        Folder or file of the sort.

    Raises
    ------
    InputError
        If parameters are missing.
    CorruptDataError
        If the sort cannot be read.
    """
    if session.format in _PHY_FORMATS:
        return _read_phy(session, path)
    if session.format == TIME_FILES:
        return _read_time_files(session, path)
    sorting = _open(session.format, path, session, path)
    rate = float(sorting.get_sampling_frequency())
    scale = 0.001 if session.spike_time_unit == "ms" else 1.0
    if scale != 1.0 and session.format not in _TIME_FORMATS:
        raise InputError(
            f"format '{session.format}' holds samples, no times",
            where=path,
            remedy="Leave out spike_time_unit.",
        )
    return FoundUnits(
        unit=[str(name) for name in sorting.unit_ids],
        spike_times=[
            scale * np.asarray(sorting.get_unit_spike_train(name, return_times=True), dtype=float)
            for name in sorting.unit_ids
        ],
        label=_read_property(sorting),
        duration_s=session.duration_s,
        sampling_rate_hz=rate,
        sorter=_describe(session.format),
    )


def is_sort(name: str) -> bool:
    """Tell whether a format, one of the known ones, holds units already, not raw samples."""
    if name in ("binary", "nwb"):
        return False
    if name in (*_PHY_FORMATS, *_TIME_FORMATS, TIME_FILES):
        return True
    reader = getattr(spikeinterface.extractors, f"read_{name}")
    return any(
        name == key or getattr(value, "__name__", "") == getattr(reader, "__name__", "-")
        for key, value in spikeinterface.extractors.sorting_extractor_full_dict.items()
    )


def _read_phy(session: SortSessionOptions, path: Path) -> FoundUnits:
    folder = read_phy_folder(path)
    with tempfile.TemporaryDirectory(prefix="brainalign-phy-") as scratch:
        sorting = _open("phy", _mirror_without_code(path, folder, Path(scratch)), session, path)
        names = [str(name) for name in sorting.unit_ids]
        spike_times = [
            np.asarray(sorting.get_unit_spike_train(name), dtype=float) / folder.sampling_rate_hz
            for name in sorting.unit_ids
        ]
    # SpikeInterface leaves out clusters without spikes; the curation table shall name them.
    silent = sorted(set(folder.label) - set(names))
    names, spike_times = names + silent, spike_times + [np.empty(0)] * len(silent)
    duration = session.duration_s
    if duration is None and folder.n_samples is not None:
        duration = folder.n_samples / folder.sampling_rate_hz
    return FoundUnits(
        unit=names,
        spike_times=spike_times,
        label=[_map_label(folder.label.get(name, "")) for name in names],
        duration_s=duration,
        sampling_rate_hz=folder.sampling_rate_hz,
        channel_um=folder.channel_um,
        waveform=_stack_waveforms(folder, names, session.gain_uv),
        waveform_unit="uV" if session.gain_uv != 1.0 else "a.u.",
        sorter=_describe(session.format),
    )


def _mirror_without_code(path: Path, folder: PhyFolder, mirror: Path) -> Path:
    """Link the files of a Phy folder beside parameters that hold the sampling rate alone.

    SpikeInterface runs ``params.py``, and a data folder must not run code.
    """
    for file in path.iterdir():
        if file.is_file() and file.name != "params.py":
            (mirror / file.name).symlink_to(file.resolve())
    (mirror / "params.py").write_text(f"sample_rate = {folder.sampling_rate_hz!r}\n")
    return mirror


def _read_time_files(session: SortSessionOptions, path: Path) -> FoundUnits:
    files = list_time_files(path)
    scale = 0.001 if session.spike_time_unit == "ms" else 1.0
    return FoundUnits(
        unit=[file.stem for file in files],
        spike_times=[scale * read_times(file) for file in files],
        label=["unsorted"] * len(files),
        duration_s=session.duration_s,
        sampling_rate_hz=session.sampling_rate_hz,
        sorter=_describe(session.format),
    )


def _stack_waveforms(folder: PhyFolder, names: list[str], gain: float) -> np.ndarray | None:
    if not folder.waveform:
        return None
    shape = next(iter(folder.waveform.values())).shape
    stack = np.full((len(names), *shape), np.nan, dtype=np.float32)
    for row, name in enumerate(names):
        if name in folder.waveform:
            stack[row] = gain * folder.waveform[name]
    return stack


def _open(
    name: str, path: Path, session: SortSessionOptions, where: Path
) -> spikeinterface.BaseSorting:
    reader = getattr(spikeinterface.extractors, f"read_{name}")
    words: dict[str, object] = {}
    if name == "phy":
        words = {"load_all_cluster_properties": False}
    if name == "nwb_sorting":
        words = {"sampling_frequency": session.sampling_rate_hz or 30000.0, "t_start": 0.0}
    try:
        return reader(path, **words)
    except BrainalignError:
        raise
    except Exception as error:
        # Extractors raise whatever their format's library raises.
        raise CorruptDataError(
            f"SpikeInterface cannot read it as {name}",
            where=where,
            found=f"{type(error).__name__}: {error}",
        ) from error


def _read_property(sorting: spikeinterface.BaseSorting) -> list[str]:
    for key in ("quality", "KSLabel", "group"):
        if key in sorting.get_property_keys():
            return [_map_label(str(value)) for value in sorting.get_property(key)]
    return ["unsorted"] * len(sorting.unit_ids)


def _map_label(label: str) -> str:
    return label if label in ("good", "mua", "noise") else "unsorted"


def _describe(name: str) -> dict[str, object]:
    return {
        "name": name,
        "version": "not recorded in the folder",
        "parameters": {},
        "spikeinterface": spikeinterface.__version__,
    }
