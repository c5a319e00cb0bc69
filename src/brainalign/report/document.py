"""One self-contained document from sections in groups; the template knows how it looks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from brainalign import __version__
from brainalign.report.blocks import Section, iterate_pictures
from brainalign.report.pictures import Picture

_FOLDER = Path(__file__).parent
_TEMPLATE, _STYLE_SHEET = "page.html", "page.css"


@dataclass(frozen=True)
class Group:
    """Sections under one heading of the table of contents.

    Attributes
    ----------
    title : str
        The heading.
    sections : sequence of Section
        In the order of the page.
    """

    title: str
    sections: Sequence[Section]


@dataclass(frozen=True)
class Page:
    """A page and its figures.

    Attributes
    ----------
    html : str
        A document that needs no other file.
    pictures : list of Picture
        All its figures.
    """

    html: str
    pictures: list[Picture]


def render_page(title: str, groups: Sequence[Group]) -> Page:
    """Fill the template.

    Parameters
    ----------
    title : str
        Heading and title of the document.
    groups : sequence of Group
        What it shows; groups without a section are left out.

    Notes
    -----
    The same sections give the same bytes: no date is added.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    shown = [group for group in groups if group.sections]
    html = environment.get_template(_TEMPLATE).render(
        title=title,
        version=__version__,
        groups=shown,
        style=Markup((_FOLDER / _STYLE_SHEET).read_text(encoding="utf-8")),
    )
    sections = [section for group in shown for section in group.sections]
    return Page(html, [picture for one in sections for picture in iterate_pictures(one.blocks)])
