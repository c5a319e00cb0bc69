"""Movies of the Human Connectome Project at 7 T as samples of one second.

Van Essen et al. (2013), NeuroImage 80:62-79; movies, labels and clip times are those of the 7T
movie-watching package. A sample is one second of a clip: a frame, the labels of that second, and
the volume ``delay_s`` later, scaled over the run, as Khosla et al. (2020, Shared neural encoding
models, MICCAI) and CLIP-MUSED (Zhou et al. 2024) take them; movie 4 is the test split.

Files that are read, below the folder of the local copy::

    {subject}/MNINonLinear/Results/tfMRI_MOVIE{1,2,3,4}_7T_{AP,PA,PA,AP}/...   series of a run
    7T_movie_resources/WordNetFeatures.hdf5                                    labels per second
    frames/7T_MOVIE{1_CC1,2_HO1,3_CC2,4_HO2}_v2/                               frames of a movie
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.raw.frame_files import open_frames
from brainalign.raw.published.hcp_design import MOVIES, MovieRun, list_samples
from brainalign.raw.published.hcp_series import (
    is_cifti,
    read_grayordinate_units,
    read_series,
    read_series_length,
    read_volume_units,
)
from brainalign.raw.published.nsd_betas import open_hdf5
from brainalign.raw.published.options import HCPMoviesDataset
from brainalign.raw.published.recording import PublishedUnits, ResponseBlock, require_file
from brainalign.raw.recording import StimulusCollection, expand_folder

TERMS = (
    "Register at https://db.humanconnectome.org and accept the WU-Minn HCP Open Access Data Use "
    "Terms, then copy the 7T movie package, keeping its paths, and point folder to the copy."
)
_SESSION = "7T"


class HCPMovies:
    """A local copy of the 7 T movies of the Human Connectome Project.

    Parameters
    ----------
    options : HCPMoviesDataset
        Folder, subjects, form of the series, regions, and how samples are made.

    Raises
    ------
    InputError
        If the folder is missing or holds no subject.
    """

    estimate = "volume after each second of a movie"

    def __init__(self, options: HCPMoviesDataset) -> None:
        self._options = options
        self._folder = expand_folder(options.folder, "folder")
        found = sorted(one.name for one in self._folder.iterdir() if one.name.isdigit())
        if not found:
            raise InputError(
                "no folder of a subject",
                where=self._folder,
                expected="folders such as 100610",
                remedy=TERMS,
            )
        for subject in options.subjects or []:
            if subject not in found:
                raise InputError(
                    f"no subject '{subject}'",
                    where=self._folder,
                    remedy=suggest_name(subject, found),
                )
        self._subjects = sorted(options.subjects) if options.subjects else found

    @property
    def response_unit(self) -> str:
        """Unit of a response."""
        return "standard deviation" if self._options.scaling == "zscore" else "range of the run"

    def list_subjects(self) -> list[str]:
        """List the subjects, sorted."""
        return self._subjects

    def _find_series(self, subject: str, movie: MovieRun) -> Path:
        name = self._fill(self._options.series, subject).replace("{run}", movie.run)
        return require_file(self._folder / name, f"series of {movie.run} of {subject}", TERMS)

    def _fill(self, template: str, subject: str) -> str:
        return template.replace("{subject}", subject)

    def _find_optional(self, template: str | None, subject: str, what: str) -> Path | None:
        if template is None:
            return None
        path = self._folder / self._fill(template, subject)
        return require_file(path, what, "Correct its path in the configuration.")

    def read_units(self, subject: str) -> PublishedUnits:
        """Read the voxels or grayordinates of the regions.

        Raises
        ------
        InputError, CorruptDataError
            As the readers of volumes and of CIFTI files.
        """
        if subject not in self._subjects:
            raise InputError(
                f"no subject '{subject}'", remedy=suggest_name(subject, self._subjects)
            )
        options = self._options
        series = self._find_series(subject, MOVIES[0])
        atlas = self._find_optional(options.atlas, subject, "atlas")
        if is_cifti(series):
            return read_grayordinate_units(series, atlas)
        return read_volume_units(
            series,
            atlas,
            self._find_optional(options.names, subject, "names of regions"),
            self._find_optional(options.mask, subject, "mask"),
        )

    def list_blocks(self, subject: str, units: PublishedUnits) -> list[ResponseBlock]:
        """List the four runs of a subject.

        Raises
        ------
        InputError
            If a run is missing, or ends before the response to its movie's last second.
        """
        samples = list_samples(self._options)
        blocks = []
        for movie in MOVIES:
            path = self._find_series(subject, movie)
            shown = samples[samples["movie"] == movie.number]
            volume = shown["second"].to_numpy() + self._options.delay_s
            n_volumes = read_series_length(path)
            if volume.max() >= n_volumes:
                raise InputError(
                    "the run ends before the response to its movie's last second",
                    where=path,
                    expected=f"more than {volume.max()} volumes",
                    found=n_volumes,
                    remedy="Copy the file again, or choose a shorter delay_s.",
                )
            presentations = pd.DataFrame(
                {
                    "stimulus": shown["stimulus"],
                    # Runs are scaled by themselves, so that they need no sessions.
                    "session": _SESSION,
                    "run": movie.run,
                    "onset_s": shown["second"].astype(float),
                }
            )
            read = functools.partial(_read_samples, path, units, volume, self._options.scaling)
            blocks.append(ResponseBlock(presentations, read))
        return blocks

    def read_stimuli(self) -> StimulusCollection | None:
        """Describe the frames of all seconds, with their labels; None where no frames are named.

        Raises
        ------
        InputError
            If frames or labels are missing or fewer than the movie has seconds.
        CorruptDataError
            If a file is damaged.
        """
        options = self._options
        if options.frames is None:
            return None
        samples = list_samples(options).drop_duplicates("stimulus").set_index("stimulus")
        table = samples[["split"]].copy()
        if options.labels is not None:
            table["labels"] = self._read_labels(samples)
        places = {
            movie.number: open_frames(self._folder / options.frames.replace("{movie}", movie.movie))
            for movie in MOVIES
        }
        time_s = samples["second"].to_numpy() + options.frame_in_second
        number = np.floor(time_s * options.frame_rate_hz).astype(int)
        movie_of = samples["movie"].to_numpy()
        for movie in MOVIES:
            last = int(number[movie_of == movie.number].max())
            if last >= places[movie.number].n_frames:
                raise InputError(
                    f"fewer frames than {movie.movie} has",
                    where=options.frames.replace("{movie}", movie.movie),
                    expected=f"more than {last} at {options.frame_rate_hz:g} per second",
                    found=places[movie.number].n_frames,
                    remedy="Save all frames of the movie, or correct frame_rate_hz.",
                )

        rows = {str(name): row for row, name in enumerate(samples.index)}

        def read_image(stimulus: str) -> np.ndarray:
            row = rows[stimulus]
            return places[int(movie_of[row])].read(int(number[row]))

        return StimulusCollection(table=table, factors=(), read_image=read_image)

    def _read_labels(self, samples: pd.DataFrame) -> list[str]:
        path = require_file(self._folder / str(self._options.labels), "labels", TERMS)
        rows = np.empty(len(samples), dtype=object)
        with open_hdf5(path) as file:
            try:
                names = [
                    one.decode() if isinstance(one, bytes) else str(one)
                    for one in file["synsets"][:]
                ]
                for movie in MOVIES:
                    chosen = np.flatnonzero(samples["movie"] == movie.number)
                    shows = file[movie.key][:] > 0
                    found = shows[samples["second"].to_numpy()[chosen]]
                    if found.shape[1] != len(names):
                        raise ValueError(f"{found.shape[1]} labels, {len(names)} names")
                    rows[chosen] = list(found)
            except (KeyError, IndexError, ValueError, TypeError) as error:
                raise CorruptDataError(
                    "cannot be read as labels of the movies",
                    where=path,
                    expected=f"synsets and {', '.join(movie.key for movie in MOVIES)}, a row per "
                    "second",
                    found=" ".join(str(error).split())[:200],
                    remedy="Copy the file again.",
                ) from error
        label = np.stack(list(rows))
        share = label[samples["split"].to_numpy() == "train"].mean(axis=0)
        kept = np.flatnonzero((share > 0) & (share >= self._options.min_label_share))
        return [";".join(names[one] for one in kept if row[one]) for row in label]

    def find_problems(self) -> list[BrainalignError]:
        """List what is wrong with regions and the lengths of runs; no series is read."""
        problems: list[BrainalignError] = []
        for subject in self._subjects:
            try:
                self.list_blocks(subject, self.read_units(subject))
            except BrainalignError as error:
                problems.append(error)
        return problems

    def summarise(self) -> str:
        """Say in a line what there is, after no problem was found."""
        samples = list_samples(self._options)
        return (
            f"{len(self._subjects)} subjects, {len(MOVIES)} runs each, {len(samples)} samples of "
            f"{samples['stimulus'].nunique()} stimuli each"
        )


def _read_samples(
    path: Path, units: PublishedUnits, volume: np.ndarray, scaling: str
) -> np.ndarray:
    return scale_over_time(read_series(path, units), scaling)[volume]


def scale_over_time(series: np.ndarray, scaling: str) -> np.ndarray:
    """Scale each voxel over the time of a run, in place.

    Parameters
    ----------
    series : array of shape (n_volumes, n_units), float32
        Overwritten; a unit that does not vary becomes 0, one that is not finite stays so.
    scaling : {"zscore", "minmax"}
        To mean 0 and SD 1, or to 0 to 1.
    """
    if scaling == "zscore":
        low = series.mean(axis=0, dtype=np.float64).astype(np.float32)
        series -= low
        width = np.sqrt(np.einsum("tv,tv->v", series, series) / len(series))
    else:
        low = series.min(axis=0)
        series -= low
        width = series.max(axis=0)
    # Rounding in single precision is no variance.
    varies = ~(width <= 1e-6 * np.maximum(np.abs(low), 1e-12))
    series[:, ~varies] = 0
    series /= np.where(varies, width, 1)
    return series
