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
    needs_backbone : bool
        Whether the method reads features of the stimuli; one that does not may be planned without
        a backbone, also for recordings whose stimuli are known by their labels only.
    """

    design: Literal["images", "movies"]
    subjects: Literal["one", "many"]
    predictions: tuple[str, ...]
    needs_backbone: bool = True


NO_BACKBONE = "none"
"""What stands in the place of a backbone's name where a method needs none."""
