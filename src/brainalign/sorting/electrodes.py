"""Turn planted spike times into a raw recording, with SpikeInterface's generators.

The recording is what a probe would have seen of cells beside it: a waveform per cell that decays
with distance, amplitudes that vary from spike to spike and fade slowly, noise whose level drifts,
and a slow wave that all channels share.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import probeinterface
import spikeinterface
from spikeinterface.core import generate_templates
from spikeinterface.generation import InjectTemplatesRecording, NoiseGeneratorRecording

from brainalign.errors import InputError
from brainalign.sorting.electrode_plan import ElectrodePlan, drop_impossible_spikes

GAIN_UV = 0.195  # of one step, as of common Intan amplifiers
MS_BEFORE, MS_AFTER = 1.0, 2.5
MARGIN_S = 0.01  # without spikes at both ends
PEAK_UV = (40.0, 240.0)  # range of the peaks on the nearest contact: some cells are hard to find
AMPLITUDE_SD = 0.05  # of a cell's spikes
AMPLITUDE_DRIFT = 0.1  # of a cell from start to end, up or down
NOISE_DRIFT = 0.2  # of the noise's level around its mean
COMMON_WAVE_UV = 40.0  # of the slow wave
COMMON_WAVE_HZ = 3.0


@dataclass(frozen=True)
class PlantedRecording:
    """What was written.

    Parameters
    ----------
    spike_sample : list of array of shape (n_spikes,)
        Per cell, those that are in the recording.
    snr : array of shape (n_cells,)
        Peak on the main channel over the noise.
    """

    spike_sample: list[np.ndarray]
    snr: np.ndarray


def write_recording(
    folder: Path, spike_times: list[np.ndarray], cells: list[str], plan: ElectrodePlan, seed: int
) -> PlantedRecording:
    """Write a raw recording of planted cells.

    Parameters
    ----------
    folder : Path
        Existing folder: gets ``recording.bin`` (int16, samples by channels, 0.195 uV per step),
        ``probe.json`` (ProbeInterface) and ``truth.npz`` (``cell``, ``n_spikes``,
        ``spike_sample``, ``snr``, ``cell_um``).
    spike_times : list of array of shape (n_spikes,)
        Per cell, in s, ascending; spikes outside of the recording or within 2 ms of the one
        before are left out.
    cells : list of str
        Ids.
    plan : ElectrodePlan
        Contacts, sampling rate, duration and noise.
    seed : int
        Of places, waveforms and noise.

    Raises
    ------
    InputError
        If there is no cell, or ids and spike times differ in number.
    """
    if not cells or len(cells) != len(spike_times):
        raise InputError(
            "ids and spike times of planted cells do not fit",
            expected=f"{len(cells)} cells, at least one",
            found=f"{len(spike_times)} spike trains",
        )
    generator = np.random.default_rng(seed)
    contact_um = plan.place_contacts()
    cell_um = _place_cells(generator, contact_um, len(cells))
    templates = _make_templates(generator, contact_um, cell_um, plan.sampling_rate_hz, seed)
    samples = [_keep_possible(times, plan) for times in spike_times]
    rate = plan.sampling_rate_hz
    sorting = spikeinterface.NumpySorting.from_unit_dict(
        [dict(zip(cells, samples, strict=True))], rate
    )
    n_samples = round(plan.duration_s * rate)
    injected = InjectTemplatesRecording(
        sorting,
        templates,
        nbefore=round(MS_BEFORE * rate / 1000),
        amplitude_factor=_draw_amplitudes(generator, sorting, n_samples),
        num_samples=[n_samples],
    )
    noise = NoiseGeneratorRecording(
        len(contact_um),
        rate,
        [plan.duration_s],
        noise_levels=plan.noise_uv,
        seed=seed,
        dtype="float32",
        strategy="on_the_fly",
    )
    _write_binary(folder / "recording.bin", injected, noise, n_samples, rate)
    _write_probe(folder / "probe.json", contact_um)
    snr = np.abs(templates).max(axis=(1, 2)) / plan.noise_uv
    np.savez(
        folder / "truth.npz",
        cell=np.array(cells),
        n_spikes=np.array([len(times) for times in samples]),
        spike_sample=np.concatenate(samples),
        snr=snr,
        cell_um=cell_um,
    )
    return PlantedRecording(samples, snr)


def _place_cells(
    generator: np.random.Generator, contact_um: np.ndarray, n_cells: int
) -> np.ndarray:
    """Spread cells over the probe: the farthest of some random places, one after the other."""
    low, high = contact_um.min(axis=0), contact_um.max(axis=0)
    chosen = [generator.uniform(low, high)]
    for _ in range(n_cells - 1):
        candidates = generator.uniform(low, high, (50, 2))
        distance = np.linalg.norm(candidates[:, None] - np.array(chosen)[None], axis=2).min(axis=1)
        chosen.append(candidates[distance.argmax()])
    depth = generator.uniform(8.0, 20.0, n_cells)
    return np.column_stack([np.array(chosen), depth])


def _make_templates(
    generator: np.random.Generator,
    contact_um: np.ndarray,
    cell_um: np.ndarray,
    rate: float,
    seed: int,
) -> np.ndarray:
    templates = generate_templates(
        contact_um, cell_um, rate, MS_BEFORE, MS_AFTER, seed=seed, mode="sphere"
    )
    # Peaks are set where they are recorded; the generator sets them at the cell.
    peak = generator.uniform(*PEAK_UV, len(cell_um))
    templates *= (peak / np.abs(templates).max(axis=(1, 2)))[:, None, None]
    return templates.astype(np.float32)


def _keep_possible(times: np.ndarray, plan: ElectrodePlan) -> np.ndarray:
    inside = times[(times > MARGIN_S) & (times < plan.duration_s - MARGIN_S)]
    possible = drop_impossible_spikes(inside)
    return np.round(possible * plan.sampling_rate_hz).astype(np.int64)


def _draw_amplitudes(
    generator: np.random.Generator, sorting: spikeinterface.BaseSorting, n_samples: int
) -> np.ndarray:
    spikes = sorting.to_spike_vector()
    slope = AMPLITUDE_DRIFT * generator.uniform(-1, 1, len(sorting.unit_ids))
    drift = slope[spikes["unit_index"]] * (spikes["sample_index"] / n_samples - 0.5)
    return (1 + drift + AMPLITUDE_SD * generator.standard_normal(len(spikes))).astype(np.float32)


def _write_binary(
    path: Path,
    injected: InjectTemplatesRecording,
    noise: NoiseGeneratorRecording,
    n_samples: int,
    rate: float,
) -> None:
    chunk = round(rate)
    with path.open("wb") as stream:
        for start in range(0, n_samples, chunk):
            stop = min(start + chunk, n_samples)
            time = np.arange(start, stop) / rate
            level = 1 + NOISE_DRIFT * np.sin(2 * np.pi * np.arange(start, stop) / n_samples)
            wave = COMMON_WAVE_UV * np.sin(2 * np.pi * COMMON_WAVE_HZ * time)
            signal = injected.get_traces(start_frame=start, end_frame=stop)
            signal = signal + noise.get_traces(start_frame=start, end_frame=stop) * level[:, None]
            steps = np.round((signal + wave[:, None]) / GAIN_UV)
            np.clip(steps, -32768, 32767).astype("<i2").tofile(stream)


def _write_probe(path: Path, contact_um: np.ndarray) -> None:
    probe = probeinterface.Probe(ndim=2, si_units="um")
    probe.set_contacts(contact_um, shapes="circle", shape_params={"radius": 6})
    probe.set_device_channel_indices(np.arange(len(contact_um)))
    probeinterface.write_probeinterface(path, probe)
