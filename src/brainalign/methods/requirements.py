"""What a method needs and what it yields; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Requirements:
    """Declaration from which a workflow derives which methods fit which data set.

    Attributes
    ----------
    design : {"images", "movies"}
        Design of the recordings.
    subjects : {"one", "many"}
        Whether one fit takes several subjects.
    predictions : tuple of str
        Kinds of predictions: ``embedding``, ``response``, ``label``, ``image`` or ``code``.
    """

    design: Literal["images", "movies"]
    subjects: Literal["one", "many"]
    predictions: tuple[str, ...]
