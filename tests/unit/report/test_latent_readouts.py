"""Read-outs of latent groups on the page, also of recordings without images."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import xarray as xr

from brainalign.report.artifacts import Fit, read_run
from brainalign.report.blocks import Details, Table
from brainalign.report.figures.group_readouts import draw_group_readouts
from brainalign.report.page import compose_page
from brainalign.report.recordings import read_stimulus_sets
from brainalign.report.sections.latent_readouts import join_equal_variants, show_readouts
from brainalign.stores.provenance import ProvenanceRecorder
from brainalign.stores.write import write_store

VALUES = {"mig_vis": 0.5, "likelihood": 0.5, "standard_vae": 0.4}
FIT = Fit("latents", "monkeys", "none")


def make_scores(*metrics: str) -> pd.DataFrame:
    """Pooled rows of one subject: two read-outs from two groups, and what concerns all latents."""
    rows = []
    for variant, value in VALUES.items():
        labelled = [
            ("label_information", metric, group)
            for group in ("1-pose", "all")
            for metric in ("category_accuracy", "pose_r2")
        ]
        whole = [("reconstruction", metric, "mean") for metric in metrics]
        for task, metric, group in [*labelled, *whole]:
            rows.append(
                {
                    **{"subject": "m", "area": "all", "matching": variant, "seed": "all"},
                    **{"task": task, "metric": metric, "response": group, "value": value},
                    **{"ci_low": value - 0.1, "ci_high": value + 0.1, "chance": 0.125},
                    "ceiling": 0.2 if metric == "r2" else float("nan"),
                }
            )
    return pd.DataFrame(rows)


def find_table(scores: pd.DataFrame) -> Table:
    return next(block for block in show_readouts(scores, FIT) if isinstance(block, Table))


def test_variants_with_the_same_latents_share_a_name() -> None:
    written = join_equal_variants(make_scores("r2"))
    assert written == {"mig_vis": "MIG-Vis and likelihood", "standard_vae": "standard vae"}
    assert len(find_table(make_scores("r2")).rows) == 2


def test_counts_have_bits_per_spike_beside_r2() -> None:
    assert find_table(make_scores("r2")).columns == ["subject", "variant", "R² of responses"]
    counts = find_table(make_scores("r2", "bits_per_spike"))
    assert counts.columns[2:] == ["R² of responses", "bits per spike"]
    assert "over the mean count" in counts.caption


def test_the_share_that_stimuli_explain_stands_beside_r2() -> None:
    assert "Stimuli explain 0.20 of the variance" in find_table(make_scores("r2")).caption


def test_numbers_of_every_group_are_there_to_unfold() -> None:
    (details,) = [one for one in show_readouts(make_scores("r2"), FIT) if isinstance(one, Details)]
    assert len(details.blocks[0].rows) == 4


def test_marks_stand_at_their_values_beside_chance() -> None:
    scores = make_scores()
    figure = draw_group_readouts(scores, {"mig_vis": "a", "standard_vae": "b"}, ["pose_r2"], "m")
    chance, *_, first, second = figure.axes[0].lines
    assert list(chance.get_xdata()) == [0.125, 0.125]
    assert [list(line.get_xdata()) for line in (first, second)] == [[0.5, 0.5], [0.4, 0.4]]


def test_a_variant_keeps_its_colour_where_others_are_left_out() -> None:
    drawn = [
        draw_group_readouts(make_scores(), {name: name for name in names}, ["pose_r2"], "m")
        for names in (["standard_vae"], ["mig_vis", "standard_vae"])
    ]
    first, second = (figure.axes[0].lines[-1].get_color() for figure in drawn)
    assert first == second


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    content = xr.Dataset(
        {"split": ("stimulus", ["train", "train", "test"]), "category": ("stimulus", list("aab"))},
        coords={"stimulus": ["1", "2", "3"]},
    )
    path = tmp_path / "stimuli" / "monkeys.zarr"
    write_store(path, content, "stimuli", ProvenanceRecorder("stimuli", {}, {}).finish())
    return path


def test_stimuli_without_images_are_counted(labels: Path, tmp_path: Path) -> None:
    run = read_run([labels], tmp_path)
    (stimuli,) = read_stimulus_sets(run)
    assert (stimuli.n_stimuli, stimuli.noun, stimuli.size) == (3, "stimulus", None)
    html = compose_page(run).html
    assert "3 stimuli" in html
    assert "labels, no images" in html
