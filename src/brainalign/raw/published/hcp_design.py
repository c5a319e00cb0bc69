"""Clips and seconds of the movies that the Human Connectome Project showed at 7 T.

Four runs, each a movie of clips with rest between them; the last clip is the same in all. Times are
those of the second version of the movies (names end in _v2), at 24 frames per second.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from brainalign.raw.published.options import HCPMoviesDataset

_FRAMES_PER_SECOND = 24
N_REPEATED_S = 76
"""Length of the clip that ends every movie, in s."""


@dataclass(frozen=True)
class MovieRun:
    """One movie.

    Parameters
    ----------
    number : int
        From 1.
    run : str
        Name of the functional run.
    key : str
        Name in the table of labels.
    clips : tuple of (int, int)
        First and last frame (excluded) of each clip.
    """

    number: int
    run: str
    key: str
    clips: tuple[tuple[int, int], ...]

    @property
    def movie(self) -> str:
        """Name of the movie file."""
        return f"7T_{self.key}_v2"

    def list_seconds(self) -> list[tuple[int, int]]:
        """List clip (from 0) and second of every sample."""
        return [
            (clip, second)
            for clip, (first, last) in enumerate(self.clips)
            for second in range(first // _FRAMES_PER_SECOND, last // _FRAMES_PER_SECOND)
        ]

    def make_id(self, clip: int, second: int) -> str:
        """Name a sample; those of the repeated clip have one name in all movies."""
        if clip == len(self.clips) - 1:
            first = self.clips[clip][0] // _FRAMES_PER_SECOND
            return f"repeated-{second - first:03d}"
        return f"movie{self.number}-{second:03d}"


MOVIES = (
    MovieRun(
        1,
        "tfMRI_MOVIE1_7T_AP",
        "MOVIE1_CC1",
        ((624, 5544), (6936, 12120), (12744, 16920), (17760, 19128), (19776, 21600)),
    ),
    MovieRun(
        2,
        "tfMRI_MOVIE2_7T_PA",
        "MOVIE2_HO1",
        ((624, 5904), (6528, 12600), (13224, 19056), (19704, 21528)),
    ),
    MovieRun(
        3,
        "tfMRI_MOVIE3_7T_PA",
        "MOVIE3_CC2",
        ((624, 4776), (5448, 9672), (10344, 14760), (15720, 18984), (19632, 21456)),
    ),
    MovieRun(
        4,
        "tfMRI_MOVIE4_7T_AP",
        "MOVIE4_HO2",
        ((624, 6048), (6672, 12048), (12672, 18648), (19296, 21120)),
    ),
)
"""The runs in their order; clips as CLIP-MUSED and Khosla et al. (2020) list them."""

_TEST_MOVIE = 4


def list_samples(options: HCPMoviesDataset) -> pd.DataFrame:
    """List every second of every clip.

    Parameters
    ----------
    options : HCPMoviesDataset
        How validation is divided, and where the repeated clip belongs.

    Returns
    -------
    samples : pandas.DataFrame
        ``stimulus``, ``movie`` (from 1), ``clip`` (from 0), ``second`` and ``split``; the repeated
        clip stands in it once per movie, always with the same ids.
    """
    samples = pd.DataFrame(
        [
            (movie.make_id(clip, second), movie.number, clip, second, len(movie.clips) - 1 - clip)
            for movie in MOVIES
            for clip, second in movie.list_seconds()
        ],
        columns=["stimulus", "movie", "clip", "second", "clips_left"],
    )
    is_repeated = samples["clips_left"] == 0
    split = np.where(samples["movie"] == _TEST_MOVIE, "test", "train").astype("<U10")
    split[is_repeated] = options.repeated_clip
    if options.validation == "clips":
        split[(split == "train") & (samples["clips_left"] == 1)] = "validation"
    else:
        settings = options.stimuli.split
        names = np.unique(samples["stimulus"][split == "train"])
        n_validation = round(len(names) * settings.validation_share)
        drawn = np.random.default_rng(settings.seed).permutation(names)[:n_validation]
        split[samples["stimulus"].isin(drawn)] = "validation"
    return samples.assign(split=split).drop(columns="clips_left")
