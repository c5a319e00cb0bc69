"""Write your arrays as NWB sessions and a table of pictures.

    python make_recording.py

Three functions are marked YOURS: replace their bodies, keep what they return. As they stand they
make up a small recording, so that you can walk the way to the page first. Delete what the example
wrote (recordings/sub-example_*, stimuli/example-*) before you run with your own data.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image
from pynwb import NWBHDF5IO, NWBFile

HERE = Path(__file__).resolve().parent

SUBJECT = "example"  # YOURS: letters, digits and '-'; no '_'
SESSIONS = ["1", "2"]  # YOURS: likewise
SPECIES = "Macaca mulatta"  # YOURS


def load_spikes(session: str) -> dict[str, tuple[str, np.ndarray]]:
    """YOURS. Id of each unit → its area, and its spike times in SECONDS on the clock of the trials.

    Give a unit the same id in every session in which it was recorded. From milliseconds: times /
    1000; from samples: times / sampling_rate_hz.
    """
    trials, weight = load_trials(session), _draw_example_weights()
    generator = np.random.default_rng(10 + SESSIONS.index(session))
    pictures = _draw_example_pictures()
    spikes: dict[str, tuple[str, np.ndarray]] = {}
    for unit in range(len(weight)):
        times = [generator.uniform(0, trials[-1][2] + 1, int(3 * trials[-1][2]))]
        for name, onset_s, _ in trials:
            light = pictures[name].reshape(4, 16, 4, 16, 3).mean((1, 3, 4)).ravel() / 255
            rate_hz = 60 / (1 + np.exp(-3 * weight[unit] @ (light - 0.5)))
            times.append(onset_s + generator.uniform(0.07, 0.17, generator.poisson(0.1 * rate_hz)))
        spikes[f"unit-{unit:02d}"] = ("IT", np.sort(np.concatenate(times)))
    return spikes


def load_trials(session: str) -> list[tuple[str, float, float]]:
    """YOURS. Per presentation: id of the picture (as in stimuli.tsv), onset and offset in SECONDS.

    The id is text. Where your trials hold numbers of pictures, mind whether they count from 0 or
    from 1: names[number] or names[number - 1].
    """
    names = sorted(_draw_example_pictures())
    order = np.random.default_rng(SESSIONS.index(session)).permutation(np.tile(names, 5))
    return [(str(name), 1 + 0.4 * n, 1.2 + 0.4 * n) for n, name in enumerate(order)]


def write_pictures(folder: Path) -> None:
    """YOURS. Copy the pictures into the folder; the name without its ending is the picture's id.

    Do nothing here if you have put them there by hand. Pictures in folders below have ids such as
    faces/f001 and the folder as category.
    """
    for name, pixels in _draw_example_pictures().items():
        Image.fromarray(pixels).save(folder / f"{name}.png")


def _draw_example_pictures() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    patches = generator.integers(0, 256, (48, 4, 4, 3), dtype=np.uint8)
    return {
        f"example-{n:02d}": np.kron(p, np.ones((16, 16, 1), np.uint8))
        for n, p in enumerate(patches)
    }


def _draw_example_weights() -> np.ndarray:
    return np.random.default_rng(1).normal(size=(16, 16))


def write_session(session: str) -> Path:
    """Write one NWB file from what the functions above return."""
    nwb = NWBFile(
        session_description="spikes while pictures were shown",
        identifier=f"{SUBJECT}-{session}",
        session_start_time=datetime(1970, 1, 1, tzinfo=UTC),  # YOURS, if it may be known
        session_id=session,
    )
    nwb.add_trial_column("stimulus", "id of the picture")
    nwb.add_trial_column("onset_time", "onset of the picture in s")
    for stimulus, onset_s, offset_s in load_trials(session):
        nwb.add_trial(start_time=onset_s, stop_time=offset_s, stimulus=stimulus, onset_time=onset_s)
    nwb.add_unit_column("unit_name", "id of the unit, the same in all sessions")
    nwb.add_unit_column("area", "brain area")
    for name, (area, times_s) in load_spikes(session).items():
        nwb.add_unit(spike_times=np.asarray(times_s, dtype=np.float64), unit_name=name, area=area)
    path = HERE / "recordings" / f"sub-{SUBJECT}_ses-{session}.nwb"
    path.parent.mkdir(exist_ok=True)
    with NWBHDF5IO(str(path), "w") as stream:
        stream.write(nwb)
    return path


def write_table(folder: Path) -> Path:
    """List every picture below the folder in stimuli.tsv."""
    endings = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
    rows = ["stimulus\tfile\tcategory"]
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in endings:
            file = path.relative_to(folder)
            category = file.parent.as_posix() if len(file.parts) > 1 else "none"
            rows.append(f"{file.with_suffix('').as_posix()}\t{file.as_posix()}\t{category}")
    table = folder / "stimuli.tsv"
    table.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return table


if __name__ == "__main__":
    (HERE / "stimuli").mkdir(exist_ok=True)
    write_pictures(HERE / "stimuli")
    print("wrote", write_table(HERE / "stimuli"))
    for session in SESSIONS:
        print("wrote", write_session(session))
