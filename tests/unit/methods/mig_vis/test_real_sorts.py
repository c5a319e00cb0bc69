"""Latent groups of real IT spike sorts; sessions are joined into pseudo-trials."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.evaluation.group_latents import score_group_latents
from brainalign.evaluation.options import EvaluationOptions
from brainalign.methods.image_prior.attributes import StimulusAttributes
from brainalign.methods.mig_vis.arrays import average_presentations, make_labels
from brainalign.methods.mig_vis.model import MIGVis
from brainalign.methods.mig_vis.options import GroupOptions, MIGVisOptions
from brainalign.methods.mig_vis.predictions import FittedPart, compose_part
from brainalign.methods.mig_vis.reading import GroupExperiment, RecordedGroup
from brainalign.raw.nwb_dataset import NWBFolder
from brainalign.raw.options import NWBDataset
from brainalign.responses.build import build_image_responses
from brainalign.responses.options import SpikeResponseOptions
from brainalign.stimuli.read import StimulusSplits

pytestmark = pytest.mark.real_data

HEIGHT = {"lower": -1.0, "middle": 0.0, "upper": 1.0}
OPTIONS = MIGVisOptions(
    groups=[
        GroupOptions(size=2, label="position"),
        GroupOptions(size=6, label="category"),
        GroupOptions(size=4),
    ],
    attributes={"position": ["height"]},
    variants=["mig_vis", "no_supervision"],
)


def _join_sessions(folder: Path) -> tuple[StimulusAttributes, RecordedGroup]:
    """The n-th presentation of an object at a place in every session makes one pseudo-trial.

    Sessions were recorded on different days and share nothing but the seven objects at three
    places, so that units of all of them answer to the same 21 conditions.
    """
    dataset = NWBFolder(
        NWBDataset(
            kind="nwb",
            folder=str(folder / "nwb_zhang_desimone"),
            stimulus_columns=["stimulus_ID", "stimulus_position"],
            onset_column="stimulus_onset_time",
            area_column="location",
        )
    )
    (subject,) = dataset.list_subjects()
    responses = build_image_responses(
        dataset.read_sessions(subject), SpikeResponseOptions(window_ms=[100.0, 500.0]), None
    )
    condition = np.array(responses["stimulus"].values.tolist())
    session = np.array(responses["session"].values.tolist())
    turn = pd.Series(condition).groupby([condition, session]).cumcount().to_numpy()
    trial = np.array([f"{name}_{n:02d}" for name, n in zip(condition, turn, strict=True)])
    table = average_presentations(responses["response"].values, trial)
    turn_of = np.array([int(name.rsplit("_", 1)[1]) for name in table.stimulus])
    split = np.where(turn_of % 5 == 4, "test", np.where(turn_of % 5 == 3, "validation", "train"))
    category = np.array([str(name).split("_")[0] for name in table.stimulus])
    height = np.array([[HEIGHT[str(name).split("_")[1]]] for name in table.stimulus])
    known = StimulusAttributes(table.stimulus, category, ("height",), height)
    part = RecordedGroup(
        subject=subject,
        area="all",
        unit=np.array(responses["unit"].values.tolist()),
        ceiling=responses["noise_ceiling"].values.astype(np.float64),
        table=table,
        split=split,
    )
    return known, part


@pytest.fixture(scope="module")
def scores(data_folder: Path) -> pd.DataFrame:
    known, part = _join_sessions(data_folder)
    experiment = GroupExperiment(
        StimulusSplits(part.table.stimulus, part.split[np.newaxis]), known, (part,)
    )
    groups = {}
    for variant, label_weight in (("mig_vis", 0.5), ("no_supervision", 0.0)):
        vae = OPTIONS.vae.model_copy(update={"label_weight": label_weight, "epochs": 100})
        fits = []
        for seed in range(3):
            training, validation = part.find("train"), part.find("validation")
            labels = make_labels(OPTIONS, known, part.table.stimulus, training, 1.0, seed)
            model = MIGVis(vae, OPTIONS.slice_groups())
            model.fit(
                part.table.take(training),
                part.table.take(validation),
                [label and label.take(training) for label in labels],
                [label and label.take(validation) for label in labels],
                seed=seed,
            )
            fits.append(FittedPart(seed, model, model.encode(part.table), None))
        groups[f"/{part.subject}/all/{variant}"] = compose_part(
            experiment, part, OPTIONS, variant, fits, None
        )
    tree = xr.DataTree.from_dict({"/": xr.Dataset(), **groups})
    table, _ = score_group_latents(tree, EvaluationOptions())
    pooled = table[table["seed"] == "all"]
    columns = ["matching", "response", "metric", "value", "ci_low", "ci_high", "chance"]
    print(pooled[columns].to_string(index=False))
    return pooled.set_index(["matching", "response", "metric"]).sort_index()


def test_the_labelled_group_tells_the_object_above_chance(scores: pd.DataFrame) -> None:
    row = scores.loc[("mig_vis", "2-category", "category_accuracy")]
    assert float(row["ci_low"]) > float(row["chance"])


def test_labels_bring_the_object_into_their_group(scores: pd.DataFrame) -> None:
    labelled = float(scores.loc[("mig_vis", "2-category", "category_accuracy"), "value"])
    free = float(scores.loc[("mig_vis", "3-free", "category_accuracy"), "value"])
    assert labelled > free
