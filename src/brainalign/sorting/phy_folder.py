"""Folders of Phy and Kilosort: what SpikeInterface does not check or read of them."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import CorruptDataError, InputError

_NEEDED = ("spike_times.npy", "templates.npy", "channel_positions.npy")
_LABEL_FILES = (
    ("cluster_group.tsv", "group"),
    ("cluster_info.tsv", "group"),
    ("cluster_group.csv", "group"),
    ("cluster_KSLabel.tsv", "KSLabel"),
)


@dataclass(frozen=True)
class PhyFolder:
    """What a Phy folder says besides its spikes.

    Parameters
    ----------
    sampling_rate_hz : float
        Samples per second.
    n_samples : int or None
        Length of the raw file, where it still lies where the parameters say.
    label : dict of str to str
        ``good``, ``mua``, ``noise`` or ``unsorted`` by cluster, where labelled.
    channel_um : array of shape (n_channels, 2)
        Places of the channels in micrometres.
    waveform : dict of str to array of shape (n_times, n_channels)
        Mean waveform by cluster that has spikes, from the sorter's templates and amplitudes;
        in the steps of the recording if the sorter did not whiten, else in arbitrary units.
    """

    sampling_rate_hz: float
    n_samples: int | None
    label: dict[str, str]
    channel_um: np.ndarray
    waveform: dict[str, np.ndarray]


def read_phy_folder(folder: Path) -> PhyFolder:
    """Check and read a folder of Phy or Kilosort.

    Parameters
    ----------
    folder : Path
        With ``params.py`` and arrays, as ``phy template-gui`` opens it.

    Raises
    ------
    InputError
        If the parameters, or an array, are missing.
    CorruptDataError
        If the parameters cannot be read, arrays do not fit each other, or spikes lie beyond the
        raw file.
    """
    parameters = _read_parameters(folder)
    for name in _NEEDED:
        if not (folder / name).is_file():
            raise InputError(f"the Phy folder lacks {name}", where=folder)
    rate = float(str(parameters["sample_rate"]))
    spikes = _load(folder, "spike_times.npy").ravel()
    template = _load_or(folder, "spike_templates.npy", "spike_clusters.npy").ravel()
    cluster = _load_or(folder, "spike_clusters.npy", "spike_templates.npy").ravel()
    if not len(spikes) == len(cluster) == len(template):
        raise CorruptDataError(
            "spike times and clusters differ in length",
            where=folder,
            expected=f"{len(spikes)} spikes",
            found=f"{len(cluster)} clusters and {len(template)} templates",
            remedy="Export the folder again.",
        )
    n_samples = _count_samples(folder, parameters)
    if len(spikes) and n_samples is not None and spikes.max() >= n_samples:
        raise CorruptDataError(
            f"{int((spikes >= n_samples).sum())} spikes lie beyond the recording",
            where=folder,
            expected=f"samples below {n_samples}",
            found=int(spikes.max()),
            remedy="The raw file is truncated or belongs to another session.",
        )
    return PhyFolder(
        sampling_rate_hz=rate,
        n_samples=n_samples,
        label=_read_labels(folder),
        channel_um=_load(folder, "channel_positions.npy").reshape(-1, 2).astype(np.float64),
        waveform=_average_templates(folder, cluster, template),
    )


def _read_parameters(folder: Path) -> dict[str, object]:
    """Read ``params.py`` as literals: a data folder must not run code."""
    path = folder / "params.py"
    if not path.is_file():
        raise InputError(
            "the Phy folder lacks its parameters",
            where=path,
            remedy="Copy params.py from the sorter's output: it holds the sampling rate.",
        )
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        parameters = {
            node.targets[0].id: ast.literal_eval(node.value)
            for node in tree.body
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
    except (SyntaxError, ValueError, UnicodeDecodeError) as error:
        raise CorruptDataError("cannot be read", where=path, found=str(error)) from error
    rate = parameters.get("sample_rate")
    if not isinstance(rate, int | float) or not rate > 0:
        raise InputError(
            "the parameters tell no sampling rate",
            where=path,
            expected="sample_rate = 30000.0",
            found=repr(rate),
        )
    return parameters


def _count_samples(folder: Path, parameters: dict[str, object]) -> int | None:
    path, n_channels = parameters.get("dat_path"), parameters.get("n_channels_dat")
    if isinstance(path, list | tuple):
        path = path[0] if len(path) == 1 else None
    if not isinstance(path, str) or not isinstance(n_channels, int) or n_channels < 1:
        return None
    raw = folder / path
    if not raw.is_file():
        return None
    item = np.dtype(str(parameters.get("dtype", "int16"))).itemsize
    offset = parameters.get("offset", 0)
    size = raw.stat().st_size - (offset if isinstance(offset, int) else 0)
    return size // (item * n_channels)


def _load(folder: Path, name: str) -> np.ndarray:
    try:
        return np.load(folder / name, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise CorruptDataError(
            "cannot be read as an array", where=folder / name, found=str(error)
        ) from error


def _load_or(folder: Path, name: str, other: str) -> np.ndarray:
    for candidate in (name, other):
        if (folder / candidate).is_file():
            return _load(folder, candidate)
    raise InputError(f"the Phy folder lacks {name}", where=folder)


def _read_labels(folder: Path) -> dict[str, str]:
    for name, column in _LABEL_FILES:
        path = folder / name
        if not path.is_file():
            continue
        table = pd.read_csv(path, sep=None, engine="python", dtype=str, keep_default_na=False)
        key = "cluster_id" if "cluster_id" in table.columns else "id"
        if column in table.columns and key in table.columns:
            return dict(zip(table[key], table[column].str.lower(), strict=True))
    return {}


def _average_templates(
    folder: Path, cluster: np.ndarray, template: np.ndarray
) -> dict[str, np.ndarray]:
    shapes = _load(folder, "templates.npy").astype(np.float32)
    if template.size and template.max() >= len(shapes):
        raise CorruptDataError(
            "a spike has a template that does not exist",
            where=folder / "templates.npy",
            expected=f"numbers below {len(shapes)}",
            found=int(template.max()),
        )
    amplitude = np.ones(len(cluster), dtype=np.float32)
    if (folder / "amplitudes.npy").is_file():
        amplitude = _load(folder, "amplitudes.npy").ravel().astype(np.float32)
    waveform = {}
    for name in np.unique(cluster):
        own = cluster == name
        weight = np.bincount(template[own].astype(np.int64), amplitude[own], minlength=len(shapes))
        waveform[str(name)] = np.tensordot(weight / own.sum(), shapes, axes=1).astype(np.float32)
    return waveform
