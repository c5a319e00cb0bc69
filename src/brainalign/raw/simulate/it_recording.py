"""Write the simulated IT recording: NWB files and planted truth for every animal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from brainalign.errors import InputError

from .it_nwb import ITSession, write_session_nwb
from .it_population import ITPopulation, compute_evoked_rate, draw_population
from .it_session import (
    SessionNoise,
    SessionPlan,
    compute_window_share,
    divide_stimuli,
    draw_session_noise,
    draw_spike_trains,
    make_profile,
    plan_session,
)
from .latents import LATENT_GROUPS
from .options import SimulatedITOptions
from .streams import derive_generator
from .world_tables import read_table

WINDOW_S = (0.07, 0.17)  # after photodiode onset, over which the truth states mean rates
GOOD_SHARE = 0.4  # of units called well isolated; a label without influence on the spikes


def write_it_recording(
    folder: Path,
    world_folder: Path,
    options: SimulatedITOptions,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Record IT units of all animals while they look at the world's single objects.

    Parameters
    ----------
    folder : Path
        Existing folder to write into: ``sub-{subject}/sub-{subject}_ses-{nn}_ecephys.nwb`` and
        ``sub-{subject}/truth.npz``.
    world_folder : Path
        As written by ``write_world``.
    options : SimulatedITOptions
        Animals, sessions, rates and noise.
    progress : callable, optional
        Called with a sentence after each session.

    Raises
    ------
    InputError
        If a folder is missing, the world holds no objects, or a subject's folder exists.
    """
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, remedy="Create it, or fix the path.")
    stimuli, latent = _read_objects(world_folder)
    images = _read_images(world_folder, stimuli)
    for subject in options.subjects:
        home = folder / f"sub-{subject}"
        if home.exists():
            raise InputError(
                "the recording exists already", where=home, remedy="Give an empty folder."
            )
        home.mkdir()
        _write_subject(home, subject, stimuli, latent, images, options, progress)


def _read_objects(world_folder: Path) -> tuple[pd.DataFrame, np.ndarray]:
    """Read the single-object stimuli and their latents, matched by id."""
    stimuli = read_table(world_folder, "stimuli")
    stimuli = stimuli[stimuli["kind"] == "object"].reset_index(drop=True)
    if not len(stimuli):
        raise InputError(
            "the world holds no single-object stimuli",
            where=world_folder / "stimuli.tsv",
            remedy="Simulate a world with objects.",
        )
    path = world_folder / "truth.npz"
    if not path.is_file():
        raise InputError("the world's truth is missing", where=path, remedy="Simulate it again.")
    with np.load(path) as truth:
        row_of = {str(name): row for row, name in enumerate(truth["stimulus"])}
        return stimuli, truth["latent"][[row_of[name] for name in stimuli["stimulus"]]]


def _read_images(world_folder: Path, stimuli: pd.DataFrame) -> list[np.ndarray]:
    pictures = []
    for file in stimuli["file"]:
        with Image.open(world_folder / file) as image:
            pictures.append(np.asarray(image.convert("RGB")))
    return pictures


def _write_subject(
    home: Path,
    subject: str,
    stimuli: pd.DataFrame,
    latent: np.ndarray,
    images: list[np.ndarray],
    options: SimulatedITOptions,
    progress: Callable[[str], None] | None,
) -> None:
    population = draw_population(options, subject)
    evoked = compute_evoked_rate(population, latent)
    quality = np.where(
        derive_generator(options.seed, "quality", subject).random(len(population.unit))
        < GOOD_SHARE,
        "good",
        "mua",
    )
    presentations = divide_stimuli(options, subject, stimuli["split"].to_numpy(dtype=str))
    sessions: dict[str, tuple[SessionPlan, SessionNoise]] = {}
    for index, shown in enumerate(presentations):
        session = f"{index + 1:02d}"
        plan = plan_session(options, subject, session, shown)
        noise = draw_session_noise(options, population, subject, session, plan.valid)
        generator = derive_generator(options.seed, "spikes", subject, session)
        spike_times = draw_spike_trains(options, population, evoked, plan, noise.gain, generator)
        write_session_nwb(
            home / f"{home.name}_ses-{session}_ecephys.nwb",
            ITSession(
                subject=subject,
                session=session,
                unit=population.unit,
                quality=quality,
                spike_times=spike_times,
                plan=plan,
                stimulus=stimuli["stimulus"].to_numpy(dtype=str),
                stimulus_on_s=options.stimulus_on_s,
                stimulus_off_s=options.stimulus_off_s,
            ),
            {int(row): images[row] for row in np.unique(plan.stimulus)},
        )
        sessions[session] = (plan, noise)
        if progress is not None:
            n_spikes = sum(len(times) for times in spike_times)
            progress(f"{subject} session {session}: {len(plan.stimulus)} trials, {n_spikes} spikes")
    _write_truth(home / "truth.npz", stimuli, latent, population, evoked, sessions, options)


def _write_truth(
    path: Path,
    stimuli: pd.DataFrame,
    latent: np.ndarray,
    population: ITPopulation,
    evoked: np.ndarray,
    sessions: dict[str, tuple[SessionPlan, SessionNoise]],
    options: SimulatedITOptions,
) -> None:
    profile = make_profile(options.stimulus_on_s)
    share = compute_window_share(profile, population.latency, WINDOW_S)
    arrays = {
        "stimulus": stimuli["stimulus"].to_numpy(dtype=str),
        "latent": latent,
        "latent_group": np.repeat(list(LATENT_GROUPS), list(LATENT_GROUPS.values())),
        "group": np.array(list(LATENT_GROUPS)),
        "evoked_rate": evoked,
        "window_s": np.array(WINDOW_S),
        "expected_rate": population.spontaneous_rate + evoked * share,
        "session": np.array(list(sessions)),
        "session_gain": np.stack([noise.session_gain for _, noise in sessions.values()]),
    }
    arrays |= vars(population)
    for session, (_, noise) in sessions.items():
        arrays[f"shared_state_ses-{session}"] = noise.shared_state
        arrays[f"gain_ses-{session}"] = noise.gain.astype(np.float32)
    np.savez(path, **arrays)
