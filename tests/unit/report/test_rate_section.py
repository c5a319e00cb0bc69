"""The section of predicted rates, from predictions as methods make them and their scores."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.rates import score_rates
from brainalign.evaluation.table import compose_score_tree, read_score_table
from brainalign.report.artifacts import read_run
from brainalign.report.page import Page, compose_page
from brainalign.report.sections.rate_traces import choose_methods
from brainalign.stores.provenance import ProvenanceRecorder
from brainalign.stores.publish import publish_folder
from brainalign.stores.write import write_store
from page_claims import claim_section
from page_claims.tables import read_page
from unit.report.conftest import PageReader

N_FRAMES, N_UNITS, N_REPEATS = 160, 5, 6
NOISE = {"vi_st": 1.0, "ln": 2.0, "mean_rate": None}
UNITS = [f"cell-{number}" for number in range(N_UNITS - 1)] + ["<b>cell</b>"]


@dataclass(frozen=True)
class RatePage:
    """The page, and the table of scores behind it."""

    page: Page
    scores: pd.DataFrame

    @property
    def reader(self) -> PageReader:
        return PageReader(self.page.html)

    def get_alt(self, file: str) -> str:
        return {picture.file: picture.alt for picture in self.page.pictures}[file]

    def get_section(self, anchor: str) -> str:
        return self.page.html.split(f'id="{anchor}"')[1].split("</section>")[0]


def make_group(noise: float | None, *, n_folds: int, has_gaps: bool = False) -> xr.Dataset:
    """Predictions of one method: the true rate with noise, or its mean where noise is None."""
    generator = np.random.default_rng(0)
    drive = generator.normal(size=(N_FRAMES, N_UNITS)).cumsum(0)
    rate = 6 * np.exp(np.sin(drive))
    count = generator.poisson(rate / 30, (N_REPEATS, *rate.shape)).astype(np.float64)
    mean = np.tile(rate.mean(0), (N_FRAMES, 1))
    shape = (2, N_FRAMES, N_UNITS)
    predicted = np.broadcast_to(mean, shape)
    if noise is not None:
        predicted = rate + noise * np.random.default_rng(1).normal(size=shape)
    fold = np.arange(N_FRAMES) * n_folds // N_FRAMES
    axes = ("seed", "frame", "unit")
    return xr.Dataset(
        {
            "predicted_response": (axes, predicted),
            "predicted_response_reversed": (axes, predicted[:, ::-1]),
            "predicted_response_shuffled": (axes, np.roll(predicted, 50, axis=1)),
            "recorded_response": (("repeat", "frame", "unit"), count),
            "mean_rate": (("frame", "unit"), mean),
            "fold": ("frame", fold.astype(np.int32)),
            "movie": ("frame", np.array([f"film-{number}" for number in fold])),
            "time": ("frame", np.arange(N_FRAMES) / 30),
            "split": ("frame", np.array(["test"] * N_FRAMES)),
            "stretch": ("frame", np.arange(N_FRAMES) // 20 if has_gaps else fold),
        },
        coords={"seed": [0, 1], "unit": UNITS},
        attrs={"frame_rate_hz": 30.0},
    )


def write_fit(results: Path, method: str, noise: float | None) -> tuple[list[Path], pd.DataFrame]:
    """Publish model and predictions of a method; give their paths, and its scores and details."""
    tree = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(),
            "/retina-1/all/within_movie": make_group(noise, n_folds=1, has_gaps=True),
            "/retina-1/all/cross_movie": make_group(noise, n_folds=2),
        }
    )
    place = Path(method) / "films" / "world_dino"
    predictions = results / "predictions" / place.with_suffix(".zarr")
    recorder = ProvenanceRecorder("predictions", {}, {})
    write_store(predictions, tree, "predictions", recorder.finish(seeds=[0, 1]))
    names = {"subject": "retina-1", "area": "all", "protocol": "within_movie", "fold": 0}
    history = pd.DataFrame({"unit": UNITS, "alpha": 100.0}).assign(seed=0, **names)
    if method == "vi_st":
        epochs = {"epoch": [1, 2], "loss": [2.0, 1.0], "validation_score": [0.1, 0.2]}
        history = pd.DataFrame(epochs).assign(seed=0, **names)
    elif method == "mean_rate":
        history = pd.DataFrame({"n_frames": [90]}).assign(seed=0, **names)
    model = results / "models" / place
    recorder = ProvenanceRecorder("models", {}, {})
    with publish_folder(model, "model", recorder.finish(seeds=[0, 1])) as draft:
        history.to_csv(draft / "training.csv", index=False)
    scores, details = score_rates(tree, EvaluationOptions(n_bootstrap=20))
    named = {"dataset": "films", "method": method, "backbone": "world_dino", "feature": "x"}
    tables = {name: table.assign(**named) for name, table in details.items()}
    return [model, predictions], {"table": scores.assign(**named), **tables}


@pytest.fixture(scope="module")
def rates(tmp_path_factory: pytest.TempPathFactory) -> RatePage:
    results = tmp_path_factory.mktemp("rates")
    paths, tables = [], {}
    for method, noise in NOISE.items():
        published, scored = write_fit(results, method, noise)
        paths += published
        for name, table in scored.items():
            tables.setdefault(name, []).append(table)
    joined = {name: pd.concat(parts, ignore_index=True) for name, parts in tables.items()}
    scores = joined.pop("table")
    tree = compose_score_tree(scores, joined)
    write_store(results / "scores.zarr", tree, "scores", {})
    page = compose_page(read_run([*paths, results / "scores.zarr"], results))
    return RatePage(page, read_score_table(tree))


def test_folds_protocols_and_undefined_scores_are_those_of_the_table(rates: RatePage):
    claims = claim_section("rates", read_page(rates.page.html), rates.scores, None)
    assert claims.find_problems() == []
    assert any(" on " in place[3] for place in claims.shown)


def test_every_method_and_protocol_has_its_scores_beside_their_references(rates: RatePage):
    section = rates.get_section("rates")
    rows = PageReader(section).rows
    headings = next(row for row in rows if row[:3] == ["Method", "Protocol", "Backbone"])
    assert headings[3:7] == ["CC", "Normalised CC", "Bits per spike", "SD-KL"]
    listed = {tuple(row[:2]) for row in rows}
    for method in ("Vi-ST", "LN", "mean rate"):
        for protocol in ("within movie", "cross movie"):
            assert (method, protocol) in listed
    best = next(row for row in rows if row[:2] == ["Vi-ST", "cross movie"])
    pooled = rates.scores[
        (rates.scores["method"] == "vi_st")
        & (rates.scores["matching"] == "cross_movie")
        & (rates.scores["seed"] == "all")
    ].set_index("metric")
    for cell, metric, words in (
        (best[3], "correlation", "ceiling"),
        (best[6], "sd_kl_code_0.5_median", "half against half"),
    ):
        row = pooled.loc[metric]
        assert cell.startswith(f"{row['value']:.3f}")
        assert f"[{row['ci_low']:.3f}, {row['ci_high']:.3f}]" in cell
        assert f"chance {row['chance']:.3f}" in cell
        assert f"{words} {row['ceiling']:.3f}" in cell
    assert "ceiling" not in best[5]


def test_a_constant_rate_has_no_correlation_and_is_still_listed(rates: RatePage):
    rows = PageReader(rates.get_section("rates")).rows
    constant = next(row for row in rows if row[:2] == ["mean rate", "cross movie"])
    assert constant[3] == "\N{EN DASH}"
    assert "Medians: ceiling" in rates.get_alt("rates-films-cross-movie-cells.svg")
    assert "mean rate" not in rates.get_alt("rates-films-cross-movie-cells.svg")


def test_single_folds_are_folded_away_and_never_ranked(rates: RatePage):
    assert "Each of 2 folds" in rates.page.html
    rows = PageReader(rates.get_section("rates")).rows
    main = rows[1 : next(n for n, row in enumerate(rows) if n and row[:1] == ["Method"])]
    assert not any(" on film" in row[1] for row in main)


def test_rates_are_drawn_with_repeats_for_the_best_method_and_ln(rates: RatePage):
    alts = [picture.alt for picture in rates.page.pictures if "-trace-" in picture.file]
    # Three cells of each protocol.
    assert len(alts) == 6
    assert all("6 repeats" in alt and "Vi-ST and LN predicted" in alt for alt in alts)


def test_cells_and_populations_are_drawn_with_accessible_names(rates: RatePage):
    assert "CC of each of 5 cells" in rates.get_alt("rates-films-within-movie-cells.svg")
    alt = rates.get_alt("rates-films-cross-movie-population.svg")
    assert "populations of 1 to 5 cells" in alt
    assert "chance" in alt


def test_names_of_cells_are_text(rates: RatePage):
    assert "<b>cell</b>" not in rates.page.html


def test_rates_do_not_enter_the_table_of_retrieval(rates: RatePage):
    assert "Encoding: each test stimulus looks" not in rates.page.html
    assert 'id="retrieval"' not in rates.page.html
    assert 'id="similarity"' not in rates.page.html


def test_the_summary_names_the_highest_correlation(rates: RatePage):
    said = next(text for text in rates.reader.texts if text.startswith("films: the highest"))
    rows = rates.scores
    rows = rows[(rows["metric"] == "correlation") & (rows["seed"] == "all")]
    rows = rows[~rows["matching"].str.contains(" on ")]
    best = rows.loc[rows["value"].idxmax()]
    assert f"{best['value']:.3f} [{best['ci_low']:.3f}, {best['ci_high']:.3f}]" in said
    assert "by Vi-ST" in said


def test_fits_that_write_a_row_per_cell_are_counted_once(rates: RatePage):
    rows = PageReader(rates.get_section("training")).rows
    assert next(row for row in rows if row[0] == "LN")[-1] == "1"
    assert next(row for row in rows if row[0] == "mean rate")[2] == "\N{EN DASH}"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"ln": 0.5, "vi_st": 0.6, "glm": 0.4}, ["vi_st", "ln"]),
        ({"ln": 0.5, "vi_st": 0.3, "glm": 0.4}, ["glm", "ln"]),
        ({"vi_st": 0.3, "mean_rate": float("nan")}, ["vi_st"]),
        ({"ln": 0.5}, ["ln"]),
        ({"mean_rate": float("nan")}, []),
    ],
)
def test_the_best_other_method_is_drawn_beside_ln(values: dict, expected: list[str]):
    rows = pd.DataFrame({"method": list(values), "value": list(values.values())})
    rows = rows.assign(metric="correlation", backbone="world_dino")
    assert [method for method, _ in choose_methods(rows)] == expected
