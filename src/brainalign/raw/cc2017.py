"""Three people who watched natural movies, in the layout of its publication (Wen et al. 2018).

    <folder>/subject1/fmri/seg1/cifti/seg1_1_Atlas.dtseries.nii    segment 1, run 1
    <folder>/subject1/fmri/test1/cifti/test1_1_Atlas.dtseries.nii  test movie 1, run 1
    <folder>/stimuli/seg1.mp4                                      its film (or frames in seg1/)

Data: doi:10.4231/R7SF2TCW, CC0 1.0. Segments are for training, test movies for tests.
"""

from __future__ import annotations

import re
import zlib
from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nibabel.filebasedimages import ImageFileError

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.raw.cc2017_options import CC2017Options
from brainalign.raw.frame_files import VIDEO_ENDINGS
from brainalign.raw.movie_captions import read_captions
from brainalign.raw.movie_files import MovieFile, collect_movies, open_movie_file
from brainalign.raw.movies import Movie, MovieCollection
from brainalign.raw.recording import expand_folder

_RUN = re.compile(r"((?:seg|test)\d+)_(\d+)_Atlas\.dtseries\.nii")
_HEMISPHERES = {"CIFTI_STRUCTURE_CORTEX_LEFT": "left", "CIFTI_STRUCTURE_CORTEX_RIGHT": "right"}
VOLUMES_AFTER_MOVIE = 4
"""Volumes that the publication cuts off the end of each run."""


@dataclass(frozen=True)
class SurfaceRun:
    """One run of one movie.

    Parameters
    ----------
    movie : str
        Such as ``seg1`` or ``test5``.
    repeat : int
        Number of the run of this movie, from 1.
    path : Path
        CIFTI series.
    """

    movie: str
    repeat: int
    path: Path


class CC2017Folder:
    """Runs and movies of the published folder.

    Parameters
    ----------
    options : CC2017Options
        Folder, subjects and rate of the frames.

    Raises
    ------
    InputError
        If a folder or subject is missing.
    """

    def __init__(self, options: CC2017Options) -> None:
        self.options = options
        self.folder = expand_folder(options.folder, "folder")
        found = sorted(
            path.name for path in self.folder.glob("subject*") if (path / "fmri").is_dir()
        )
        for subject in options.subjects or []:
            if subject not in found:
                raise InputError(
                    f"no subject '{subject}'",
                    where=self.folder,
                    expected="a folder with fmri/ in it",
                    remedy=suggest_name(subject, found),
                )
        if not found:
            raise InputError(
                "no subject in the folder", where=self.folder, expected="subject1/fmri/seg1/cifti/"
            )
        self._subjects = sorted(options.subjects) if options.subjects else found

    def list_subjects(self) -> list[str]:
        """List the subjects, sorted."""
        return self._subjects

    def list_surface_runs(self, subject: str) -> list[SurfaceRun]:
        """List the runs of a subject, movie by movie.

        Raises
        ------
        InputError
            If there is none.
        """
        runs = []
        for path in sorted((self.folder / subject / "fmri").glob("*/cifti/*_Atlas.dtseries.nii")):
            match = _RUN.fullmatch(path.name)
            if match is not None:
                runs.append(SurfaceRun(match[1], int(match[2]), path))
        if not runs:
            raise InputError(
                f"no series of {subject}",
                where=self.folder / subject / "fmri",
                expected="seg1/cifti/seg1_1_Atlas.dtseries.nii and so on",
            )
        return sorted(runs, key=lambda one: (one.movie, one.repeat))

    def read_movies(self) -> MovieCollection:
        """Describe the movies; frames are read on demand.

        Raises
        ------
        InputError
            If a movie has no frames, or there are too few segments for a validation split.
        """
        names = sorted({run.movie for one in self._subjects for run in self.list_surface_runs(one)})
        home = self.folder / "stimuli"
        training = sorted((name for name in names if name.startswith("seg")), key=_number)
        held_out = training[-self.options.n_validation_segments :]
        if len(held_out) >= len(training):
            raise InputError(
                "too few segments to hold some out for validation",
                where=self.folder,
                expected=f"more than {self.options.n_validation_segments}",
                found=len(training),
            )
        movies = {}
        rate = self.options.frame_rate_hz
        files: dict[str, MovieFile] = {
            name: open_movie_file(_find_frames(home, name), rate) for name in names
        }
        lengths = {name: file.n_frames for name, file in files.items()}
        captions = read_captions(home / "movie_captions.tsv", lengths)
        for name in names:
            split = "test" if name.startswith("test") else "train"
            split = "validation" if name in held_out else split
            movies[name] = Movie(
                name,
                lengths[name],
                rate,
                split=np.full(lengths[name], split, dtype="<U10"),
                caption=captions.get(name),
                source_time=files[name].source_time,
            )
        return collect_movies(movies, files)

    def find_problems(self) -> list[BrainalignError]:
        """List what is wrong with movies and headers; series are not read."""
        problems: list[BrainalignError] = []
        try:
            self.read_movies()
        except BrainalignError as error:
            problems.append(error)
        for subject in self._subjects:
            for run in self.list_surface_runs(subject):
                try:
                    open_surface(run.path)
                except BrainalignError as error:
                    problems.append(error)
        return problems


