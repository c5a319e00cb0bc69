"""Latent groups of real IT spike sorts, as the workflow plans them: sessions are joined."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from brainalign.config import job_options
from brainalign.config.load import load_config
from brainalign.config.models import Config
from brainalign.config.plan import Plan, Row
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.registry import score_all
from brainalign.methods.experiment import ExperimentJob
from brainalign.methods.mig_vis.experiment import fit_experiment, predict_experiment
from brainalign.raw.registry import open_raw_dataset
from brainalign.responses.build import build_spike_responses
from brainalign.stimuli.build import build_image_stimuli
from brainalign.stimuli.read import read_splits
from brainalign.stores.write import write_store

pytestmark = pytest.mark.real_data

PROJECT = Path(__file__).parents[4]
DATASET = "zhang_desimone2011"


@pytest.fixture(scope="module")
def config(data_folder: Path) -> Config:
    environment = pytest.MonkeyPatch()
    environment.setenv("BRAINALIGN_DATA", str(data_folder))
    environment.chdir(PROJECT)
    yield load_config([PROJECT / f"workflow/datasets/{DATASET}.yaml"])
    environment.undo()


@pytest.fixture(scope="module")
def stores(config: Config, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("zhang")
    options = config.datasets[DATASET]
    dataset = open_raw_dataset(options)
    stimuli = build_image_stimuli(dataset.read_stimuli(), options.stimuli)
    write_store(folder / "stimuli.zarr", stimuli, "stimuli")
    (subject,) = dataset.list_subjects()
    responses = build_spike_responses(
        dataset, subject, options.responses, read_splits(folder / "stimuli.zarr")
    )
    responses.attrs["subject"] = subject
    write_store(folder / "responses.zarr", responses, "responses")
    return folder / "stimuli.zarr", folder / "responses.zarr"


def predict(config: Config, stores: tuple[Path, Path], method: str) -> xr.DataTree:
    options = job_options.describe_fit(config, method, DATASET, "none")
    name, method_options = job_options.read_method_options(options)
    stimuli, responses = stores
    job = ExperimentJob(
        method=name,
        method_options=method_options,
        options=options,
        stimuli=stimuli,
        responses=(responses,),
        features=Path("none"),
    )
    return predict_experiment(job, fit_experiment(job))


@pytest.fixture(scope="module")
def scores(config: Config, stores: tuple[Path, Path]) -> pd.DataFrame:
    table, _ = score_all(predict(config, stores, "latents"), EvaluationOptions())
    pooled = table[table["seed"] == "all"]
    columns = ["matching", "response", "metric", "value", "ci_low", "ci_high", "chance"]
    print(pooled[columns].to_string(index=False))
    return pooled.set_index(["matching", "response", "metric"]).sort_index()


def test_latents_without_images_are_planned_without_backbone_and_prior(config: Config) -> None:
    plan = Plan(config)
    assert plan.rows == [
        Row("latents", DATASET, "none"),
        Row("latents_of_counts", DATASET, "none"),
    ]
    assert (plan.features, plan.priors) == ([], [])
    assert plan.has_stimuli(DATASET)


def test_the_stimuli_are_known_by_their_labels(stores: tuple[Path, Path]) -> None:
    stimuli = xr.open_zarr(stores[0])
    assert "image" not in stimuli
    assert len(set(stimuli["category"].values.tolist())) == 7


def test_the_labelled_group_tells_the_object_above_chance(scores: pd.DataFrame) -> None:
    row = scores.loc[("mig_vis", "2-category", "category_accuracy")]
    assert float(row["ci_low"]) > float(row["chance"])


def test_labels_bring_the_object_into_their_group(scores: pd.DataFrame) -> None:
    labelled = float(scores.loc[("mig_vis", "2-category", "category_accuracy"), "value"])
    free = float(scores.loc[("mig_vis", "3-free", "category_accuracy"), "value"])
    assert labelled > free


def test_every_read_out_has_its_chance(scores: pd.DataFrame) -> None:
    read = scores[scores["task"] == "label_information"]
    assert read["chance"].notna().all()


def test_counts_give_bits_per_spike(config: Config, stores: tuple[Path, Path]) -> None:
    table, _ = score_all(predict(config, stores, "latents_of_counts"), EvaluationOptions())
    pooled = table[(table["seed"] == "all") & (table["metric"] == "bits_per_spike")]
    print(pooled[["matching", "value", "ci_low", "ci_high"]].to_string(index=False))
    assert (pooled["ci_low"] > 0).all()
