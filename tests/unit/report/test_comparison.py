"""The section of comparisons: nothing is called a difference that the test did not find."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest

from brainalign.evaluation.table import compose_score_tree
from brainalign.report.blocks import Details, FigureGroup, Section, Table, Text
from brainalign.report.document import Group, render_page
from brainalign.report.sections import comparison
from brainalign.report.sections.comparison import compose_comparison
from page_claims import claim_section
from page_claims.tables import read_page


def make_pair(
    first: str = "vna", second: str = "direct_encoding_ridge", p: float = 0.001, **changes: object
) -> dict[str, object]:
    return {
        "dataset": "lab",
        "task": "discriminative_encoding",
        "metric": "top_1",
        "protocol": "",
        "direction": "higher",
        "compared": "methods",
        "method_a": first,
        "backbone_a": "pixels",
        "matching_a": "cosine",
        "method_b": second,
        "backbone_b": "pixels",
        "matching_b": "cosine",
        "value_a": 0.5,
        "value_b": 0.3,
        "difference": 0.2,
        "ci_low": 0.1,
        "ci_high": 0.35,
        "p_value": p / 2,
        "p_corrected": p,
        "family": 2,
        "n_pairs": 60,
        "n_units": 30,
        "n_subjects": 2,
        "unit": "stimulus",
        "resampled": "stimulus",
        **changes,
    }


def compose(monkeypatch: pytest.MonkeyPatch, *pairs: dict[str, object]) -> Section:
    tree = compose_score_tree(
        pd.DataFrame({"value": [1.0]}), {"paired_differences": pd.DataFrame(list(pairs))}
    )
    monkeypatch.setattr(comparison, "read_store", lambda *_: tree)
    run = SimpleNamespace(scores=SimpleNamespace(path=Path("scores.zarr")))
    section = compose_comparison(run, {"vna": "#0072b2"})  # type: ignore[arg-type]
    assert section is not None
    return section


def _list_rows(section: Section) -> list[tuple[str, ...]]:
    [details] = [block for block in section.blocks if isinstance(block, Details)]
    [table] = details.blocks
    assert isinstance(table, Table)
    return [tuple(" ".join((cell.text, *cell.details)) for cell in row.cells) for row in table.rows]


def test_differences_that_are_not_found_are_said_to_be_so(monkeypatch: pytest.MonkeyPatch) -> None:
    section = compose(monkeypatch, make_pair(), make_pair(second="ridge", p=0.4))
    text = " ".join(block.text for block in section.blocks if isinstance(block, Text))
    assert "better in 1, worse in 0, and in 1 no difference was found" in text
    rows = _list_rows(section)
    assert rows[0][3] == "0.0010"
    assert rows[1][3] == "0.40 no difference found"


def test_an_interval_beside_zero_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    section = compose(monkeypatch, make_pair(p=0.06))
    text = " ".join(block.text for block in section.blocks if isinstance(block, Text))
    assert "better in 0, worse in 0, and in 1 no difference was found" in text


def test_the_published_method_stands_first_with_the_sign_turned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    section = compose(monkeypatch, make_pair("direct_encoding_ridge", "vna"))
    [row] = _list_rows(section)
    assert row[0].startswith("VNA less direct encoding ridge")
    assert row[2] == "-0.200 [-0.350, -0.100]"
    [group] = [block for block in section.blocks if isinstance(block, FigureGroup)]
    assert "from -0.200 to -0.200; 1 found after correction" in group.pictures[0].alt


def test_every_comparison_and_every_count_is_that_of_the_table(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pairs = [
        make_pair(),
        make_pair("direct_encoding_ridge", "vna", 0.3, backbone_a="clip", backbone_b="clip"),
        make_pair("vna", "vna", 0.02, compared="backbones", backbone_b="clip"),
        make_pair("vi_st", "ln", task="rate_prediction", metric="correlation", protocol="held_out"),
        make_pair("label_ridge", "label_mlp", task="label_decoding", metric="map"),
    ]
    section = compose(monkeypatch, *pairs)
    page = read_page(render_page("pairs", [Group("", [section])]).html)
    assert (
        claim_section("comparison", page, pd.DataFrame(), pd.DataFrame(pairs)).find_problems() == []
    )
    changed = pd.DataFrame(pairs)
    changed.loc[0, "p_corrected"] = 0.06
    problems = claim_section("comparison", page, pd.DataFrame(), changed).find_problems()
    assert ["the text counts" in problem for problem in problems] == [True, False]


def test_runs_without_comparisons_have_no_section() -> None:
    assert compose_comparison(SimpleNamespace(scores=None), {}) is None  # type: ignore[arg-type]
