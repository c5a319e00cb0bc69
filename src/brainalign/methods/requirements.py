"""What a method needs and what it yields; imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Modality = Literal["spikes", "spike_rates", "fmri", "fmri_responses"]

ALL_MODALITIES: tuple[Modality, ...] = ("spikes", "spike_rates", "fmri", "fmri_responses")


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
    modalities : tuple of {"spikes", "spike_rates", "fmri", "fmri_responses"}
        Kinds of recordings; all by default.
    min_subjects : int
        Fewest subjects that a data set must have.
    needs_labels : bool
        Whether stimuli must say what they show, as classes.
    """

    design: Literal["images", "movies"]
    subjects: Literal["one", "many"]
    predictions: tuple[str, ...]
    modalities: tuple[Modality, ...] = ALL_MODALITIES
    min_subjects: int = 1
    needs_labels: bool = False
