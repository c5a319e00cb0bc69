"""What every method that aligns windows of movies and BOLD offers; imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np
import pandas as pd

from brainalign.methods.clips.arrays import (
    ClipEmbedding,
    Segments,
    choose_disjoint,
    find_window_starts,
)
from brainalign.methods.method import Method
from brainalign.training.progress import Report


class ClipMethod(Method):
    """Windows of movies and of one subject's BOLD in one space: arrays in, embeddings out.

    Parameters
    ----------
    options : Options, optional
        Options of the method; its defaults where None.

    Attributes
    ----------
    name : str
        Name in the registry.
    requirements : Requirements
        What the method needs and yields.
    Options : type
        Model of the options.
    is_random : bool
        Whether fits of different seeds differ; those of the others are shared by all seeds.
    """

    is_random: ClassVar[bool] = False

    @abstractmethod
    def fit(
        self,
        training: Segments,
        validation: Segments,
        *,
        seed: int,
        device: str = "cpu",
        scratch: Path | None = None,
        report: Report | None = None,
    ) -> pd.DataFrame:
        """Learn from the training segments.

        Parameters
        ----------
        training : Segments
            All that is learned comes from here, statistics of voxels and features included.
        validation : Segments
            Only decides between epochs or penalties.
        seed : int
            Seed of all randomness.
        device : {"auto", "cpu", "cuda"}
            Where to compute.
        scratch : Path, optional
            Folder for resume checkpoints, which the caller removes.
        report : callable, optional
            Called after each epoch with its record and the number of epochs.

        Returns
        -------
        history : pandas.DataFrame
            What happened, ready for a CSV file.
        """

    @abstractmethod
    def embed(self, segments: Segments, starts: np.ndarray, device: str = "cpu") -> ClipEmbedding:
        """Embed windows of movie and BOLD.

        Parameters
        ----------
        segments : Segments
            With the voxels and features of the fit.
        starts : array of shape (n_clips,), int64
            First row of each window.
        device : {"auto", "cpu", "cuda"}
            Where to compute.
        """

    def predict(
        self, segments: Segments, starts: np.ndarray | None = None, device: str = "cpu"
    ) -> np.ndarray:
        """Say how well each window of the movie and each window of BOLD fit together.

        Parameters
        ----------
        segments : Segments
            With the voxels and features of the fit.
        starts : array of shape (n_clips,), int64, optional
            First row of each window; None: as many as fit without sharing a TR.
        device : {"auto", "cpu", "cuda"}
            Where to compute.

        Returns
        -------
        similarity : array of shape (n_clips, n_clips), float32
            Of windows of the movie (rows) and of BOLD; larger means a better match.
        """
        if starts is None:
            every = find_window_starts(
                segments,
                self.options.window_trs,
                self.options.n_lags,
                self.options.smallest_recorded_share,
            )
            starts = every[choose_disjoint(every, segments, self.options.window_trs)]
        embedded = self.embed(segments, starts, device)
        return np.asarray(embedded.stimulus @ embedded.response.T)

    def describe_lags(self) -> dict[str, np.ndarray]:
        """Give the weight of each lag of the BOLD.

        Returns
        -------
        weight : dict of str to array of shape (n_lags,)
            By region, or ``all``; empty for methods without such weights.
        """
        return {}
