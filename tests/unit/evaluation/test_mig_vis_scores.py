"""Scores of grouped latents and edits on stores whose answers are known."""

from __future__ import annotations

import numpy as np
import xarray as xr

from brainalign.evaluation.edit_selectivity import (
    _summarise,
    locate_attributes,
    measure_changes,
    score_edits,
)
from brainalign.evaluation.group_latents import score_group_latents
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.registry import score_all
from brainalign.evaluation.variants import iterate_variants, take_variant

OPTIONS = EvaluationOptions(n_bootstrap=50)
GROUPS = ["1-pose", "2-category"]
PLACE = "/monkey/all/variants"


def make_predictions() -> xr.DataTree:
    """Two seeds: group 1 holds pose, group 2 category; edits of a group change its own reading."""
    generator = np.random.default_rng(0)
    n_stimuli, n_references = 120, 5
    pose = generator.standard_normal((n_stimuli, 1))
    number = generator.integers(3, size=n_stimuli)
    latent = np.concatenate([pose, generator.standard_normal((n_stimuli, 1))], axis=1)
    latent = np.concatenate([latent, 3 * np.eye(3)[number][:, :2]], axis=1)
    response = latent @ generator.standard_normal((4, 6))
    start = np.concatenate([np.eye(3)[number[:n_references]], pose[:n_references]], axis=1)
    target = np.roll(start, 1, axis=0)
    reading = np.repeat(start[None, :, None, None], 2, axis=0).repeat(2, axis=2)
    reading[:, :, 0, 0, 3] = target[:, 3]
    reading[:, :, 1, 0, :3] = target[:, :3]
    control = np.repeat(start[None, None, :, None], 2, axis=0).repeat(4, axis=1).repeat(2, axis=3)
    group = xr.Dataset(
        {
            "group_latent": (("seed", "stimulus", "latent"), np.stack([latent, latent[:, ::-1]])),
            "observed_response": (("stimulus", "unit"), response),
            "reconstructed_response": (
                ("seed", "stimulus", "unit"),
                np.stack([response, response]),
            ),
            "unit_ceiling": ("unit", np.full(6, 0.9)),
            "factor": (("stimulus", "factor_name"), pose),
            "synthesised_image": (
                ("edited_seed", "reference", "group", "strength", "y", "x", "channel"),
                np.zeros((2, n_references, 2, 1, 2, 2, 3), dtype=np.uint8),
            ),
            "reading": (
                ("edited_seed", "reference", "group", "strength", "reading_column"),
                reading,
            ),
            "control_reading": (
                ("edited_seed", "control", "reference", "group", "reading_column"),
                control,
            ),
            "reference_reading": (("reference", "reading_column"), start),
            "target_reading": (("reference", "reading_column"), target),
            "reading_quality": ("reading_column", np.array([0.9, 0.9, 0.9, 0.5])),
        },
        coords={
            "seed": [0, 1],
            "edited_seed": [0, 1],
            "stimulus": [f"s{row}" for row in range(n_stimuli)],
            "split": ("stimulus", np.where(np.arange(n_stimuli) % 4 == 0, "test", "train")),
            "category": ("stimulus", np.array([f"kind-{value}" for value in number])),
            "unit": [f"u{row}" for row in range(6)],
            "latent_group": ("latent", np.repeat(GROUPS, 2)),
            "group": GROUPS,
            "factor_name": ["yaw_deg"],
            "reference": [f"s{row}" for row in range(n_references)],
            "strength": [1.0],
            "control": ["no_guidance", "own_latent", "shuffled_latents", "random_critic"],
            "attribute": ("reading_column", ["category"] * 3 + ["pose"]),
            "reading_name": ("reading_column", ["kind-0", "kind-1", "kind-2", "yaw_deg"]),
        },
        attrs={"move": "swap", "attributes": ["pose:yaw_deg"]},
    )
    return xr.DataTree.from_dict({"/": xr.Dataset(), PLACE: add_variant(group)})


def add_variant(group: xr.Dataset) -> xr.Dataset:
    """Give what differs between variants its dimension, as predictions are stored."""
    by_variant = {
        name: group[name].expand_dims({dimension: ["mig_vis"]})
        for dimension, names in {
            "variant": ["group_latent", "reconstructed_response"],
            "edited_variant": ["synthesised_image", "reading", "control_reading"],
        }.items()
        for name in names
    }
    return group.drop_vars(list(by_variant)).assign(by_variant)


