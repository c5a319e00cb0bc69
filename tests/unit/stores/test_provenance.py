"""Provenance identifies what a job read and used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from brainalign import __version__
from brainalign.stores.provenance import ProvenanceRecorder, compute_options_digest
from brainalign.stores.read import read_digest
from brainalign.stores.write import write_store
from example_stores import make_responses


def test_the_digest_of_options_does_not_depend_on_the_order_of_keys() -> None:
    options = {"alpha": 1.0, "layers": {"first": 1, "last": 2}}
    turned = {"layers": {"last": 2, "first": 1}, "alpha": 1.0}
    assert compute_options_digest(options) == compute_options_digest(turned)


def test_the_digest_of_options_depends_on_every_value() -> None:
    digests = {
        compute_options_digest(options)
        for options in ({"a": 1}, {"a": 2}, {"a": "1"}, {"b": 1}, {"a": [1]}, {"a": True}, {})
    }
    assert len(digests) == 7


def test_inputs_are_recorded_by_their_content(tmp_path: Path) -> None:
    store, file = tmp_path / "sub-01.zarr", tmp_path / "rois.csv"
    write_store(store, make_responses(), "responses")
    file.write_bytes(b"V1,V2\n")
    recorder = ProvenanceRecorder(
        "scores", {}, {"responses": store, "rois": file, "scratch": tmp_path}
    )
    assert recorder.record["inputs"] == {
        "responses": read_digest(store),
        "rois": hashlib.sha256(b"V1,V2\n").hexdigest(),
        "scratch": "unpublished",
    }


def test_a_finished_record_is_json_with_version_facts_and_cost() -> None:
    record = ProvenanceRecorder("models", {"seed": 3}).finish(seeds=[3], device="cpu")
    assert json.loads(json.dumps(record)) == record
    assert record["brainalign_version"] == __version__
    assert record["seeds"] == [3]
    assert record["device"] == "cpu"
    assert record["options_digest"] == compute_options_digest({"seed": 3})
    assert record["run"]["wall_s"] >= 0
    assert record["run"]["peak_memory_mb"] > 1
