"""Macaque IT and V4 of Majaj, Hong, Solomon and DiCarlo (2015), as Brain-Score publishes it.

The public part holds the images of variations 0 and 3: 3,200 renderings of 64 objects in eight
categories, and of each presentation the response of every site from 70 to 170 ms after onset.

Majaj, Hong, Solomon, DiCarlo (2015). Simple learned weighted sums of inferior temporal neuronal
firing rates accurately predict human core object recognition performance. J Neurosci
35:13402-13418.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.options import suggest_name
from brainalign.raw.brainio import (
    Assembly,
    StimulusArchive,
    read_assembly,
    read_responses,
    read_stimulus_set,
)
from brainalign.raw.options import MajajHong2015Options
from brainalign.raw.recording import RateSession, StimulusCollection, expand_folder

# Presentations come without a clock; this spacing keeps them apart on ours.
_SPACING_S = 1.0
_NUMERIC = (
    *("rxy", "rxz", "ryz", "rxy_semantic", "rxz_semantic", "ryz_semantic"),
    *("ty", "tz", "s", "size", "variation"),
)
_REMEDY = (
    "The three files are assy_dicarlo_MajajHong2015_public.nc, stimulus_hvm-public.csv and "
    "stimulus_hvm-public.zip of Brain-Score's public storage; see docs/mig_vis.md."
)


class MajajHong2015:
    """The public part of the data set; each animal is a subject.

    Parameters
    ----------
    options : MajajHong2015Options
        Folder, files, areas and animals.

    Raises
    ------
    InputError
        A file is missing, an area or animal is not in it, or another window is asked for.
    """

    def __init__(self, options: MajajHong2015Options) -> None:
        self._options = options
        self._folder = expand_folder(options.folder, "folder")
        for name in (options.assembly, options.stimulus_set, options.images):
            if not (self._folder / name).exists():
                raise InputError("no such file", where=self._folder / name, remedy=_REMEDY)
        self._assembly = read_assembly(self._folder / options.assembly)
        self._check()

    def _check(self) -> None:
        asked, found = self._options.responses, self._assembly.window_ms
        if tuple(asked.window_ms) != found or asked.baseline_ms is not None:
            raise InputError(
                "responses are published for one window and cannot be counted in another",
                where=self._assembly.path,
                expected=f"window_ms: {list(found)} and no baseline",
                found=f"window_ms: {asked.window_ms}, baseline_ms: {asked.baseline_ms}",
                remedy="Set responses.window_ms to the published window.",
            )
        for column, wanted in (
            ("animal", self._options.subjects),
            ("region", self._options.areas),
        ):
            if column not in self._assembly.neuroid:
                raise InputError(
                    f"sites have no coordinate '{column}'",
                    where=self._assembly.path,
                    remedy=suggest_name(column, self._assembly.neuroid.columns),
                )
            known = sorted(set(self._assembly.neuroid[column]))
            for name in wanted or ():
                if name not in known:
                    raise InputError(
                        f"no site has the {column} '{name}'",
                        where=self._assembly.path,
                        remedy=suggest_name(name, known),
                    )

    def list_subjects(self) -> list[str]:
        """List the animals that have sites in the areas that are asked for, sorted."""
        animals = sorted(set(self._assembly.neuroid["animal"][self._choose_areas()]))
        wanted = self._options.subjects
        return [name for name in animals if wanted is None or name in wanted]

    def read_sessions(self, subject: str) -> Iterator[RateSession]:
        """Read the responses of one animal, all recording days together as published.

        Notes
        -----
        Presentations stand on a made-up clock, 1 s apart, in the order of the file. Presentations
        in which no site of the animal has a response are left out.

        Raises
        ------
        InputError
            The animal is unknown.
        CorruptDataError
            A response is infinite.
        """
        if subject not in self.list_subjects():
            raise InputError(
                f"no subject '{subject}'", remedy=suggest_name(subject, self.list_subjects())
            )
        sites = np.flatnonzero(
            self._choose_areas() & (self._assembly.neuroid["animal"] == subject).to_numpy()
        )
        response = read_responses(self._assembly, sites)
        if np.isinf(response).any():
            raise CorruptDataError("a response is infinite", where=self._assembly.path)
        shown = np.flatnonzero(np.isfinite(response).any(axis=1))
        presentation = self._assembly.presentation
        session = np.full(len(presentation), "1")
        if "session" in presentation:
            session = presentation["session"].to_numpy(dtype=np.str_)
        units = _describe_sites(self._assembly, sites)
        for name in np.unique(session[shown]):
            rows = shown[session[shown] == name]
            yield RateSession(
                session=str(name),
                units=units,
                response=response[rows],
                presentations=pd.DataFrame(
                    {
                        "stimulus": presentation["stimulus"].to_numpy(dtype=np.str_)[rows],
                        "onset_s": rows * _SPACING_S,
                    }
                ),
                source=self._assembly.path.name,
            )

    def read_stimuli(self) -> StimulusCollection:
        """Describe the images: category, object, and their placement as factors.

        Raises
        ------
        InputError
            A stimulus that was shown is not in the set, an image is not in the archive, or a
            factor is no number.
        """
        path = self._folder / self._options.stimulus_set
        published = read_stimulus_set(path)
        shown = sorted(set(self._assembly.presentation["stimulus"].astype(str)))
        missing = sorted(set(shown) - set(published.index))
        if missing:
            raise InputError(
                f"{len(missing)} stimuli of the assembly are not in the stimulus set",
                where=path,
                found=", ".join(missing[:5]),
                remedy=_REMEDY,
            )
        published = published.loc[shown]
        archive = StimulusArchive(
            self._folder / self._options.images, self._options.stimuli.max_pixels
        )
        files = published["filename"].to_dict()
        absent = archive.list_missing(list(files.values()))
        if absent:
            raise InputError(
                f"{len(absent)} images of the stimulus set are not in the archive",
                where=self._folder / self._options.images,
                found=", ".join(absent[:5]),
                remedy=_REMEDY,
            )
        factors = tuple(name for name in _NUMERIC if name in published)
        table = pd.DataFrame(index=pd.Index(shown, name="stimulus"))
        for column, name in (("category", "category_name"), ("exemplar", "object_name")):
            if name in published:
                table[column] = published[name]
        for name in factors:
            table[name] = _read_numbers(published[name], f"{path} column {name}")
        return StimulusCollection(
            table=table,
            factors=factors,
            read_image=lambda stimulus: archive.read_image(files[stimulus]),
        )

    def find_problems(self) -> list[BrainalignError]:
        """List what is wrong with the files; images are checked as they are decoded."""
        problems: list[BrainalignError] = []
        try:
            self.read_stimuli()
        except BrainalignError as error:
            problems.append(error)
        for subject in self.list_subjects():
            try:
                list(self.read_sessions(subject))
            except BrainalignError as error:
                problems.append(error)
        return problems

    def _choose_areas(self) -> np.ndarray:
        region = self._assembly.neuroid["region"].to_numpy(dtype=np.str_)
        if self._options.areas is None:
            return np.ones(len(region), dtype=bool)
        return np.isin(region, self._options.areas)


def _describe_sites(assembly: Assembly, sites: np.ndarray) -> pd.DataFrame:
    """Coordinates of the sites, with the region as area and without what is the same for all."""
    units = assembly.neuroid.iloc[sites].drop(columns="animal")
    return units.rename(columns={"region": "area"}).rename_axis("unit")


def _read_numbers(text: pd.Series, where: str) -> pd.Series:
    try:
        return text.where(text != "", "nan").astype(np.float64)
    except ValueError as error:
        raise InputError("is no column of numbers", where=where, found=str(error)) from error
