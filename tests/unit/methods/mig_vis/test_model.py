"""The group-wise autoencoder on a world with planted latents."""

from __future__ import annotations

import dataclasses
import warnings
from typing import Any

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.evaluation.group_latents import measure_reconstruction
from brainalign.methods.mig_vis.arrays import average_presentations, make_labels
from brainalign.methods.mig_vis.critic import train_critics
from brainalign.methods.mig_vis.model import MIGVis
from brainalign.methods.mig_vis.options import (
    CriticOptions,
    GroupOptions,
    GroupVAEOptions,
    MIGVisOptions,
)
from group_world import GroupWorld, make_world

OPTIONS = MIGVisOptions(
    groups=[
        GroupOptions(size=6, label="pose"),
        GroupOptions(size=6, label="category"),
        GroupOptions(size=4),
    ],
    attributes={"pose": ["yaw_deg", "pitch_deg", "roll_deg"]},
)


@pytest.fixture(scope="module")
def world() -> GroupWorld:
    return make_world()


def fit(world: GroupWorld, options: MIGVisOptions = OPTIONS, **settings: Any) -> MIGVis:
    chosen = GroupVAEOptions(
        **{"epochs": 150, "batch_size": 128, "learning_rate": 5e-3, **settings}
    )
    labels = make_labels(
        options, world.known, world.table.stimulus, world.training, chosen.label_fraction, 0
    )
    model = MIGVis(chosen, options.slice_groups())
    model.fit(
        world.table.take(world.training),
        world.table.take(world.validation),
        [label and label.take(world.training) for label in labels],
        [label and label.take(world.validation) for label in labels],
        seed=0,
    )
    return model


def score(model: MIGVis, world: GroupWorld) -> float:
    test = world.table.take(world.test)
    predicted = model.decode(model.encode(test).mean)
    return float(np.nanmean(measure_reconstruction(test.response.astype(float), predicted)))


def explain(model: MIGVis, world: GroupWorld, truth: np.ndarray) -> list[float]:
    """R2 of linear read-outs of some truth from each group, on test stimuli."""
    latent = model.encode(world.table).mean
    shares = []
    for group in model.groups:
        design = np.c_[latent[:, group], np.ones(len(latent))]
        weight = np.linalg.lstsq(design[world.training], truth[world.training], rcond=None)[0]
        error = ((design[world.test] @ weight - truth[world.test]) ** 2).sum()
        shares.append(1 - error / ((truth[world.test] - truth[world.test].mean(axis=0)) ** 2).sum())
    return shares


def test_groups_separate_at_no_more_than_two_points_of_r2(world: GroupWorld) -> None:
    standard, grouped = fit(world, label_weight=0.0, penalty="none"), fit(world)
    assert score(grouped, world) > score(standard, world) - 0.02
    pose = explain(grouped, world, np.sin(np.deg2rad(world.known.factor)))
    names = np.unique(world.known.category)
    category = explain(grouped, world, (world.known.category[:, None] == names).astype(float))
    assert pose[0] > 0.8
    assert pose[0] > max(pose[1:]) + 0.5
    assert category[1] > max(category[0], category[2]) + 0.3


