"""The example run and its page, made once."""

from __future__ import annotations

from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path

import pytest

from brainalign.cli import main
from unit.report.example_run import build_run


@dataclass(frozen=True)
class ReportedRun:
    """A run and its page."""

    results: Path
    inputs: list[Path]
    report: Path

    @property
    def html(self) -> str:
        return (self.report / "index.html").read_text(encoding="utf-8")


class PageReader(HTMLParser):
    """Collects elements with their attributes, and table rows as lists of texts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.texts: list[str] = []
        self._in_cell = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        elif tag in ("th", "td") and self.rows:
            self.rows[-1].append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        if tag in ("th", "td"):
            self._in_cell = False

    def handle_data(self, data: str) -> None:
        if not data.strip():
            return
        self.texts.append(" ".join(data.split()))
        if self._in_cell:
            self.rows[-1][-1] = f"{self.rows[-1][-1]} {' '.join(data.split())}".strip()

    def find(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def write_report(results: Path, inputs: list[Path], output: Path) -> None:
    words = ["report", "--results", str(results), "--inputs", *map(str, inputs)]
    assert main([*words, "--output", str(output)]) == 0


@pytest.fixture(scope="session")
def reported_run(tmp_path_factory: pytest.TempPathFactory) -> ReportedRun:
    results = tmp_path_factory.mktemp("run") / "results"
    inputs = build_run(results)
    write_report(results, inputs, results / "report")
    return ReportedRun(results, inputs, results / "report")


@pytest.fixture(scope="session")
def page(reported_run: ReportedRun) -> PageReader:
    return PageReader(reported_run.html)
