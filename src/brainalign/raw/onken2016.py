"""Salamander retinal ganglion cells of Onken et al. (2016), flashed natural images.

The published package (Dryad doi:10.5061/dryad.4ch10) holds, per experiment, spike times of every
cell in 30 trials of 60 images, each shown for 300 ms, and outlines of the receptive fields.

Onken, Liu, Karunasekara, Delis, Gollisch, Panzeri (2016). Using matrix and tensor factorizations
for the single-trial analysis of population spike trains. PLoS Comput Biol 12:e1005189.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.io

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.raw.images import to_rgb
from brainalign.raw.options import Onken2016Options
from brainalign.raw.recording import SpikeSession, StimulusCollection, expand_folder

_DURATION_MS = 300
# Trials come without a common clock; this spacing keeps their spikes apart on ours.
_SPACING_S = 1.0
_SCREEN_CENTRE = (400.0, 300.0)


class Onken2016Salamander:
    """The flashed natural images of the published package; each experiment is a subject.

    Parameters
    ----------
    options : Onken2016Options
        Folder of the package and experiments.

    Raises
    ------
    InputError
        If the folder does not exist or an experiment's file is not in it.

    Notes
    -----
    Movies, gratings and shifts of the package are not read here.
    """

    def __init__(self, options: Onken2016Options) -> None:
        self._folder = expand_folder(options.folder, "folder")
        self._experiments = sorted(options.experiments)
        for experiment in self._experiments:
            path = self._spike_file(experiment)
            if not path.is_file():
                raise InputError(
                    f"experiment {experiment} is not in the package",
                    where=path,
                    remedy="Point folder to the directory that holds NeuralData and Stimuli.",
                )

    def list_subjects(self) -> list[str]:
        """List the ids of the retinas: ``retina-1``, ``retina-2``."""
        return [f"retina-{experiment}" for experiment in self._experiments]

    def read_sessions(self, subject: str) -> Iterator[SpikeSession]:
        """Read the only session of one retina.

        Notes
        -----
        Presentations stand on a made-up clock, 1 s apart, ordered by image and trial: the package
        does not tell the order in which they were shown.

        Raises
        ------
        InputError
            If the retina is unknown.
        CorruptDataError
            If times lie outside the 300 ms of a presentation, or cells and outlines differ in
            number.
        """
        subjects = self.list_subjects()
        if subject not in subjects:
            raise InputError(f"no subject '{subject}'", remedy=suggest_name(subject, subjects))
        experiment = subject.removeprefix("retina-")
        path = self._spike_file(experiment)
        cells_by_image = _read_cells(path)
        n_cells, n_trials = cells_by_image[0].shape
        names = [image.stem for image in self._list_image_files()]
        if len(names) != len(cells_by_image):
            raise CorruptDataError(
                "numbers of images and of spike arrays differ",
                where=path,
                expected=f"{len(names)} images",
                found=f"{len(cells_by_image)} arrays",
            )
        presentations = pd.DataFrame(
            {
                "stimulus": np.repeat(names, n_trials),
                "onset_s": np.arange(len(names) * n_trials) * _SPACING_S,
            }
        )
        spike_times = [
            _join_trials([cells[cell] for cells in cells_by_image], f"{path} cell {cell + 1}")
            for cell in range(n_cells)
        ]
        yield SpikeSession(
            session="1",
            units=self._read_units(experiment, n_cells),
            spike_times=spike_times,
            presentations=presentations,
            source=path.name,
        )

    def _read_units(self, experiment: str, n_cells: int) -> pd.DataFrame:
        path = self._folder / "NeuralData" / "ReceptiveFields" / f"NaturalImages{experiment}.mat"
        outlines = _load_mat(path, "ReceptiveFields").ravel()
        if len(outlines) != n_cells:
            raise CorruptDataError(
                "numbers of cells and of receptive fields differ",
                where=path,
                expected=f"{n_cells} cells",
                found=f"{len(outlines)} outlines",
            )
        side = self._image_side()
        places = np.array([convert_outline(outline, side).mean(axis=1) for outline in outlines])
        extents = np.array([np.ptp(convert_outline(outline, side), axis=1) for outline in outlines])
        return pd.DataFrame(
            {
                "area": "retina",
                "rf_x_px": places[:, 0],
                "rf_y_px": places[:, 1],
                "rf_width_px": extents[:, 0],
                "rf_height_px": extents[:, 1],
            },
            index=pd.Index([f"cell-{cell + 1:02d}" for cell in range(n_cells)], name="unit"),
        )

    def read_stimuli(self) -> StimulusCollection:
        """Describe the 60 images; they come without labels."""
        files = {path.stem: path for path in self._list_image_files()}
        table = pd.DataFrame(index=pd.Index(sorted(files), name="stimulus"))
        return StimulusCollection(
            table=table,
            factors=(),
            read_image=lambda stimulus: to_rgb(read_raw_image(files[stimulus]), files[stimulus]),
        )

    def find_problems(self) -> list[BrainalignError]:
        """List what is wrong with the spike files; images are checked as they are decoded."""
        problems = []
        for subject in self.list_subjects():
            try:
                list(self.read_sessions(subject))
            except BrainalignError as error:
                problems.append(error)
        return problems

    def _spike_file(self, experiment: str) -> Path:
        return self._folder / "NeuralData" / "Spikes" / f"NaturalImages{experiment}.mat"

    def _list_image_files(self) -> list[Path]:
        files = sorted((self._folder / "Stimuli" / "NaturalImages").glob("image*.raw"))
        if not files:
            raise InputError("no natural images in the package", where=self._folder / "Stimuli")
        return files

    def _image_side(self) -> int:
        return read_raw_image(self._list_image_files()[0]).shape[0]


def read_raw_image(path: Path) -> np.ndarray:
    """Read one raw image of the package.

    Returns
    -------
    pixels : array of shape (y, x), uint8
        Row 0 is the top. Files are column-major; the side follows from the size.

    Raises
    ------
    CorruptDataError
        If the size is not that of a square image.
    """
    values = np.fromfile(path, dtype=np.uint8)
    side = math.isqrt(len(values))
    if side == 0 or side * side != len(values):
        raise CorruptDataError(
            "is no square 8-bit image",
            where=path,
            found=f"{len(values)} bytes",
            remedy="Copy the file again.",
        )
    return values.reshape(side, side).T


def convert_outline(outline: np.ndarray, side: int) -> np.ndarray:
    """Convert the outline of a receptive field from the screen to pixels of a centred image.

    Parameters
    ----------
    outline : array of shape (2, n_points)
        x and y on the 800 x 600 screen, y pointing up.
    side : int
        Side of the image in pixels; one screen pixel is one image pixel.

    Returns
    -------
    points : array of shape (2, n_points)
        Column and row in the image.
    """
    column = side / 2 + (outline[0] - _SCREEN_CENTRE[0])
    row = side / 2 - (outline[1] - _SCREEN_CENTRE[1])
    return np.stack([column, row])


def _load_mat(path: Path, variable: str) -> np.ndarray:
    try:
        return scipy.io.loadmat(path)[variable]
    except FileNotFoundError:
        raise InputError("no such file in the package", where=path) from None
    except (ValueError, KeyError, OSError, TypeError, NotImplementedError) as error:
        raise CorruptDataError(
            f"cannot be read as a MAT file with '{variable}'", where=path, found=str(error)
        ) from error


def _read_cells(path: Path) -> list[np.ndarray]:
    arrays = list(_load_mat(path, "Spikes").ravel())
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1 or len(next(iter(shapes))) != 2:
        raise CorruptDataError(
            "cells and trials differ between images", where=path, found=sorted(map(str, shapes))
        )
    return arrays


def _join_trials(trials_by_image: list[np.ndarray], where: str) -> np.ndarray:
    """Lay the trials of one cell one after the other on the made-up clock, in s."""
    joined = []
    trials = [trial for trials in trials_by_image for trial in trials]
    for position, trial in enumerate(trials):
        times_ms = np.asarray(trial, dtype=np.float64).ravel()
        if len(times_ms) and not (times_ms.min() >= 1 and times_ms.max() <= _DURATION_MS):
            raise CorruptDataError(
                "spike times lie outside the presentation",
                where=f"{where} presentation {position + 1}",
                expected=f"1 to {_DURATION_MS} ms",
                found=f"{times_ms.min():g} to {times_ms.max():g} ms",
            )
        # Times count milliseconds from 1; a spike of the first millisecond is at 0 s.
        joined.append(position * _SPACING_S + np.sort(times_ms - 1) / 1000)
    return np.concatenate(joined)
