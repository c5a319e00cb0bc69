"""Which methods fit which data sets: what one requires against what the other is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from brainalign.config.models import Config
from brainalign.config.plan import Plan
from brainalign.errors import BrainalignError, InputError
from brainalign.methods.registry import get_method_options
from brainalign.methods.requirements import Requirements
from brainalign.raw.dataset_options import RecordedDataset


def get_requirements(config: Config, method: str) -> Requirements:
    """Give what a configured method requires.

    Parameters
    ----------
    config : Config
        A configuration that defines the method.
    method : str
        Its name there, which need not be that in the registry.
    """
    registered = str(getattr(config.methods[method], "method", method))
    # Options of methods carry their requirements; the base of all options has none.
    return cast(Any, get_method_options(registered)).requirements


def find_obstacle(
    needed: Requirements, recording: RecordedDataset, n_subjects: int | None = None
) -> InputError | None:
    """Find why a method cannot run on a data set.

    Parameters
    ----------
    needed : Requirements
        Of the method.
    recording : RecordedDataset
        Options of the data set.
    n_subjects : int, optional
        Subjects of the data set; None where they are not known, which is no obstacle.

    Returns
    -------
    obstacle : InputError or None
        The first thing that does not fit, with what to do; None where all fit.
    """
    if recording.design != needed.design:
        return InputError(
            "the design differs",
            expected=needed.design,
            found=recording.design,
            remedy=f"Choose a method for {recording.design}.",
        )
    if not recording.has_responses:
        return InputError(
            "the recording ends with its sorted units",
            expected="responses",
            found="none are built",
            remedy="Leave methods out, or use a recording with responses.",
        )
    if recording.modality not in needed.modalities:
        return InputError(
            "the kind of recording differs",
            expected=" or ".join(needed.modalities),
            found=recording.modality,
            remedy=f"Choose a method for {recording.modality}.",
        )
    if n_subjects is not None and n_subjects < needed.min_subjects:
        return InputError(
            "the method joins subjects",
            expected=f"{needed.min_subjects} subjects or more",
            found=n_subjects,
            remedy="Choose its form for one subject, or add subjects.",
        )
    if needed.needs_labels and recording.knows_labels() is False:
        return InputError(
            "the stimuli have no labels, so there is nothing to predict",
            expected="labels of stimuli",
            found="none",
            remedy="Give the stimuli labels, or choose another method.",
        )
    return None


def find_wrong_pairs(config: Config, plan: Plan) -> Iterator[InputError]:
    """List the pairs of experiments that cannot run, one line each.

    Parameters
    ----------
    config : Config
        A configuration that is consistent in itself.
    plan : Plan
        Its plan, which counts subjects.

    Yields
    ------
    problem : InputError
        What does not fit, where, what was expected and found, and what to do.
    """
    for number, experiment in enumerate(config.experiments):
        for dataset in experiment.datasets:
            n_subjects = count_subjects(plan, dataset) if experiment.methods else None
            for method in experiment.methods:
                needed = get_requirements(config, method)
                obstacle = find_obstacle(needed, config.datasets[dataset], n_subjects)
                if obstacle is not None:
                    yield InputError(
                        f"method '{method}' does not fit data set '{dataset}': {obstacle.what}",
                        where=f"experiments[{number}]",
                        expected=obstacle.expected,
                        found=obstacle.found,
                        remedy=obstacle.remedy,
                    )


def count_subjects(plan: Plan, dataset: str) -> int | None:
    """Count the subjects of a data set; None where its files cannot be read."""
    try:
        return len(plan.list_subjects(dataset))
    except BrainalignError:
        # Files that cannot be read are a problem of their own, which validate tells.
        return None
