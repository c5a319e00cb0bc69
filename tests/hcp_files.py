"""Write a miniature of the 7 T movies of the Human Connectome Project in its published layout."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
import yaml
from nibabel.cifti2 import BrainModelAxis, Cifti2Image, LabelAxis, SeriesAxis

RUNS = ("tfMRI_MOVIE1_7T_AP", "tfMRI_MOVIE2_7T_PA", "tfMRI_MOVIE3_7T_PA", "tfMRI_MOVIE4_7T_AP")
KEYS = ("MOVIE1_CC1", "MOVIE2_HO1", "MOVIE3_CC2", "MOVIE4_HO2")
N_VOLUMES = (921, 918, 915, 901)
SHAPE = (4, 3, 2)
AFFINE = np.array([[-1.6, 0, 0, 90], [0, 1.6, 0, -126], [0, 0, 1.6, -72], [0, 0, 0, 1]])
SYNSETS = ["person.n.01", "dog.n.01", "rare.n.01"]
N_SURFACE = 32  # vertices of a hemisphere, of which the first four are the medial wall
DTSERIES = "{subject}/MNINonLinear/Results/{run}/{run}_Atlas_MSMAll.dtseries.nii"


def make_series(run: int, n_units: int, subject: int = 0) -> np.ndarray:
    """Series of a run from 0 around 10000: (n_volumes, n_units), float32."""
    generator = np.random.default_rng((subject, run))
    values = 10_000 + 100 * generator.standard_normal((N_VOLUMES[run], n_units))
    return values.astype(np.float32)


def find_series(folder: Path, run: int, ending: str, subject: str = "100610") -> Path:
    """Path of the series of a run from 0."""
    name = RUNS[run]
    return folder / subject / "MNINonLinear" / "Results" / name / f"{name}{ending}"


def write_hcp(folder: Path, subjects: tuple[str, ...] = ("100610",)) -> Path:
    """Write volumes, an atlas, labels and frames (one per second)."""
    for number, subject in enumerate(subjects):
        for run in range(4):
            write_volumes(folder, run, make_series(run, int(np.prod(SHAPE)), number), subject)
    labels = np.zeros(SHAPE, np.int16)
    labels[:2], labels[3] = 1, 2
    (folder / "atlas").mkdir()
    nib.save(nib.Nifti1Image(labels, AFFINE), folder / "atlas" / "visual.nii.gz")
    (folder / "atlas" / "visual.tsv").write_text("index\tname\n1\tearly\n2\tlate\n")
    (folder / "7T_movie_resources").mkdir()
    with h5py.File(folder / "7T_movie_resources" / "WordNetFeatures.hdf5", "w") as file:
        file["synsets"] = np.array(SYNSETS, dtype="S")
        for run, key in enumerate(KEYS):
            file[key] = make_labels(run).astype(np.float64)
    (folder / "frames").mkdir()
    for run, key in enumerate(KEYS):
        np.save(folder / "frames" / f"7T_{key}_v2.npy", make_frames(run))
    return folder


def make_labels(run: int) -> np.ndarray:
    """Labels of every second of a movie from 0; the last is shown in a single second."""
    labels = np.random.default_rng(50 + run).random((N_VOLUMES[run], len(SYNSETS))) < 0.4
    labels[:, 2] = np.arange(N_VOLUMES[run]) == 100
    return labels


def make_frames(run: int) -> np.ndarray:
    """Two frames per second of a movie from 0."""
    generator = np.random.default_rng(70 + run)
    return generator.integers(0, 256, (2 * N_VOLUMES[run], 8, 8, 3), dtype=np.uint8)


def write_volumes(folder: Path, run: int, series: np.ndarray, subject: str = "100610") -> Path:
    """Write a run as a NIfTI volume, units in C order of the grid."""
    path = find_series(folder, run, "_hp2000_clean.nii.gz", subject)
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(series.T.reshape(*SHAPE, -1), AFFINE)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((1.6, 1.6, 1.6, 1.0))
    nib.save(image, path)
    return path


def make_brain(has_wall: bool = False) -> BrainModelAxis:
    """Both hemispheres without (or with) the medial wall, and two subcortical voxels."""
    kept = np.ones(N_SURFACE, bool)
    kept[:4] = has_wall
    brain = BrainModelAxis.from_mask(kept, "CORTEX_LEFT")
    brain += BrainModelAxis.from_mask(kept, "CORTEX_RIGHT")
    if has_wall:
        return brain
    deep = np.zeros(SHAPE, bool)
    deep[1, 1] = True
    return brain + BrainModelAxis.from_mask(deep, "THALAMUS_LEFT", affine=AFFINE)


def write_grayordinates(folder: Path, run: int, step_s: float = 1.0) -> Path:
    """Write a run as a dense series."""
    brain = make_brain()
    axes = (SeriesAxis(0, step_s, N_VOLUMES[run]), brain)
    path = find_series(folder, run, "_Atlas_MSMAll.dtseries.nii")
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(Cifti2Image(make_series(run, len(brain)), axes), path)
    return path


def write_dense_labels(path: Path) -> Path:
    """Write an atlas of both hemispheres with the medial wall: V1 left, V2 right, from vertex 8."""
    brain = make_brain(has_wall=True)
    labels = np.zeros(len(brain), np.float32)
    labels[8:N_SURFACE], labels[N_SURFACE + 8 :] = 1, 2
    names = {0: ("???", (0, 0, 0, 0)), 1: ("V1", (1, 0, 0, 1)), 2: ("V2", (0, 1, 0, 1))}
    axes = (LabelAxis(["atlas"], [names]), brain)
    nib.save(Cifti2Image(labels[np.newaxis], axes), path)
    return path


def write_config(folder: Path, hcp: Path, **options: Any) -> Path:
    """Configure the data set ``lab``."""
    dataset = {
        "kind": "hcp_movies",
        "folder": str(hcp),
        "atlas": "atlas/visual.nii.gz",
        "frames": "frames/{movie}.npy",
        "frame_rate_hz": 2.0,
        "responses": {"n_half_splits": 2},
        **options,
    }
    path = folder / "lab.yaml"
    content = {"datasets": {"lab": dataset}, "experiments": [{"datasets": ["lab"]}]}
    path.write_text(yaml.safe_dump(content))
    return path