def _number(name: str) -> int:
    return int(re.sub(r"\D", "", name))


def _find_frames(home: Path, name: str) -> Path:
    for ending in ("", ".npy", ".npz", ".tif", *VIDEO_ENDINGS):
        path = home / f"{name}{ending}"
        if path.exists():
            return path
    raise InputError(
        f"no film and no frames of movie '{name}'",
        where=home,
        expected=f"{name}.mp4, or a folder {name}/ of frames",
        remedy="Copy the stimuli of the published package.",
    )


def open_surface(path: Path) -> tuple[nib.Cifti2Image, np.ndarray, np.ndarray]:
    """Open a CIFTI series without reading it.

    Returns
    -------
    image : nibabel.Cifti2Image
        Series of shape (n_volumes, n_grayordinates).
    column : array of shape (n_vertices,), int64
        Grayordinates of the cortex.
    unit : array of shape (n_vertices,) of str
        Hemisphere and vertex, such as ``left-01234``.

    Raises
    ------
    CorruptDataError
        If it is no CIFTI series of the cortex.
    """
    try:
        image = nib.load(path)
    except (ImageFileError, OSError, EOFError, ValueError, zlib.error) as error:
        raise CorruptDataError("cannot be read as CIFTI", where=path, found=str(error)) from error
    if not isinstance(image, nib.Cifti2Image) or image.ndim != 2:
        raise CorruptDataError("is no CIFTI series", where=path, found=type(image).__name__)
    models = image.header.get_axis(1)
    if not isinstance(models, nib.cifti2.BrainModelAxis):
        raise CorruptDataError("has no grayordinates", where=path)
    names = np.asarray(models.name)
    column = np.flatnonzero(np.isin(names, list(_HEMISPHERES)))
    if not len(column):
        raise CorruptDataError("holds no vertex of the cortex", where=path)
    unit = np.array(
        [
            f"{_HEMISPHERES[str(name)]}-{vertex:05d}"
            for name, vertex in zip(names[column], models.vertex[column], strict=True)
        ]
    )
    return image, column, unit


def read_surface(run: SurfaceRun, n_trs: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the volumes of a run that belong to its movie.

    Parameters
    ----------
    run : SurfaceRun
        Run.
    n_trs : int
        Volumes of the movie; the publication keeps those that end four volumes before the end.

    Returns
    -------
    series : array of shape (n_trs, n_vertices), float32
    unit : array of shape (n_vertices,) of str

    Raises
    ------
    InputError
        If the run is shorter.
    CorruptDataError
        If it cannot be read.
    """
    image, column, unit = open_surface(run.path)
    first = image.shape[0] - n_trs - VOLUMES_AFTER_MOVIE
    if first < 0:
        raise InputError(
            "the run is shorter than its movie",
            where=run.path,
            expected=f"{n_trs + VOLUMES_AFTER_MOVIE} volumes or more",
            found=image.shape[0],
            remedy="Set trs_per_movie to the length of the movies.",
        )
    try:
        series = np.asarray(image.dataobj[first : first + n_trs], dtype=np.float32)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise CorruptDataError("the series is cut off", where=run.path, found=str(error)) from error
    return series[:, column], unit
