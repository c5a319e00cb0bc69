"""Natural Scenes Dataset: betas of 7 T volumes, regions, design and pictures as published.

Allen, St-Yves, Wu, Breedlove, Prince, Dowdle, Nau, Caron, Pestilli, Charest, Hutchinson, Naselaris,
Kay (2022). A massive 7T fMRI dataset to bridge cognitive neuroscience and artificial intelligence.
Nat Neurosci 25:116-126. Paths and formats: NSD Data Manual, https://cvnlab.slite.page.

Files that are read, below the folder of the local copy::

    nsddata/experiments/nsd/nsd_expdesign.mat
    nsddata/experiments/nsd/nsd_stim_info_merged.csv
    nsddata/ppdata/subjXX/{preparation}/roi/{collection}.nii.gz, or lh. and rh. of it
    nsddata/ppdata/subjXX/{preparation}/mean.nii.gz
    nsddata/freesurfer/subjXX/label/{collection}.mgz.ctab
    nsddata_betas/ppdata/subjXX/{preparation}/{betas}/betas_sessionNN.hdf5 or .nii.gz
    nsddata_stimuli/stimuli/nsd/nsd_stimuli.hdf5
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import pandas as pd

from brainalign.errors import BrainalignError, InputError
from brainalign.options import suggest_name
from brainalign.raw.bids.volumes import read_header, read_volume
from brainalign.raw.published.label_volumes import (
    check_named,
    check_shape,
    read_label_names,
    read_label_volume,
)
from brainalign.raw.published.nsd_betas import find_beta_file, read_beta_shape, read_betas
from brainalign.raw.published.nsd_design import NSDDesign, read_design
from brainalign.raw.published.nsd_images import count_images, open_nsd_images
from brainalign.raw.published.options import NSDDataset
from brainalign.raw.published.recording import (
    PublishedUnits,
    ResponseBlock,
    VoxelPlaces,
    require_file,
)
from brainalign.raw.recording import StimulusCollection, expand_folder

N_SESSIONS = dict(
    zip(
        [f"subj{number:02d}" for number in range(1, 9)],
        [40, 40, 32, 30, 40, 32, 40, 30],
        strict=True,
    )
)
"""Sessions that were recorded of each subject (NSD Data Manual, page Technical notes)."""

TERMS = (
    "Read and accept the NSD Terms and Conditions and fill in the Data Access Agreement at "
    "http://naturalscenesdataset.org, then copy the file from the bucket "
    "s3://natural-scenes-dataset, keeping its path, and point folder to the copy."
)


def make_stimulus_id(nsd_id: int) -> str:
    """Name a picture by its ``nsdId``, its number from 0 among all 73000."""
    return f"nsd-{nsd_id:05d}"


class NaturalScenes:
    """A local copy of the Natural Scenes Dataset.

    Parameters
    ----------
    options : NSDDataset
        Folder, subjects, sessions, version of the betas, regions.

    Raises
    ------
    InputError
        If the folder, the design or the betas of a session are missing.
    """

    response_unit = "percent"

    def __init__(self, options: NSDDataset) -> None:
        self._options = options
        self._folder = expand_folder(options.folder, "folder")
        self.estimate = options.betas
        self._design_path = require_file(
            self._folder / "nsddata" / "experiments" / "nsd" / "nsd_expdesign.mat",
            "design of the experiment",
            TERMS,
        )

    def list_subjects(self) -> list[str]:
        """List the subjects, ``subj01`` to ``subj08``, sorted."""
        return sorted(self._options.subjects)

    @functools.cached_property
    def _design(self) -> NSDDesign:
        return read_design(self._design_path)

    def _list_beta_files(self, subject: str) -> list[Path]:
        if subject not in self._options.subjects:
            raise InputError(
                f"no subject '{subject}'", remedy=suggest_name(subject, self._options.subjects)
            )
        n_sessions = min(self._options.n_sessions or 40, N_SESSIONS[subject])
        options = self._options
        home = self._folder / "nsddata_betas" / "ppdata" / subject
        home = home / options.preparation / options.betas
        files = {number: find_beta_file(home, number) for number in range(1, n_sessions + 1)}
        missing = [number for number, path in files.items() if path is None]
        if missing:
            raise InputError(
                f"no betas of session {', '.join(map(str, missing[:5]))} of {subject}",
                where=home,
                expected=f"betas_session01 to {n_sessions:02d}, .hdf5 or .nii.gz",
                found=f"{n_sessions - len(missing)} sessions",
                remedy=f"{TERMS} Or set n_sessions.",
            )
        return [path for path in files.values() if path is not None]

    def read_units(self, subject: str) -> PublishedUnits:
        """Read the voxels of the mask and the regions.

        Raises
        ------
        InputError
            If a collection is missing or lies on another grid than the betas, or nothing is left.
        CorruptDataError
            If a file is damaged or a label has no name.
        """
        options = self._options
        shape, _ = read_beta_shape(self._list_beta_files(subject)[0])
        area = np.full(shape, "", dtype=object)
        for collection in options.regions:
            labels = self._read_collection(subject, collection, shape)
            names = self._read_names(subject, collection, labels)
            for label in np.unique(labels[labels > 0]).tolist():
                area[(labels == label) & (area == "")] = names[label]
        inside = area != ""
        if options.mask is not None:
            mask = self._read_collection(subject, options.mask, shape) > 0
            if options.keep_unlabelled:
                area[mask & ~inside] = options.mask
                inside = mask
            else:
                inside &= mask
        index = np.argwhere(inside).astype(np.int32)
        if not len(index):
            raise InputError(
                f"no voxel of {subject} lies in the mask and in a region",
                where="regions",
                remedy="Change regions, mask or keep_unlabelled.",
            )
        joined = {old: new for new, olds in options.joined_regions.items() for old in olds}
        found = area[tuple(index.T)]
        return PublishedUnits(
            unit=np.array([f"voxel-{x:03d}-{y:03d}-{z:03d}" for x, y, z in index.tolist()]),
            area=np.array([joined.get(str(name), str(name)) for name in found]),
            places=self._place(subject, index, shape),
            further=self._read_published_ceiling(subject, index, shape),
        )

    def _find_collection(self, subject: str, collection: str) -> list[Path]:
        home = self._folder / "nsddata" / "ppdata" / subject / self._options.preparation / "roi"
        whole = home / f"{collection}.nii.gz"
        if whole.is_file():
            return [whole]
        halves = [home / f"{side}.{collection}.nii.gz" for side in ("lh", "rh")]
        for half in halves:
            require_file(half, f"regions of the collection '{collection}'", TERMS)
        return halves

    def _read_collection(self, subject: str, collection: str, shape: tuple[int, ...]) -> np.ndarray:
        # -1 stands for voxels outside of cortex, 0 for those without a label.
        volumes = [
            read_label_volume(path, shape, f"the betas of {subject}")
            for path in self._find_collection(subject, collection)
        ]
        return np.max(volumes, axis=0)

    def _read_names(self, subject: str, collection: str, labels: np.ndarray) -> dict[int, str]:
        data = self._folder / "nsddata"
        tables = [
            data / "freesurfer" / subject / "label" / f"{collection}.mgz.ctab",
            data / "freesurfer" / "fsaverage" / "label" / f"{collection}.mgz.ctab",
            data / "templates" / f"{collection}.ctab",
        ]
        found = next((path for path in tables if path.is_file()), tables[0])
        names = read_label_names(require_file(found, f"names of '{collection}'", TERMS))
        check_named(labels, names, self._find_collection(subject, collection)[0])
        return names

    def _place(self, subject: str, index: np.ndarray, shape: tuple[int, ...]) -> VoxelPlaces:
        """Read the mean volume to draw maps on; without it, the first region is drawn on."""
        home = self._folder / "nsddata" / "ppdata" / subject / self._options.preparation
        collection = self._options.mask or self._options.regions[0]
        mean = home / "mean.nii.gz"
        path = mean if mean.is_file() else self._find_collection(subject, collection)[0]
        header = read_header(path)
        check_shape(header, shape, f"the betas of {subject}")
        return VoxelPlaces(index, header.affine, np.nan_to_num(read_volume(header)), "subject")

    def _read_published_ceiling(
        self, subject: str, index: np.ndarray, shape: tuple[int, ...]
    ) -> dict[str, np.ndarray]:
        """Read the published noise ceiling signal-to-noise ratio, where the copy has it."""
        path = self._list_beta_files(subject)[0].parent / "ncsnr.nii.gz"
        if not path.is_file():
            return {}
        header = read_header(path)
        check_shape(header, shape, f"the betas of {subject}")
        return {"ncsnr": read_volume(header)[tuple(index.T)]}

    def list_blocks(self, subject: str, units: PublishedUnits) -> list[ResponseBlock]:
        """List the sessions of a subject.

        Raises
        ------
        InputError
            If a session holds another number of betas than the design has trials, or its volumes
            have another shape.
        """
        assert units.places is not None, "voxels of this data set have places"
        index, shape = units.places.index, units.places.reference.shape
        return [
            ResponseBlock(
                self._list_presentations(subject, number, path, shape),
                functools.partial(read_betas, path, index),
            )
            for number, path in enumerate(self._list_beta_files(subject))
        ]

    def _list_presentations(
        self, subject: str, session: int, path: Path, shape: tuple[int, ...] | None
    ) -> pd.DataFrame:
        found, n_trials = read_beta_shape(path)
        if shape is not None and found != tuple(shape):
            raise InputError(
                "betas have another shape than those of the first session",
                where=path,
                expected=tuple(shape),
                found=found,
            )
        row = int(subject.removeprefix("subj")) - 1
        if session >= len(self._design.shows_picture) or row >= len(self._design.pictures):
            raise InputError(
                f"the design has no session {session + 1} of {subject}", where=self._design.path
            )
        trials = self._design.list_presentations(row, session)
        if len(trials) != n_trials:
            raise InputError(
                "betas and design differ in the number of trials",
                where=path,
                expected=f"{len(trials)} trials as in {self._design.path.name}",
                found=n_trials,
                remedy="Copy both files again.",
            )
        return pd.DataFrame(
            {
                "stimulus": [make_stimulus_id(one) for one in trials["nsd_id"]],
                "session": f"{session + 1:02d}",
                "run": trials["run"].map("{:02d}".format),
                "onset_s": trials["onset_s"],
            }
        )

    def read_stimuli(self) -> StimulusCollection:
        """Describe the pictures that the chosen subjects saw in the chosen sessions.

        Notes
        -----
        Pictures that all subjects see are the test split, as is the norm; a share of the others,
        drawn from the seed, validates.

        Raises
        ------
        InputError
            If the pictures, their table or annotations are missing.
        """
        shown: set[int] = set()
        for subject in self.list_subjects():
            row = int(subject.removeprefix("subj")) - 1
            for session in range(len(self._list_beta_files(subject))):
                shown |= set(self._design.list_presentations(row, session)["nsd_id"].tolist())
        return open_nsd_images(
            self._folder, sorted(shown), set(self._design.shared.tolist()), self._options, TERMS
        )

    def find_problems(self) -> list[BrainalignError]:
        """List what is wrong with design, regions and the shapes of betas; no beta is read."""
        problems: list[BrainalignError] = []
        try:
            read_design(self._design_path, count_images(self._folder))
        except BrainalignError as error:
            return [error]
        for subject in self.list_subjects():
            try:
                units = self.read_units(subject)
                self.list_blocks(subject, units)
            except BrainalignError as error:
                problems.append(error)
        return problems

    def summarise(self) -> str:
        """Say in a line what there is, after no problem was found."""
        tables = [
            block.presentations
            for subject in self.list_subjects()
            for block in self.list_blocks(subject, self.read_units(subject))
        ]
        stimuli = {name for table in tables for name in table["stimulus"]}
        return (
            f"{len(self.list_subjects())} subjects, {len(tables)} sessions, "
            f"{sum(map(len, tables))} presentations, {len(stimuli)} stimuli"
        )
