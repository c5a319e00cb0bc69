"""Write the simulated fMRI recording of movies: a BIDS data set and its planted truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from brainalign import __version__
from brainalign.errors import InputError
from brainalign.raw.bids.writing import write_json, write_tsv, write_volume

from .categories import CATEGORIES, draw_objects
from .fmri_anatomy import Anatomy, draw_anatomy
from .fmri_bids import BIDS_VERSION, write_anatomy, write_regions
from .fmri_movie_options import SimulatedFMRIMovieOptions
from .fmri_movies import (
    PlannedMovie,
    plan_movies,
    read_world_options,
    remember,
    render_planned,
)
from .fmri_options import EARLY_ROIS, ROI_SHARES
from .fmri_population import VoxelPopulation, compute_filter_energy, draw_population
from .fmri_scan import compose_series, compute_regressors, move_volumes
from .fmri_session import LEAD_VOLUMES, draw_motion
from .latents import make_category_code
from .streams import derive_generator

TASK = "movie"
_DELAY_STEP_S = 0.1
_GREY = (0.299, 0.587, 0.114)  # luma of ITU-R BT.601
N_TRUTH_LAGS = 10


def write_fmri_movie_recording(
    folder: Path, world_folder: Path, options: SimulatedFMRIMovieOptions
) -> None:
    """Scan all subjects while they watch movies of the world's objects.

    Parameters
    ----------
    folder : Path
        Existing, empty folder to write the BIDS data set into; the truth goes to
        ``sourcedata/truth``.
    world_folder : Path
        As written by ``write_world``.
    options : SimulatedFMRIMovieOptions
        Subjects, movies, signal and noise.

    Raises
    ------
    InputError
        If a folder is missing or not empty, or the world lacks its truth.
    """
    if not folder.is_dir() or any(folder.iterdir()):
        raise InputError("is no empty folder", where=folder, remedy="Give an empty folder.")
    world = read_world_options(world_folder)
    planned = plan_movies(options, world)
    frames = render_planned(options, world, planned)
    _write_dataset_files(folder, sorted(options.subjects), options.tr_s)
    _write_movies(folder, options, planned, frames)
    energy = np.concatenate([compute_filter_energy(_to_grey(one)) for one in frames])
    late = np.concatenate(
        [remember(one.latent, options.frame_rate_hz, options.late_memory_s) for one in planned]
    )
    code = make_category_code(
        world.seed, draw_objects(world.seed, world.exemplars_per_category)
    ).category
    for subject in sorted(options.subjects):
        anatomy = draw_anatomy(options, subject)
        population = draw_population(
            options,
            subject,
            anatomy.roi,
            energy,
            late,
            np.ones(len(late)),
            dict(zip(CATEGORIES, code, strict=True)),
        )
        write_anatomy(folder, subject, anatomy.baseline, anatomy.affine)
        write_regions(folder, subject, anatomy.roi, anatomy.brain, anatomy.affine)
        _write_runs(folder, subject, options, planned, anatomy, population)


def _to_grey(frames: np.ndarray) -> np.ndarray:
    return (frames / 255.0) @ np.array(_GREY)


def _write_dataset_files(folder: Path, subjects: list[str], tr_s: float) -> None:
    generated = [{"Name": "brainalign", "Version": __version__}]
    write_json(
        folder / "dataset_description.json",
        {
            "Name": "Simulated world: movies of objects, simulated BOLD",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "raw",
            "License": "CC0",
            "Authors": ["brainalign"],
            "GeneratedBy": generated,
        },
    )
    (folder / "README").write_text(
        "Simulated BOLD responses to rendered movies of objects, with planted tuning, delays and\n"
        "noise. The truth stands in sourcedata/truth, regions in derivatives/rois, the frames,\n"
        "splits and captions of the movies in stimuli.\n",
        encoding="utf-8",
    )
    # Files that publishing adds; the BIDS validator would call them unknown.
    (folder / ".bidsignore").write_text("manifest.json\n", encoding="utf-8")
    names = [f"sub-{subject}" for subject in subjects]
    write_tsv(folder / "participants.tsv", pd.DataFrame({"participant_id": names}))
    write_json(
        folder / f"task-{TASK}_bold.json",
        {
            "TaskName": TASK,
            "RepetitionTime": tr_s,
            "Instructions": "Watch the movie.",
            "Manufacturer": "simulated",
        },
    )
    write_json(
        folder / f"task-{TASK}_events.json",
        {
            "trial_type": {"LongName": "Kind of stimulus", "Levels": {"movie": "a whole movie"}},
            "stim_file": {"LongName": "Frames of the movie, below the folder stimuli"},
        },
    )
    write_json(
        folder / "derivatives" / "rois" / "dataset_description.json",
        {
            "Name": "Simulated world: rois",
            "BIDSVersion": BIDS_VERSION,
            "DatasetType": "derivative",
            "GeneratedBy": generated,
        },
    )


def _write_movies(
    folder: Path,
    options: SimulatedFMRIMovieOptions,
    planned: list[PlannedMovie],
    frames: list[np.ndarray],
) -> None:
    home = folder / "stimuli"
    home.mkdir()
    names = [one.movie.name for one in planned]
    for name, pixels in zip(names, frames, strict=True):
        np.save(home / f"{name}.npy", pixels)
    write_tsv(
        home / "movies.tsv",
        pd.DataFrame(
            {
                "movie": names,
                "path": [f"{name}.npy" for name in names],
                "frame_rate_hz": options.frame_rate_hz,
                "n_frames": [len(pixels) for pixels in frames],
            }
        ),
    )
    table = pd.concat(
        pd.DataFrame(
            {
                "movie": one.movie.name,
                "frame": np.arange(one.movie.n_frames),
                "split": one.split,
                "shot": one.shot,
                "caption": one.caption,
            }
        )
        for one in planned
    )
    write_tsv(home / "movie_frames.tsv", table[["movie", "frame", "split", "shot"]])
    write_tsv(home / "movie_captions.tsv", table[["movie", "frame", "caption"]])


def _write_runs(
    folder: Path,
    subject: str,
    options: SimulatedFMRIMovieOptions,
    planned: list[PlannedMovie],
    anatomy: Anatomy,
    population: VoxelPopulation,
) -> None:
    n_frames = planned[0].movie.n_frames
    n_volumes = LEAD_VOLUMES + options.movie_trs + options.tail_trs
    delay = population.delay_s + [options.roi_delay_s[name] for name in population.roi]
    filters = _compute_filters(options, delay, n_frames, n_volumes)
    drives = population.drive.reshape(len(planned), n_frames, -1)
    clean = np.stack([_answer(drive, filters) for drive in drives])
    # The response, not the drive, has the planted strength: the BOLD response blurs fast drives.
    scale = clean.std(axis=(0, 1))
    scale = np.where(scale > 0, scale, 1)
    shown = [
        (place, repeat)
        for place, one in enumerate(planned)
        for repeat in range(options.test_repeats if one.split == "test" else 1)
    ]
    order = derive_generator(options.seed, "fmri-movie-order", subject).permutation(len(shown))
    for number, chosen in enumerate(order, start=1):
        place, _ = shown[chosen]
        run = f"{number:02d}"
        generator = derive_generator(options.seed, "fmri-movie-noise", subject, run)

        def draw_responses(stream: np.random.Generator, place: int = place) -> np.ndarray:
            scatter = stream.standard_normal(drives[place].shape)
            noise = options.noise.trial_share * _answer(scatter, filters) / scale
            return options.mean_percent + population.signal_sd * (clean[place] / scale + noise)

        series = compose_series(
            generator, options, anatomy, population.index, n_volumes, draw_responses
        )
        motion = draw_motion(options, subject, run, n_volumes)
        _write_run(folder, subject, run, options, planned[place], anatomy, series, motion)
    path = folder / "sourcedata" / "truth" / f"sub-{subject}_truth.npz"
    path.parent.mkdir(parents=True, exist_ok=True)
    regions, weight = describe_lags(options)
    np.savez(
        path,
        voxel_index=population.index,
        roi=population.roi,
        delay_s=delay,
        signal_sd=population.signal_sd,
        drive=drives.astype(np.float32),
        latent=np.stack([one.latent for one in planned]),
        movie=np.array([one.movie.name for one in planned]),
        lag_roi=regions,
        lag_weight=weight,
    )


def _compute_filters(
    options: SimulatedFMRIMovieOptions, delay: np.ndarray, n_frames: int, n_volumes: int
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Pairs of voxels and of what turns their drive at frames into BOLD at volumes."""
    onset = LEAD_VOLUMES * options.tr_s + np.arange(n_frames) / options.frame_rate_hz
    step = np.rint(delay / _DELAY_STEP_S).astype(int)
    return [
        (
            np.flatnonzero(step == one),
            compute_regressors(
                onset,
                1 / options.frame_rate_hz,
                n_volumes,
                options.tr_s,
                float(one) * _DELAY_STEP_S,
            ),
        )
        for one in np.unique(step)
    ]


