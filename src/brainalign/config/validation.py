"""Check an experiment against its files without running it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np

from brainalign.config.models import Config
from brainalign.config.plan import Plan
from brainalign.errors import BrainalignError, InputError, ResourceError
from brainalign.features.options import PretrainedOptions
from brainalign.methods.registry import get_method_options
from brainalign.raw.fmri_options import FMRIDatasetOptions, FMRIVolumeOptions
from brainalign.raw.images import resize_image
from brainalign.raw.movies import MovieCollection, RawMovieDataset
from brainalign.raw.options import MovieDatasetOptions, RecordedDataset, SpikeDatasetOptions
from brainalign.raw.published.options import PublishedVoxelDataset
from brainalign.raw.recording import RawDataset, StimulusCollection
from brainalign.raw.registry import open_raw_dataset
from brainalign.stimuli.build import divide_stimuli, find_duplicates
from brainalign.stimuli.movies import build_movie_stimuli

Finding = BrainalignError | str
_ImageDataset = SpikeDatasetOptions | FMRIDatasetOptions | PublishedVoxelDataset


def validate_experiment(config: Config) -> Iterator[Finding]:
    """Check the results folder, the backbones, the methods and the data of an experiment.

    Parameters
    ----------
    config : Config
        A configuration that is consistent in itself.

    Yields
    ------
    finding : BrainalignError or str
        A problem, or a line that starts with ``ok:`` or ``note:``. Everything is checked, also
        after a problem. Images are decoded one at a time.

    Notes
    -----
    Models on a hub are not looked up, and simulated recordings, which the workflow makes itself,
    have no files to check.
    """
    plan = Plan(config)
    yield from _check_results_folder(Path(config.results))
    yield from _check_methods(config)
    for name in sorted({backbone for _, backbone in plan.features}):
        yield from _check_backbone(name, config)
    for name in sorted(set(config.datasets) - set(plan.datasets)):
        yield f"note: data set '{name}' is in no experiment and was not checked"
    seen_by_backbones = {dataset for dataset, _ in plan.features}
    for name in plan.datasets:
        if plan.is_simulated(name):
            yield f"note: data set '{name}' is simulated; it has no files before the run"
        else:
            yield from _check_dataset(name, config.datasets[name], name in seen_by_backbones)
    yield f"ok: {len(plan.rows)} fits are planned, with {len(config.seeds)} seeds each"


def _check_results_folder(folder: Path) -> Iterator[Finding]:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        yield InputError("is no folder", where=f"results {existing}")
    elif not os.access(existing, os.W_OK | os.X_OK):
        yield ResourceError(
            "the results folder is not writable",
            where=existing,
            remedy="Choose a results folder you may write to.",
        )


def _check_methods(config: Config) -> Iterator[Finding]:
    """Compare what methods need with the design of the data sets."""
    for row, experiment in enumerate(config.experiments):
        for name in experiment.methods:
            registered = str(getattr(config.methods[name], "method", name))
            # Options of methods carry their requirements; the base of all options has none.
            needed = cast(Any, get_method_options(registered)).requirements.design
            for dataset in experiment.datasets:
                design = config.datasets[dataset].design
                if design != needed:
                    yield InputError(
                        f"method '{name}' does not fit data set '{dataset}'",
                        where=f"experiments[{row}]",
                        expected=f"a design of {needed}",
                        found=design,
                    )


def _check_backbone(name: str, config: Config) -> Iterator[Finding]:
    options = config.backbones[name]
    if not isinstance(options, PretrainedOptions):
        return
    # Imports torch, which no other check needs.
    from brainalign.features.checkpoint import (
        check_weight_files,
        find_checkpoint,
        read_configuration,
    )

    if not Path(options.model).expanduser().is_dir() and _is_hub_id(options.model):
        yield f"note: backbone '{name}' ({options.model}) comes from a hub and was not checked"
        return
    try:
        folder = find_checkpoint(options.model, options.revision)
        read_configuration(folder, "config.json")
        check_weight_files(folder)
    except BrainalignError as error:
        yield _locate(error, f"backbones.{name}.model")
    else:
        yield f"ok: backbone '{name}': {folder}"


def _is_hub_id(model: str) -> bool:
    return model.count("/") == 1 and not model.startswith((".", "/", "~"))


def _check_dataset(name: str, options: RecordedDataset, needs_stimuli: bool) -> Iterator[Finding]:
    try:
        dataset = open_raw_dataset(options)
        problems = dataset.find_problems()
        if isinstance(options, FMRIVolumeOptions):
            problems += _find_region_problems(dataset, options)
    except BrainalignError as error:
        yield _locate(error, f"data set '{name}'")
        return
    for problem in problems:
        yield _locate(problem, f"data set '{name}'")
    if problems:
        # Stimuli are listed from the trials, which are not all readable.
        yield f"note: stimuli of data set '{name}' were not checked because of problems above"
        return
    if isinstance(options, MovieDatasetOptions):
        yield from _check_movies(name, options, dataset)
        return
    if not isinstance(options, _ImageDataset):
        return
    try:
        collection = dataset.read_stimuli()
    except BrainalignError as error:
        yield _locate(error, f"data set '{name}'")
        return
    if collection is not None and collection.has_images:
        stimulus_problems = list(_check_stimuli(name, options, collection))
        yield from stimulus_problems
        if stimulus_problems:
            return
    elif needs_stimuli:
        yield InputError(
            "the data set holds no stimulus images, but an experiment has backbones for it",
            where=f"data set '{name}'",
            remedy="Name a table of images as stimuli_table, or plan it without backbones and "
            "methods.",
        )
    yield _describe(name, dataset, collection)


def _check_movies(
    name: str, options: MovieDatasetOptions, dataset: RawMovieDataset
) -> Iterator[Finding]:
    """Check sizes, splits and sessions of a data set of movies; frames are decoded."""
    try:
        collection = dataset.read_movies()
        stimuli = build_movie_stimuli(collection, options.stimuli)
        yield _describe_movies(name, dataset, collection, len(stimuli["movie"]))
    except BrainalignError as error:
        yield _locate(error, f"data set '{name}'")


def _describe_movies(
    name: str, dataset: RawMovieDataset, collection: MovieCollection, n_frames: int
) -> str:
    subjects = dataset.list_subjects()
    sessions = [(one, part) for one in subjects for part in dataset.read_movie_sessions(one)]
    units = {(subject, str(unit)) for subject, one in sessions for unit in one.units.index}
    return (
        f"ok: data set '{name}': {len(subjects)} subjects, {len(sessions)} sessions, "
        f"{len(units)} units, {sum(len(one.trials) for _, one in sessions)} trials of "
        f"{len(collection.movies)} movies, {n_frames} frames for models"
    )


def _find_region_problems(dataset: RawDataset, options: Any) -> list[BrainalignError]:
    # Imports nilearn, which no other check needs.
    from brainalign.responses.fmri_regions import find_region_problems

    return find_region_problems(dataset, options.responses.regions)


def _check_stimuli(
    name: str,
    options: _ImageDataset,
    collection: StimulusCollection,
) -> Iterator[Finding]:
    stimulus = np.asarray(sorted(map(str, collection.table.index)), dtype=np.str_)
    problems: list[BrainalignError] = []
    duplicates = find_duplicates(_decode(collection, stimulus, options, problems), stimulus)
    for problem in problems:
        yield _locate(problem, f"data set '{name}'")
    try:
        groups = divide_stimuli(stimulus, collection.table, options.stimuli.split).group
    except BrainalignError as error:
        yield _locate(error, f"data set '{name}'")
        return
    if options.stimuli.duplicates == "allow":
        return
    group_of = dict(zip(stimulus.tolist(), groups.tolist(), strict=True))
    for twin, first in duplicates:
        if group_of[twin] != group_of[first]:
            yield InputError(
                f"the same picture stands in {group_of[first]} as '{first}' and in "
                f"{group_of[twin]} as '{twin}'",
                where=f"data set '{name}'",
                remedy="Give both one id, or set stimuli.duplicates: allow.",
            )


def _decode(
    collection: StimulusCollection,
    stimulus: np.ndarray,
    options: _ImageDataset,
    problems: list[BrainalignError],
) -> Iterator[np.ndarray]:
    """Decode images one at a time; one that cannot be decoded stands for itself alone."""
    size = options.stimuli.image_size
    shape: tuple[int, ...] | None = None
    for number, name in enumerate(stimulus):
        try:
            pixels = collection.read_image(str(name))
        except BrainalignError as error:
            problems.append(error)
            yield np.array([number])
            continue
        shape = pixels.shape if shape is None else shape
        if size is None and pixels.shape != shape:
            problems.append(
                InputError(
                    "images have different sizes",
                    where=f"stimulus '{name}'",
                    expected=f"{shape[1]} x {shape[0]} pixels",
                    found=f"{pixels.shape[1]} x {pixels.shape[0]}",
                    remedy="Set stimuli.image_size to resize all of them.",
                )
            )
        yield pixels if size is None else resize_image(pixels, size)


def _describe(name: str, dataset: RawDataset, collection: StimulusCollection | None) -> str:
    if hasattr(dataset, "summarise"):
        return f"ok: data set '{name}': {dataset.summarise()}"
    units: set[tuple[str, str]] = set()
    n_sessions = n_presentations = 0
    subjects = dataset.list_subjects()
    for subject in subjects:
        for session in dataset.read_sessions(subject):
            n_sessions += 1
            n_presentations += len(session.presentations)
            units |= {(subject, str(unit)) for unit in session.units.index}
    n_stimuli = 0 if collection is None else len(collection.table)
    return (
        f"ok: data set '{name}': {len(subjects)} subjects, {n_sessions} sessions, "
        f"{len(units)} units, {n_presentations} presentations, {n_stimuli} stimuli"
    )


def _locate(error: BrainalignError, part: str) -> BrainalignError:
    """Say which part of the configuration an error belongs to."""
    where = part if error.where is None else f"{part}: {error.where}"
    return type(error)(
        error.what,
        where=where,
        expected=error.expected,
        found=error.found,
        remedy=error.remedy,
    )
