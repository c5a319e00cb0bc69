"""What a run published: the folders that the page is made from, and what they came from."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import xarray as xr

from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.stores.manifest import Manifest, read_manifest
from brainalign.stores.verify import list_published_folders

# Stages that other stages read but the report does not: only their provenance is shown.
_UPSTREAM_FOLDERS = ("raw", "electrodes", "listings", "preprocessed", "priors", "scores")


@dataclass(frozen=True)
class Artifact:
    """One published folder.

    Attributes
    ----------
    path : Path
        Where it is.
    manifest : Manifest
        What it is and where it came from.
    """

    path: Path
    manifest: Manifest

    @property
    def name(self) -> str:
        """Name of the folder without its ending."""
        return self.path.name.removesuffix(".zarr")

    @property
    def provenance(self) -> dict[str, Any]:
        """Options, inputs, versions and cost of the job that made it."""
        return self.manifest.provenance


class Fit(NamedTuple):
    """One method on one data set with one backbone."""

    method: str
    dataset: str
    backbone: str


@dataclass
class Run:
    """The published folders of a run by what they hold, in the order in which they were given.

    Attributes
    ----------
    stimuli : dict of str to Artifact
        By data set.
    responses : dict of (str, str) to Artifact
        By data set and subject.
    sorted : dict of str to Artifact
        Curated units, by data set.
    features : dict of (str, str) to Artifact
        By data set and backbone.
    backbones : dict of str to Artifact
        Trained backbones by name.
    models, predictions : dict of Fit to Artifact
        By method, data set and backbone.
    scores : Artifact or None
        The table of all scores.
    upstream : list of Artifact
        What these were made from and is not among them.
    results : Path
        The results folder.

    Notes
    -----
    Names come from the paths, whose layout is that of the results folder.
    """

    stimuli: dict[str, Artifact] = field(default_factory=dict)
    responses: dict[tuple[str, str], Artifact] = field(default_factory=dict)
    sorted: dict[str, Artifact] = field(default_factory=dict)
    features: dict[tuple[str, str], Artifact] = field(default_factory=dict)
    backbones: dict[str, Artifact] = field(default_factory=dict)
    models: dict[Fit, Artifact] = field(default_factory=dict)
    predictions: dict[Fit, Artifact] = field(default_factory=dict)
    scores: Artifact | None = None
    upstream: list[Artifact] = field(default_factory=list)
    results: Path = Path()

    def list_datasets(self) -> list[str]:
        """List the data sets, in the order in which they first appear."""
        names = [*self.stimuli, *(dataset for dataset, _ in self.responses)]
        names += [fit.dataset for fit in [*self.models, *self.predictions]]
        return list(dict.fromkeys(names))

    def list_subjects(self, dataset: str) -> list[str]:
        """List the subjects of a data set."""
        return [subject for name, subject in self.responses if name == dataset]

    def list_methods(self) -> list[str]:
        """List the methods, in the order in which they first appear."""
        return list(dict.fromkeys(fit.method for fit in [*self.models, *self.predictions]))

    def list_backbones(self) -> list[str]:
        """List the backbones, in the order in which they first appear."""
        return list(dict.fromkeys([*(name for _, name in self.features), *self.backbones]))

    def list_artifacts(self) -> list[Artifact]:
        """List everything, upstream first, stage by stage."""
        return [
            *(artifact for artifact in self.upstream if artifact.manifest.kind == "raw"),
            *self.stimuli.values(),
            *self.sorted.values(),
            *self.responses.values(),
            *self.backbones.values(),
            *self.features.values(),
            *self.models.values(),
            *self.predictions.values(),
            *(artifact for artifact in self.upstream if artifact.manifest.kind != "raw"),
            *([self.scores] if self.scores else []),
        ]


def read_run(paths: Iterable[Path], results: Path) -> Run:
    """Read the manifests of a run's published folders and tell them apart.

    Parameters
    ----------
    paths : iterable of Path
        Published folders.
    results : Path
        The results folder, in which the raw data and single score stores that the given folders
        name as their inputs are looked for.

    Returns
    -------
    run : Run
        Nothing but manifests has been read.

    Raises
    ------
    InputError
        If a path is no published folder of a known kind, or two stand for the same thing.
    CorruptDataError
        If a manifest is missing or damaged.
    """
    run = Run(results=results)
    for path in paths:
        file_artifact(run, Artifact(path, read_manifest(path)))
    run.upstream = _find_upstream(run, results)
    return run


def read_values(variable: xr.Variable, where: Path) -> np.ndarray:
    """Read a lazy variable of an open store.

    Raises
    ------
    CorruptDataError
        If a chunk does not decode.
    """
    with _convert_decode_errors(where):
        return np.asarray(variable.values)


def load_group(group: xr.Dataset, where: Path) -> xr.Dataset:
    """Read all variables of a group of an open store.

    Raises
    ------
    CorruptDataError
        If a chunk does not decode.
    """
    with _convert_decode_errors(where):
        return group.load()


@contextlib.contextmanager
def _convert_decode_errors(where: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        raise CorruptDataError(
            "a chunk does not decode",
            where=where,
            found=str(error),
            remedy="Run brainalign verify, delete the store and run its rule again.",
        ) from error


def file_artifact(run: Run, artifact: Artifact) -> None:
    """Put a published folder into its place in a run.

    Raises
    ------
    InputError
        If it is of no kind that a run has a place for, or the place is taken.
    """
    kind = artifact.manifest.kind
    # A store may lie anywhere; names that its path does not give are empty.
    parents = [*["", "", *artifact.path.resolve().parts[1:-1]][-2:], artifact.name]
    shelves: dict[str, tuple[dict[Any, Artifact], Any]] = {
        "stimuli": (run.stimuli, artifact.name),
        "responses": (run.responses, tuple(parents[-2:])),
        "sorted": (run.sorted, artifact.name),
        "features": (run.features, tuple(parents[-2:])),
        "backbone": (run.backbones, artifact.name),
        "model": (run.models, Fit(*parents)),
        "predictions": (run.predictions, Fit(*parents)),
    }
    if kind == "scores" and run.scores is None:
        run.scores = artifact
        return
    if kind not in shelves:
        raise InputError(
            "the report has no place for this folder",
            where=artifact.path,
            expected=f"one of {', '.join(shelves)}, and one scores",
            found=kind,
            remedy="Leave it out of --inputs.",
        )
    shelf, key = shelves[kind]
    if key in shelf:
        raise InputError(
            "two folders have the same name", where=artifact.path, found=str(shelf[key].path)
        )
    shelf[key] = artifact


def _find_upstream(run: Run, results: Path) -> list[Artifact]:
    """Follow the input digests of artifacts to raw data and to the score stores of single fits."""
    candidates = {}
    for folder in _UPSTREAM_FOLDERS:
        for path in list_published_folders(results / folder):
            try:
                manifest = read_manifest(path)
            except BrainalignError:
                # It is no input of the report; what reads it will complain.
                continue
            candidates[manifest.digest] = Artifact(path, manifest)
    found: dict[str, Artifact] = {}
    pending = run.list_artifacts()
    while pending:
        for digest in pending.pop().provenance.get("inputs", {}).values():
            if digest in candidates and digest not in found:
                found[digest] = candidates[digest]
                pending.append(candidates[digest])
    return sorted(found.values(), key=lambda artifact: str(artifact.path))
