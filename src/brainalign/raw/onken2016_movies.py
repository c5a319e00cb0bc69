"""Salamander retinal ganglion cells of Onken et al. (2016), two natural movies.

Trials hold 60 windows of 300 ms; a table places them in the movies
(:mod:`brainalign.raw.onken2016_alignment`). Between windows nothing is known.

Onken, Liu, Karunasekara, Delis, Gollisch, Panzeri (2016). Using matrix and tensor factorizations
for the single-trial analysis of population spike trains. PLoS Comput Biol 12:e1005189.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import scipy.io

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.raw.movies import Movie, MovieCollection, MovieSession, MovieTrial
from brainalign.raw.onken2016 import read_raw_image
from brainalign.raw.onken2016_alignment import (
    FRAME_EDGES_MS,
    FRAME_RATE_HZ,
    FRAMES_PER_WINDOW,
    WINDOW_MS,
    WindowAlignment,
    check_overlap_runs,
    get_recording,
    read_alignment,
)
from brainalign.raw.options import Onken2016MoviesOptions
from brainalign.raw.recording import expand_folder
from brainalign.stores.manifest import compute_checksum

MOVIES = ("Movie1", "Movie2")
# Trials come without a common clock; this spacing keeps their spikes apart on ours.
_SPACING_MS = 20_000
# The movies fill this square of the 800 x 600 screen, whose y points up.
_SCREEN_LEFT, _SCREEN_TOP, _SCREEN_SIDE = 220.0, 480.0, 360.0


class Onken2016Movies:
    """The movies of the published package; each experiment is a subject.

    Parameters
    ----------
    options : Onken2016MoviesOptions
        Folder of the package, alignment and experiments.

    Raises
    ------
    InputError
        If the folder, the alignment or a file of an experiment is missing.
    """

    def __init__(self, options: Onken2016MoviesOptions) -> None:
        self._folder = expand_folder(options.folder, "folder")
        self._alignment = read_alignment(Path(options.alignment))
        self._experiments = sorted(options.experiments)
        for experiment in self._experiments:
            for movie in MOVIES:
                path = self._spike_file(movie, experiment)
                if not path.is_file():
                    raise InputError(
                        f"experiment {experiment} is not in the package",
                        where=path,
                        remedy="Point folder to the directory that holds NeuralData and Stimuli.",
                    )

    def list_subjects(self) -> list[str]:
        """List the ids of the retinas: ``retina-1``, ``retina-2``."""
        return [f"retina-{experiment}" for experiment in self._experiments]

    def read_movies(self) -> MovieCollection:
        """Describe the two movies; frames are grey, 360 pixels wide in the published package.

        Raises
        ------
        InputError
            If a movie has another number of frames than the alignment was made for.
        """
        movies = {}
        for name in MOVIES:
            n_frames = len(self._list_frame_files(name))
            expected = get_recording(self._alignment, name, self._experiments[0]).n_frames
            if n_frames != expected:
                raise InputError(
                    "the movie has another number of frames than the alignment was made for",
                    where=self._folder / "Stimuli" / name,
                    expected=expected,
                    found=n_frames,
                    remedy="Copy the movie again.",
                )
            movies[name] = Movie(name, n_frames, FRAME_RATE_HZ)
        return MovieCollection(movies, self._read_frames)

    def read_movie_sessions(self, subject: str) -> Iterator[MovieSession]:
        """Read the only session of one retina.

        Notes
        -----
        Trials stand on a made-up clock, 20 s apart: the package does not tell when they were
        shown. A spike of ms n, counted from 1, lies at n - 0.5 ms.

        Raises
        ------
        InputError
            If the retina is unknown.
        CorruptDataError
            If a file is not the one that the alignment was made for, or times are impossible.
        """
        subjects = self.list_subjects()
        if subject not in subjects:
            raise InputError(f"no subject '{subject}'", remedy=suggest_name(subject, subjects))
        experiment = subject.removeprefix("retina-")
        trials: list[MovieTrial] = []
        trains: list[list[np.ndarray]] = []
        for movie in MOVIES:
            alignment = get_recording(self._alignment, movie, experiment)
            spikes = self.read_spikes(alignment)
            trains = trains or [[] for _ in range(len(spikes))]
            for number in range(spikes.shape[1]):
                start_ms = len(trials) * _SPACING_MS
                for cell, own in enumerate(trains):
                    own.append((start_ms + spikes[cell, number] - 0.5) / 1000)
                trials.append(_place_trial(alignment, start_ms))
        outlines = self.read_outlines(experiment)
        if len(outlines) != len(trains):
            raise CorruptDataError(
                "numbers of cells and of receptive fields differ",
                where=subject,
                expected=f"{len(trains)} cells",
                found=f"{len(outlines)} outlines",
            )
        names = [f"cell-{cell + 1:02d}" for cell in range(len(trains))]
        yield MovieSession(
            session="1",
            units=pd.DataFrame({"area": "retina"}, index=pd.Index(names, name="unit")),
            spike_times=[np.concatenate(own) for own in trains],
            trials=trials,
            source=self._spike_file(MOVIES[0], experiment).name,
            outlines=outlines,
        )

    def find_problems(self) -> list[BrainalignError]:
        """List what is wrong with the files: checksums, overlap runs, numbers of frames."""
        problems: list[BrainalignError] = []
        try:
            self.read_movies()
        except BrainalignError as error:
            problems.append(error)
        for experiment in self._experiments:
            for movie in MOVIES:
                try:
                    alignment = get_recording(self._alignment, movie, experiment)
                    count = self.count_milliseconds(alignment)
                    problems += [
                        CorruptDataError(text, where=alignment.recording)
                        for text in check_overlap_runs(count, alignment.new_ms)
                    ]
                except BrainalignError as error:
                    problems.append(error)
        return problems

    def read_spikes(self, alignment: WindowAlignment) -> np.ndarray:
        """Read the spike times of one recording.

        Parameters
        ----------
        alignment : WindowAlignment
            Names the recording and what its file must be.

        Returns
        -------
        spikes : array of shape (n_cells, n_trials) of arrays
            Times in ms, counted from 1, ascending.

        Raises
        ------
        CorruptDataError
            If the file has other bytes or numbers than the alignment was made for, or times lie
            outside the windows.
        """
        path = self._spike_file(alignment.movie, alignment.experiment)
        _check_file(path, alignment.spikes_sha256)
        cells = _load_mat(path, "Spikes")
        expected = (alignment.n_cells, alignment.n_trials)
        if cells.shape != expected:
            raise CorruptDataError(
                "cells and trials are others than the alignment was made for",
                where=path,
                expected=expected,
                found=cells.shape,
            )
        spikes = np.empty(expected, dtype=object)
        last_ms = len(alignment.start_frame) * WINDOW_MS
        for place in np.ndindex(*expected):
            times = np.sort(np.asarray(cells[place], dtype=np.float64).ravel())
            if len(times) and not (times[0] >= 1 and times[-1] <= last_ms):
                raise CorruptDataError(
                    "spike times lie outside the windows",
                    where=f"{path} cell {place[0] + 1} trial {place[1] + 1}",
                    expected=f"1 to {last_ms} ms",
                    found=f"{times[0]:g} to {times[-1]:g} ms",
                )
            spikes[place] = times
        return spikes

    def count_milliseconds(self, alignment: WindowAlignment) -> np.ndarray:
        """Count the spikes of one recording per ms, (cell, trial, window, ms), uint8."""
        spikes = self.read_spikes(alignment)
        n_windows = len(alignment.start_frame)
        count = np.zeros((*spikes.shape, n_windows * WINDOW_MS), dtype=np.uint8)
        for place in np.ndindex(*spikes.shape):
            np.add.at(count[place], spikes[place].astype(int) - 1, 1)
        return count.reshape(*spikes.shape, n_windows, WINDOW_MS)

    def read_outlines(self, experiment: str) -> np.ndarray:
        """Read the outlines of the receptive fields of one experiment.

        Returns
        -------
        outlines : array of shape (n_cells, n_points, 2)
            x and y in shares of the frame's width and height, y downwards; the last point is the
            first.

        Raises
        ------
        CorruptDataError
            If the file is not the one that the alignment was made for.
        """
        alignment = get_recording(self._alignment, MOVIES[0], experiment)
        name = f"{alignment.recording}.mat"
        path = self._folder / "NeuralData" / "ReceptiveFields" / name
        _check_file(path, alignment.receptive_fields_sha256)
        outlines = np.stack(list(_load_mat(path, "ReceptiveFields").ravel())).astype(np.float64)
        x = (outlines[:, 0] - _SCREEN_LEFT) / _SCREEN_SIDE
        y = (_SCREEN_TOP - outlines[:, 1]) / _SCREEN_SIDE
        return np.stack([x, y], axis=2)

    def _spike_file(self, movie: str, experiment: str) -> Path:
        return self._folder / "NeuralData" / "Spikes" / f"{movie}Exp{experiment}.mat"

    def _list_frame_files(self, movie: str) -> list[Path]:
        files = sorted((self._folder / "Stimuli" / movie).glob("frame*.raw"))
        if not files:
            raise InputError("no frames in the package", where=self._folder / "Stimuli" / movie)
        return files

    def _read_frames(self, movie: str) -> np.ndarray:
        grey = np.stack([read_raw_image(path) for path in self._list_frame_files(movie)])
        return np.broadcast_to(grey[..., np.newaxis], (*grey.shape, 3))


def _place_trial(alignment: WindowAlignment, start_ms: int) -> MovieTrial:
    """Give the time of every frame that a used window holds."""
    start_s = np.full(alignment.n_frames, np.nan)
    stop_s = np.full(alignment.n_frames, np.nan)
    window = np.full(alignment.n_frames, -1, dtype=np.int32)
    for number in np.flatnonzero(alignment.is_used):
        first = alignment.place_windows()[number]
        frames = slice(first, first + FRAMES_PER_WINDOW)
        edges_s = (start_ms + number * WINDOW_MS + FRAME_EDGES_MS) / 1000
        start_s[frames], stop_s[frames] = edges_s[:-1], edges_s[1:]
        window[frames] = number
    return MovieTrial(alignment.movie, start_s, stop_s, window)


def _check_file(path: Path, expected: str | None) -> None:
    if not path.is_file():
        raise InputError("no such file in the package", where=path)
    if expected is not None and (found := compute_checksum(path)) != expected:
        raise CorruptDataError(
            "is not the file that the alignment was made for",
            where=path,
            expected=f"sha256 {expected[:12]}…",
            found=f"{found[:12]}…",
            remedy="Copy the published file again.",
        )


def _load_mat(path: Path, variable: str) -> np.ndarray:
    try:
        return scipy.io.loadmat(path)[variable]
    except (ValueError, KeyError, OSError, TypeError, NotImplementedError) as error:
        raise CorruptDataError(
            f"cannot be read as a MAT file with '{variable}'", where=path, found=str(error)
        ) from error
