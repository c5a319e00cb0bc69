"""A folder of NWB files as a data set of spikes and movies."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from pynwb import NWBFile

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.raw.frame_clock import make_frame_clock, repair_frame_clock
from brainalign.raw.movie_files import open_movie_tables
from brainalign.raw.movies import MovieCollection, MovieSession, MovieTrial
from brainalign.raw.nwb import (
    find_nwb_files,
    open_nwb,
    read_session_id,
    read_spike_times,
    read_units,
)
from brainalign.raw.options import NWBMoviesDataset
from brainalign.raw.recording import expand_file, expand_folder
from brainalign.raw.spike_clock import check_spike_clock


class NWBMovieFolder:
    """NWB files of one or more subjects that watched movies.

    Parameters
    ----------
    options : NWBMoviesDataset
        Folder, tables of movies, columns and subjects.

    Raises
    ------
    InputError
        If the folder is missing, holds no NWB file, or lacks a subject that is asked for.
    """

    def __init__(self, options: NWBMoviesDataset) -> None:
        self._options = options
        folder = expand_folder(options.folder, "folder")
        self._files = find_nwb_files(folder)
        if options.subjects is not None:
            for subject in options.subjects:
                if subject not in self._files:
                    raise InputError(
                        f"no NWB file of subject '{subject}'",
                        where=folder,
                        remedy=suggest_name(subject, self._files),
                    )
            self._files = {subject: self._files[subject] for subject in sorted(options.subjects)}
        self._collection: MovieCollection | None = None

    def list_subjects(self) -> list[str]:
        """List the ids of the subjects, sorted."""
        return sorted(self._files)

    def read_movies(self) -> MovieCollection:
        """Describe the movies of the tables.

        Raises
        ------
        InputError, CorruptDataError
            As :func:`brainalign.raw.movie_files.open_movie_tables`.
        """
        if self._collection is None:
            paths = [expand_file(path, "movie_tables") for path in self._options.movie_tables]
            self._collection = open_movie_tables(paths)
        return self._collection

    def read_movie_sessions(self, subject: str) -> Iterator[MovieSession]:
        """Read the sessions of one subject, one at a time.

        Raises
        ------
        InputError
            If the subject is unknown, two files have the same session id, a trial names an unknown
            movie, or frame times do not match their movie.
        CorruptDataError
            If a file is damaged or impossible, or too many frame triggers are missing.
        """
        if subject not in self._files:
            raise InputError(f"no subject '{subject}'", remedy=suggest_name(subject, self._files))
        seen: dict[str, Path] = {}
        for path in self._files[subject]:
            session = self._read_session(path)
            if session.session in seen:
                raise InputError(
                    f"session '{session.session}' stands in two files of one subject",
                    where=path,
                    found=seen[session.session],
                    remedy="Give each file its own session_id.",
                )
            seen[session.session] = path
            yield session

    def find_problems(self) -> list[BrainalignError]:
        """List what is wrong with the files; one problem per file, frames are not decoded."""
        problems: list[BrainalignError] = []
        try:
            self.read_movies()
        except BrainalignError as error:
            return [error]
        for subject in self.list_subjects():
            for path in self._files[subject]:
                try:
                    self._read_session(path)
                except BrainalignError as error:
                    problems.append(error)
        return problems

    def _read_session(self, path: Path) -> MovieSession:
        options = self._options
        with open_nwb(path) as nwb:
            session = read_session_id(nwb, path)
            spike_times = read_spike_times(nwb, path.name, options.unsorted_spikes)
            units = read_units(nwb, session, options.unit_column, options.area_column, path.name)
            trials = self._read_trials(nwb, path.name)
            pulse_s = _read_triggers(nwb, options.frame_triggers, path.name)
        clocked = [
            self._clock_trial(movie, start, stop, pulse_s, f"{path.name} trial {row}")
            for row, movie, start, stop in trials.itertuples()
        ]
        if not clocked:
            raise InputError("no trial of a movie", where=path.name)
        check_spike_clock(
            spike_times,
            float(min(trial.start_s[0] for trial in clocked)),
            float(max(trial.stop_s[-1] for trial in clocked)),
            options.responses.max_rate_hz,
            path.name,
        )
        return MovieSession(session, units, spike_times, clocked, path.name)

    def _read_trials(self, nwb: NWBFile, where: str) -> pd.DataFrame:
        if nwb.trials is None:
            raise InputError("has no trials table", where=where, remedy="Add one with the movies.")
        options = self._options
        known = nwb.trials.colnames
        columns = [options.movie_column, options.onset_column]
        for column in [*columns, *([options.valid_column] if options.valid_column else [])]:
            if column not in known:
                raise InputError(
                    f"the trials table has no column '{column}'",
                    where=where,
                    remedy=f"Set movie_column and onset_column. {suggest_name(column, known)}",
                )
        trials = pd.DataFrame(
            {
                "movie": [str(name) for name in nwb.trials[options.movie_column].data[:]],
                "start": np.asarray(nwb.trials[options.onset_column].data[:], dtype=np.float64),
                "stop": np.asarray(nwb.trials["stop_time"].data[:], dtype=np.float64),
            }
        )
        if options.valid_column:
            trials = trials[np.asarray(nwb.trials[options.valid_column].data[:], dtype=bool)]
        bad = trials.index[~np.isfinite(trials["start"])]
        if len(bad):
            raise CorruptDataError(
                "the start of a trial is not finite", where=f"{where} trials row {bad[0]}"
            )
        return trials

    def _clock_trial(
        self, movie: str, start: float, stop: float, pulse_s: np.ndarray | None, where: str
    ) -> MovieTrial:
        known = self.read_movies().movies
        if movie not in known:
            raise InputError(
                f"no movie '{movie}' in the tables", where=where, remedy=suggest_name(movie, known)
            )
        description, options = known[movie], self._options.responses
        n_frames, rate = description.n_frames, description.frame_rate_hz
        if pulse_s is None:
            clock = make_frame_clock(start, n_frames, rate)
        else:
            # Half an interval around the trial: the first pulse may come just before its start.
            margin = 0.5 * options.frames_per_trigger / rate
            end = stop if np.isfinite(stop) and stop > start else start + n_frames / rate
            inside = pulse_s[np.searchsorted(pulse_s, start - margin) :]
            clock = repair_frame_clock(
                inside[: np.searchsorted(inside, end + margin)],
                start,
                n_frames,
                rate,
                frames_per_pulse=options.frames_per_trigger,
                max_repaired_share=options.max_repaired_share,
                where=f"{where} movie {movie}",
            )
        return MovieTrial(
            movie=movie,
            start_s=clock.start_s,
            stop_s=clock.stop_s,
            window=np.zeros(n_frames, dtype=np.int32),
            n_missing_triggers=clock.n_missing,
            n_double_triggers=clock.n_double,
        )


def _read_triggers(nwb: NWBFile, name: str | None, where: str) -> np.ndarray | None:
    if name is None:
        return None
    if name not in nwb.acquisition:
        raise InputError(
            f"acquisition has no TimeSeries '{name}'",
            where=where,
            remedy="Set frame_triggers to its name, or leave it empty to use the movie's rate. "
            + suggest_name(name, nwb.acquisition),
        )
    timestamps = nwb.acquisition[name].timestamps
    if timestamps is None:
        raise InputError(
            f"TimeSeries '{name}' has no timestamps",
            where=where,
            expected="the time of every pulse in s",
            remedy="Detect the pulses in the trace first.",
        )
    pulse_s = np.asarray(timestamps[:], dtype=np.float64)
    if np.any(np.diff(pulse_s) < 0) or not np.isfinite(pulse_s).all():
        raise CorruptDataError(
            "frame triggers are not finite or not in the order of time",
            where=f"{where} {name}",
            remedy="Find out whether two recordings were joined.",
        )
    return pulse_s