def _answer(drive: np.ndarray, filters: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    n_volumes = len(filters[0][1])
    response = np.empty((n_volumes, drive.shape[1]))
    for voxels, regressors in filters:
        response[:, voxels] = regressors @ drive[:, voxels]
    return response


def describe_lags(options: SimulatedFMRIMovieOptions) -> tuple[np.ndarray, np.ndarray]:
    """Compute how much of the BOLD answers what was shown how many TRs before.

    Parameters
    ----------
    options : SimulatedFMRIMovieOptions
        Delays and memory.

    Returns
    -------
    region : array of shape (n_regions,) of str
        Names.
    weight : array of shape (n_regions, n_lags)
        Of lags from 0 TRs on; clipped at 0, of sum 1.
    """
    rate = round(10 * options.tr_s) / options.tr_s
    per_tr = round(options.tr_s * rate)
    onset = np.arange(per_tr * N_TRUTH_LAGS) / rate
    weights = []
    for name in ROI_SHARES:
        memory_s = 0.0 if name in EARLY_ROIS else options.late_memory_s
        drive = np.zeros((len(onset), 1))
        drive[:per_tr] = 1
        if memory_s:
            drive = remember(np.concatenate([[[0.0]], drive]), rate, memory_s)[1:]
        regressors = compute_regressors(
            onset, 1 / rate, N_TRUTH_LAGS, options.tr_s, options.roi_delay_s[name]
        )
        answer = np.clip((regressors @ drive)[:, 0], 0, None)
        weights.append(answer / answer.sum())
    return np.array(list(ROI_SHARES)), np.stack(weights)


def _write_run(
    folder: Path,
    subject: str,
    run: str,
    options: SimulatedFMRIMovieOptions,
    planned: PlannedMovie,
    anatomy: Anatomy,
    series: np.ndarray,
    motion: np.ndarray,
) -> None:
    name = f"sub-{subject}_task-{TASK}_run-{run}"
    home = folder / f"sub-{subject}" / "func"
    if motion.any():
        series = move_volumes(series, motion, anatomy.affine)
    volumes = np.rint(np.clip(series, 0, np.iinfo(np.int16).max)).astype(np.int16)
    write_volume(
        home / f"{name}_bold.nii.gz", np.moveaxis(volumes, 0, -1), anatomy.affine, options.tr_s
    )
    events = pd.DataFrame(
        {
            "onset": [f"{LEAD_VOLUMES * options.tr_s:.3f}"],
            "duration": [f"{planned.movie.n_frames / options.frame_rate_hz:.3f}"],
            "trial_type": ["movie"],
            "stim_file": [f"{planned.movie.name}.npy"],
        }
    )
    write_tsv(home / f"{name}_events.tsv", events)
