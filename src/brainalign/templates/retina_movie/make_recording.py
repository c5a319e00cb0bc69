"""Write your arrays as NWB sessions and movies.

    python make_recording.py

Four functions are marked YOURS: replace their bodies, keep what they return. As they stand they
make up a small recording, so that you can walk the way to the page first. Delete what the example
wrote (recordings/sub-example_*, movies/example-*) before you run with your own data.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from pynwb import NWBHDF5IO, NWBFile, TimeSeries

HERE = Path(__file__).resolve().parent

SUBJECT = "example"  # YOURS: letters, digits and '-'; no '_'
SESSIONS = ["1"]  # YOURS: likewise
FRAME_RATE_HZ = 30.0  # YOURS: frames of the movies per second
WHITE_NOISE: list[str] = []  # YOURS: movies that only serve to find receptive fields


def load_movies() -> dict[str, np.ndarray]:
    """YOURS. Id of each movie → its frames, shape (frame, y, x) or (frame, y, x, 3), uint8.

    Rows first, the upper row first, as pictures are stored. Frames of a video file:
    ffmpeg -i movie.mp4 frames/frame_%05d.png
    """
    movies = {}
    for seed, name in enumerate(("example-a", "example-b")):
        noise = np.random.default_rng(seed).normal(size=(300, 8, 8))
        smooth = np.apply_along_axis(np.convolve, 0, noise, np.ones(4) / 2, mode="same")
        frames = np.clip(128 + 60 * smooth, 0, 255).astype(np.uint8)
        movies[name] = frames.repeat(4, axis=1).repeat(4, axis=2)
    return movies


def load_trials(session: str) -> list[tuple[str, float, float]]:
    """YOURS. Per trial: id of the movie, start and stop in SECONDS on the clock of the spikes.

    A trial shows the whole movie; cut the movie where only a part was shown.
    """
    movies, trials, start_s = load_movies(), [], 1.0
    for name in ["example-a", "example-b"] * 6:
        stop_s = start_s + len(movies[name]) / FRAME_RATE_HZ
        trials.append((name, start_s, stop_s))
        start_s = stop_s + 1.0
    return trials


def load_frame_triggers(session: str) -> np.ndarray | None:
    """YOURS. Time of every frame's pulse in SECONDS, over the whole session, as recorded.

    Missing and double pulses are repaired later. None where there are no pulses: then set
    frame_triggers: null in config.yaml, and frames follow the trial's start at the movie's rate.
    """
    movies = load_movies()
    pulses = [
        start + np.arange(len(movies[name])) / FRAME_RATE_HZ
        for name, start, _ in load_trials(session)
    ]
    return np.concatenate(pulses)


def load_spikes(session: str) -> dict[str, np.ndarray]:
    """YOURS. Id of each cell → its spike times in SECONDS on the clock of the trials.

    Give a cell the same id in every session in which it was recorded. From milliseconds: times /
    1000; from samples: times / sampling_rate_hz.
    """
    generator, movies, spikes = np.random.default_rng(2), load_movies(), {}
    for cell in range(6):
        y, x = generator.integers(8, 24, 2)
        times = []
        for name, start_s, _ in load_trials(session):
            light = movies[name][:, y, x].astype(float) / 128 - 1
            drive = np.concatenate([np.zeros(2), light[:-2]])  # two frames later
            count = generator.poisson(40 / FRAME_RATE_HZ / (1 + np.exp(-4 * drive)))
            frame = np.repeat(np.arange(len(count)), count)
            times.append(start_s + (frame + generator.uniform(0, 1, len(frame))) / FRAME_RATE_HZ)
        spikes[f"cell-{cell:02d}"] = np.sort(np.concatenate(times))
    return spikes


def write_session(session: str) -> Path:
    """Write one NWB file from what the functions above return."""
    nwb = NWBFile(
        session_description="spikes while movies were shown",
        identifier=f"{SUBJECT}-{session}",
        session_start_time=datetime(1970, 1, 1, tzinfo=UTC),  # YOURS, if it may be known
        session_id=session,
    )
    nwb.add_trial_column("movie", "id of the movie")
    for movie, start_s, stop_s in load_trials(session):
        nwb.add_trial(start_time=start_s, stop_time=stop_s, movie=movie)
    nwb.add_unit_column("unit_name", "id of the cell, the same in all sessions")
    for name, times_s in load_spikes(session).items():
        nwb.add_unit(spike_times=np.asarray(times_s, dtype=np.float64), unit_name=name)
    pulse_s = load_frame_triggers(session)
    if pulse_s is not None:
        series = TimeSeries(
            name="frame_triggers", data=np.ones(len(pulse_s)), unit="a.u.", timestamps=pulse_s
        )
        nwb.add_acquisition(series)
    path = HERE / "recordings" / f"sub-{SUBJECT}_ses-{session}.nwb"
    path.parent.mkdir(exist_ok=True)
    with NWBHDF5IO(str(path), "w") as stream:
        stream.write(nwb)
    return path


def write_movies(folder: Path) -> Path:
    """Write the movies as arrays, and the table that names them."""
    folder.mkdir(exist_ok=True)
    rows = ["movie\tpath\tframe_rate_hz\tn_frames\tuse"]
    for name, frames in load_movies().items():
        np.save(folder / f"{name}.npy", frames)
        use = "receptive_field" if name in WHITE_NOISE else "model"
        rows.append(f"{name}\t{name}.npy\t{FRAME_RATE_HZ}\t{len(frames)}\t{use}")
    table = folder / "movies.tsv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return table


if __name__ == "__main__":
    print("wrote", write_movies(HERE / "movies"))
    for session in SESSIONS:
        print("wrote", write_session(session))
