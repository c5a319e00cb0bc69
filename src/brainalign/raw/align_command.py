"""Check again where the windows of Onken et al. (2016) sit in their movies.

For every recording of the table whose file is in the package:

1. the file has the checksum and the numbers that the table was made for, and so have the frames of
   the movies where they are the published ones (360 pixels wide);
2. windows repeat each other exactly where the table says so, and nowhere else;
3. a fixed filter (luminance under the receptive field minus its surround, biphasic, OFF, rectified)
   follows the windows best where the table puts them, and does not follow the reversed movie.
"""

from __future__ import annotations

import argparse
import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from brainalign.raw.onken2016_alignment import WindowAlignment
    from brainalign.raw.onken2016_movies import Onken2016Movies

_TABLE = "workflow/datasets/onken2016_alignment.json"
_CENTRE_SHARE, _SURROUND_SHARE = 6 / 360, 30 / 360  # radii of the filter in frame widths
_SURROUND_WEIGHT = 0.5
_SHIFTS_MS = tuple(range(-800, 801, 20))
_MAX_SHIFT_MS = 100
_MAX_REVERSED = 0.06
_PUBLISHED_SIDE = 360


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``brainalign align-onken``."""
    parser.add_argument(
        "--folder", required=True, help="folder of the package (holds NeuralData and Stimuli)"
    )
    parser.add_argument("--alignment", default=_TABLE, help="table to check")


def run(arguments: argparse.Namespace) -> None:
    """Print one line per check; fail if one of them does."""
    from brainalign.errors import CorruptDataError, InputError
    from brainalign.raw.onken2016_alignment import read_alignment
    from brainalign.raw.onken2016_movies import Onken2016Movies
    from brainalign.raw.options import Onken2016MoviesOptions
    from brainalign.raw.recording import expand_folder

    table = read_alignment(Path(arguments.alignment))
    spikes = expand_folder(arguments.folder, "folder") / "NeuralData" / "Spikes"
    problems, n_checked = [], 0
    for experiment in sorted({one.experiment for one in table.values()}):
        recordings = [one for one in table.values() if one.experiment == experiment]
        if not all((spikes / f"{one.recording}.mat").is_file() for one in recordings):
            print(f"note: experiment {experiment} is not in the package")
            continue
        options = Onken2016MoviesOptions(
            kind="onken2016_movies",
            folder=arguments.folder,
            alignment=arguments.alignment,
            experiments=[experiment],  # type: ignore[list-item]
        )
        dataset = Onken2016Movies(options)
        for alignment in recordings:
            problems += _check_recording(dataset, alignment, Path(arguments.alignment))
            n_checked += 1
    if not n_checked:
        raise InputError(
            "no recording of the table is in the package",
            where=spikes,
            expected=", ".join(f"{name}.mat" for name in sorted(table)),
            remedy="Point --folder to the directory that holds NeuralData and Stimuli.",
        )
    if problems:
        raise CorruptDataError(
            f"{len(problems)} checks of the alignment failed",
            where=arguments.folder,
            found="; ".join(problems),
        )


def _check_recording(dataset: Onken2016Movies, alignment: WindowAlignment, path: Path) -> list[str]:
    import numpy as np

    from brainalign.raw.onken2016_alignment import check_overlap_runs, measure_shift

    name, problems = alignment.recording, []
    count = dataset.count_milliseconds(alignment)
    if int(count.sum()) != alignment.n_spikes:
        problems.append(f"{name}: {int(count.sum())} spikes, expected {alignment.n_spikes}")
    problems += [f"{name}: {text}" for text in check_overlap_runs(count, alignment.new_ms)]
    n_repeating = int((alignment.new_ms < count.shape[3]).sum())
    print(f"{name}: {int(count.sum())} spikes, {n_repeating} windows repeat the one before")
    frames = dataset.read_movies().read_frames(alignment.movie)[..., 0]
    problems += _check_frames(frames, alignment.movie, path)
    rate = _average_rate(count[:, :, alignment.is_used])
    centres = dataset.read_outlines(alignment.experiment)[:, :-1].mean(axis=1)
    start, shifts = alignment.start_frame[alignment.is_used], np.array(_SHIFTS_MS)
    forward = measure_shift(_filter(frames, centres), rate, start, shifts)
    reverse = measure_shift(_filter(frames[::-1], centres), rate, start, shifts)
    best, here = int(shifts[forward.argmax()]), int(np.flatnonzero(shifts == 0)[0])
    print(
        f"{name}: best shift {best} ms, correlation {forward.max():.3f} there, "
        f"{forward[here]:.3f} as tabled, reversed movie {reverse[here]:.3f}"
    )
    if abs(best) > _MAX_SHIFT_MS:
        problems.append(f"{name}: the windows fit best {best} ms away from the table")
    if abs(reverse[here]) > _MAX_REVERSED:
        problems.append(f"{name}: the reversed movie fits as well")
    return problems


def _check_frames(frames: np.ndarray, movie: str, path: Path) -> list[str]:
    import numpy as np

    if frames.shape[1] != _PUBLISHED_SIDE:
        print(f"note: {movie} is {frames.shape[1]} pixels wide; its checksum is not that published")
        return []
    expected = json.loads(path.read_text(encoding="utf-8"))["stimuli_sha256_concatenated_frames"]
    # The files are column-major; frames were transposed as they were read.
    content = np.ascontiguousarray(frames.transpose(0, 2, 1))
    found = hashlib.sha256(content.tobytes()).hexdigest()
    return [] if found == expected.get(movie) else [f"{movie}: frames have another checksum"]


def _average_rate(count: np.ndarray) -> np.ndarray:
    """Average counts per ms over trials into frames, (window, frame, cell)."""
    import numpy as np

    from brainalign.raw.onken2016_alignment import FRAME_EDGES_MS

    mean = count.mean(axis=1)
    return np.add.reduceat(mean, FRAME_EDGES_MS[:-1], axis=2).transpose(1, 2, 0)


def _filter(frames: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Filter the luminance under each receptive field: (frame, cell)."""
    import numpy as np

    size = frames.shape[1]
    grid = (np.arange(size) + 0.5) / size

    def weigh(radius: float) -> np.ndarray:
        x = np.exp(-0.5 * ((grid - centres[:, :1]) / radius) ** 2)
        y = np.exp(-0.5 * ((grid - centres[:, 1:]) / radius) ** 2)
        weight = (y[:, :, np.newaxis] * x[:, np.newaxis]).reshape(len(centres), -1)
        return (weight / weight.sum(axis=1, keepdims=True)).astype(np.float32)

    weight = weigh(_CENTRE_SHARE) - _SURROUND_WEIGHT * weigh(_SURROUND_SHARE)
    flat = np.ascontiguousarray(frames).reshape(len(frames), -1)
    luminance = flat.astype(np.float32) @ weight.T / 255
    luminance -= luminance.mean(axis=0)
    # Biphasic, its first lobe at 100 ms (three frames); OFF: darker drives the cell.
    lag = np.arange(12) + 0.5
    first = (lag / 3) ** 6 * np.exp(-6 * (lag / 3 - 1))
    second = (lag / 5.4) ** 6 * np.exp(-6 * (lag / 5.4 - 1))
    kernel = -(first / first.sum() - 0.6 * second / second.sum())
    drive = np.zeros_like(luminance)
    for delay, weight_at in enumerate(kernel):
        drive[delay:] += weight_at * luminance[: len(luminance) - delay]
    return np.maximum(drive, 0.0)
