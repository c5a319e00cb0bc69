"""Which page each kind of store or folder gets; nothing is imported before it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from brainalign.report.blocks import Section
from brainalign.report.views.parts import Opened

_PACKAGE = "brainalign.report.views"

VIEWS: dict[str, str] = {
    "stimuli": f"{_PACKAGE}.stimuli",
    "responses": f"{_PACKAGE}.responses",
    "features": f"{_PACKAGE}.features",
    "predictions": f"{_PACKAGE}.predictions",
    "scores": f"{_PACKAGE}.scores",
    "encoding": f"{_PACKAGE}.arrays",
    "model": f"{_PACKAGE}.weights",
    "backbone": f"{_PACKAGE}.weights",
    "prior": f"{_PACKAGE}.weights",
}
"""Module by kind, with a function ``compose_view``."""

_FOLDERS = f"{_PACKAGE}.folders"


def get_view(kind: str) -> Callable[[Opened], list[Section]]:
    """Give the function that composes the page of a kind; folders of any other kind show files."""
    view: Callable[[Opened], list[Section]] = import_module(VIEWS.get(kind, _FOLDERS)).compose_view
    return view
