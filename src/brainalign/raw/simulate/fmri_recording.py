"""Write the simulated fMRI recording: a BIDS data set and the planted truth of every subject."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from PIL import Image

from brainalign.errors import InputError

from .fmri_anatomy import draw_anatomy
from .fmri_bids import write_anatomy, write_dataset_files, write_regions, write_run
from .fmri_options import SimulatedFMRIOptions
from .fmri_population import VoxelPopulation, compute_filter_energy, draw_population
from .fmri_scan import compute_estimation_variance, draw_run, move_volumes
from .fmri_session import RunPlan, divide_fmri_stimuli, draw_motion, plan_runs
from .world_tables import read_table


def write_fmri_recording(folder: Path, world_folder: Path, options: SimulatedFMRIOptions) -> None:
    """Scan all subjects while they look at the world's objects and scenes.

    Parameters
    ----------
    folder : Path
        Existing, empty folder to write the BIDS data set into; the truth goes to
        ``sourcedata/truth/sub-{subject}_truth.npz``.
    world_folder : Path
        As written by ``write_world``.
    options : SimulatedFMRIOptions
        Subjects, design, signal and noise.

    Raises
    ------
    InputError
        If a folder is missing or not empty, or the world lacks stimuli or its truth.
    """
    if not folder.is_dir() or any(folder.iterdir()):
        raise InputError("is no empty folder", where=folder, remedy="Give an empty folder.")
    stimuli = read_table(world_folder, "stimuli")
    repeats = divide_fmri_stimuli(stimuli, options)
    shown = sorted(set().union(*repeats.values()))
    stimuli = stimuli.set_index("stimulus").loc[shown]
    _copy_images(folder, world_folder, stimuli)
    latent, category_code = _read_truth(world_folder, shown)
    energy = compute_filter_energy(_read_grey(world_folder, stimuli))
    n_objects = stimuli["labels"].str.count(";").to_numpy() + 1
    write_dataset_files(folder, sorted(options.subjects), options.tr_s)
    for subject in sorted(options.subjects):
        anatomy = draw_anatomy(options, subject)
        seen = [row for row, name in enumerate(shown) if name in repeats[subject]]
        population = draw_population(
            options,
            subject,
            anatomy.roi,
            energy[seen],
            latent[seen],
            n_objects[seen],
            category_code,
        )
        row_of = {shown[row]: place for place, row in enumerate(seen)}
        write_anatomy(folder, subject, anatomy.baseline, anatomy.affine)
        write_regions(folder, subject, anatomy.roi, anatomy.brain, anatomy.affine)
        plans = plan_runs(options, subject, repeats[subject])
        motions = []
        for plan in plans:
            motion = draw_motion(options, subject, plan.run, plan.n_volumes)
            motions.append(motion)
            still = draw_run(options, subject, plan, population, anatomy, row_of)
            write_run(
                folder,
                subject,
                plan,
                move_volumes(still, motion, anatomy.affine),
                motion,
                {str(name): str(kind) for name, kind in stimuli["kind"].items()},
                anatomy.affine,
                options.tr_s,
                options.stimulus_on_s,
            )
        _write_truth(folder, subject, list(row_of), population, plans, motions, options)


def _copy_images(folder: Path, world_folder: Path, stimuli: pd.DataFrame) -> None:
    (folder / "stimuli").mkdir()
    for stimulus, file in stimuli["file"].items():
        shutil.copyfile(world_folder / file, folder / "stimuli" / f"{stimulus}.png")


def _read_grey(world_folder: Path, stimuli: pd.DataFrame) -> np.ndarray:
    pictures = []
    for file in stimuli["file"]:
        with Image.open(world_folder / file) as image:
            pictures.append(np.asarray(image.convert("L"), dtype=np.float64) / 255)
    return np.stack(pictures)


def _read_truth(world_folder: Path, shown: list[str]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    path = world_folder / "truth.npz"
    if not path.is_file():
        raise InputError("the world's truth is missing", where=path, remedy="Simulate it again.")
    with np.load(path) as truth:
        row_of = {str(name): row for row, name in enumerate(truth["stimulus"])}
        code = {
            str(name): place
            for name, place in zip(truth["category"], truth["category_code"], strict=True)
        }
        return truth["latent"][[row_of[name] for name in shown]], code


def compute_planted_ceiling(
    drive: np.ndarray,
    signal_sd: np.ndarray,
    n_repeats: np.ndarray,
    estimation_variance: float,
    options: SimulatedFMRIOptions,
) -> dict[str, np.ndarray]:
    """Compute the noise ceiling that estimated responses have by construction.

    Parameters
    ----------
    drive : array of shape (n_stimuli, n_voxels)
        Planted drives.
    signal_sd : array of shape (n_voxels,)
        Percent of the baseline per unit of drive.
    n_repeats : array of shape (n_stimuli,)
        Presentations of each stimulus.
    estimation_variance : float
        From :func:`compute_estimation_variance`, mean over runs.

    Returns
    -------
    truth : dict of str to array of shape (n_voxels,)
        ``signal_variance`` over stimuli (weighed by presentations, as an analysis of variance
        does), ``noise_variance`` of one presentation, ``single_trial_ceiling`` and
        ``noise_ceiling`` of the mean over the harmonic mean of repeats; percent squared, shares.
    """
    noise = options.noise
    n_total, k = n_repeats.sum(), len(n_repeats)
    centred = drive - np.average(drive, axis=0, weights=n_repeats)
    n_effective = (n_total - np.sum(n_repeats**2) / n_total) / (k - 1)
    share = np.sum(n_repeats[:, np.newaxis] * centred**2, axis=0) / (k - 1) / n_effective
    signal = signal_sd**2 * share
    trial = (signal_sd * noise.trial_share) ** 2
    noise_variance = trial + estimation_variance * noise.thermal_percent**2
    n_mean = k / np.sum(1 / n_repeats)
    return {
        "signal_variance": signal,
        "noise_variance": noise_variance,
        "single_trial_ceiling": signal / (signal + noise_variance),
        "noise_ceiling": signal / (signal + noise_variance / n_mean),
    }


def _write_truth(
    folder: Path,
    subject: str,
    stimulus: list[str],
    population: VoxelPopulation,
    plans: list[RunPlan],
    motions: list[np.ndarray],
    options: SimulatedFMRIOptions,
) -> None:
    shown = np.concatenate([plan.stimulus for plan in plans])
    names, counts = np.unique(shown, return_counts=True)
    count_of = dict(zip(names.tolist(), counts.tolist(), strict=True))
    variance = [
        compute_estimation_variance(options, plan, motion)
        for plan, motion in zip(plans, motions, strict=True)
    ]
    ceiling = compute_planted_ceiling(
        population.drive,
        population.signal_sd,
        np.array([count_of[name] for name in stimulus]),
        float(np.mean(variance)),
        options,
    )
    path = folder / "sourcedata" / "truth" / f"sub-{subject}_truth.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = dict(ceiling)
    arrays |= {f"motion_run-{p.run}": one for p, one in zip(plans, motions, strict=True)}
    np.savez(
        path,
        stimulus=np.array(stimulus),
        voxel_index=population.index,
        roi=population.roi,
        drive=population.drive.astype(np.float32),
        signal_sd=population.signal_sd,
        delay_s=population.delay_s,
        estimation_variance=np.array(variance),
        **arrays,
    )
