"""The overview of methods and data sets."""

from __future__ import annotations

import pandas as pd
import pytest

from brainalign.errors import InputError
from brainalign.report.artifacts import Artifact, Fit, Run
from brainalign.report.blocks import Section, Table, Text
from brainalign.report.sections.matrix import compose_matrix_section, read_matrix
from brainalign.stores.manifest import Manifest

MATRIX = (
    '{"it": {"vna": ["planned", "with clip"], "vi_st": ["impossible", "needs movies, found '
    'images"], "clip_mused": ["possible", ""]}}'
)


def _make_scores() -> pd.DataFrame:
    row = {
        "dataset": "it",
        "method": "vna",
        "subject": "all",
        "area": "all",
        "seed": "all",
        "response": "mean",
        "matching": "cosine",
        "task": "discriminative_decoding",
        "metric": "top_1",
        "direction": "higher",
    }
    return pd.DataFrame([{**row, "value": 0.25}, {**row, "value": 0.5}])


def _compose(locate: str = "#scores-data-1") -> Section:
    run = Run()
    run.models[Fit("vna", "it", "clip")] = Artifact(run.results, Manifest("model", {}))
    section = compose_matrix_section(
        run, _make_scores(), read_matrix(MATRIX), lambda section, dataset: locate
    )
    assert section is not None
    return section


def _tabulate(locate: str = "#scores-data-1") -> Table:
    (table,) = [block for block in _compose(locate).blocks if isinstance(block, Table)]
    return table


def test_a_pair_that_was_run_shows_its_best_score_and_leads_to_it() -> None:
    cell = _tabulate().rows[0].cells[1]
    assert cell.links == (("0.500", "#scores-data-1"),)
    assert cell.details == ("decoding top-1",)


def test_a_score_without_a_section_stands_as_text() -> None:
    assert _tabulate(locate="").rows[0].cells[1].text == "0.500"


def test_a_method_without_pooled_subjects_shows_its_best_subject() -> None:
    apart = [
        {**row, "method": "mig_vis", "task": "reconstruction", "metric": "r2", "subject": subject}
        for subject, row in zip("ab", _make_scores().to_dict("records"), strict=True)
    ]
    scores = pd.concat([_make_scores(), pd.DataFrame(apart)])
    run = Run()
    run.models[Fit("mig_vis", "it", "clip")] = Artifact(run.results, Manifest("model", {}))
    section = compose_matrix_section(run, scores, {}, lambda section, dataset: "")
    assert section is not None
    [table] = [block for block in section.blocks if isinstance(block, Table)]
    assert table.rows[0].cells[1].text == "0.500"
    assert table.rows[0].cells[1].details == ("reconstruction, r2",)


def test_pairs_that_were_not_run_say_why() -> None:
    cells = {row.cells[0].text: row.cells[1] for row in _tabulate().rows}
    assert cells["Vi-ST"].text == "impossible"
    assert cells["Vi-ST"].note == "(1)"
    assert _compose().blocks[-1] == Text("(1) needs movies, found images.")
    assert cells["CLIP-MUSED"].text == "possible"


@pytest.mark.parametrize("text", ["[", "[1]", '{"it": {"vna": "planned"}}'])
def test_anything_else_is_no_matrix(text: str) -> None:
    with pytest.raises(InputError, match="no matrix"):
        read_matrix(text)
