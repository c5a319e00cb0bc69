"""From stores to edits, scores and a section of the report, on a world of coloured squares."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from brainalign.errors import InputError
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.registry import score_all
from brainalign.evaluation.variants import take_variant
from brainalign.methods.experiment import ExperimentJob, FittedExperiment
from brainalign.methods.image_prior.fit import fit_prior
from brainalign.methods.image_prior.folder import write_prior
from brainalign.methods.image_prior.options import ImagePriorOptions
from brainalign.methods.mig_vis.experiment import fit_experiment, predict_experiment
from brainalign.methods.mig_vis.options import MIGVisOptions
from brainalign.report.artifacts import read_run
from brainalign.report.page import compose_page
from brainalign.report.sections.mig_vis import count_kept_categories, judge_selectivity
from brainalign.stores.write import write_store
from square_world import SIDE, write_square_world

PLACE = "/monkey/all/variants"
ATTRIBUTES = {"place": ["x"]}
OPTIONS: dict[str, Any] = {
    "image_prior": "tiny",
    "conditional_prior": "told",
    "variants": ["mig_vis", "likelihood", "traversal", "no_penalty", "classifier_free"],
    "edited_variants": ["mig_vis", "likelihood", "traversal", "classifier_free"],
    "n_edited_seeds": 1,
    "groups": [{"size": 2, "label": "place"}, {"size": 3, "label": "category"}],
    "attributes": ATTRIBUTES,
    "vae": {"epochs": 5},
    "critic": {"epochs": 2, "n_estimates": 1},
    "editing": {"n_steps": 4, "n_corrections": 1},
    "n_references": 4,
}


@pytest.fixture(scope="module")
def job(tmp_path_factory: pytest.TempPathFactory) -> ExperimentJob:
    folder = tmp_path_factory.mktemp("squares")
    write_square_world(folder)
    options = ImagePriorOptions(
        image_size=SIDE,
        n_levels=20,
        block_channels=[8, 16],
        norm_groups=4,
        epochs=2,
        steps_per_epoch=5,
        reader_epochs=2,
        attributes=ATTRIBUTES,
        vertical_factor=None,
        mirrored_factors=["x"],
    )
    for name, condition in (("prior", "none"), ("told", "attributes")):
        chosen = options.model_copy(update={"condition": condition})
        prior, _ = fit_prior(folder / "stimuli.zarr", chosen, seed=0, device="cpu")
        (folder / name).mkdir()
        write_prior(folder / name, prior)
    return ExperimentJob(
        method="mig_vis",
        method_options=OPTIONS,
        options={"seeds": [0, 1], "normalisation": "none", "by_area": False},
        stimuli=folder / "stimuli.zarr",
        responses=(folder / "monkey.zarr",),
        features=folder / "unused.zarr",
        prior=folder / "prior",
        conditional_prior=folder / "told",
    )


@pytest.fixture(scope="module")
def fitted(job: ExperimentJob) -> FittedExperiment:
    return fit_experiment(job)


@pytest.fixture(scope="module")
def predictions(job: ExperimentJob, fitted: FittedExperiment) -> xr.DataTree:
    return predict_experiment(job, fitted)


def test_every_variant_has_latents_and_the_edited_ones_images(predictions: xr.DataTree) -> None:
    group = predictions[PLACE]
    assert group["variant"].values.tolist() == OPTIONS["variants"]
    assert group["edited_variant"].values.tolist() == OPTIONS["edited_variants"]


def test_images_are_made_for_the_first_seeds_only(predictions: xr.DataTree) -> None:
    group = predictions[PLACE]
    assert group["group_latent"].sizes["seed"] == 2
    assert group["edited_seed"].values.tolist() == [0]


def test_predicting_twice_gives_the_same_images(
    job: ExperimentJob, fitted: FittedExperiment, predictions: xr.DataTree
) -> None:
    again = predict_experiment(job, fitted)[PLACE]["synthesised_image"]
    assert again.identical(predictions[PLACE]["synthesised_image"])


def test_scores_have_controls_and_intervals(predictions: xr.DataTree) -> None:
    scores, _ = score_all(predictions, EvaluationOptions(n_bootstrap=50))
    edits = scores[scores["task"] == "edit_selectivity"].set_index(
        ["matching", "response", "metric"]
    )
    row = edits.loc[("mig_vis", "2-category", "category_transfer_margin")].iloc[0]
    assert row["ci_low"] <= row["value"] <= row["ci_high"]
    assert row["chance"] == 0


def test_the_report_shows_the_grids(
    predictions: xr.DataTree, tmp_path: Path, job: ExperimentJob
) -> None:
    folder = tmp_path / "predictions/mig_vis/squares/none.zarr"
    tree = predictions.copy()
    tree.attrs.update({"method": "mig_vis", "dataset": "squares", "backbone": "none"})
    write_store(folder, tree, "predictions")
    html = compose_page(read_run([folder], tmp_path)).html
    assert "Latent groups and edited images" in html
    assert "along 2 groups of latents" in html


def test_the_report_says_in_words_what_is_selective(predictions: xr.DataTree) -> None:
    scores, _ = score_all(predictions, EvaluationOptions(n_bootstrap=50))
    own = scores[(scores["seed"] == "all") & (scores["matching"] == "mig_vis")]
    lines = judge_selectivity(own, ["1-place", "2-category"], "transfer")
    assert [line.split(":")[0].split(" ")[1] for line in lines] == ["1-place", "2-category"]
    assert all("beyond" in line for line in lines)
    (kept,) = count_kept_categories(take_variant(predictions[PLACE].to_dataset(), "mig_vis"))
    assert "of 4 references keep their category" in kept


def test_without_the_prior_that_it_names_the_method_says_so(job: ExperimentJob) -> None:
    with pytest.raises(InputError, match="image prior 'tiny'"):
        fit_experiment(dataclasses.replace(job, prior=None))


def test_latents_need_no_prior(job: ExperimentJob) -> None:
    options = {**OPTIONS, "image_prior": None}
    alone = dataclasses.replace(job, method_options=options, prior=None)
    tree = predict_experiment(alone, fit_experiment(alone))
    assert not any("synthesised_image" in node.data_vars for node in tree.subtree)


def test_the_default_options_are_valid() -> None:
    assert MIGVisOptions().list_edited() == MIGVisOptions().variants


def test_classifier_free_edits_are_scored_like_the_others(predictions: xr.DataTree) -> None:
    scores, _ = score_all(predictions, EvaluationOptions(n_bootstrap=50))
    edits = scores[scores["task"] == "edit_selectivity"]
    metrics = {name: set(rows["metric"]) for name, rows in edits.groupby("matching")}
    assert metrics["classifier_free"] == metrics["mig_vis"]
    group = take_variant(predictions[PLACE].to_dataset(), "classifier_free")
    assert np.isfinite(group["control_reading"].values).all()
    assert (group["synthesised_image"] != group["control_image"].sel(control="own_latent")).any()


def test_a_prior_that_is_told_nothing_cannot_edit_attributes(
    job: ExperimentJob, fitted: FittedExperiment
) -> None:
    with pytest.raises(InputError, match="told nothing of images"):
        predict_experiment(dataclasses.replace(job, conditional_prior=job.prior), fitted)


def test_the_store_of_predictions_is_about_a_hundred_files(
    predictions: xr.DataTree, tmp_path: Path
) -> None:
    write_store(tmp_path / "predictions.zarr", predictions, "predictions")
    files = [path for path in (tmp_path / "predictions.zarr").rglob("*") if path.is_file()]
    # One subject with five variants, four of them edited.
    assert len(files) < 80
