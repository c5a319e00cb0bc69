"""Tiny laboratories: NWB files, images and a configuration, with one thing broken at a time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import yaml
from PIL import Image
from pynwb import NWBHDF5IO, NWBFile
from pynwb.base import Images
from pynwb.image import RGBImage

STIMULI = [f"{number:03d}" for number in range(12)]
SPIKES = ((0.11, 0.61, 1.12, 5.9), (0.5, 0.58))


def make_pixels(seed: int, side: int = 8) -> np.ndarray:
    """An image of noise."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


def write_nwb(
    path: Path,
    spikes: Sequence[Sequence[float]] | None = SPIKES,
    stimuli: Sequence[str] = STIMULI * 2,
    images: Mapping[str, np.ndarray] | None = None,
    session_id: str | None = None,
    area: str = "IT",
) -> Path:
    """Write one session whose stimuli come on every half second.

    Parameters
    ----------
    path : Path
        File to write.
    spikes : sequence of sequence of float or None
        Spike times per unit in s; None leaves the units table out.
    stimuli : sequence of str
        Stimulus per trial.
    images : mapping of str to array, optional
        Images inside the file.
    session_id : str, optional
        The file's own id.
    area : str
        Area of all units.
    """
    nwb = NWBFile(
        session_description="test",
        identifier=path.stem,
        session_start_time=datetime(2026, 1, 1, tzinfo=UTC),
        session_id=session_id,
    )
    nwb.add_trial_column("stimulus", "shown image")
    for position, stimulus in enumerate(stimuli):
        onset = position * 0.5
        nwb.add_trial(start_time=onset, stop_time=onset + 0.4, stimulus=stimulus)
    if spikes is not None:
        nwb.add_unit_column("area", "brain area")
        for times in spikes:
            nwb.add_unit(spike_times=np.asarray(times, dtype=float), area=area)
    if images:
        container = Images(
            name="images",
            images=[RGBImage(name=name, data=pixels) for name, pixels in images.items()],
            description="shown images",
        )
        nwb.add_stimulus(container)
    path.parent.mkdir(parents=True, exist_ok=True)
    with NWBHDF5IO(str(path), "w") as stream:
        stream.write(nwb)
    return path


def move_last_spike_end(path: Path, end: int) -> None:
    """Let the ragged index of spike times end elsewhere."""
    with h5py.File(path, "r+") as file:
        file["units/spike_times_index"][-1] = end


def write_images(folder: Path, stimuli: Sequence[str] = STIMULI, **columns: list[str]) -> Path:
    """Write PNG files and the table that names them; `columns` replace or extend its columns."""
    folder.mkdir(parents=True, exist_ok=True)
    for seed, stimulus in enumerate(stimuli):
        Image.fromarray(make_pixels(seed)).save(folder / f"{stimulus}.png")
    table = {"stimulus": list(stimuli), "file": [f"{name}.png" for name in stimuli], **columns}
    rows = ["\t".join(table), *("\t".join(row) for row in zip(*table.values(), strict=True))]
    path = folder / "stimuli.tsv"
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def write_config(folder: Path, /, **dataset: Any) -> Path:
    """Write a configuration with the data set ``lab`` of the files in ``folder/nwb``."""
    options = {
        "kind": "nwb",
        "folder": str(folder / "nwb"),
        "stimuli": {"split": {"test_share": 0.25, "validation_share": 0.2}},
        "responses": {"min_repeated_stimuli": 3, "n_half_splits": 2},
        **dataset,
    }
    content = {
        "results": str(folder / "results"),
        "datasets": {"lab": options},
        "backbones": {"pixels": {"kind": "pixels"}},
        "methods": {"direct_encoding_ridge": {}},
        "experiments": [
            {"datasets": ["lab"], "backbones": ["pixels"], "methods": ["direct_encoding_ridge"]}
        ],
    }
    path = folder / "lab.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), encoding="utf-8")
    return path


def write_lab(folder: Path, /, **dataset: Any) -> Path:
    """Write one session, its images and a configuration; give the configuration's path."""
    write_nwb(folder / "nwb" / "sub-001_ses-1.nwb")
    table = write_images(folder / "images")
    return write_config(folder, **{"stimuli_table": str(table), **dataset})
