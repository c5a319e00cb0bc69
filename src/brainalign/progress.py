"""Show the progress of long work: a bar on a terminal, a few plain lines in a log."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterable, Iterator, Sized
from typing import TypeVar

Item = TypeVar("Item")

LINES_PER_TASK = 10
"""Plain lines that one task may write to a log."""


def show_progress(iterable: Iterable[Item], label: str, total: int | None = None) -> Iterator[Item]:
    """Pass items on and show how many have gone by.

    Parameters
    ----------
    iterable : iterable
        What is worked through.
    label : str
        What is done.
    total : int, optional
        Number of items; needed where the iterable has no length.

    Returns
    -------
    items : iterator
        The same items, in the same order.
    """
    if total is None and isinstance(iterable, Sized):
        total = len(iterable)
    if sys.stderr.isatty():
        from tqdm import tqdm

        return iter(tqdm(iterable, desc=label, total=total, leave=False))
    return _print_lines(iterable, label, total)


def _print_lines(iterable: Iterable[Item], label: str, total: int | None) -> Iterator[Item]:
    shown = 0
    for number, item in enumerate(iterable, start=1):
        yield item
        if total and number * LINES_PER_TASK // total > shown:
            shown = number * LINES_PER_TASK // total
            print(f"{label}: {number} of {total}", file=sys.stderr, flush=True)


@contextlib.contextmanager
def announce(what: str) -> Iterator[None]:
    """Say in the log when a long step starts and ends."""
    print(f"{what} …", file=sys.stderr, flush=True)
    yield
    print(f"{what}: done", file=sys.stderr, flush=True)
