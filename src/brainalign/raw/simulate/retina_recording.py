"""Write the simulated retina: sorted units in NWB, white noise, and the planted truth."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from hdmf.backends.hdf5.h5_utils import H5DataIO
from PIL import Image
from pynwb import NWBHDF5IO, NWBFile, TimeSeries
from pynwb.file import Subject
from pynwb.misc import Units

from brainalign.errors import InputError

from .retina_cells import (
    STEPS_PER_FRAME,
    RetinaCells,
    apply_nonlinearity,
    compute_drive,
    draw_cells,
)
from .retina_options import SimulatedRetinaOptions
from .retina_session import SPIKE_TIME_RESOLUTION_S, RetinaSession, present_movies
from .streams import derive_generator
from .world_tables import read_table

NOISE = "white-noise"
SESSION_START = datetime(2024, 5, 6, 9, 0, tzinfo=UTC)


def write_retina_recording(
    folder: Path, world_folder: Path, options: SimulatedRetinaOptions
) -> None:
    """Record ganglion cells while they watch white noise and the world's movies.

    Parameters
    ----------
    folder : Path
        Existing folder to write into: ``sub-{subject}/sub-{subject}_ses-01_ecephys.nwb`` and
        ``sub-{subject}/truth.npz``, ``movies.tsv`` and ``white-noise.npy``.
    world_folder : Path
        As written by ``write_world``.
    options : SimulatedRetinaOptions
        Retinas, cells, rates and faults of the frame clock.

    Raises
    ------
    InputError
        If a folder is missing, the world has no movie, or a subject's folder exists.
    """
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, remedy="Create it, or fix the path.")
    movies, frame_rate_hz = read_world_movies(world_folder)
    noise = _draw_noise(options, frame_rate_hz)
    _write_movie_table(folder, noise, frame_rate_hz)
    for subject, n_cells in options.subjects.items():
        home = folder / f"sub-{subject}"
        if home.exists():
            raise InputError(
                "the recording exists already", where=home, remedy="Give an empty folder."
            )
        home.mkdir()
        cells = draw_cells(options, subject, n_cells)
        rates = compute_rates(cells, movies, noise, options.surround_strength)
        generator = derive_generator(options.seed, "session", subject)
        order = [NOISE] if len(noise) else []
        for _ in range(options.movie_repeats):
            order += generator.permutation(sorted(movies)).tolist()
        session = present_movies(options, cells, rates, order, frame_rate_hz, generator)
        write_retina_nwb(home / f"sub-{subject}_ses-01_ecephys.nwb", subject, session)
        _write_truth(home, session, rates, options)


def draw_retina_stretch(
    world_folder: Path, options: SimulatedRetinaOptions, subject: str, movies: list[str]
) -> RetinaSession:
    """Let the cells of one retina watch a few movies once, such as for a raw recording.

    Parameters
    ----------
    world_folder : Path
        As written by ``write_world``.
    options : SimulatedRetinaOptions
        As for :func:`write_retina_recording`: the same options give the same cells.
    subject : str
        A key of ``options.subjects``.
    movies : list of str
        Ids of movies of the world, in the order in which they are shown; 20 s each by default.

    Returns
    -------
    session : RetinaSession
        Spike times in s from the start of the stretch, 1 s before the first movie.

    Raises
    ------
    InputError
        If the subject or a movie does not exist.
    """
    known, frame_rate_hz = read_world_movies(world_folder)
    for name in movies:
        if name not in known:
            raise InputError(f"no movie '{name}' in the world", expected=", ".join(sorted(known)))
    if subject not in options.subjects:
        raise InputError(f"no subject '{subject}'", expected=", ".join(options.subjects))
    cells = draw_cells(options, subject, options.subjects[subject])
    nothing = np.empty((0, 1, 1), dtype=np.uint8)
    rates = compute_rates(cells, known, nothing, options.surround_strength)
    generator = derive_generator(options.seed, "stretch", subject, *movies)
    return present_movies(options, cells, rates, movies, frame_rate_hz, generator)


def read_world_movies(world_folder: Path) -> tuple[dict[str, np.ndarray], float]:
    """Read the frames of all movies of a world as grey levels.

    Returns
    -------
    movies : dict of str to array of shape (n_frames, y, x), float32
        Mean of the three channels, 0 to 255.
    frame_rate_hz : float
        Frames per second.

    Raises
    ------
    InputError
        If the world has no movie.
    """
    table = read_table(world_folder, "movies")
    if not len(table):
        raise InputError("the world has no movie", where=world_folder)
    movies = {}
    for row in table.itertuples():
        files = sorted((world_folder / str(row.folder)).glob("*.png"))
        grey = [np.asarray(Image.open(file)).mean(axis=2, dtype=np.float32) for file in files]
        movies[str(row.movie)] = np.stack(grey)
    return movies, float(table["frame_rate_hz"].iloc[0])


def compute_rates(
    cells: RetinaCells, movies: dict[str, np.ndarray], noise: np.ndarray, surround: float
) -> dict[str, np.ndarray]:
    """Compute the rate of every cell in every quarter frame of all movies.

    Parameters
    ----------
    cells : RetinaCells
        The cells.
    movies : dict of str to array of shape (n_frames, y, x)
        Grey levels, 0 to 255.
    noise : array of shape (n_frames, y, x)
        Grey levels of the white noise; may have no frame.
    surround : float
        Weight of the surround.

    Returns
    -------
    rates : dict of str to array of shape (n_steps, n_cells)
        Hz; the mean over all movies is each cell's own, and the noise has the same scale.
    """
    names = sorted(movies)
    lengths = [len(movies[name]) * STEPS_PER_FRAME for name in names]
    drives = [compute_drive(cells, movies[name] / 255.0, surround) for name in names]
    raw = apply_nonlinearity(np.concatenate(drives))
    scale = cells.mean_rate_hz / raw.mean(axis=0)
    parts = np.split(raw * scale, np.cumsum(lengths)[:-1])
    rates = dict(zip(names, parts, strict=True))
    if len(noise):
        rates[NOISE] = scale * apply_nonlinearity(compute_drive(cells, noise / 255.0, surround))
    return rates


def _draw_noise(options: SimulatedRetinaOptions, frame_rate_hz: float) -> np.ndarray:
    """Draw binary checks, new in every frame."""
    shape = (round(options.noise_duration_s * frame_rate_hz), *2 * [options.noise_checks])
    generator = derive_generator(options.seed, NOISE)
    return (255 * generator.integers(0, 2, shape)).astype(np.uint8)


def _write_movie_table(folder: Path, noise: np.ndarray, frame_rate_hz: float) -> None:
    rows = ["movie\tpath\tframe_rate_hz\tn_frames\tuse\n"]
    if len(noise):
        np.save(folder / f"{NOISE}.npy", noise)
        rows.append(f"{NOISE}\t{NOISE}.npy\t{frame_rate_hz}\t{len(noise)}\treceptive_field\n")
    (folder / "movies.tsv").write_text("".join(rows), encoding="utf-8")


def write_retina_nwb(path: Path, subject: str, session: RetinaSession) -> None:
    """Write sorted units, trials and frame triggers of one session.

    Parameters
    ----------
    path : Path
        File to write; its folder exists.
    subject : str
        Id of the retina.
    session : RetinaSession
        What to write; times in s from the start of the session.
    """
    nwbfile = NWBFile(
        session_description="A simulated retina watches white noise and movies.",
        identifier=str(uuid.uuid5(uuid.NAMESPACE_OID, path.name)),
        session_start_time=SESSION_START,
        session_id="01",
        experiment_description="Simulated spikes of cells with planted receptive fields. "
        "No animal was involved.",
        experimenter=["Simulator, The"],
        institution="brainalign",
        lab="simulated world",
        keywords=["simulation", "retina", "ganglion cells", "movies", "spikes"],
    )
    nwbfile.subject = Subject(
        subject_id=subject,
        species="Ambystoma mexicanum",
        sex="U",
        age="P1Y",
        description="Simulated retina.",
    )
    nwbfile.units = Units(
        name="units", description="Simulated sorted units.", resolution=SPIKE_TIME_RESOLUTION_S
    )
    nwbfile.add_unit_column("unit_name", "id of the cell")
    nwbfile.add_unit_column("location", "tissue")
    for name, times in zip(session.cells.name, session.spike_times, strict=True):
        nwbfile.add_unit(spike_times=times, unit_name=str(name), location="retina")
    nwbfile.add_trial_column("movie", "id of the movie, as in the tables of movies")
    for row in session.trials.to_dict("records"):
        nwbfile.add_trial(
            start_time=float(row["start_time"]),
            stop_time=float(row["stop_time"]),
            movie=str(row["movie"]),
        )
    nwbfile.add_acquisition(
        TimeSeries(
            name="frame_triggers",
            description="Pulses of the display, one per frame; some are missing, some double.",
            data=H5DataIO(np.ones(len(session.pulse_s), dtype=np.int8), compression="gzip"),
            unit="a.u.",
            timestamps=H5DataIO(session.pulse_s, compression="gzip"),
        )
    )
    with NWBHDF5IO(path, "w") as io:
        io.write(nwbfile)


def _write_truth(
    home: Path,
    session: RetinaSession,
    rates: dict[str, np.ndarray],
    options: SimulatedRetinaOptions,
) -> None:
    """Write what was planted; rates as means over frames."""
    cells = session.cells
    per_frame = {
        f"rate_{name}": rate.reshape(-1, STEPS_PER_FRAME, rate.shape[1])
        .mean(axis=1)
        .astype(np.float32)
        for name, rate in rates.items()
    }
    np.savez(
        home / "truth.npz",
        unit=cells.name,
        polarity=cells.polarity,
        **{
            name: getattr(cells, name)
            for name in (
                "cell_type",
                "center_x",
                "center_y",
                "axis_major",
                "axis_minor",
                "angle",
                "kernel",
                "mean_rate_hz",
            )
        },
        n_missing_triggers=session.n_missing,
        n_double_triggers=session.n_double,
        first_frame_s=np.array([times[0] for times in session.frame_s]),
        **per_frame,
    )
    text = json.dumps({"options": options.model_dump(mode="json")}, indent=1)
    (home / "truth.json").write_text(text + "\n", encoding="utf-8")
