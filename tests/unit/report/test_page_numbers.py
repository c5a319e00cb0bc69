"""Every number of the page's tables is that of scores.csv or comparisons.csv, and none is missing.

The whole run of every method (`BRAINALIGN_RESULTS`) shows all sections; the example run a few.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pandas as pd
import pytest

from brainalign.notebook.scores import load_scores
from page_claims import SECTIONS, claim_section, find_page_problems, list_claims, read_tables
from page_claims.tables import read_page
from unit.report.conftest import ReportedRun

EVERY_SECTION = sorted([*SECTIONS, "comparison"])
N_CHANGES = 8


class Finished:
    """A page and its tables."""

    def __init__(self, results: Path) -> None:
        self.results = results
        self.html = (results / "report" / "index.html").read_text(encoding="utf-8")
        self.scores, self.comparisons = read_tables(results)
        self.claims = list_claims(read_page(self.html), self.scores, self.comparisons)

    def find_problems(self, section: str, html: str) -> list[str]:
        """Compare another page with the same tables."""
        claims = claim_section(section, read_page(html), self.scores, self.comparisons)
        return claims.find_problems()

    def cut_section(self, section: str) -> str:
        """Give a page that holds one section only."""
        part = self.html.split(f'<section id="{section}"')[1].split("</section>")[0]
        return f'<section id="{section}"{part}</section>'


@pytest.fixture(scope="module", params=["example", "whole"])
def finished(
    request: pytest.FixtureRequest,
    reported_run: ReportedRun,
    tmp_path_factory: pytest.TempPathFactory,
) -> Finished:
    if request.param == "whole":
        folder = os.environ.get("BRAINALIGN_RESULTS")
        if folder is None:
            pytest.skip("set BRAINALIGN_RESULTS to the results of the default run")
        return Finished(Path(folder))
    results = tmp_path_factory.mktemp("numbers")
    (results / "report").mkdir()
    (results / "report" / "index.html").write_text(reported_run.html, encoding="utf-8")
    table = load_scores(reported_run.results)
    table.to_csv(results / "scores.csv", index=False, float_format="%.6g")
    return Finished(results)


def skip_if_not_shown(finished: Finished, section: str) -> None:
    if section not in finished.claims:
        pytest.skip(f"this run has no scores of the section {section}")


def test_every_number_is_that_of_the_tables_and_none_is_missing(finished: Finished) -> None:
    assert find_page_problems(finished.results) == []


def test_every_task_of_the_scores_has_a_section(finished: Finished) -> None:
    def count_places(rows: pd.DataFrame) -> int:
        claims = list_claims({}, rows, None)
        return sum(len(one.expected) for name, one in claims.items() if name != "matrix")

    # Methods with groups of latents are known by this task.
    known = finished.scores["task"] == "label_information"
    n_known = count_places(finished.scores[known])
    tasks = finished.scores.groupby("task").groups
    without = [
        task
        for task, rows in tasks.items()
        if task != "label_information"
        and count_places(pd.concat([finished.scores[known], finished.scores.loc[rows]])) <= n_known
    ]
    assert without == []


def test_every_method_and_every_data_set_stands_in_the_overview(finished: Finished) -> None:
    scores = finished.scores[finished.scores["method"] != "yardstick"]
    pairs = set(zip(scores["method"], scores["dataset"], strict=True))
    assert len({place[:2] for place in finished.claims["matrix"].shown}) == len(pairs)


@pytest.mark.parametrize("section", EVERY_SECTION)
def test_a_changed_number_of_the_page_is_noticed(finished: Finished, section: str) -> None:
    skip_if_not_shown(finished, section)
    html = finished.cut_section(section)
    assert finished.find_problems(section, html) == []
    if section == "summary":
        first = html.index("the highest") if "the highest" in html else len(html)
        places = [first + one.start() for one in re.finditer(r"\d\.\d(?=\d\d)", html[first:])]
    else:
        body = (
            r'<td class="number"[^>]*>\s*(?:<ul class="links">\s*<li><a[^>]*>|<span[^>]*>)[+-]?\d'
        )
        places = [one.end() - 1 for one in re.finditer(body, html)]
    assert places
    for place in places[:: max(1, len(places) // N_CHANGES)]:
        digit = "3" if html[place] != "3" else "8"
        assert finished.find_problems(section, html[:place] + digit + html[place + 1 :])


@pytest.mark.parametrize("section", EVERY_SECTION)
def test_a_row_that_the_page_lacks_is_noticed(finished: Finished, section: str) -> None:
    skip_if_not_shown(finished, section)
    html = finished.cut_section(section)
    element = "li" if section == "summary" else "tr"
    rows = list(re.finditer(rf"<{element}>.*?</{element}>", html, re.DOTALL))
    told = [one for one in rows if "<td" in one[0] or "the highest" in one[0]]
    if section == "matrix":
        told = [one for one in told if 'class="number"' in one[0]]
    # The summary may say that none of the named scores was made.
    assert told or not finished.claims[section].expected
    for row in told[:: max(1, len(told) // N_CHANGES)]:
        assert finished.find_problems(section, html[: row.start()] + html[row.end() :])


@pytest.mark.parametrize("section", EVERY_SECTION)
def test_a_changed_score_of_the_table_is_noticed(finished: Finished, section: str) -> None:
    skip_if_not_shown(finished, section)
    page = read_page(finished.cut_section(section))
    tables = {"scores": finished.scores, "comparisons": finished.comparisons}
    name, column = ("comparisons", "difference") if section == "comparison" else ("scores", "value")
    table = tables[name]
    assert table is not None
    changed = table.copy()
    changed[column] = changed[column] + 0.0517
    claims = claim_section(section, page, **{**tables, name: changed})
    wrong = [text for text in claims.find_problems() if " shows " in text]
    n_known = sum(any(pd.notna(one) for one in numbers) for numbers in claims.expected.values())
    # Every place with a score differs, but for columns of other numbers.
    assert len(wrong) > 0.3 * n_known