@pytest.mark.parametrize("penalty", ["minibatch", "adversarial", "none"])
def test_every_form_of_the_penalty_trains(world: GroupWorld, penalty: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert score(fit(world, penalty=penalty, epochs=80), world) > 0.5


def test_a_saturated_minibatch_penalty_warns(world: GroupWorld) -> None:
    with pytest.warns(UserWarning, match="has no gradient"):
        fit(world, penalty="minibatch")


def test_labels_of_a_quarter_of_the_images_are_enough_to_name_the_pose_group(
    world: GroupWorld,
) -> None:
    pose = explain(fit(world, label_fraction=0.25), world, np.sin(np.deg2rad(world.known.factor)))
    assert pose[0] == max(pose)


def test_any_list_of_group_sizes_is_fitted(world: GroupWorld) -> None:
    sizes = [3, 3, 3, 3, 3, 6, 6, 6]
    options = OPTIONS.model_copy(update={"groups": [GroupOptions(size=size) for size in sizes]})
    assert fit(world, options, epochs=20).encode(world.table).mean.shape == (400, 33)


def test_missing_units_are_masked(world: GroupWorld) -> None:
    holes = world.table.response.copy()
    holes[np.random.default_rng(1).random(holes.shape) < 0.2] = np.nan
    table = dataclasses.replace(world.table, response=holes)
    model = fit(dataclasses.replace(world, table=table))
    assert np.isfinite(model.encode(table).mean).all()
    assert score(model, dataclasses.replace(world, table=table)) > 0.5


def test_sessions_with_gains_of_their_own_are_stitched(world: GroupWorld) -> None:
    rows = len(world.table.stimulus)
    session = np.arange(rows) // 5 % 2
    response = world.table.response * np.where(session, 3.0, 1.0)[:, None] + session[:, None]
    table = dataclasses.replace(world.table, session=session, response=response.astype(np.float32))
    stitched = fit(dataclasses.replace(world, table=table), sessions="stitched")
    test = table.take(world.test)
    predicted = stitched.decode(stitched.encode(test).mean, test.session)
    r2 = measure_reconstruction(test.response.astype(float), predicted)
    assert np.nanmean(r2) > 0.7


def test_a_poisson_fit_predicts_counts_better_than_their_mean(world: GroupWorld) -> None:
    rate = np.exp(world.table.response / world.table.response.std() * 0.7 + 1)
    counts = np.random.default_rng(0).poisson(rate).astype(np.float32)
    table = dataclasses.replace(world.table, response=counts)
    model = fit(dataclasses.replace(world, table=table), likelihood="poisson")
    test = table.take(world.test)
    expected = model.decode(model.encode(test).mean)
    mean = counts[world.training].mean(axis=0)
    gain = (test.response * np.log(expected / mean) - (expected - mean)).sum()
    assert gain / (test.response.sum() * np.log(2)) > 0.2


def test_weights_give_the_same_latents(world: GroupWorld) -> None:
    model = fit(world, epochs=5)
    other = MIGVis(model.options, model.groups)
    other.set_weights(model.get_weights())
    assert np.array_equal(other.encode(world.table).mean, model.encode(world.table).mean)


def test_labels_for_unknown_images_are_refused(world: GroupWorld) -> None:
    stimulus = np.append(world.table.stimulus[:-1], "image-nowhere")
    with pytest.raises(InputError, match=r"1 stimuli have no attributes.*image-nowhere"):
        make_labels(OPTIONS, world.known, stimulus, world.training, 1.0, 0)


def test_a_category_with_one_image_is_refused(world: GroupWorld) -> None:
    category = world.known.category.astype("U16")
    category[np.flatnonzero(world.training)[0]] = "unicorn"
    known = dataclasses.replace(world.known, category=category)
    with pytest.raises(InputError, match="category 'unicorn' has one training image"):
        make_labels(OPTIONS, known, world.table.stimulus, world.training, 1.0, 0)


def test_an_unknown_factor_names_the_nearest(world: GroupWorld) -> None:
    options = OPTIONS.model_copy(update={"attributes": {"pose": ["yaw_degrees"]}})
    with pytest.raises(InputError, match="Did you mean 'yaw_deg'"):
        make_labels(options, world.known, world.table.stimulus, world.training, 1.0, 0)


def test_a_unit_without_any_response_is_refused() -> None:
    response = np.ones((4, 3))
    response[:, 1] = np.nan
    with pytest.raises(InputError, match="1 units have no response"):
        average_presentations(response, np.array(["a", "a", "b", "b"]))


def test_negative_counts_are_refused_for_a_poisson_likelihood(world: GroupWorld) -> None:
    with pytest.raises(InputError, match="needs counts"):
        fit(world, likelihood="poisson", epochs=1)


def test_latents_with_nan_are_refused() -> None:
    image = np.zeros((1, 8, 3, 16, 16), dtype=np.float32)
    latent = np.zeros((8, 4), dtype=np.float32)
    bad = latent.copy()
    bad[3, 1] = np.nan
    with pytest.raises(InputError, match=r"latents of 1 rows are not finite.*rows 3"):
        train_critics(image, bad, latent, image[0], latent, [slice(0, 4)], CriticOptions(), seed=0)


@pytest.mark.parametrize("sessions", ["pooled", "stitched"])
def test_stimuli_shown_in_one_session_only_are_fitted(world: GroupWorld, sessions: str) -> None:
    rows = len(world.table.stimulus)
    early, late = np.arange(rows) < 0.7 * rows, np.arange(rows) > 0.3 * rows
    response = np.concatenate([world.table.response[early], world.table.response[late]])
    stimulus = np.concatenate([world.table.stimulus[early], world.table.stimulus[late]])
    session = np.repeat(["ses-1", "ses-2"], [early.sum(), late.sum()])
    # Units of the first session are not those of the second.
    response[: early.sum(), ::2], response[early.sum() :, 1::2] = np.nan, np.nan
    table = average_presentations(response, stimulus, session if sessions == "stitched" else None)
    assert len(np.unique(table.stimulus)) == rows
    split = np.searchsorted(world.table.stimulus, table.stimulus)
    joined = GroupWorld(
        world.known, table, world.training[split], world.validation[split], world.test[split]
    )
    model = fit(joined, epochs=40, sessions=sessions)
    assert np.isfinite(model.encode(table).mean).all()
    assert score(model, joined) > 0.2
