"""The graph of the workflow, from manifests alone."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

from brainalign.report.artifacts import Artifact
from brainalign.report.workflow_graph import Stage, draw_workflow, gather_stages, reduce_edges
from brainalign.stores.manifest import Manifest

RESULTS = Path("/results")


def _make(name: str, inputs: list[Artifact], wall_s: float | None = None) -> Artifact:
    provenance = {
        "inputs": {one.path.name: one.manifest.digest for one in inputs},
        "run": {} if wall_s is None else {"wall_s": wall_s},
    }
    files = {"a": {"sha256": name, "size": 1}}
    return Artifact(RESULTS / name, Manifest("kind", files, provenance))


def _make_run() -> list[Artifact]:
    world = _make("raw/world", [], 2.0)
    stimuli = _make("stimuli/it.zarr", [world], 1.0)
    features = _make("features/it/pixels.zarr", [stimuli])
    other = _make("features/it/clip.zarr", [stimuli, world], 3.0)
    return [world, stimuli, features, other]


def test_artifacts_are_counted_by_folder_with_their_time() -> None:
    stages = {stage.name: stage for stage in gather_stages(_make_run(), RESULTS)}
    assert stages["features"] == Stage("features", 2, 3.0, frozenset({"stimuli", "raw"}))
    assert stages["raw"].note == "1 · 2.0 s"


def test_arrows_that_a_longer_way_implies_are_left_out() -> None:
    edges = reduce_edges(gather_stages(_make_run(), RESULTS))
    assert edges == {"raw": [], "stimuli": ["raw"], "features": ["stimuli"]}


def test_a_cycle_between_folders_is_broken() -> None:
    stages = [Stage("a", 1, None, frozenset({"b"})), Stage("b", 1, None, frozenset({"a"}))]
    assert reduce_edges(stages) == {"a": ["b"], "b": []}


def test_the_drawing_is_well_formed_and_named_whatever_the_folders_are_called() -> None:
    source = _make("<a&b>/x", [])
    markup = draw_workflow([source, _make("c/y", [source])], RESULTS)
    assert markup is not None
    root = ElementTree.fromstring(str(markup))
    assert root.attrib["role"] == "img"
    texts = [element.text for element in root.iter() if element.tag.endswith(("}title", "}desc"))]
    assert texts == ["Graph of the workflow: 2 stages", "c from <a&b>."]


def test_without_an_arrow_nothing_is_drawn() -> None:
    assert draw_workflow([_make("raw/world", [])], RESULTS) is None
