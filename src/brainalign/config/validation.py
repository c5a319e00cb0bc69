"""Check an experiment against its files without running it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from pydantic import TypeAdapter, ValidationError

from brainalign.config.models import Config
from brainalign.config.pairs import find_wrong_pairs
from brainalign.config.plan import Plan
from brainalign.errors import BrainalignError, InputError, ResourceError
from brainalign.features.options import PretrainedOptions
from brainalign.raw.fmri_options import FMRIDatasetOptions, FMRIVolumeOptions
from brainalign.raw.images import resize_image
from brainalign.raw.movies import MovieCollection, RawMovieDataset
from brainalign.raw.options import (
    DatasetOptions,
    MovieDatasetOptions,
    RecordedDataset,
    SpikeDatasetOptions,
)
from brainalign.raw.published.options import PublishedVoxelDataset
from brainalign.raw.recording import RawDataset, StimulusCollection, expand_file
from brainalign.raw.registry import open_raw_dataset
from brainalign.raw.stimulus_table import open_stimulus_table
from brainalign.stimuli.build import divide_stimuli, find_duplicates
from brainalign.stimuli.movies import build_movie_stimuli, check_first_frames, choose_movies

Finding = BrainalignError | str
# Some seconds each on one core.
_DECODED_IMAGES = 1000
_DECODED_FRAMES = 5000
_MAX_LISTED = 20
_DATASET: TypeAdapter[Any] = TypeAdapter(DatasetOptions)
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
    yield from _check_results_folder(Path(config.results), config.datasets)
    yield from find_wrong_pairs(config, plan)
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
    yield f"note: {len(plan.rows)} fits are planned, with {len(config.seeds)} seeds each"


def validate_readable_parts(content: Mapping[str, Any]) -> Iterator[Finding]:
    """Check results folder and data sets of a configuration that is wrong elsewhere.

    Parameters
    ----------
    content : mapping
        Merged configuration files, as far as they could be read.

    Yields
    ------
    finding : BrainalignError or str
        As :func:`validate_experiment`; a note for each data set whose own options are wrong.
    """
    entries = content.get("datasets")
    datasets: dict[str, RecordedDataset] = {}
    for name, entry in (entries if isinstance(entries, dict) else {}).items():
        try:
            datasets[name] = _DATASET.validate_python(entry)
        except ValidationError:
            yield f"note: files of data set '{name}' were not checked; its options are wrong"
    if isinstance(results := content.get("results", "results"), str) and results:
        yield from _check_results_folder(Path(results), datasets)
    planned: dict[str, bool] = {}
    experiments = content.get("experiments")
    for row in experiments if isinstance(experiments, list) else []:
        names = row.get("datasets") if isinstance(row, dict) else None
        for name in names if isinstance(names, list) else []:
            planned[str(name)] = planned.get(str(name), False) or bool(row.get("backbones"))
    for name, options in datasets.items():
        if not options.is_simulated and (name in planned or not planned):
            yield from _check_dataset(name, options, planned.get(name, False))


def _check_results_folder(
    folder: Path, datasets: Mapping[str, RecordedDataset]
) -> Iterator[Finding]:
    yield from _check_results_are_apart(folder, datasets)
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir():
        yield InputError("is no folder", where=f"results {existing}")
    elif not os.access(existing, os.W_OK | os.X_OK):
        yield ResourceError(
            "the results folder is not writable",
            where=existing,
            remedy="Choose a results folder you may write to.",
        )


def _check_results_are_apart(
    results: Path, datasets: Mapping[str, RecordedDataset]
) -> Iterator[Finding]:
    """Refuse results below the files of a data set: a later run would take them for data."""
    for name, options in datasets.items():
        text = getattr(options, "folder", None)
        if not isinstance(text, str):
            continue
        data = Path(os.path.expandvars(text)).expanduser().resolve()
        inside = results.resolve()
        # BIDS keeps what was derived below the data set, and readers leave it alone.
        if inside.is_relative_to(data) and not inside.is_relative_to(data / "derivatives"):
            yield InputError(
                "the results folder lies in the folder of the data",
                where=f"data set '{name}'",
                expected=f"results outside of {data}",
                found=inside,
                remedy="Put the recordings into a folder of their own, or set results to another "
                "place.",
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
        # Stimuli are listed from the trials, which are not all readable; a table is by itself.
        table = getattr(options, "stimuli_table", None)
        if table is None or any(table in str(problem) for problem in problems):
            yield f"note: stimuli of data set '{name}' were not checked because of problems above"
            return
        try:
            path = expand_file(table, "stimuli_table")
            collection = open_stimulus_table(path, cast(Any, options).stimuli.max_pixels)
            if collection.has_images:
                yield from _check_stimuli(name, cast(Any, options), collection)
        except BrainalignError as error:
            yield _locate(error, f"data set '{name}'")
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
        if any(isinstance(finding, BrainalignError) for finding in stimulus_problems):
            return
    elif needs_stimuli:
        yield InputError(
            "the data set holds no stimulus images, but an experiment has backbones for it",
            where=f"data set '{name}'",
            remedy="Name a table of images as stimuli_table, or plan it without backbones and "
            "methods.",
        )
    try:
        yield _describe(name, dataset, collection)
    except BrainalignError as error:
        yield _locate(error, f"data set '{name}'")


def _check_movies(
    name: str, options: MovieDatasetOptions, dataset: RawMovieDataset
) -> Iterator[Finding]:
    """Check sizes, splits and sessions of a data set of movies; few frames are all decoded."""
    try:
        collection = dataset.read_movies()
        n_frames = sum(movie.n_frames for movie in choose_movies(collection))
        if n_frames <= _DECODED_FRAMES:
            build_movie_stimuli(collection, options.stimuli)
        else:
            check_first_frames(collection, options.stimuli)
            yield f"note: of each movie of data set '{name}' only the first frame was decoded"
        yield _describe_movies(name, dataset, collection, n_frames)
    except BrainalignError as error:
        yield _locate(error, f"data set '{name}'")


def _describe_movies(
    name: str, dataset: RawMovieDataset, collection: MovieCollection, n_frames: int
) -> str:
    if hasattr(dataset, "summarise"):
        return f"ok: data set '{name}': {dataset.summarise()}, {n_frames} frames for models"
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
    # Evenly over the names, so that every folder of pictures is looked at.
    step = -(-len(stimulus) // _DECODED_IMAGES)
    decoded = stimulus[::step]
    duplicates = find_duplicates(_decode(collection, decoded, options, problems), decoded)
    if step > 1:
        problems += _find_unreadable(collection, np.setdiff1d(stimulus, decoded))
        yield (
            f"note: {len(decoded)} of {len(stimulus)} pictures of data set '{name}' were decoded, "
            "of the others the headers; pictures that stand twice may be missed"
        )
    for problem in problems[:_MAX_LISTED]:
        yield _locate(problem, f"data set '{name}'")
    if len(problems) > _MAX_LISTED:
        yield InputError(
            f"{len(problems) - _MAX_LISTED} more pictures have problems",
            where=f"data set '{name}'",
        )
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


def _find_unreadable(collection: StimulusCollection, stimulus: np.ndarray) -> list[BrainalignError]:
    problems: list[BrainalignError] = []
    if collection.check_image is not None:
        for name in stimulus:
            try:
                collection.check_image(str(name))
            except BrainalignError as error:
                problems.append(error)
    return problems


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
