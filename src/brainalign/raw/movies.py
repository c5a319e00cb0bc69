"""What the readers of movie recordings give: movies, and sessions of trials on a frame clock."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import pandas as pd

from brainalign.errors import BrainalignError


@dataclass(frozen=True)
class Movie:
    """One movie, without its pixels.

    Parameters
    ----------
    name : str
        Id.
    n_frames : int
        Length.
    frame_rate_hz : float
        Frames per second.
    use : {"model", "receptive_field"}
        Whether models see it, or it only serves to find receptive fields.
    split : array of shape (n_frames,) of str, optional
        ``train``, ``validation``, ``test`` or ``none``, where the data set states it.
    recorded : array of shape (n_frames,) of bool, optional
        Frames with a response, where that is not all of them: parts of splits are shares of these.
    caption : array of shape (n_frames,) of str, optional
        What each frame shows, in words.
    source_time : array of shape (n_frames,), float64, optional
        Presentation time of each frame in the video file that it comes from, in s.
    """

    name: str
    n_frames: int
    frame_rate_hz: float
    use: Literal["model", "receptive_field"] = "model"
    split: np.ndarray | None = None
    recorded: np.ndarray | None = None
    caption: np.ndarray | None = None
    source_time: np.ndarray | None = None


@dataclass(frozen=True)
class MovieCollection:
    """The movies of a data set by id, read one at a time.

    Parameters
    ----------
    movies : dict of str to Movie
        By id.
    read_frames : callable
        Gives the pixels of an id as an array of shape (n_frames, y, x, 3), uint8.
    iterate_frames : callable, optional
        Gives the same frame after frame, for movies that are larger than memory.
    """

    movies: dict[str, Movie]
    read_frames: Callable[[str], np.ndarray]
    iterate_frames: Callable[[str], Iterator[np.ndarray]] | None = None

    def stream(self, name: str) -> Iterator[np.ndarray]:
        """Give the frames of an id one after the other, each of shape (y, x, 3), uint8."""
        if self.iterate_frames is not None:
            return self.iterate_frames(name)
        return iter(self.read_frames(name))

    def list_names(self, use: str) -> list[str]:
        """List the ids of the movies of one use, sorted."""
        return sorted(name for name, movie in self.movies.items() if movie.use == use)


@dataclass(frozen=True)
class MovieTrial:
    """One presentation of a movie on the clock of the spikes.

    Parameters
    ----------
    movie : str
        Id of the movie.
    start_s, stop_s : array of shape (n_frames,)
        When each frame came and went, in s; NaN where the frame was not recorded.
    window : array of shape (n_frames,), int
        Number of the recorded window of each frame; -1 where it was not recorded.
    n_missing_triggers, n_double_triggers : int
        What the repair of the frame clock added and removed.
    """

    movie: str
    start_s: np.ndarray
    stop_s: np.ndarray
    window: np.ndarray
    n_missing_triggers: int = 0
    n_double_triggers: int = 0


@dataclass(frozen=True)
class MovieSession:
    """One session of one subject on one clock.

    Parameters
    ----------
    session : str
        Id of the session.
    units : pandas.DataFrame
        Indexed by unit id (text); column ``area`` and whatever else places a unit.
    spike_times : list of array of shape (n_spikes,)
        Per unit, in s, finite and not descending.
    trials : list of MovieTrial
        In the order of time.
    source : str
        File that it came from, for messages.
    outlines : array of shape (n_units, n_points, 2), optional
        Given outlines of receptive fields, x and y in shares of the frame's width and height.
    """

    session: str
    units: pd.DataFrame
    spike_times: list[np.ndarray]
    trials: list[MovieTrial]
    source: str
    outlines: np.ndarray | None = None


class RawMovieDataset(Protocol):
    """A data set of spikes and movies in its own raw format."""

    def list_subjects(self) -> list[str]:
        """List the ids of the subjects, sorted."""

    def read_movie_sessions(self, subject: str) -> Iterator[MovieSession]:
        """Read the sessions of one subject, one at a time."""

    def read_movies(self) -> MovieCollection:
        """Describe the movies; frames are read on demand."""

    def find_problems(self) -> list[BrainalignError]:
        """List what is wrong with the files, without costly work."""
