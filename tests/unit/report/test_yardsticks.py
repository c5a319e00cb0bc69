"""The layer maps of the page: what is highest is said, and every backbone has its panel."""

from __future__ import annotations

import pandas as pd

from brainalign.report.blocks import FigureGroup, Table
from brainalign.report.document import Group, render_page
from brainalign.report.names import MISSING
from brainalign.report.sections.yardsticks import compose_yardsticks
from page_claims import claim_section
from page_claims.tables import read_page


def make_scores() -> pd.DataFrame:
    rows = [
        {
            "dataset": "lab",
            "subject": subject,
            "method": "yardstick",
            "matching": "each layer",
            "backbone": backbone,
            "feature": f"layer_{layer}/mean",
            "area": area,
            "task": "layer_encoding",
            "metric": "normalised_pearson",
            "value": 0.1 * layer + (0.05 if area == "IT" else 0.0) + (0.2 if subject == "b" else 0),
        }
        for subject in "ab"
        for backbone in ("clip", "dino")
        for layer in (1, 2)
        for area in ("all", "IT", "V4")
    ]
    return pd.DataFrame(rows)


def test_every_backbone_has_a_panel_that_names_its_best_layer() -> None:
    section = compose_yardsticks(make_scores())
    assert section is not None
    [group] = [block for block in section.blocks if isinstance(block, FigureGroup)]
    assert len(group.pictures) == 2
    # 0.2 + 0.05 for layer 2 in IT, and the mean of both subjects' 0 and 0.2.
    for picture in group.pictures:
        assert "highest 0.35 in layer_2/mean with IT" in picture.alt


def test_the_numbers_of_the_maps_are_tabulated_too() -> None:
    scores = make_scores().assign(seed="all")
    section = compose_yardsticks(scores)
    assert section is not None
    page = read_page(render_page("layers", [Group("", [section])]).html)
    claims = claim_section("yardsticks", page, scores, None)
    assert claims.find_problems() == []
    assert claims.shown["lab", "ridge encoding", "clip", "layer_2/mean", "IT"] == ["0.350"]
    assert len(claims.shown) == 2 * 2 * 3


def test_retrieval_and_categories_are_tabulated_with_chance() -> None:
    row = {
        "dataset": "lab",
        "subject": "a",
        "method": "yardstick",
        "matching": "best layer on validation",
        "backbone": "clip",
        "feature": "layer_1/mean",
        "area": "all",
        "task": "response_retrieval",
        "metric": "top_1",
        "value": 0.25,
        "ci_low": 0.2,
        "ci_high": 0.31,
        "chance": 0.01,
    }
    section = compose_yardsticks(pd.concat([make_scores(), pd.DataFrame([row])]))
    assert section is not None
    [table] = [block for block in section.blocks if isinstance(block, Table)]
    assert [cell.text for cell in table.rows[0].cells] == ["clip", MISSING, "0.250", *[MISSING] * 3]
    assert table.rows[0].cells[2].details == ("[0.200, 0.310]", "chance 0.010")


def test_other_methods_make_no_section() -> None:
    assert compose_yardsticks(make_scores().assign(method="vna")) is None
    assert compose_yardsticks(None) is None
