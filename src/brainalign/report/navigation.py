"""The order of the page: sections by group, methods named, recordings put together."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from brainalign.report.blocks import Block, Bullets, Heading, Section, Text
from brainalign.report.document import Group

OVERVIEW, COMPARISON, METHODS, RECORDINGS, PROVENANCE = (
    "Overview",
    "Comparison",
    "Methods",
    "Recordings",
    "Provenance",
)
_GROUPS = {
    "summary": OVERVIEW,
    "matrix": OVERVIEW,
    "yardsticks": COMPARISON,
    "comparison": COMPARISON,
    "backbones": RECORDINGS,
    "provenance": PROVENANCE,
}
# What these show is cut by data set and put together again, one section per recording.
_OF_RECORDINGS = ("sorting", "recordings", "movies", "brain-maps", "stimuli")
_READING = ("reading", "How to read recordings")
# The method that a section is about leads its title where that method was run.
_LEADING = {
    "scores": ("vna", "VNA and direct baselines"),
    "retrieval": ("vna", "VNA"),
    "similarity": ("vna", "VNA and direct baselines"),
    "labels": ("clip_mused", "CLIP-MUSED and label baselines"),
    "rates": ("vi_st", "Vi-ST and rate baselines"),
    "movies-and-bold": ("neuroalign", "NeuroAlign and ridge"),
    "latent-groups": ("mig_vis", "MIG-Vis"),
}


def group_sections(
    sections: Sequence[Section], datasets: Sequence[str], methods: Iterable[str]
) -> list[Group]:
    """Sort sections into groups, one section per recording among them.

    Parameters
    ----------
    sections : sequence of Section
        In any order; those that no group names are about methods.
    datasets, methods : sequence of str
        Of the run.
    """
    own = [one for one in sections if one.anchor in _OF_RECORDINGS]
    others = [_name_section(one, set(methods)) for one in sections if one not in own]
    grouped: dict[str, list[Section]] = {
        name: [] for name in (OVERVIEW, COMPARISON, METHODS, RECORDINGS, PROVENANCE)
    }
    grouped[RECORDINGS] += _join_recordings(own, datasets)
    for section in others:
        grouped[_GROUPS.get(section.anchor, METHODS)].append(section)
    return [
        Group(name, [anchor_headings(one, datasets) for one in members])
        for name, members in grouped.items()
    ]


def locate_part(section: str, number: int) -> str:
    """Name the address of the part of a section about the data set of that number."""
    return f"{section}-data-{number + 1}"


def anchor_headings(section: Section, datasets: Sequence[str]) -> Section:
    """Give the first heading about each data set an address."""
    blocks: list[Block] = []
    seen: set[int] = set()
    for block in section.blocks:
        number = _find_dataset(block, datasets)
        if isinstance(block, Heading) and number is not None and number not in seen:
            seen.add(number)
            block = dataclasses.replace(block, anchor=locate_part(section.anchor, number))
        blocks.append(block)
    return dataclasses.replace(section, blocks=blocks)


def _name_section(section: Section, methods: set[str]) -> Section:
    method, lead = _LEADING.get(section.anchor, ("", ""))
    if method not in methods:
        return section
    return dataclasses.replace(section, title=f"{lead}: {section.title}")


def _find_dataset(block: Block, datasets: Sequence[str]) -> int | None:
    """Give the number of the data set that a heading is about, alone or before a comma."""
    if not isinstance(block, Heading):
        return None
    for number, name in enumerate(datasets):
        if block.text == name or block.text.startswith(f"{name}, "):
            return number
    return None


def _join_recordings(sections: Sequence[Section], datasets: Sequence[str]) -> list[Section]:
    """Make one section per data set of the parts of several; texts above all parts come first."""
    reading: list[str] = []
    unnamed: list[Block] = []
    parts: dict[int, list[Block]] = {}
    for section in sections:
        current: int | None = None
        for block in section.blocks:
            number = _find_dataset(block, datasets)
            if number is not None and isinstance(block, Heading):
                current = number
                detail = block.text.removeprefix(datasets[number]).removeprefix(", ")
                title = f"{section.title}: {detail}" if detail else section.title
                parts.setdefault(number, []).append(Heading(title))
            elif current is not None:
                parts[current].append(block)
            elif isinstance(block, Text):
                reading.append(f"{section.title}: {block.text}")
            else:
                unnamed.append(block)
    joined = [
        Section(f"recording-{number + 1}", datasets[number], parts[number])
        for number in sorted(parts)
    ]
    lead: list[Block] = [*([Bullets(reading)] if reading else []), *unnamed]
    return [*([Section(*_READING, lead)] if lead else []), *joined]
