"""Sections in groups, recordings put together."""

from __future__ import annotations

from brainalign.report.blocks import Bullets, Heading, Section, Text
from brainalign.report.navigation import group_sections

DATASETS = ["it", "it_sorts"]


def _group(*sections: Section, methods: tuple[str, ...] = ()) -> dict[str, list[Section]]:
    return {
        group.title: list(group.sections) for group in group_sections(sections, DATASETS, methods)
    }


def test_parts_of_one_recording_are_put_together() -> None:
    sorting = Section("sorting", "Spike sorting", [Heading("it_sorts"), Text("probe")])
    blocks = [Heading("it"), Text("a"), Heading("it_sorts"), Text("b")]
    grouped = _group(sorting, Section("recordings", "Recordings", blocks))
    first, second = grouped["Recordings"]
    assert (first.title, second.title) == ("it", "it_sorts")
    assert [block.text for block in first.blocks] == ["Recordings", "a"]
    assert [block.text for block in second.blocks] == ["Spike sorting", "probe", "Recordings", "b"]


def test_subjects_stay_in_the_headings() -> None:
    movies = Section("movies", "Movies", [Heading("it, monkey-a"), Text("raster")])
    (section,) = _group(movies)["Recordings"]
    assert section.blocks[0] == Heading("Movies: monkey-a")


def test_texts_above_all_recordings_come_first_and_nothing_is_lost() -> None:
    blocks = [Text("how"), Bullets(["what"]), Heading("it"), Text("a")]
    reading, _ = _group(Section("stimuli", "Stimuli", blocks))["Recordings"]
    assert reading.blocks == [Bullets(["Stimuli: how"]), Bullets(["what"])]


def test_a_section_is_named_after_its_method_only_where_that_was_run() -> None:
    labels = Section("labels", "Label decoding", [Text("x")])
    assert _group(labels)["Methods"][0].title == "Label decoding"
    named = _group(labels, methods=("clip_mused",))["Methods"][0]
    assert named.title == "CLIP-MUSED and label baselines: Label decoding"


def test_sections_that_no_group_names_are_about_methods() -> None:
    assert [one.anchor for one in _group(Section("new", "New"))["Methods"]] == ["new"]


def test_headings_about_data_sets_get_addresses_once() -> None:
    blocks = [Heading("it"), Heading("it, monkey-a"), Heading("it_sorts"), Heading("other")]
    (section,) = _group(Section("scores", "Scores", blocks))["Methods"]
    anchors = [block.anchor for block in section.blocks if isinstance(block, Heading)]
    assert anchors == ["scores-data-1", "", "scores-data-2", ""]
