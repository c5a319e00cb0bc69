"""Arrays of movies and rates, as methods get them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from brainalign.errors import CorruptDataError, InputError


@dataclass(frozen=True)
class Movies:
    """Frames of all movies of a data set, movie after movie, each in the order of time.

    Attributes
    ----------
    movie : array of shape (n_frames,) of str
        Movie of each frame.
    luminance : array of shape (n_frames, y, x), float32
        Mean over the colour channels, in [0, 1].
    token : array of shape (n_frames, n_patches, n_dimensions)
        Tokens of a backbone, patches row by row on a square grid.
    frame_rate : float
        Frames per second.

    Raises
    ------
    InputError
        Axes do not fit, or the patches do not fill a square.
    CorruptDataError
        The frames of a movie do not stand together.
    """

    movie: np.ndarray
    luminance: np.ndarray
    token: np.ndarray
    frame_rate: float

    def __post_init__(self) -> None:
        n_frames = len(self.movie)
        if len(self.luminance) != n_frames or len(self.token) != n_frames:
            raise InputError(
                "frames and tokens do not belong together",
                expected=f"{n_frames} frames",
                found=f"{len(self.luminance)} of pixels, {len(self.token)} of tokens",
            )
        side = round(self.token.shape[1] ** 0.5)
        if side * side != self.token.shape[1]:
            raise InputError(
                "tokens do not fill a square grid of patches",
                expected="a square number of patches",
                found=self.token.shape[1],
                remedy="Leave out the CLS token and registers.",
            )
        if len(self.list_spans()) != len(set(self.movie.tolist())):
            raise CorruptDataError("the frames of a movie do not stand together")

    def list_spans(self) -> list[slice]:
        """List the rows of each movie.

        Returns
        -------
        spans : list of slice
            In the order of the rows.
        """
        edges = np.flatnonzero(self.movie[1:] != self.movie[:-1]) + 1
        bounds = [0, *edges.tolist(), len(self.movie)]
        return [slice(start, stop) for start, stop in itertools.pairwise(bounds)]

    def rearrange(self, order: np.ndarray) -> Movies:
        """Show other frames at each time; movies and times stay as they are.

        Parameters
        ----------
        order : array of shape (n_frames,), int64
            Row that is shown in place of each row.
        """
        return Movies(self.movie, self.luminance[order], self.token[order], self.frame_rate)


@dataclass(frozen=True)
class Cells:
    """The recorded cells of one subject.

    Attributes
    ----------
    unit : array of shape (n_units,) of str
        Ids.
    rf_map : array of shape (n_units, y, x), float32
        Receptive fields on a grid over the frame, peak 1; all 0 for a cell without one.
    rf_center : array of shape (n_units, 2)
        Centre as shares of width and height (x, y); NaN for a cell without a receptive field.
    """

    unit: np.ndarray
    rf_map: np.ndarray
    rf_center: np.ndarray


@dataclass(frozen=True)
class RateTargets:
    """Recorded mean rates of one split.

    Attributes
    ----------
    rate : array of shape (n_frames, n_units), float32
        Mean over trials in Hz; 0 where `stretch` is -1.
    stretch : array of shape (n_frames,), int64
        Number of the contiguous recorded stretch of the split that a frame lies in, else -1.
    count : array of shape (n_trials, n_frames, n_units), float32, optional
        Spikes per frame of the single trials behind the mean; NaN outside the split and where a
        trial was not recorded. None where single trials are not known.

    Raises
    ------
    InputError
        Single trials are of other frames or units than the mean.
    CorruptDataError
        A rate inside a stretch is not finite or is negative.
    """

    rate: np.ndarray
    stretch: np.ndarray
    count: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.count is not None and self.count.shape[1:] != self.rate.shape:
            raise InputError(
                "single trials are of other frames or units than their mean",
                expected=f"{self.rate.shape} frames and units",
                found=self.count.shape[1:],
            )
        inside = self.rate[self.stretch >= 0]
        if not np.isfinite(inside).all():
            raise CorruptDataError(
                "a rate inside a recorded stretch is not finite",
                found=f"{int((~np.isfinite(inside)).sum())} values",
                remedy="Give such frames no stretch.",
            )
        if (inside < 0).any():
            raise CorruptDataError("a recorded rate is negative", found=float(inside.min()))

    @property
    def frames(self) -> np.ndarray:
        """Rows of the frames that count, int64."""
        return np.flatnonzero(self.stretch >= 0)


def number_stretches(movie: np.ndarray, window: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Give each contiguous stretch of chosen frames a number.

    Parameters
    ----------
    movie : array of shape (n_frames,)
        Movie of each frame; a stretch lies in one movie.
    window : array of shape (n_frames,), int
        Recorded window of each frame, -1 outside; a stretch lies in one window.
    chosen : array of shape (n_frames,), bool
        Frames that may belong to a stretch.

    Returns
    -------
    stretch : array of shape (n_frames,), int64
        Numbers from 0, -1 for frames that are not chosen or not recorded.
    """
    inside = chosen & (window >= 0)
    starts = inside.copy()
    starts[1:] &= ~(inside[:-1] & (movie[1:] == movie[:-1]) & (window[1:] == window[:-1]))
    return np.where(inside, np.cumsum(starts) - 1, -1).astype(np.int64)
