"""What sections are built of; the template knows how each block looks."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from markupsafe import Markup

from brainalign.report.pictures import Picture


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Attributes
    ----------
    text : str
        What stands in it.
    note : str
        A smaller word behind it.
    details : tuple of str
        Smaller lines below.
    code : str
        A line below, to be typed.
    tag : str
        A short mark beside the text.
    sort : float or None
        Number by which the column is sorted; None sorts by text.
    links : tuple of (str, str)
        Texts and addresses within the page, in place of the text.
    is_code : bool
        Whether the text is to be typed.
    """

    text: str
    note: str = ""
    details: tuple[str, ...] = ()
    code: str = ""
    tag: str = ""
    sort: float | None = None
    links: tuple[tuple[str, str], ...] = ()
    is_code: bool = False


@dataclass(frozen=True)
class Row:
    """One row of a table; its first `Table.n_headings` cells name it.

    Attributes
    ----------
    cells : tuple of Cell
        One per column.
    anchor : str
        Address of the row within the page; empty for none.
    is_floor : bool
        Whether it is the floor that other rows must beat.
    """

    cells: tuple[Cell, ...]
    anchor: str = ""
    is_floor: bool = False


@dataclass(frozen=True)
class Table:
    """A table with a caption; it scrolls inside its own frame where it is too wide."""

    kind: ClassVar[str] = "table"
    caption: str
    columns: Sequence[str]
    rows: Sequence[Row]
    n_headings: int = 1


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    kind: ClassVar[str] = "text"
    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    kind: ClassVar[str] = "bullets"
    items: Sequence[str]


@dataclass(frozen=True)
class Heading:
    """A heading inside a section, with its address within the page if it has one."""

    kind: ClassVar[str] = "heading"
    text: str
    anchor: str = ""


@dataclass(frozen=True)
class Code:
    """Lines to be typed; they scroll inside their own frame where they are too wide."""

    kind: ClassVar[str] = "code"
    text: str


@dataclass(frozen=True)
class Drawing:
    """A drawing whose parts are text and shapes of the page itself.

    Attributes
    ----------
    markup : markupsafe.Markup
        An SVG element with an accessible name; what it holds from data is escaped.
    caption : str
        What it shows.
    """

    kind: ClassVar[str] = "drawing"
    markup: Markup
    caption: str


@dataclass(frozen=True)
class FigureGroup:
    """Panels of one size side by side under one caption; on a phone below each other."""

    kind: ClassVar[str] = "figures"
    pictures: Sequence[Picture]
    caption: str

    def __post_init__(self) -> None:
        # Raised by the section at fault, not by the template much later.
        if not self.pictures:
            raise ValueError(f"no picture above the caption {self.caption!r}")

    @property
    def width(self) -> int:
        """Width that each panel needs, in CSS pixels."""
        return max(picture.width for picture in self.pictures)


@dataclass(frozen=True)
class Thumbnails:
    """Small pictures with a line of text each."""

    kind: ClassVar[str] = "thumbnails"
    pictures: Sequence[Picture]
    labels: Sequence[str]
    caption: str


@dataclass(frozen=True)
class Details:
    """Blocks that are folded away until the reader opens them."""

    kind: ClassVar[str] = "details"
    summary: str
    blocks: Sequence[Block]


Block = Table | Text | Bullets | Heading | Code | Drawing | FigureGroup | Thumbnails | Details


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes
    ----------
    anchor : str
        Its address within the page.
    title : str
        Its heading, also in the table of contents.
    blocks : list of Block
        What it shows.
    """

    anchor: str
    title: str
    blocks: list[Block] = field(default_factory=list)


def iterate_pictures(blocks: Sequence[Block]) -> Iterator[Picture]:
    """Go through all pictures of some blocks, folded ones too."""
    for block in blocks:
        if isinstance(block, FigureGroup | Thumbnails):
            yield from block.pictures
        elif isinstance(block, Details):
            yield from iterate_pictures(block.blocks)
