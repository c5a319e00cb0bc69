"""Light preprocessing of one subject: realignment, brain mask and motion confounds.

Slice timing is left alone, nothing is unwarped and no anatomy is used. The result is a folder of
BIDS derivatives with the names that fMRIPrep gives, so that later stages read both alike.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
from nilearn.masking import compute_epi_mask

from brainalign import __version__
from brainalign.errors import CorruptDataError, InputError
from brainalign.raw.bids.dataset import BIDSFolder, BOLDRun
from brainalign.raw.bids.files import parse_name
from brainalign.raw.bids.volumes import (
    VolumeHeader,
    check_same_grid,
    read_header,
    read_voxels,
)
from brainalign.raw.bids.writing import write_json, write_tsv, write_volume
from brainalign.raw.fmri_options import LightPreprocessing
from brainalign.raw.preprocessing.realignment import RigidRealigner
from brainalign.raw.rigid import MOTION_COLUMNS, compute_framewise_displacement


def preprocess_lightly(
    dataset: BIDSFolder,
    subject: str,
    options: LightPreprocessing,
    folder: Path,
    announce: Callable[[str], None] | None = None,
) -> None:
    """Preprocess all runs of one subject.

    Parameters
    ----------
    dataset : BIDSFolder
        Gives the raw runs.
    subject : str
        Label.
    options : LightPreprocessing
        Realignment and mask.
    folder : Path
        Empty folder for the derivatives: per run ``desc-preproc_bold``, ``desc-brain_mask`` and
        ``desc-confounds_timeseries``, and one ``boldref`` of the subject.
    announce : callable, optional
        Called with the name of each run before it is worked on.

    Raises
    ------
    InputError
        If runs have different grids or no brain is found.
    CorruptDataError
        If volumes are damaged or hold values that are not finite in every voxel.

    Notes
    -----
    One run is in memory at a time. Voxels that are not finite are 0 while parameters are
    estimated and come out as 0 throughout.
    """
    runs = dataset.list_runs(subject, raw_only=True)
    headers = [dataset.read_run_header(run) for run in runs]
    first = headers[0][0]
    for header, _ in headers[1:]:
        check_same_grid(header, first.shape, first.affine, f"the first run ({first.path.name})")
    realigner: RigidRealigner | None = None
    means: list[np.ndarray] = []
    motions: list[np.ndarray] = []
    for run, (header, tr_s) in zip(runs, headers, strict=True):
        if announce is not None:
            announce(run.name)
        series = _read_run(header)
        if realigner is None:
            middle = series[len(series) // 2]
            realigner = RigidRealigner(middle, first.affine, options.realignment)
            write_volume(_name(folder, run, "boldref", with_run=False), middle, first.affine)
        motion = _realign(series, realigner, None if not motions else motions[-1][-1])
        motions.append(motion)
        means.append(series.mean(axis=0))
        path = _name(folder, run, "desc-preproc_bold")
        write_volume(path, np.moveaxis(series, 0, -1), header.affine, tr_s, dtype=np.int16)
        write_json(
            path.with_name(path.name.replace(".nii.gz", ".json")),
            {"RepetitionTime": tr_s, "TaskName": run.task or "unknown", "SkullStripped": False},
        )
    mask = _find_brain(np.mean(means, axis=0), first, options.mask_opening_voxels)
    for run, (header, _), motion in zip(runs, headers, motions, strict=True):
        path = _name(folder, run, "desc-brain_mask")
        write_volume(path, mask.astype(np.uint8), header.affine)
        index = np.argwhere(mask)
        preprocessed = read_header(_name(folder, run, "desc-preproc_bold"))
        confounds = compose_confounds(motion, read_voxels(preprocessed, index))
        table = _name(folder, run, "desc-confounds_timeseries", extension=".tsv")
        write_tsv(table, confounds.round(8))
        write_json(table.with_suffix(".json"), _CONFOUND_NOTES)
    write_json(
        folder / "dataset_description.json",
        {
            "Name": "Light preprocessing",
            "BIDSVersion": "1.9.0",
            "DatasetType": "derivative",
            "GeneratedBy": [{"Name": "brainalign", "Version": __version__}],
        },
    )


_CONFOUND_NOTES = {
    "trans_x": {"Units": "mm", "Description": "motion of the head to the right"},
    "rot_x": {"Units": "rad", "Description": "turn of the head about the right-left axis"},
    "framewise_displacement": {"Units": "mm", "Description": "Power et al. (2012)"},
    "std_dvars": {"Description": "DVARS over its expectation, Nichols (2017)"},
}


def compose_confounds(motion: np.ndarray, series: np.ndarray) -> pd.DataFrame:
    """Compose the motion confounds of a run under the names of fMRIPrep.

    Parameters
    ----------
    motion : array of shape (n_volumes, 6)
        Translations in mm, rotations in rad.
    series : array of shape (n_volumes, n_voxels)
        Realigned signal inside the brain.

    Returns
    -------
    confounds : pandas.DataFrame
        24 columns of motion (parameters, derivatives, squares and squared derivatives),
        ``framewise_displacement`` in mm and ``std_dvars``; what compares with the volume before
        is NaN in the first row.
    """
    columns: dict[str, np.ndarray] = {}
    for name, values in zip(MOTION_COLUMNS, motion.T, strict=True):
        derivative = np.concatenate([[np.nan], np.diff(values)])
        columns[name] = values
        columns[f"{name}_derivative1"] = derivative
        columns[f"{name}_power2"] = values**2
        columns[f"{name}_derivative1_power2"] = derivative**2
    columns["framewise_displacement"] = compute_framewise_displacement(motion)
    columns["std_dvars"] = _compute_standardised_dvars(series)
    return pd.DataFrame(columns)


def _compute_standardised_dvars(series: np.ndarray) -> np.ndarray:
    """Root mean square of the change between volumes over what AR(1) noise would give."""
    low, high = np.percentile(series, [25, 75], axis=0)
    deviation = (high - low) / 1.349
    varies = deviation > 0
    values = series[:, varies] - series[:, varies].mean(axis=0)
    power = np.sum(values**2, axis=0)
    persistence = np.sum(values[1:] * values[:-1], axis=0) / power
    expected = np.mean(np.sqrt(np.maximum(2 * (1 - persistence), 0)) * deviation[varies])
    change = np.sqrt(np.mean(np.diff(values, axis=0) ** 2, axis=1))
    return np.concatenate([[np.nan], change / expected if expected > 0 else 0 * change])


def _read_run(header: VolumeHeader) -> np.ndarray:
    index = np.indices(header.shape).reshape(3, -1).T
    series = read_voxels(header, index)
    finite = np.isfinite(series).all(axis=0)
    if not finite.any():
        raise CorruptDataError("no voxel is finite", where=header.path)
    series[:, ~finite] = 0
    return series.reshape(header.n_volumes, *header.shape)


def _realign(series: np.ndarray, realigner: RigidRealigner, start: np.ndarray | None) -> np.ndarray:
    """Realign a run in place and give its motion, shape (n_volumes, 6)."""
    motion = np.zeros((len(series), 6))
    last = np.zeros(6) if start is None else start
    for volume in range(len(series)):
        last = realigner.estimate(series[volume], last)
        motion[volume] = last
        series[volume] = realigner.apply(series[volume], last)
    return motion


def _find_brain(mean: np.ndarray, header: VolumeHeader, opening: int) -> np.ndarray:
    image = nib.Nifti1Image(mean.astype(np.float32), header.affine)
    # A single slice has no neighbours to open against.
    opening = opening if min(header.shape) > 2 * opening else 0
    try:
        mask = compute_epi_mask(image, opening=opening, ensure_finite=False)
    except Exception as error:  # nilearn raises a class of its own for empty masks
        raise InputError(
            "no brain is found in the mean volume",
            where=header.path.parent,
            found=str(error),
            remedy="Give a mask as responses.regions.mask and set preprocessing.kind: none.",
        ) from error
    return np.asarray(mask.dataobj) > 0


def _name(
    folder: Path, run: BOLDRun, ending: str, extension: str = ".nii.gz", with_run: bool = True
) -> Path:
    """Name a derivative after the raw file of its run."""
    raw = parse_name(run.bold)
    entities = {} if raw is None else dict(raw.entities)
    if not with_run:
        entities = {name: entities[name] for name in ("sub", "ses") if name in entities}
    home = folder / f"sub-{run.subject}"
    if "ses" in entities:
        home = home / f"ses-{entities['ses']}"
    name = "_".join([*(f"{key}-{value}" for key, value in entities.items()), ending])
    return home / "func" / f"{name}{extension}"
