"""A small finished run with the names of the default one, and models that can be loaded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from brainalign.methods.experiment import ExperimentJob
from brainalign.methods.image_alignment import fit_experiment
from brainalign.methods.registry import get_method_options
from brainalign.methods.weights import write_weights
from brainalign.stores.publish import publish_folder
from brainalign.stores.read import read_store
from brainalign.stores.write import write_store
from unit.report import example_run

DATASET, BACKBONE, SUBJECTS = "simulated_it", "pixels", ("monkey-a", "monkey-b")
_BUDGETS: dict[str, dict[str, Any]] = {"vna": {"epochs": 1, "embedding_dimension": 4}}


def build_notebook_run(results: Path) -> None:
    """Publish stores of all stages, scores and two fitted models."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(example_run, "DATASET", DATASET)
        example_run.build_run(results, SUBJECTS)
        for subject in SUBJECTS:
            _name_subject(example_run.write_recording(results, DATASET, subject), subject)
    for method in example_run.METHODS:
        _fit(results, method)


def _name_subject(path: Path, subject: str) -> None:
    recording = read_store(path, "responses").to_dataset()
    write_store(path, recording.assign_attrs(subject=subject), "responses", {})


def _fit(results: Path, method: str) -> None:
    options = get_method_options(method).model_validate(_BUDGETS.get(method, {}))
    job = ExperimentJob(
        method=method,
        method_options=options.model_dump(mode="json"),
        options={
            "seeds": [0, 1],
            "feature": "grid/feature",
            "normalisation": "none",
            "by_area": False,
        },
        stimuli=results / "stimuli" / f"{DATASET}.zarr",
        responses=tuple(results / "responses" / DATASET / f"{name}.zarr" for name in SUBJECTS),
        features=results / "features" / DATASET / f"{BACKBONE}.zarr",
    )
    fitted = fit_experiment(job)
    folder = results / "models" / method / DATASET / BACKBONE
    with publish_folder(folder, "model", {"seeds": [0, 1]}) as draft:
        write_weights(draft, fitted.weights, fitted.description)
        assert isinstance(fitted.history, pd.DataFrame)
        fitted.history.to_csv(draft / "training.csv", index=False)
