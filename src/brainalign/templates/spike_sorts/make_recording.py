"""Write tables of events and pictures to go with your sorters' folders.

    python make_recording.py

Folders of Kilosort and Phy are read as they are; what they lack is what was shown when. Functions
marked YOURS: replace their bodies, keep what they return. As they stand they make up a small
recording, so that you can walk the way to the page first. Delete what the example wrote
(sorts/example_1, events/example_1.tsv, stimuli/example-*) before you run with your own data, and
let write_sort do nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent

SESSIONS = ["example_1"]  # YOURS: names of the folders in sorts/ and of the tables in events/
SAMPLING_RATE_HZ = 30_000.0  # YOURS: as in params.py


def load_trials(session: str) -> list[tuple[str, float]]:
    """YOURS. Per presentation: id of the picture (as in stimuli.tsv) and its onset in SECONDS.

    Seconds from the first sample of the sorted recording. From samples: / SAMPLING_RATE_HZ, or
    leave them and set onset_unit: samples. The id is text; where your trials hold numbers of
    pictures, mind whether they count from 0 or from 1.
    """
    names = sorted(_draw_example_pictures())
    order = np.random.default_rng(len(session)).permutation(np.tile(names, 6))
    return [(str(name), 1 + 0.4 * n) for n, name in enumerate(order)]


def write_pictures(folder: Path) -> None:
    """YOURS. Copy the pictures into the folder; the name without its ending is the picture's id.

    Do nothing here if you have put them there by hand. Pictures in folders below have ids such as
    faces/f001 and the folder as category.
    """
    for name, pixels in _draw_example_pictures().items():
        Image.fromarray(pixels).save(folder / f"{name}.png")


def write_sort(folder: Path, session: str) -> None:
    """YOURS: do nothing here once your sorter's folder lies there.

    Arrays of spikes without a sorter's folder? Put in your cluster, sample and waveform arrays.
    """
    generator, pictures = np.random.default_rng(2), _draw_example_pictures()
    trials, times, cluster = load_trials(session), [], []
    for unit, weight in enumerate(np.random.default_rng(1).normal(size=(12, 16))):
        own = [generator.uniform(0, trials[-1][1] + 1, int(3 * trials[-1][1]))]
        for name, onset_s in trials:
            light = pictures[name].reshape(4, 16, 4, 16, 3).mean((1, 3, 4)).ravel() / 255
            rate_hz = 60 / (1 + np.exp(-3 * weight @ (light - 0.5)))
            own.append(onset_s + generator.uniform(0.07, 0.17, generator.poisson(0.1 * rate_hz)))
        own_s = np.sort(np.concatenate(own))
        own_s = own_s[np.diff(own_s, prepend=-1.0) > 0.002]  # a neuron's refractory period
        times.append(own_s)
        cluster.append(np.full(len(own_s), unit))
    sample = np.round(np.concatenate(times) * SAMPLING_RATE_HZ).astype(np.int64)
    order = np.argsort(sample, kind="stable")
    shape = -np.exp(-0.5 * ((np.arange(60) - 20) / 4.0) ** 2)
    arrays: dict[str, np.ndarray] = {
        "spike_times": sample[order],  # in samples
        "spike_clusters": np.concatenate(cluster)[order].astype(np.int32),
        "spike_templates": np.concatenate(cluster)[order].astype(np.int32),
        "amplitudes": np.ones(len(order)),
        # Mean waveform per cluster: (cluster, time, channel).
        "templates": (100 * shape[None, :, None] * np.eye(12)[:, None, :]).astype(np.float32),
        "channel_positions": np.stack([np.zeros(12), 50.0 * np.arange(12)], axis=1),  # in um
        "channel_map": np.arange(12, dtype=np.int32),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)
    labels = "".join(f"{unit}\tgood\n" for unit in range(12))
    (folder / "cluster_group.tsv").write_text(f"cluster_id\tgroup\n{labels}", encoding="utf-8")
    (folder / "params.py").write_text(
        f"dat_path = 'recording.dat'\nn_channels_dat = 12\ndtype = 'int16'\noffset = 0\n"
        f"sample_rate = {SAMPLING_RATE_HZ}\nhp_filtered = False\n",
        encoding="utf-8",
    )


def _draw_example_pictures() -> dict[str, np.ndarray]:
    patches = np.random.default_rng(0).integers(0, 256, (48, 4, 4, 3), dtype=np.uint8)
    return {
        f"example-{n:02d}": np.kron(p, np.ones((16, 16, 1), np.uint8))
        for n, p in enumerate(patches)
    }


def write_events(path: Path, session: str) -> Path:
    """Write what was shown when."""
    path.parent.mkdir(exist_ok=True)
    rows = [f"{onset:.6f}\t{stimulus}" for stimulus, onset in load_trials(session)]
    path.write_text("\n".join(["onset\tstimulus", *rows]) + "\n", encoding="utf-8")
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
        write_sort(HERE / "sorts" / session, session)
        print("wrote", write_events(HERE / "events" / f"{session}.tsv", session))
