"""Arrays of movie segments and BOLD, as methods get them; imports no torch."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from brainalign.errors import CorruptDataError, InputError


@dataclass(frozen=True)
class Segments:
    """Segments of movies, one after the other, a row per repetition time (TR) of the scanner.

    A segment is a stretch without a break: one run of the scanner with one movie. BOLD may go on
    after the movie, since it answers seconds later.

    Attributes
    ----------
    segment : array of shape (n_rows,) of str
        Segment of each row; the rows of a segment stand together, in the order of time.
    bold : array of shape (n_rows, n_voxels), float32
        BOLD; a row is NaN throughout where it was not recorded or censored.
    video : array of shape (n_rows, n_features), float32
        What the movie shows in each TR; NaN throughout after its end.
    roi : array of shape (n_voxels,) of str
        Region of each voxel.
    text : array of shape (n_rows, n_text_features), float32, optional
        Captions of the same moments.
    tr_s : float
        Time of a row in s.
    feature_widths : tuple of int
        Widths of several kinds of video features that stand side by side; empty: one kind.

    Raises
    ------
    InputError
        Rows or voxels do not fit together.
    CorruptDataError
        Rows of a segment do not stand together, a row is NaN in part, or the movie has a gap.
    """

    segment: np.ndarray
    bold: np.ndarray
    video: np.ndarray
    roi: np.ndarray
    tr_s: float
    text: np.ndarray | None = None
    feature_widths: tuple[int, ...] = ()

    @classmethod
    def from_runs(
        cls,
        bold: Mapping[str, np.ndarray],
        video: Mapping[str, np.ndarray],
        tr_s: float,
        *,
        roi: np.ndarray | None = None,
    ) -> Self:
        """Put runs one after the other.

        Parameters
        ----------
        bold : mapping of str to array of shape (n_trs, n_voxels)
            BOLD by run; from the first TR of the movie on, and possibly beyond its end.
        video : mapping of str to array of shape (n_shown, n_features)
            What the movie of the same run shows in each TR, at most as long.
        tr_s : float
            Time of a TR in s.
        roi : array of shape (n_voxels,) of str, optional
            Regions; None: ``all``.

        Raises
        ------
        InputError
            Runs differ, a movie is longer than its BOLD, or widths differ between runs.
        """
        if not bold or set(bold) != set(video):
            raise InputError(
                "every run needs BOLD and a movie",
                expected=", ".join(sorted(bold)) or "a run",
                found=", ".join(sorted(video)) or "none",
            )
        shown = []
        for run, rows in bold.items():
            beyond = len(rows) - len(video[run])
            if beyond < 0:
                raise InputError(
                    "the movie is longer than its BOLD",
                    where=f"run '{run}'",
                    expected=f"at most {len(rows)} TRs",
                    found=len(video[run]),
                )
            shown.append(
                np.pad(
                    np.asarray(video[run], np.float32),
                    ((0, beyond), (0, 0)),
                    constant_values=np.nan,
                )
            )
        return cls(
            segment=np.repeat(list(bold), [len(rows) for rows in bold.values()]),
            bold=_stack(list(bold.values()), "BOLD"),
            video=_stack(shown, "video"),
            roi=np.full(next(iter(bold.values())).shape[1], "all") if roi is None else roi,
            tr_s=tr_s,
        )

    def __post_init__(self) -> None:
        n_rows = len(self.segment)
        parts = {"BOLD": self.bold, "video": self.video}
        if self.text is not None:
            parts["text"] = self.text
        for name, values in parts.items():
            if values.ndim != 2 or len(values) != n_rows:
                raise InputError(
                    f"rows of {name} do not fit the segments",
                    expected=f"{n_rows} rows of one TR each",
                    found=f"shape {values.shape}",
                )
            finite = np.isfinite(values)
            if (finite.any(1) != finite.all(1)).any():
                raise CorruptDataError(
                    f"a row of {name} is finite in part",
                    found=f"row {int(np.flatnonzero(finite.any(1) != finite.all(1))[0])}",
                    remedy="Drop the columns, or censor the whole row.",
                )
        if len(self.roi) != self.bold.shape[1]:
            raise InputError(
                "regions do not fit the voxels", expected=self.bold.shape[1], found=len(self.roi)
            )
        if len(self.list_spans()) != len(set(self.segment.tolist())):
            raise CorruptDataError("the rows of a segment do not stand together")
        for span in self.list_spans():
            shown = self.is_shown[span]
            if (shown[1:] & ~shown[:-1]).any():
                raise CorruptDataError(
                    "the movie of a segment has a gap", where=str(self.segment[span.start])
                )

    @property
    def is_shown(self) -> np.ndarray:
        """Rows in which the movie runs, bool."""
        return np.isfinite(self.video).all(axis=1)

    @property
    def is_recorded(self) -> np.ndarray:
        """Rows with BOLD, bool."""
        return np.isfinite(self.bold).all(axis=1)

    def list_spans(self) -> list[slice]:
        """List the rows of each segment.

        Returns
        -------
        spans : list of slice
            In the order of the rows.
        """
        edges = np.flatnonzero(self.segment[1:] != self.segment[:-1]) + 1
        bounds = [0, *edges.tolist(), len(self.segment)]
        return [slice(start, stop) for start, stop in itertools.pairwise(bounds) if stop > start]

    def take_segments(self, names: Sequence[str]) -> Segments:
        """Take some segments, in the order of the rows.

        Parameters
        ----------
        names : sequence of str
            Segments to keep.

        Raises
        ------
        InputError
            A segment is not there.
        """
        missing = sorted(set(names) - set(self.segment.tolist()))
        if missing:
            raise InputError(f"no segment '{missing[0]}'")
        rows = np.isin(self.segment, list(names))
        return replace(
            self,
            segment=self.segment[rows],
            bold=self.bold[rows],
            video=self.video[rows],
            text=None if self.text is None else self.text[rows],
        )


@dataclass(frozen=True)
class ClipEmbedding:
    """Windows of movie and BOLD in the space of a fitted method.

    Attributes
    ----------
    stimulus, response : array of shape (n_clips, dimension), float32
        Unit vectors of windows; a larger product means a better match.
    stimulus_token, response_token : array of shape (n_clips, n_steps, dimension), float32
        The same per TR, unit vectors.
    stimulus_code, response_code : array of shape (n_clips, n_steps), int64, optional
        Index into `codebook` of each TR; None for methods without a codebook.
    codebook : array of shape (n_codes, dimension), float32, optional
        Codes as unit vectors.
    """

    stimulus: np.ndarray
    response: np.ndarray
    stimulus_token: np.ndarray
    response_token: np.ndarray
    stimulus_code: np.ndarray | None = None
    response_code: np.ndarray | None = None
    codebook: np.ndarray | None = None


def _stack(parts: Sequence[np.ndarray], name: str) -> np.ndarray:
    widths = sorted({part.shape[1] for part in parts})
    if len(widths) > 1:
        raise InputError(
            f"{name} has another width in another run",
            expected=widths[0],
            found=", ".join(map(str, widths[1:])),
        )
    return np.concatenate(parts).astype(np.float32)


def find_window_starts(
    segments: Segments, n_trs: int, n_lags: int, smallest_recorded_share: float = 0.5
) -> np.ndarray:
    """Find where windows may start.

    Parameters
    ----------
    segments : Segments
        Rows.
    n_trs : int
        TRs of the movie in a window.
    n_lags : int
        TRs of BOLD that answer one TR of the movie: a window has ``n_trs + n_lags - 1`` of them.
    smallest_recorded_share : float
        Share of a window's BOLD that must be recorded.

    Returns
    -------
    starts : array of shape (n_starts,), int64
        First rows. No window crosses the border of a segment; the movie runs throughout a window.

    Raises
    ------
    InputError
        A segment is too short for any window.
    """
    length = n_trs + n_lags - 1
    shown, recorded = segments.is_shown, segments.is_recorded
    starts = []
    for span in segments.list_spans():
        n_rows, n_shown = span.stop - span.start, int(shown[span].sum())
        last = min(n_shown - n_trs, n_rows - length)
        if last < 0:
            raise InputError(
                "a segment is shorter than a window",
                where=f"segment '{segments.segment[span.start]}'",
                expected=f"{n_trs} TRs of movie and {length} TRs of BOLD or more",
                found=f"{n_shown} TRs of movie, {n_rows} TRs of BOLD",
                remedy="Lower window_trs or n_lags, or leave the segment out.",
            )
        share = np.convolve(recorded[span], np.ones(length) / length, mode="valid")[: last + 1]
        starts.append(span.start + np.flatnonzero(share >= smallest_recorded_share - 1e-9))
    return np.concatenate(starts) if starts else np.empty(0, np.int64)


def check_no_shared_rows(training: Segments, test: Segments) -> None:
    """Refuse segments that stand in training and test.

    Raises
    ------
    InputError
        A segment stands in both, so that windows of both would share TRs.
    """
    shared = sorted(set(training.segment.tolist()) & set(test.segment.tolist()))
    if shared:
        raise InputError(
            "windows of training and test share TRs",
            where=f"segment '{shared[0]}'",
            expected="splits by whole segments",
            found=f"{len(shared)} segments in both",
            remedy="Assign each segment to one split.",
        )


def choose_disjoint(starts: np.ndarray, segments: Segments, n_trs: int) -> np.ndarray:
    """Choose windows that share no TR of the movie.

    Parameters
    ----------
    starts : array of shape (n_starts,), int64
        Candidate starts, ascending.
    segments : Segments
        Rows.
    n_trs : int
        TRs of the movie in a window.

    Returns
    -------
    is_disjoint : array of shape (n_starts,), bool
        True for the first window of each segment and each next one that shares nothing with the
        chosen one before it; a tail shorter than a window is dropped.
    """
    chosen = np.zeros(len(starts), dtype=bool)
    end: dict[str, int] = {}
    for position, start in enumerate(starts.tolist()):
        name = str(segments.segment[start])
        if start >= end.get(name, -1):
            chosen[position] = True
            end[name] = start + n_trs
    return chosen
