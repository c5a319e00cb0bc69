"""Arrays of movies and rates, as methods get them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Self

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

    @classmethod
    def from_frames(
        cls,
        luminance: np.ndarray,
        frame_rate: float,
        *,
        movie: np.ndarray | None = None,
        token: np.ndarray | None = None,
        grid: int = 8,
    ) -> Self:
        """Make movies of plain frames.

        Parameters
        ----------
        luminance : array of shape (n_frames, y, x)
            In [0, 1].
        frame_rate : float
            Frames per second.
        movie : array of shape (n_frames,) of str, optional
            Movie of each frame; None: one movie.
        token : array of shape (n_frames, n_patches, n_dimensions), optional
            Tokens of a backbone; None: the pixels of ``grid`` x ``grid`` patches.
        grid : int
            Patches along each side; divides both sides of the frames.

        Raises
        ------
        InputError
            Frames are no (n_frames, y, x), or cannot be cut into the patches.
        """
        frames = np.asarray(luminance, dtype=np.float32)
        if frames.ndim != 3 or 0 in frames.shape:
            raise InputError(
                "luminance is no stack of frames",
                expected="(n_frames, y, x)",
                found=f"shape {frames.shape}",
                remedy="Take the mean over colour channels.",
            )
        names = np.full(len(frames), "movie") if movie is None else np.asarray(movie, dtype=str)
        return cls(names, frames, cut_patches(frames, grid) if token is None else token, frame_rate)

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

    @classmethod
    def from_arrays(cls, rf_map: np.ndarray, *, unit: np.ndarray | None = None) -> Self:
        """Make cells of maps of their receptive fields; the centre is the centre of mass.

        Parameters
        ----------
        rf_map : array of shape (n_units, y, x)
            Not negative; all 0 for a cell without a receptive field.
        unit : array of shape (n_units,) of str, optional
            Ids; numbers where None.

        Raises
        ------
        InputError
            The maps are no (n_units, y, x), not finite, or negative.
        """
        maps = np.asarray(rf_map, dtype=np.float32)
        if maps.ndim != 3 or 0 in maps.shape or not np.isfinite(maps).all() or maps.min() < 0:
            raise InputError(
                "receptive fields are no maps of finite numbers from 0 on",
                expected="(n_units, y, x)",
                found=f"shape {maps.shape}",
            )
        peak = maps.max(axis=(1, 2), keepdims=True)
        total = maps.sum(axis=(1, 2))
        center = np.full((len(maps), 2), np.nan)
        has_field = total > 0
        for axis, length in ((0, maps.shape[2]), (1, maps.shape[1])):
            place = (np.arange(length) + 0.5) / length
            profile = maps.sum(axis=axis + 1)
            center[has_field, axis] = (profile @ place)[has_field] / total[has_field]
        names = [f"cell-{row:04d}" for row in range(len(maps))] if unit is None else unit
        return cls(np.asarray(names, dtype=str), maps / np.where(peak > 0, peak, 1), center)


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

    @classmethod
    def from_frames(
        cls,
        rate: np.ndarray,
        movies: Movies,
        chosen: np.ndarray,
        count: np.ndarray | None = None,
    ) -> Self:
        """Choose the frames of one split.

        Parameters
        ----------
        rate : array of shape (n_frames, n_units)
            Mean over trials in Hz at every frame of the movies; anything where not chosen.
        movies : Movies
            The frames.
        chosen : array of shape (n_frames,), bool
            Recorded frames of the split.
        count : array of shape (n_trials, n_frames, n_units), optional
            Spikes per frame of the single trials; a history of spikes needs them.

        Raises
        ------
        InputError
            The frames are not those of the movies, or none is chosen.
        """
        mask = np.asarray(chosen, dtype=bool)
        if len(rate) != len(movies.movie) or mask.shape != (len(rate),):
            raise InputError(
                "rates and chosen frames do not fit the movies",
                expected=f"{len(movies.movie)} frames",
                found=f"{len(rate)} of rates, {mask.size} of the choice",
            )
        if not mask.any():
            raise InputError("a split needs at least one frame", found="none chosen")
        window = np.zeros(len(rate), dtype=np.int64)
        kept = np.where(mask[:, np.newaxis], rate, 0).astype(np.float32)
        trials = None
        if count is not None:
            trials = np.where(mask[:, np.newaxis], count, np.nan).astype(np.float32)
        return cls(kept, number_stretches(movies.movie, window, mask), trials)

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


def cut_patches(luminance: np.ndarray, grid: int) -> np.ndarray:
    """Cut frames into a grid of patches, whose pixels are the simplest of tokens.

    Parameters
    ----------
    luminance : array of shape (n_frames, y, x)
        Frames.
    grid : int
        Patches along each side.

    Returns
    -------
    token : array of shape (n_frames, grid * grid, n_pixels), float32
        Patches row by row.

    Raises
    ------
    InputError
        The sides cannot be divided.
    """
    n_frames, height, width = luminance.shape
    if grid < 1 or height % grid or width % grid:
        raise InputError(
            "frames cannot be cut into equal patches",
            expected=f"sides that {grid} divides",
            found=f"{height} x {width} pixels",
            remedy="Give another grid, or tokens of a backbone.",
        )
    patch = luminance.reshape(n_frames, grid, height // grid, grid, width // grid)
    return patch.swapaxes(2, 3).reshape(n_frames, grid * grid, -1).astype(np.float32)


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
