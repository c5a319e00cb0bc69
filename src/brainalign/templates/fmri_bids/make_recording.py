"""Write your volumes and events as a BIDS data set.

    python make_recording.py

You have BIDS already? Then you need no script: put or link it as the folder bids/. Converters such
as dcm2niix, HeuDiConv or BIDScoin write volumes and sidecars; then only load_events and
write_pictures are of use to you, which write what converters cannot know.

Functions marked YOURS: replace their bodies, keep what they return. As they stand they make up a
small recording, so that you can walk the way to the page first. Delete the folder bids/ before you
run with your own data.
"""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
from PIL import Image

HERE = Path(__file__).resolve().parent
BIDS = HERE / "bids"

SUBJECTS = ["01"]  # YOURS: letters and digits
RUNS = ["01", "02", "03", "04"]  # YOURS
TASK = "viewing"  # YOURS
TR_S = 2.0  # YOURS: repetition time in seconds


def load_volumes(subject: str, run: str) -> tuple[np.ndarray, np.ndarray]:
    """YOURS. Volumes of a run, (x, y, z, volume), and the affine from indices to mm (4 x 4)."""
    shape, n_volumes = (10, 10, 6), 200
    generator = np.random.default_rng(int(run))
    place = np.indices(shape).reshape(3, -1).T - (np.array(shape) - 1) / 2
    inside = (np.linalg.norm(place / (np.array(shape) / 2), axis=1) < 0.85).astype(float)
    volumes = 1000 * inside + generator.normal(0, 4, (n_volumes, len(inside)))
    weight = np.random.default_rng(1).normal(size=(16, len(inside))) * inside
    for onset_s, _, file in load_events(subject, run):
        picture = _draw_example_pictures()[file.removesuffix(".png")]
        light = picture.reshape(4, 16, 4, 16, 3).mean((1, 3, 4)).ravel() / 255 - 0.5
        lag_s = np.arange(n_volumes) * TR_S - onset_s
        bold = np.where(lag_s > 0, (np.maximum(lag_s, 0) / 5) ** 5 * np.exp(5 - lag_s), 0)
        volumes += 8 * np.outer(bold, light @ weight)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])
    return volumes.T.reshape(*shape, n_volumes), affine


def load_events(subject: str, run: str) -> list[tuple[float, float, str]]:
    """YOURS. Per presentation: onset and duration in SECONDS from the run's first volume, picture.

    From milliseconds: / 1000; from volumes: * TR_S. Where you dropped the first volumes, subtract
    their time. The picture is a path below bids/stimuli.
    """
    names = [f"{name}.png" for name in sorted(_draw_example_pictures())]
    order = np.random.default_rng(100 + int(run)).permutation(names)
    return [(8.0 + 8.0 * n, 2.0, str(name)) for n, name in enumerate(order)]


def write_pictures(folder: Path) -> None:
    """YOURS. Copy the pictures into the folder; do nothing if you have put them there by hand."""
    for name, pixels in _draw_example_pictures().items():
        Image.fromarray(pixels).save(folder / f"{name}.png")


def _draw_example_pictures() -> dict[str, np.ndarray]:
    patches = np.random.default_rng(0).integers(0, 256, (40, 4, 4, 3), dtype=np.uint8)
    return {
        f"example-{n:02d}": np.kron(p, np.ones((16, 16, 1), np.uint8))
        for n, p in enumerate(patches)
    }


def write_run(subject: str, run: str) -> Path:
    """Write volumes and events of one run from what the functions above return."""
    folder = BIDS / f"sub-{subject}" / "func"
    folder.mkdir(parents=True, exist_ok=True)
    name = f"sub-{subject}_task-{TASK}_run-{run}"
    volumes, affine = load_volumes(subject, run)
    image = nib.Nifti1Image(volumes.astype(np.float32), affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_zooms((*image.header.get_zooms()[:3], TR_S))
    nib.save(image, folder / f"{name}_bold.nii.gz")
    rows = ["onset\tduration\tstim_file"]
    rows += [
        f"{onset_s:.3f}\t{duration_s:.3f}\t{file}"
        for onset_s, duration_s, file in load_events(subject, run)
    ]
    (folder / f"{name}_events.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / f"{name}_bold.nii.gz"


def write_top() -> None:
    """Write what BIDS asks for at the top of a data set."""
    description = {"Name": "my recording", "BIDSVersion": "1.9.0"}
    sidecar = {"TaskName": TASK, "RepetitionTime": TR_S}
    (BIDS / "dataset_description.json").write_text(json.dumps(description), encoding="utf-8")
    (BIDS / f"task-{TASK}_bold.json").write_text(json.dumps(sidecar), encoding="utf-8")


if __name__ == "__main__":
    (BIDS / "stimuli").mkdir(parents=True, exist_ok=True)
    write_pictures(BIDS / "stimuli")
    write_top()
    for subject in SUBJECTS:
        for run in RUNS:
            print("wrote", write_run(subject, run))
