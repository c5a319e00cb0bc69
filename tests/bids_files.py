"""Write small BIDS data sets, sound or broken, for tests."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import yaml

from command_line import Command, Outcome, publish

SHAPE, N_VOLUMES, TR_S = (6, 5, 4), 40, 2.0
AFFINE = np.array([[3.0, 0, 0, -9], [0, 3, 0, -6], [0, 0, 3, -3], [0, 0, 0, 1]])
NAMES = ["a", "b", "c", "d"]


def make_series(seed: int = 0, n_volumes: int = N_VOLUMES) -> np.ndarray:
    """Random volumes around 1000."""
    generator = np.random.default_rng(seed)
    return (1000 + 10 * generator.standard_normal((*SHAPE, n_volumes))).astype(np.float32)


def write_nifti(path: Path, volumes: np.ndarray, tr_s: float | None = TR_S, **changes: Any) -> Path:
    """Write a volume or a series; `changes` are fields of the header."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(volumes, changes.pop("affine", AFFINE))
    image.header.set_xyzt_units("mm", "sec")
    if volumes.ndim == 4 and tr_s is not None:
        image.header.set_zooms((3, 3, 3, tr_s))
    for name, value in changes.items():
        image.header[name] = value
    content = image.to_bytes()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)
    return path


def write_events(path: Path, rows: list[tuple[Any, ...]] | None = None, text: str = "") -> Path:
    """Write onset, duration and stim_file; four stimuli twice by default."""
    rows = rows or [(4 + 8 * n, 2, f"{NAMES[n % 4]}.png") for n in range(8)]
    lines = ["\t".join(["onset", "duration", "stim_file"]), *("\t".join(map(str, r)) for r in rows)]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((text or "\n".join(lines) + "\n").encode())
    return path


def name_run(folder: Path, run: str, suffix: str, subject: str = "01") -> Path:
    """Path of a file of one run."""
    return folder / f"sub-{subject}" / "func" / f"sub-{subject}_task-see_run-{run}_{suffix}"


def write_bids(folder: Path, subjects: tuple[str, ...] = ("01",), runs: int = 2) -> Path:
    """Write a sound data set with a mask of all voxels and two regions."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset_description.json").write_text('{"Name": "t", "BIDSVersion": "1.9.0"}')
    (folder / "task-see_bold.json").write_text(
        json.dumps({"TaskName": "see", "RepetitionTime": TR_S})
    )
    for number, subject in enumerate(subjects):
        for run in range(1, runs + 1):
            series = make_series(10 * number + run)
            write_nifti(name_run(folder, f"{run:02d}", "bold.nii.gz", subject), series)
            write_events(name_run(folder, f"{run:02d}", "events.tsv", subject))
    labels = np.ones(SHAPE, np.int16)
    labels[3:] = 2
    labels[0] = 0
    write_nifti(folder / "derivatives" / "atlas.nii.gz", labels)
    (folder / "derivatives" / "atlas.tsv").write_text("index\tname\n1\tearly\n2\tlate\n")
    return folder


def write_config(folder: Path, bids: Path, **options: Any) -> Path:
    """Configure the data set ``lab`` without preprocessing; `options` win."""
    responses = {
        "regions": {"atlas": "derivatives/atlas.nii.gz"},
        "min_repeated_stimuli": 3,
        "n_half_splits": 2,
        **options.pop("responses", {}),
    }
    dataset = {
        "kind": "bids",
        "folder": str(bids),
        "preprocessing": {"kind": "none"},
        "responses": responses,
        **options,
    }
    path = folder / "lab.yaml"
    content = {"datasets": {"lab": dataset}, "experiments": [{"datasets": ["lab"]}]}
    path.write_text(yaml.safe_dump(content))
    return path


def build(command: Command, bids: Path, subject: str = "01", **options: Any) -> Outcome:
    """Run ``brainalign responses`` of a data set; the store is beside it."""
    config = write_config(bids.parent, bids, **options)
    words = ["responses", "--config", config, "--dataset", "lab", "--subject", subject]
    return publish(command, *words, output=bids.parent / "responses.zarr")
