"""The layer maps of the page: what is highest is said, and every backbone has its panel."""

from __future__ import annotations

import pandas as pd

from brainalign.report.blocks import FigureGroup
from brainalign.report.sections.yardsticks import compose_yardsticks


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


def test_other_methods_make_no_section() -> None:
    assert compose_yardsticks(make_scores().assign(method="vna")) is None
    assert compose_yardsticks(None) is None
