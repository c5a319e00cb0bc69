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
    needs_complete_responses : bool
        Whether every unit must have been recorded at every presentation; recordings whose
        sessions have units of their own are not so.
    needs_backbone : bool
        Whether the method reads features of the stimuli; one that does not may be planned without
        a backbone, also for recordings whose stimuli are known by their labels only.
    """

    design: Literal["images", "movies"]
    subjects: Literal["one", "many"]
    predictions: tuple[str, ...]
    modalities: tuple[Modality, ...] = ALL_MODALITIES
    min_subjects: int = 1
    needs_labels: bool = False
    needs_complete_responses: bool = False
    needs_backbone: bool = True


NO_BACKBONE = "none"
"""What stands in the place of a backbone's name where a method needs none."""
