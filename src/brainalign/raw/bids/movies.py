"""A BIDS data set of functional volumes and movies."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from brainalign.errors import InputError
from brainalign.options import suggest_name
from brainalign.raw.bids.dataset import BIDSFolder
from brainalign.raw.fmri_options import BIDSMoviesDataset
from brainalign.raw.movie_captions import read_captions
from brainalign.raw.movie_files import open_movie_tables
from brainalign.raw.movies import MovieCollection


class BIDSMovieFolder(BIDSFolder):
    """Functional runs of the subjects of one BIDS data set, in which movies are shown.

    Parameters
    ----------
    options : BIDSMoviesDataset
        Folder, entities, events, movies and preprocessing.
    listing, preprocessed : Path, optional
        As for :class:`brainalign.raw.bids.dataset.BIDSFolder`.
    """

    def __init__(
        self,
        options: BIDSMoviesDataset,
        listing: Path | None = None,
        preprocessed: Path | None = None,
    ) -> None:
        super().__init__(options, listing, preprocessed)
        self._movie_table = self.folder / options.movie_table

    def read_movies(self) -> MovieCollection:
        """Describe the movies that events name; frames are read on demand.

        Raises
        ------
        InputError
            If an event names a movie that the table lacks, or a table is wrong.
        """
        collection = open_movie_tables([self._movie_table])
        shown = sorted(set(self._iterate_shown()))
        for name in shown:
            if name not in collection.movies:
                raise InputError(
                    f"movie '{name}' of events is not in the table",
                    where=self._movie_table,
                    remedy=suggest_name(name, collection.movies)
                    + " Correct stim_file, or list it as events.ignored_stimuli.",
                )
        captions = read_captions(
            self._movie_table.parent / "movie_captions.tsv",
            {name: collection.movies[name].n_frames for name in shown},
        )
        movies = {
            name: replace(collection.movies[name], caption=captions.get(name)) for name in shown
        }
        return replace(collection, movies=movies)
