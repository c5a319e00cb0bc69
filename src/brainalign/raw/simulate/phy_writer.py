"""Write spikes as a spike sorter's folder, in the format of Phy."""

from __future__ import annotations

from pathlib import Path

import numpy as np

N_TIMES = 60  # samples of a template, a third of them before the peak
DECAY_UM = 45.0  # distance over which a waveform falls to 1/e


def write_phy_folder(
    folder: Path,
    spike_times: list[np.ndarray],
    group: list[str],
    channel_um: np.ndarray,
    generator: np.random.Generator,
    sampling_rate_hz: float,
) -> None:
    """Write a folder as Kilosort leaves it after curation in Phy, without the raw file.

    Parameters
    ----------
    folder : Path
        New folder.
    spike_times : list of array of shape (n_spikes,)
        Per cluster, in s, ascending.
    group : list of str
        ``good``, ``mua`` or ``noise`` per cluster.
    channel_um : array of shape (n_channels, 2)
        Places of the channels in micrometres.
    generator : numpy.random.Generator
        Draws places and widths of the clusters' waveforms.
    sampling_rate_hz : float
        Samples per second.
    """
    folder.mkdir(parents=True)
    cluster = np.repeat(np.arange(len(spike_times)), [len(times) for times in spike_times])
    sample = np.round(np.concatenate(spike_times) * sampling_rate_hz).astype(np.int64)
    order = np.argsort(sample, kind="stable")
    arrays: dict[str, np.ndarray] = {
        "spike_times": sample[order],
        "spike_clusters": cluster[order].astype(np.int32),
        "spike_templates": cluster[order].astype(np.int32),
        "amplitudes": generator.normal(1.0, 0.05, len(sample)).clip(0.5, 1.5),
        "templates": _draw_templates(len(spike_times), channel_um, generator),
        "channel_positions": channel_um.astype(np.float64),
        "channel_map": np.arange(len(channel_um), dtype=np.int32),
    }
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    rows = [f"{index}\t{name}" for index, name in enumerate(group)]
    (folder / "cluster_group.tsv").write_text("cluster_id\tgroup\n" + "\n".join(rows) + "\n")
    (folder / "params.py").write_text(
        "dat_path = 'recording.dat'\n"
        f"n_channels_dat = {len(channel_um)}\n"
        "dtype = 'int16'\noffset = 0\n"
        f"sample_rate = {sampling_rate_hz}\n"
        "hp_filtered = False\n"
    )


def _draw_templates(
    n_clusters: int, channel_um: np.ndarray, generator: np.random.Generator
) -> np.ndarray:
    """Draw a trough with a later, flatter peak per cluster that decays with distance."""
    time = np.arange(N_TIMES) - N_TIMES // 3
    low, high = channel_um.min(axis=0), channel_um.max(axis=0)
    templates = np.empty((n_clusters, N_TIMES, len(channel_um)), dtype=np.float32)
    for cluster in range(n_clusters):
        width = generator.uniform(3.0, 5.0)
        trough = -np.exp(-0.5 * (time / width) ** 2)
        peak = 0.35 * np.exp(-0.5 * ((time - 4 * width) / (2.5 * width)) ** 2)
        place = generator.uniform(low, high)
        decay = np.exp(-np.linalg.norm(channel_um - place, axis=1) / DECAY_UM)
        templates[cluster] = generator.uniform(60, 180) * np.outer(trough + peak, decay)
    return templates
