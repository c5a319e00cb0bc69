"""What each section of a page must say, computed from scores.csv and comparisons.csv alone.

Names are written by the page's own functions; which rows stand where, and every number, is worked
out here anew.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from page_claims.claims import Claims
from page_claims.comparison import (
    claim_comparison,
    claim_matrix,
    claim_summary,
    claim_yardsticks,
)
from page_claims.methods import (
    claim_labels,
    claim_latents,
    claim_rates,
    claim_scores,
    claim_windows,
)
from page_claims.tables import ShownSection, read_page

SECTIONS: dict[str, Callable[[ShownSection, pd.DataFrame], Claims]] = {
    "summary": claim_summary,
    "matrix": claim_matrix,
    "yardsticks": claim_yardsticks,
    "scores": claim_scores,
    "labels": claim_labels,
    "rates": claim_rates,
    "movies-and-bold": claim_windows,
    "latent-groups": claim_latents,
}
"""Sections that show scores.csv; the comparison shows comparisons.csv."""


def read_tables(results: Path) -> tuple[pd.DataFrame, pd.DataFrame | None]:
    """Read scores.csv and comparisons.csv as they stand; text stays text, no number is NaN."""
    tables = []
    for name in ("scores.csv", "comparisons.csv"):
        path = results / name
        if not path.is_file():
            tables.append(None)
            continue
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
        for column in table:
            if re.match(r"value|ci_|chance|ceiling|seed_sd|difference|p_|n_", column):
                table[column] = pd.to_numeric(table[column])
        tables.append(table)
    scores, comparisons = tables
    assert scores is not None
    return scores, comparisons


def claim_section(
    name: str,
    page: dict[str, ShownSection],
    scores: pd.DataFrame,
    comparisons: pd.DataFrame | None,
) -> Claims:
    """Compare one section, which may be missing, with the tables."""
    section = page.get(name, ShownSection())
    if name == "comparison":
        return claim_comparison(section, pd.DataFrame() if comparisons is None else comparisons)
    is_pooled = scores["seed"] == "all"
    # What no row pools over seeds is shown seed by seed.
    alone = ~scores["task"].isin(scores.loc[is_pooled, "task"])
    return SECTIONS[name](section, scores[is_pooled | alone])


def list_claims(
    page: dict[str, ShownSection], scores: pd.DataFrame, comparisons: pd.DataFrame | None
) -> dict[str, Claims]:
    """Compare every section with the tables; sections that neither side has are left out."""
    names = [*SECTIONS, "comparison"]
    claims = {name: claim_section(name, page, scores, comparisons) for name in names}
    return {name: one for name, one in claims.items() if one.shown or one.expected}


def find_page_problems(results: Path) -> list[str]:
    """Hold the page of a finished run against its tables."""
    page = read_page((results / "report" / "index.html").read_text(encoding="utf-8"))
    claims = list_claims(page, *read_tables(results))
    return [f"{name}: {text}" for name, one in claims.items() for text in one.find_problems()]
