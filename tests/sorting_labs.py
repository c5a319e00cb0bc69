"""Tiny laboratories with sorters' folders and raw recordings, with one thing broken at a time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from brainalign.raw.simulate.phy_writer import write_phy_folder

RATE_HZ = 20_000.0
DURATION_S = 30.0
STIMULI = [f"{number:03d}" for number in range(12)]
GRID_UM = 40.0 * np.array([[0, 0], [1, 0], [0, 1], [1, 1]], dtype=float)


def draw_trains(n_units: int = 3, seed: int = 0) -> list[np.ndarray]:
    """Regular spikes with jitter at about 10 Hz, from 0.1 s on."""
    generator = np.random.default_rng(seed)
    return [
        np.cumsum(generator.uniform(0.05, 0.15, int((DURATION_S - 1) * 10))) + 0.1
        for _ in range(n_units)
    ]


def write_phy(folder: Path, trains: list[np.ndarray] | None = None, **labels: str) -> Path:
    """Write a Phy folder of three clusters, good unless named otherwise (``c1="noise"``)."""
    trains = draw_trains() if trains is None else trains
    group = [labels.get(f"c{index}", "good") for index in range(len(trains))]
    write_phy_folder(folder, trains, group, GRID_UM, np.random.default_rng(0), RATE_HZ)
    return folder


def write_events(path: Path, stimuli: list[str] | None = None, **columns: Any) -> Path:
    """Write onsets every second."""
    stimuli = STIMULI * 2 if stimuli is None else stimuli
    table = {"onset": 0.5 + np.arange(len(stimuli)), "stimulus": stimuli, **columns}
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(table).to_csv(path, sep="\t", index=False)
    return path


def describe_session(folder: Path, session: str = "1", /, **options: Any) -> dict[str, Any]:
    """Describe a session whose files lie in one folder."""
    return {
        "subject": "m1",
        "session": session,
        "format": "phy",
        "folder": str(folder / "phy"),
        "events": str(folder / "events.tsv"),
        "area": "IT",
        **options,
    }


def describe_lab(sessions: list[dict[str, Any]], **options: Any) -> str:
    """Options of a sorting job as JSON."""
    return json.dumps({"dataset": {"kind": "spike_sorts", "sessions": sessions, **options}})


def write_lab(folder: Path, session: str = "1", /, **options: Any) -> dict[str, Any]:
    """Write a Phy session with its events and describe it."""
    write_phy(folder / "phy")
    write_events(folder / "events.tsv")
    return describe_session(folder, session, **options)


def write_raw_lab(
    folder: Path, traces: np.ndarray | None = None, /, *, n_bytes_short: int = 0, **options: Any
) -> dict[str, Any]:
    """Write a binary recording of noise on four channels with its probe; describe its session."""
    folder.mkdir(parents=True)
    if traces is None:
        traces = draw_noise()
    content = traces.astype("<i2").tobytes()
    (folder / "recording.bin").write_bytes(content[: len(content) - n_bytes_short])
    write_probe(folder / "probe.json")
    write_events(folder / "events.tsv", STIMULI[:2])
    return describe_session(
        folder,
        **{
            "format": "binary",
            "folder": str(folder / "recording.bin"),
            "probe": str(folder / "probe.json"),
            "sampling_rate_hz": RATE_HZ,
            **options,
        },
    )


def draw_noise(duration_s: float = 3.0) -> np.ndarray:
    """Noise on four channels, in steps."""
    n_samples = int(duration_s * RATE_HZ)
    return np.random.default_rng(0).normal(0, 30, (n_samples, len(GRID_UM))).round()


def write_probe(path: Path) -> None:
    """Write four contacts as ProbeInterface does."""
    n_contacts = len(GRID_UM)
    probe = {
        "ndim": 2,
        "si_units": "um",
        "annotations": {},
        "contact_annotations": {},
        "contact_positions": GRID_UM.tolist(),
        "contact_plane_axes": [[[1.0, 0.0], [0.0, 1.0]]] * n_contacts,
        "contact_shapes": ["circle"] * n_contacts,
        "contact_shape_params": [{"radius": 6}] * n_contacts,
        "device_channel_indices": list(range(n_contacts)),
    }
    content = {"specification": "probeinterface", "version": "0.4.2", "probes": [probe]}
    path.write_text(json.dumps(content))
