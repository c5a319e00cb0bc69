"""Numbers of a page beside those of the tables behind it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

import pandas as pd

from page_claims.tables import ShownTable

Place = tuple[str, ...]
_DASH = "\N{EN DASH}"
INTERVAL = ("value", "ci_low", "ci_high")


@dataclass
class Claims:
    """Numbers by the place where they stand: as they are shown, and as the tables have them."""

    shown: dict[Place, list[str]] = field(default_factory=dict)
    expected: dict[Place, list[float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)

    def show(self, place: Place, numbers: list[str]) -> None:
        """Note what the page says; a lone dash says nothing."""
        if numbers in ([], [_DASH]):
            return
        if place in self.shown:
            self.problems.append(f"{place} stands on the page twice")
        self.shown[place] = numbers

    def expect(self, place: Place, numbers: list[float]) -> None:
        """Note what the tables say."""
        if place in self.expected:
            self.problems.append(f"{place} stands in the table twice")
        self.expected[place] = numbers

    def find_problems(self) -> list[str]:
        """List places that one side lacks, and numbers that differ beyond rounding."""
        problems = [*self.problems]
        problems += [
            f"{one} is missing on the page" for one in self.expected if one not in self.shown
        ]
        problems += [f"{one} is not in the table" for one in self.shown if one not in self.expected]
        for place, texts in self.shown.items():
            numbers = self.expected.get(place, [])
            if place in self.expected and not agree(texts, numbers):
                problems.append(f"{place} shows {texts}, the table has {numbers}")
        return problems


def agree(texts: list[str], numbers: list[float]) -> bool:
    return len(texts) == len(numbers) and all(map(_is_rounded, texts, numbers))


def _is_rounded(text: str, number: float) -> bool:
    if text == _DASH or math.isnan(number):
        return text == _DASH and math.isnan(number)
    plain = text.replace(",", "")
    digits = len(plain.partition(".")[2])
    # The tables hold six digits, which may lie on the other side of a half.
    tolerance = 0.5 * 10.0**-digits + 5e-6 * abs(number) + 1e-9
    return abs(float(plain) - number) <= tolerance


def split_caption(table: ShownTable) -> tuple[str, str]:
    """Split a caption into data set and what is told of it."""
    dataset, _, rest = table.caption.partition(": ")
    return dataset, rest


def pool_subjects(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Give each data set's rows over all subjects; those of its subjects where none pools."""
    for dataset, own in rows.groupby("dataset", sort=False):
        pooled = own[own["subject"] == "all"]
        yield str(dataset), pooled if len(pooled) else own


def read_numbers(row: pd.Series, *columns: str, optional: tuple[str, ...] = ()) -> list[float]:
    """Take columns of a row; optional ones where there is a number."""
    return [float(row[one]) for one in columns if one not in optional or not math.isnan(row[one])]
