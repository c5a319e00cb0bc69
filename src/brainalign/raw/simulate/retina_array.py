"""A short raw recording of simulated retinal cells that watch the world's movies.

Cells are linear-nonlinear: log rate follows the light in a Gaussian receptive field, ON or OFF.
They exist to show that sorting finds planted cells; what drives them is plain on purpose.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from brainalign.errors import InputError
from brainalign.raw.simulate.it_sorts import describe_array_session, write_sessions
from brainalign.raw.simulate.sort_options import SimulatedRetinaArrayOptions
from brainalign.raw.simulate.streams import derive_generator
from brainalign.raw.simulate.world_tables import read_table
from brainalign.sorting.electrode_plan import (
    PlannedRecording,
    write_electrode_plan,
    write_planted_spikes,
)

LEAD_IN_S = 0.5  # before the first movie, between movies and after the last
_SESSION = "01"


def write_retina_array(
    folder: Path,
    world_folder: Path,
    options: SimulatedRetinaArrayOptions,
    progress: Callable[[str], None] | None = None,
) -> None:
    """Write planted spikes, movie onsets, frame triggers and the plan of the electrodes.

    Parameters
    ----------
    folder : Path
        Existing folder to write into: ``sub-X/ses-01/spikes.npz``, ``events.tsv``,
        ``frame_triggers.tsv``, ``sessions.json`` and ``electrodes.json``.
    world_folder : Path
        As written by ``write_world``.
    options : SimulatedRetinaArrayOptions
        Cells and electrodes.
    progress : callable, optional
        Called with a sentence after each retina.

    Raises
    ------
    InputError
        If the world has no movies.
    """
    movies = read_table(world_folder, "movies")
    if not len(movies):
        raise InputError(
            "the world has no movies",
            where=world_folder / "movies.tsv",
            remedy="Simulate a world with movies, or leave this recording out.",
        )
    events, light, times = _show_movies(world_folder, movies, options)
    sessions, recordings = [], []
    for subject, n_cells in options.subjects.items():
        trains = _draw_trains(light, times, subject, n_cells, options)
        name = f"sub-{subject}/ses-{_SESSION}"
        home = folder / name
        home.mkdir(parents=True)
        cells = [f"{subject}_cell-{index + 1:03d}" for index in range(n_cells)]
        write_planted_spikes(home / "spikes.npz", cells, trains)
        events.to_csv(home / "events.tsv", sep="\t", index=False)
        pd.DataFrame({"time": np.round(times, 6)}).to_csv(
            home / "frame_triggers.tsv", sep="\t", index=False
        )
        session = describe_array_session(subject, _SESSION, options.electrodes, "retina")
        triggers = f"${{RECORDING}}/{name}/frame_triggers.tsv"
        sessions.append(session.model_copy(update={"frame_triggers": triggers}))
        recordings.append(
            PlannedRecording(
                name=name,
                spikes=f"{name}/spikes.npz",
                plan=options.electrodes,
                seed=options.seed,
            )
        )
        if progress is not None:
            progress(f"{subject}: {n_cells} cells, {len(events)} movies")
    write_sessions(folder, sessions)
    write_electrode_plan(folder, recordings)


def _show_movies(
    world_folder: Path, movies: pd.DataFrame, options: SimulatedRetinaArrayOptions
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Show the start of every movie, for equal times.

    Returns
    -------
    events : pandas.DataFrame
        ``onset``, ``duration`` and ``movie``.
    light : array of shape (n_frames, y, x)
        Grey values of all shown frames.
    times : array of shape (n_frames,)
        When each came on, s.
    """
    frames = read_table(world_folder, "movie_frames")
    share_s = (options.electrodes.duration_s - LEAD_IN_S) / len(movies) - LEAD_IN_S
    rows, light, times, onset = [], [], [], LEAD_IN_S
    for movie in movies["movie"]:
        own = frames[(frames["movie"] == movie)]
        frame_s = own["time_s"].to_numpy(dtype=float)
        shown = own[frame_s < share_s]
        for file in shown["file"]:
            with Image.open(world_folder / file) as image:
                light.append(np.asarray(image.convert("L"), dtype=np.float32))
        times.append(onset + frame_s[frame_s < share_s])
        rows.append({"onset": round(onset, 6), "duration": round(share_s, 6), "movie": movie})
        onset += share_s + LEAD_IN_S
    return pd.DataFrame(rows), np.stack(light), np.concatenate(times)


def _draw_trains(
    light: np.ndarray,
    times: np.ndarray,
    subject: str,
    n_cells: int,
    options: SimulatedRetinaArrayOptions,
) -> list[np.ndarray]:
    """Draw Poisson spikes; the rate is constant during a frame and at baseline between movies."""
    generator = derive_generator(options.seed, "retina-array", subject)
    height, width = light.shape[1:]
    y, x = (np.arange(length) / length for length in (height, width))
    frame_s = float(np.median(np.diff(times)))
    trains = []
    for _ in range(n_cells):
        centre = generator.uniform(0.2, 0.8, 2)
        field = np.outer(
            np.exp(-0.5 * ((y - centre[0]) / options.field_sd) ** 2),
            np.exp(-0.5 * ((x - centre[1]) / options.field_sd) ** 2),
        )
        drive = np.tensordot(light, field / field.sum(), axes=2)
        drive = (drive - drive.mean()) / max(float(drive.std()), 1e-9)
        polarity = generator.choice([-1.0, 1.0])
        rate = options.baseline_hz * np.exp(options.contrast_gain * polarity * drive)
        count = generator.poisson(rate * frame_s)
        within = generator.uniform(0, frame_s, count.sum())
        spikes = np.repeat(times + options.lag_s, count) + within
        trains.append(np.sort(np.round(spikes, 6)))
    return trains
