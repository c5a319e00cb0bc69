"""Reads the tables and sentences of a rendered page, section by section."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_NUMBER = re.compile(r"\N{EN DASH}|[+-]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")


@dataclass
class ShownCell:
    """What one cell of a table says."""

    text: str = ""
    note: str = ""
    details: list[str] = field(default_factory=list)

    def list_numbers(self) -> list[str]:
        """List numbers and dashes as they are written: text, note, then the lines below."""
        return _NUMBER.findall(" | ".join([self.text, self.note, *self.details]))


@dataclass
class ShownTable:
    """A table and the last heading above it."""

    heading: str
    caption: str = ""
    columns: list[str] = field(default_factory=list)
    rows: list[list[ShownCell]] = field(default_factory=list)


@dataclass
class ShownSection:
    """Tables and other texts of a section."""

    tables: list[ShownTable] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)
    """Last heading, or line that unfolds, and text of each paragraph or item of a list."""


def read_page(html: str) -> dict[str, ShownSection]:
    """Read all sections by their address."""
    # Pictures are megabytes of text that say nothing here.
    reader = _Reader()
    reader.feed(re.sub(r'src="data:[^"]*"', "", html))
    return reader.sections


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.sections: dict[str, ShownSection] = {}
        self._section = ShownSection()
        self._heading = ""
        self._unfolds = ""
        self._table = ShownTable("")
        self._cell: ShownCell | None = None
        self._part = ""
        self._text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "section":
            self._section = self.sections.setdefault(str(given["id"]), ShownSection())
            self._heading, self._unfolds = "", ""
        elif tag == "table":
            self._table = ShownTable(self._heading)
            self._section.tables.append(self._table)
        elif tag == "tr":
            self._table.rows.append([])
        elif tag in ("th", "td"):
            self._cell = ShownCell()
            self._table.rows[-1].append(self._cell)
        if tag in ("caption", "h3", "summary", "p", "li", "span", "a", "code"):
            self._text = ""
            self._part = given.get("class") or tag

    def handle_data(self, data: str) -> None:
        self._text += data

    def handle_endtag(self, tag: str) -> None:
        text = " ".join(self._text.split())
        if tag == "caption":
            self._table.caption = text
        elif tag == "h3":
            self._heading = text
        elif tag in ("summary", "details"):
            self._unfolds = text if tag == "summary" else ""
        elif self._cell is None and tag in ("p", "li"):
            self._section.texts.append((self._unfolds or self._heading, text))
        elif tag in ("span", "code", "a") and self._cell is not None:
            if self._part == "detail":
                self._cell.details.append(text)
            elif self._part == "note":
                self._cell.note = text
            elif self._part != "tag":
                self._cell.text = text
        elif tag in ("th", "td"):
            if self._cell is not None and not self._cell.text and not self._cell.details:
                self._cell.text = text
            self._cell = None
        elif tag == "thead":
            self._table.columns = [cell.text for cell in self._table.rows.pop()]
        if tag in ("span", "code", "a", "caption", "h3", "summary", "p", "li", "th", "td"):
            self._text = ""
