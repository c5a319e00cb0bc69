"""Write simulated volumes, events and sidecars as a BIDS data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from brainalign import __version__
from brainalign.raw.bids.writing import write_json, write_tsv, write_volume
from brainalign.raw.rigid import MOTION_COLUMNS, compute_framewise_displacement

from .fmri_options import ROI_SHARES
from .fmri_session import RunPlan

TASK = "viewing"
BIDS_VERSION = "1.9.0"


def write_dataset_files(folder: Path, subjects: list[str], tr_s: float) -> None:
    """Write what stands once per data set: description, participants, task, README."""
    write_json(
        folder / "dataset_description.json",
        {
            "Name": "Simulated world: objects and scenes, simulated BOLD",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "raw",
            "License": "CC0",
            "Authors": ["brainalign"],
            "GeneratedBy": [{"Name": "brainalign", "Version": __version__}],
        },
    )
    (folder / "README").write_text(
        "Simulated BOLD responses to rendered pictures of objects and scenes, with planted tuning\n"
        "and noise. The truth stands in sourcedata/truth, regions in derivatives/rois, planted\n"
        "head motion in derivatives/motion.\n",
        encoding="utf-8",
    )
    # Files that publishing adds; the BIDS validator would call them unknown.
    (folder / ".bidsignore").write_text("manifest.json\n", encoding="utf-8")
    write_tsv(
        folder / "participants.tsv",
        pd.DataFrame({"participant_id": [f"sub-{subject}" for subject in subjects]}),
    )
    write_json(
        folder / f"task-{TASK}_bold.json",
        {
            "TaskName": TASK,
            "RepetitionTime": tr_s,
            "Instructions": "Look at the pictures.",
            "Manufacturer": "simulated",
        },
    )
    write_json(
        folder / f"task-{TASK}_events.json",
        {
            "trial_type": {
                "LongName": "Kind of picture",
                "Levels": {"object": "one object", "scene": "two to four objects"},
            },
            "stim_file": {"LongName": "Picture, below the folder stimuli"},
        },
    )
    for name in ("rois", "motion"):
        write_json(
            folder / "derivatives" / name / "dataset_description.json",
            {
                "Name": f"Simulated world: {name}",
                "BIDSVersion": BIDS_VERSION,
                "DatasetType": "derivative",
                "GeneratedBy": [{"Name": "brainalign", "Version": __version__}],
            },
        )


def write_regions(
    folder: Path, subject: str, roi: np.ndarray, brain: np.ndarray, affine: np.ndarray
) -> None:
    """Write the regions of one subject with their names, and the brain mask."""
    home = folder / "derivatives" / "rois" / f"sub-{subject}" / "func"
    write_volume(home / f"sub-{subject}_desc-visual_dseg.nii.gz", roi.astype(np.int16), affine)
    names = pd.DataFrame({"index": range(1, len(ROI_SHARES) + 1), "name": list(ROI_SHARES)})
    write_tsv(home / f"sub-{subject}_desc-visual_dseg.tsv", names)
    write_volume(home / f"sub-{subject}_desc-brain_mask.nii.gz", brain.astype(np.uint8), affine)


def write_anatomy(folder: Path, subject: str, baseline: np.ndarray, affine: np.ndarray) -> None:
    """Write the still image as the subject's anatomy."""
    path = folder / f"sub-{subject}" / "anat" / f"sub-{subject}_T1w.nii.gz"
    write_volume(path, np.rint(baseline).astype(np.int16), affine)
    write_json(path.parent / f"sub-{subject}_T1w.json", {"Manufacturer": "simulated"})


def write_run(
    folder: Path,
    subject: str,
    plan: RunPlan,
    series: np.ndarray,
    motion: np.ndarray,
    kinds: dict[str, str],
    affine: np.ndarray,
    tr_s: float,
    stimulus_on_s: float,
) -> None:
    """Write the volumes, events and planted motion of one run.

    Parameters
    ----------
    series : array of shape (n_volumes, x, y, z)
        Scanner units; written as int16.
    motion : array of shape (n_volumes, 6)
        Written with names as fMRIPrep gives them.
    kinds : dict of str to str
        ``object`` or ``scene`` by stimulus.
    """
    name = f"sub-{subject}_task-{TASK}_run-{plan.run}"
    home = folder / f"sub-{subject}" / "func"
    volumes = np.rint(np.clip(series, 0, np.iinfo(np.int16).max)).astype(np.int16)
    write_volume(home / f"{name}_bold.nii.gz", np.moveaxis(volumes, 0, -1), affine, tr_s)
    events = pd.DataFrame(
        {
            "onset": [f"{onset:.3f}" for onset in plan.onset_s],
            "duration": f"{stimulus_on_s:.3f}",
            "trial_type": [kinds[stimulus] for stimulus in plan.stimulus],
            "stim_file": [f"{stimulus}.png" for stimulus in plan.stimulus],
        }
    )
    write_tsv(home / f"{name}_events.tsv", events)
    table = pd.DataFrame(motion, columns=list(MOTION_COLUMNS))
    table["framewise_displacement"] = compute_framewise_displacement(motion)
    home = folder / "derivatives" / "motion" / f"sub-{subject}" / "func"
    write_tsv(home / f"{name}_desc-confounds_timeseries.tsv", table.round(7))
