"""Voxels of a subject and the region that each belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import nibabel as nib
import numpy as np
from nilearn.image import resample_to_img

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.raw.bids.dataset import BIDSFolder, BOLDRun
from brainalign.raw.bids.events import read_table
from brainalign.raw.bids.volumes import VolumeHeader, check_same_grid, read_header, read_volume
from brainalign.responses.fmri_options import RegionOptions

WHOLE_BRAIN = "brain"


@dataclass(frozen=True)
class Voxels:
    """The voxels that become units.

    Parameters
    ----------
    index : array of shape (n_voxels, 3), int32
        Voxel indices, region by region.
    area : array of shape (n_voxels,) of str
        Region of each.
    shape : tuple of int
        Of the volumes.
    affine : array of shape (4, 4)
        From voxel indices to mm.
    """

    index: np.ndarray
    area: np.ndarray
    shape: tuple[int, int, int]
    affine: np.ndarray

    @property
    def coordinate_mm(self) -> np.ndarray:
        """Places in the space of the volumes, shape (n_voxels, 3)."""
        return (self.index @ self.affine[:3, :3].T + self.affine[:3, 3]).astype(np.float32)


def choose_voxels(
    dataset: BIDSFolder, runs: list[BOLDRun], reference: VolumeHeader, options: RegionOptions
) -> Voxels:
    """Choose the voxels of a subject: those of its regions that lie inside every brain mask.

    Parameters
    ----------
    dataset : BIDSFolder
        Where relative paths start.
    runs : list of BOLDRun
        Runs of the subject, whose masks count.
    reference : VolumeHeader
        Grid of the functional volumes.
    options : RegionOptions
        Atlas, volumes of regions and mask.

    Raises
    ------
    InputError
        If a file is missing, lies on another grid, or nothing is left.
    CorruptDataError
        If a label of the atlas has no name.
    """
    subject = runs[0].subject
    inside = _intersect_masks(dataset, runs, reference, options)
    if options.atlas is not None:
        number, names = _read_atlas(dataset, subject, reference, options)
    elif options.volumes:
        number, names = _read_volumes(dataset, subject, reference, options)
    elif inside is None:
        raise InputError(
            f"neither regions nor a brain mask of sub-{subject}",
            where="responses.regions",
            remedy="Name an atlas, volumes of regions or a mask, or set preprocessing.kind: light.",
        )
    else:
        number, names = inside.astype(np.int64), {1: WHOLE_BRAIN}
    if inside is not None:
        number = np.where(inside, number, 0)
    labels = [label for label in sorted(names) if (number == label).any()]
    if not labels:
        raise InputError(
            f"no voxel of sub-{subject} lies in a region and in the brain mask",
            where="responses.regions",
            remedy="Compare regions, masks and volumes in a viewer.",
        )
    indices = [np.argwhere(number == label) for label in labels]
    return Voxels(
        index=np.concatenate(indices).astype(np.int32),
        area=np.repeat([names[label] for label in labels], [len(one) for one in indices]),
        shape=reference.shape,
        affine=reference.affine,
    )


def _intersect_masks(
    dataset: BIDSFolder, runs: list[BOLDRun], reference: VolumeHeader, options: RegionOptions
) -> np.ndarray | None:
    if options.mask is not None:
        paths = [_locate(dataset, options.mask, runs[0].subject)]
    else:
        paths = sorted({run.mask for run in runs if run.mask is not None})
    inside: np.ndarray | None = None
    for path in paths:
        mask = _read_grid(path, reference, options.resample) > 0
        if not mask.any():
            raise InputError("the mask is empty", where=path, remedy="Check how it was made.")
        inside = mask if inside is None else inside & mask
    return inside


def _read_atlas(
    dataset: BIDSFolder, subject: str, reference: VolumeHeader, options: RegionOptions
) -> tuple[np.ndarray, dict[int, str]]:
    path = _locate(dataset, str(options.atlas), subject)
    values = _read_grid(path, reference, options.resample)
    number = np.rint(np.nan_to_num(values)).astype(np.int64)
    if options.names is not None:
        table_path = _locate(dataset, options.names, subject)
    else:
        table_path = path.with_name(path.name.partition(".")[0] + ".tsv")
    table = read_table(table_path)
    for column in ("index", "name"):
        if column not in table.columns:
            raise InputError(
                f"the names of regions have no column '{column}'",
                where=table_path,
                found=", ".join(table.columns),
            )
    try:
        names = {
            int(label): str(name) for label, name in zip(table["index"], table["name"], strict=True)
        }
    except ValueError as error:
        raise CorruptDataError("an index is no number", where=table_path, found=error) from error
    names.pop(0, None)
    unnamed = sorted(set(np.unique(number).tolist()) - {0} - set(names))
    if unnamed:
        raise CorruptDataError(
            f"{len(unnamed)} labels of the atlas have no name",
            where=path,
            expected=f"those in {table_path.name}",
            found=", ".join(map(str, unnamed[:5])),
        )
    return number, names


def _read_volumes(
    dataset: BIDSFolder, subject: str, reference: VolumeHeader, options: RegionOptions
) -> tuple[np.ndarray, dict[int, str]]:
    number = np.zeros(reference.shape, dtype=np.int64)
    for label, template in enumerate(options.volumes.values(), start=1):
        path = _locate(dataset, template, subject)
        mask = _read_grid(path, reference, options.resample) > 0
        if not mask.any():
            raise InputError("the region is empty", where=path)
        number[mask & (number == 0)] = label
    return number, dict(enumerate(options.volumes, start=1))


def _locate(dataset: BIDSFolder, template: str, subject: str) -> Path:
    return dataset.folder / template.replace("{subject}", subject)


def _read_grid(path: Path, reference: VolumeHeader, resample: bool) -> np.ndarray:
    header = read_header(path)
    if not resample:
        check_same_grid(header, reference.shape, reference.affine, "the functional volumes")
        return read_volume(header)
    source = nib.Nifti1Image(read_volume(header), header.affine)
    target = nib.Nifti1Image(np.zeros(reference.shape, np.float32), reference.affine)
    moved = resample_to_img(
        source, target, interpolation="nearest", force_resample=True, copy_header=True
    )
    return np.asarray(moved.dataobj)


def find_region_problems(dataset: object, options: RegionOptions) -> list[BrainalignError]:
    """List what is wrong with the regions and masks of all subjects, for validation.

    Parameters
    ----------
    dataset : BIDSFolder
        The data set. Masks that preprocessing has yet to make are not asked for.
    options : RegionOptions
        Atlas, volumes of regions and mask.
    """
    problems: list[BrainalignError] = []
    if not isinstance(dataset, BIDSFolder) or not (options.atlas or options.volumes):
        return problems
    raw_only = dataset.options.preprocessing.kind != "none"
    for subject in dataset.list_subjects():
        try:
            runs = dataset.list_runs(subject, raw_only=raw_only)
            header, _ = dataset.read_run_header(runs[0])
        except BrainalignError:
            # Reported with the runs already.
            continue
        try:
            choose_voxels(dataset, runs, header, options)
        except BrainalignError as error:
            problems.append(error)
    return problems