def test_a_perfect_reconstruction_scores_one() -> None:
    scores, details = score_group_latents(make_predictions(), OPTIONS)
    row = scores[(scores["metric"] == "r2") & (scores["seed"] == "0")].iloc[0]
    assert (row["value"], row["ceiling"], row["chance"]) == (1.0, 0.9, 0.0)
    assert (details["reconstructed_units"]["r2"] == 1).all()


def test_read_outs_find_each_label_in_its_own_group() -> None:
    scores, _ = score_group_latents(make_predictions(), OPTIONS)
    first = scores[scores["seed"] == "0"].set_index(["response", "metric"])["value"]
    assert first["1-pose", "pose_r2"] > 0.99
    assert first["2-category", "pose_r2"] < 0.2
    assert first["2-category", "category_accuracy"] == 1
    assert first["1-pose", "category_accuracy"] < 0.7


def test_swapped_groups_are_matched_over_seeds() -> None:
    scores, _ = score_group_latents(make_predictions(), OPTIONS)
    row = scores[scores["task"] == "stability"].iloc[0]
    assert row["value"] > 0.99
    assert row["chance"] < 0.5


def test_the_interval_of_stability_holds_its_value() -> None:
    predictions = make_predictions()
    group = predictions[PLACE].to_dataset()
    latent = group["group_latent"]
    noise = np.random.default_rng(0).normal(scale=2 * latent.values.std(), size=latent.shape)
    group["group_latent"] = (latent.dims, latent.values + noise)
    predictions[PLACE] = xr.DataTree(group)
    scores, _ = score_group_latents(predictions, OPTIONS)
    row = scores[scores["task"] == "stability"].iloc[0]
    assert row["value"] < 0.9
    assert row["ci_low"] < row["value"] < row["ci_high"]


def test_an_edit_that_reaches_its_target_transfers_all_of_its_attribute() -> None:
    changes = measure_changes(take_variant(make_predictions()[PLACE].to_dataset(), "mig_vis"))
    pose = changes["pose_transfer"].edit[0, :, :, 0]
    assert np.allclose(pose[:, 1], 0)
    assert np.isclose(pose[:, 0].mean(), 1)
    assert np.allclose(changes["pose_shift"].control, 0)


def test_a_label_of_several_attributes_is_read_from_all_their_columns() -> None:
    group = take_variant(make_predictions()[PLACE].to_dataset(), "mig_vis")
    group.attrs["attributes"] = ["view:yaw_deg", "unread:pitch_deg"]
    columns = locate_attributes(group)
    assert list(columns) == ["category", "pose", "view"]
    assert columns["view"].tolist() == [False, False, False, True]


def test_the_planted_group_moves_its_attribute_beyond_the_others_and_the_controls() -> None:
    scores, _ = score_edits(make_predictions(), OPTIONS)
    pooled = scores[scores["seed"] == "all"].set_index(["response", "metric"])
    for group, label in (("1-pose", "pose"), ("2-category", "category")):
        assert pooled.loc[(group, f"{label}_planted_margin"), "ci_low"] >= 0
        assert pooled.loc[(group, f"{label}_planted_margin"), "value"] > 0.3
        assert pooled.loc[(group, f"{label}_shift_margin"), "value"] > 0.3


def test_both_kinds_are_scored_from_one_store() -> None:
    scores, details = score_all(make_predictions(), OPTIONS)
    assert {"reconstruction", "edit_selectivity", "attribute_reading"} <= set(scores["task"])
    assert {"edits", "reconstructed_units"} <= set(details)


def test_a_variant_without_edits_has_latents_only() -> None:
    predictions = make_predictions()
    group = predictions[PLACE].to_dataset()
    latents = group.drop_dims("edited_variant")
    both = xr.concat(
        [latents, latents.assign_coords(variant=["standard_vae"])],
        "variant",
        data_vars="minimal",
    )
    edits = group[["synthesised_image", "reading", "control_reading"]]
    predictions[PLACE] = xr.DataTree(xr.merge([both, edits], compat="override"))
    fitted = {place.variant: one for place, one in iterate_variants(predictions, "group_latent")}
    assert list(fitted) == ["mig_vis", "standard_vae"]
    assert "reading" in fitted["mig_vis"]
    assert "reading" not in fitted["standard_vae"]
    edited = [place.variant for place, _ in iterate_variants(predictions, "synthesised_image")]
    assert edited == ["mig_vis"]


def test_intervals_are_over_references_and_seeds() -> None:
    # Seeds that disagree make the interval wide, however alike the references are.
    values = np.array([[0.0] * 50, [1.0] * 50])
    apart = _summarise(values, OPTIONS)
    assert (apart["ci_low"], apart["ci_high"]) == (0.0, 1.0)
    assert apart["value"] == 0.5
