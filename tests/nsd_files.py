"""Write a miniature of the Natural Scenes Dataset in exactly its published layout."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import nibabel as nib
import numpy as np
import pandas as pd
import scipy.io
import yaml

SHAPE = (6, 5, 4)
N_SESSIONS, N_RUNS, N_SLOTS = 2, 2, 8
N_SHARED, N_OWN, N_UNSEEN, SIDE = 4, 8, 3, 10
N_PICTURES = N_SHARED + 8 * N_OWN + N_UNSEEN
TRIALS_PER_RUN = 6
AFFINE = np.array([[1.8, 0, 0, -4.5], [0, 1.8, 0, -3.6], [0, 0, 1.8, -2.7], [0, 0, 0, 1]])


def draw_order() -> np.ndarray:
    """Which of its pictures a subject sees in each trial, from 0: eight pictures, three times."""
    n_trials = N_SESSIONS * N_RUNS * TRIALS_PER_RUN
    return np.random.default_rng(7).permutation(np.arange(n_trials) % (n_trials // 3))


def list_pictures(subject: int) -> np.ndarray:
    """The ``nsdId`` of the pictures of a subject from 1; the first are those that all see."""
    own = N_SHARED + (subject - 1) * N_OWN
    return np.r_[np.arange(N_SHARED), np.arange(own, own + N_OWN)]


def plant_betas(subject: int, session: int) -> np.ndarray:
    """Percent signal change of every voxel in a session from 1: (n_trials, x, y, z)."""
    n_trials = N_RUNS * TRIALS_PER_RUN
    order = draw_order()[(session - 1) * n_trials : session * n_trials]
    generator = np.random.default_rng(subject)
    by_picture = generator.standard_normal((N_SHARED + N_OWN, *SHAPE))
    noise = np.random.default_rng(100 * subject + session).standard_normal((n_trials, *SHAPE))
    return np.rint(300 * (by_picture[order] + 0.3 * noise)) / 300


def write_nsd(folder: Path, subjects: tuple[int, ...] = (1,), as_nifti: bool = False) -> Path:
    """Write design, pictures and their table, regions and betas of subjects."""
    home = folder / "nsddata" / "experiments" / "nsd"
    home.mkdir(parents=True)
    write_design(home / "nsd_expdesign.mat")
    pd.DataFrame(
        {
            "cocoId": np.arange(N_PICTURES) + 5000,
            "cocoSplit": "train2017",
            "cropBox": ["(0, 0, 0.25, 0.25)"] * N_PICTURES,
            "loss": 0.0,
            "nsdId": np.arange(N_PICTURES),
            "flagged": False,
        }
    ).to_csv(home / "nsd_stim_info_merged.csv")
    path = folder / "nsddata_stimuli" / "stimuli" / "nsd" / "nsd_stimuli.hdf5"
    path.parent.mkdir(parents=True)
    with h5py.File(path, "w") as file:
        file["imgBrick"] = make_pictures()
    for subject in subjects:
        write_subject(folder, subject, as_nifti)
    return folder


def make_pictures() -> np.ndarray:
    """Random pictures."""
    generator = np.random.default_rng(1)
    return generator.integers(0, 256, (N_PICTURES, SIDE, SIDE, 3), dtype=np.uint8)


def write_design(path: Path, **changes: Any) -> None:
    """Write the design as MATLAB stores it, counting from 1."""
    pattern = np.zeros((N_SESSIONS, N_RUNS, N_SLOTS))
    pattern[:, :, 1 : 1 + TRIALS_PER_RUN] = 1
    content = {
        "masterordering": draw_order()[np.newaxis] + 1.0,
        "subjectim": np.stack([list_pictures(subject) for subject in range(1, 9)]) + 1.0,
        "sharedix": np.arange(N_SHARED)[np.newaxis] + 1.0,
        "stimpattern": pattern,
        **changes,
    }
    scipy.io.savemat(path, content)


def find_betas(folder: Path, subject: int = 1) -> Path:
    """Folder of the betas of a subject."""
    name = f"subj{subject:02d}"
    return folder / "nsddata_betas" / "ppdata" / name / "func1pt8mm" / "betas_fithrf_GLMdenoise_RR"


def find_regions(folder: Path, subject: int = 1) -> Path:
    """Folder of the regions of a subject."""
    return folder / "nsddata" / "ppdata" / f"subj{subject:02d}" / "func1pt8mm" / "roi"


def write_volume(path: Path, values: np.ndarray) -> None:
    """Write a NIfTI volume or series."""
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nib.Nifti1Image(values, AFFINE)
    image.header.set_slope_inter(1, 0)
    nib.save(image, path)


def write_subject(folder: Path, subject: int, as_nifti: bool = False) -> None:
    """Write regions, their names and betas of one subject."""
    regions = find_regions(folder, subject)
    # -1 outside of cortex; the left and right halves of the volume are the hemispheres.
    general = np.full(SHAPE, -1, np.int16)
    general[:, :, 1:] = 1
    write_volume(regions / "nsdgeneral.nii.gz", general)
    visual = np.full(SHAPE, -1, np.int16)
    visual[:, 0, :] = 1
    visual[:, 1, :] = 2
    for side, half in (("lh", slice(0, 3)), ("rh", slice(3, 6))):
        values = np.full(SHAPE, -1, np.int16)
        values[half] = visual[half]
        write_volume(regions / f"{side}.prf-visualrois.nii.gz", values)
    faces = np.zeros(SHAPE, np.int16)
    faces[:, 1:3, :] = 1
    write_volume(regions / "floc-faces.nii.gz", faces)
    write_volume(regions.parent / "mean.nii.gz", np.full(SHAPE, 900, np.float32))
    labels = folder / "nsddata" / "freesurfer" / f"subj{subject:02d}" / "label"
    labels.mkdir(parents=True)
    (labels / "prf-visualrois.mgz.ctab").write_text("0 Unknown\n1 V1v\n2 V1d\n")
    (labels / "floc-faces.mgz.ctab").write_text("0 Unknown 0 0 0 0\n1 OFA 255 0 0 0\n")
    home = find_betas(folder, subject)
    home.mkdir(parents=True)
    for session in range(1, N_SESSIONS + 1):
        stored = (300 * plant_betas(subject, session)).round().astype(np.int16)
        if as_nifti:
            path = home / f"betas_session{session:02d}.nii.gz"
            write_volume(path, np.moveaxis(stored, 0, 3))
        else:
            write_hdf5(home / f"betas_session{session:02d}.hdf5", stored)


def write_hdf5(path: Path, stored: np.ndarray) -> None:
    """Write betas of shape (n_trials, x, y, z) as MATLAB does: reversed, one chunk per voxel."""
    with h5py.File(path, "w") as file:
        turned = np.transpose(stored, (0, 3, 2, 1))
        file.create_dataset("betas", data=turned, chunks=(len(turned), 1, 1, 1))


def write_annotations(folder: Path) -> tuple[Path, Path]:
    """Write COCO's instances and captions of all pictures; crops cut a quarter off both sides."""
    pictures = [int(one) for one in np.arange(N_PICTURES) + 5000]
    boxes = {1: [160, 0, 320, 480], 18: [0, 0, 100, 100]}  # in the middle, and cut away
    instances = {
        "images": [{"id": one, "width": 640, "height": 480} for one in pictures],
        "categories": [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}],
        "annotations": [
            {"image_id": one, "category_id": kind, "bbox": box, "segmentation": [[0, 1, 2]]}
            for one in pictures
            for kind, box in boxes.items()
            if kind == 18 or one % 2
        ],
    }
    captions = {
        "annotations": [
            {"image_id": one, "caption": text} for one in pictures for text in ("A picture.", "It.")
        ]
    }
    paths = folder / "instances_train2017.json", folder / "captions_train2017.json"
    for path, content in zip(paths, (instances, captions), strict=True):
        path.write_text(json.dumps(content))
    return paths


def write_config(folder: Path, nsd: Path, **options: Any) -> Path:
    """Configure the data set ``lab``."""
    dataset = {
        "kind": "nsd",
        "folder": str(nsd),
        "subjects": ["subj01"],
        "n_sessions": N_SESSIONS,
        "regions": ["prf-visualrois", "floc-faces"],
        "stimuli": {"split": {"validation_share": 0.3}},
        "responses": {"min_repeated_stimuli": 3, "n_half_splits": 2},
        **options,
    }
    path = folder / "lab.yaml"
    content = {"datasets": {"lab": dataset}, "experiments": [{"datasets": ["lab"]}]}
    path.write_text(yaml.safe_dump(content))
    return path
