"""What the page shows, against the stores that it was made from."""

from __future__ import annotations

import io
import re
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image

from brainalign.cli import main
from brainalign.evaluation.table import read_score_table
from brainalign.report.artifacts import read_run
from brainalign.report.page import compose_page
from brainalign.report.score_table import HEADLINE
from brainalign.stores.manifest import find_damage, read_manifest
from brainalign.stores.write import write_store
from example_stores import make_movie_responses, make_movie_stimuli
from unit.report.conftest import PageReader, ReportedRun, write_report
from unit.report.example_run import BACKBONES, METHODS, build_run, write_recording


def _read_pooled(reported_run: ReportedRun) -> pd.DataFrame:
    table = read_score_table(
        xr.open_datatree(reported_run.results / "scores.zarr", engine="zarr").load()
    )
    return table[(table[["seed", "subject", "area"]] == "all").all(axis=1)]


def _write_name(name: str) -> str:
    return "VNA" if name == "vna" else name.replace("_", " ")


def _list_score_rows(page: PageReader) -> list[list[str]]:
    """The rows of the main table: the first with one cell per headline metric."""
    start = next(i for i, row in enumerate(page.rows) if row and row[0].startswith("Method, m"))
    n_rows = sum(map(len, METHODS.values())) * len(BACKBONES)
    return page.rows[start + 1 : start + 1 + n_rows]


def test_main_table_lists_every_method_matching_and_backbone(page: PageReader) -> None:
    shown = {row[0].replace(" floor", "") for row in _list_score_rows(page)}
    assert shown == {
        f"{_write_name(method)} {matching} · {_write_name(backbone)}"
        for method, variants in METHODS.items()
        for matching in variants
        for backbone in BACKBONES
    }


def test_main_table_shows_the_numbers_of_the_score_store(
    reported_run: ReportedRun, page: PageReader
) -> None:
    pooled = _read_pooled(reported_run)
    pooled = pooled[pooled["response"] == "mean"]
    rows = {row[0].replace(" floor", ""): row[1:] for row in _list_score_rows(page)}
    n_checked = 0
    for row in pooled.to_dict(orient="records"):
        if (row["task"], row["metric"]) not in HEADLINE:
            continue
        key = f"{_write_name(row['method'])} {row['matching']} · {_write_name(row['backbone'])}"
        cell = rows[key][HEADLINE.index((row["task"], row["metric"]))]
        digits = 1 if row["metric"] == "median_rank" else 3
        expected = (
            f"{row['value']:.{digits}f} ± {row['seed_sd']:.{digits}f} "
            f"[{row['ci_low']:.{digits}f}, {row['ci_high']:.{digits}f}] "
            f"chance {row['chance']:.{digits}f} ceiling {row['ceiling']:.{digits}f}"
        )
        assert cell == expected
        n_checked += 1
    assert n_checked == len(rows) * len(HEADLINE)


def test_rows_are_sorted_by_decoding_top_1(page: PageReader) -> None:
    values = [float(row[2].split()[0]) for row in _list_score_rows(page)]
    assert values == sorted(values, reverse=True)


def test_pixels_are_marked_as_the_floor_and_nothing_else(page: PageReader) -> None:
    for row in _list_score_rows(page):
        assert ("floor" in row[0]) == ("pixels" in row[0])


def test_a_changed_score_changes_the_page(reported_run: ReportedRun, tmp_path: Path) -> None:
    tree = xr.open_datatree(reported_run.results / "scores.zarr", engine="zarr").load()
    table = read_score_table(tree)
    chosen = (
        (table[["seed", "subject", "area"]] == "all").all(axis=1)
        & (table["response"] == "mean")
        & (table["metric"] == "top_1")
        & (table["method"] == "vna")
    )
    assert "0.987" not in reported_run.html
    tree["table"]["value"].values[np.flatnonzero(chosen)[0]] = 0.98765
    write_store(tmp_path / "scores.zarr", tree, "scores", {})
    inputs = [path for path in reported_run.inputs if path.name != "scores.zarr"]
    page = compose_page(read_run([*inputs, tmp_path / "scores.zarr"], reported_run.results))
    assert "0.988" in page.html


def test_summary_does_not_settle_an_order_of_overlapping_intervals(
    reported_run: ReportedRun, page: PageReader
) -> None:
    pooled = _read_pooled(reported_run)
    rows = pooled[
        (pooled["response"] == "mean")
        & (pooled["task"] == "discriminative_decoding")
        & (pooled["metric"] == "top_1")
    ].sort_values("value", ascending=False)
    best, others = rows.iloc[0], rows.iloc[1:]
    n_overlapping = int((others["ci_high"] >= best["ci_low"]).sum())
    assert n_overlapping > 0
    said = next(text for text in page.texts if text.startswith("world: the highest"))
    assert f"{n_overlapping} of the other {len(others)} rows overlap" in said
    assert f"[{best['ci_low']:.3f}, {best['ci_high']:.3f}]" in said
    assert f"chance {best['chance']:.3f}" in said


def test_every_image_has_a_text_that_says_what_it_shows(page: PageReader) -> None:
    images = page.find("img")
    assert len(images) > 10
    assert all(image["alt"] and len(str(image["alt"])) > 15 for image in images)


def test_every_address_within_the_page_exists_once(page: PageReader) -> None:
    anchors = [attributes["id"] for _, attributes in page.elements if attributes.get("id")]
    assert len(anchors) == len(set(anchors))
    links = [str(link["href"]) for link in page.find("a")]
    assert len(links) > 10
    assert {link.removeprefix("#") for link in links} <= set(anchors)


def test_the_graph_of_the_workflow_has_an_accessible_name(page: PageReader) -> None:
    drawings = page.find("svg")
    assert len(drawings) == 1
    assert drawings[0]["role"] == "img"
    assert any("scores from predictions" in text for text in page.texts)
    assert "Graph of the workflow: 8 stages" in page.texts


def test_overview_shows_the_best_score_of_each_method(
    reported_run: ReportedRun, page: PageReader
) -> None:
    pooled = _read_pooled(reported_run)
    rows = pooled[
        (pooled["response"] == "mean")
        & (pooled["task"] == "discriminative_decoding")
        & (pooled["metric"] == "top_1")
    ]
    start = page.rows.index(["Method", "world"])
    shown = {row[0]: row[1] for row in page.rows[start + 1 : start + 1 + len(METHODS)]}
    for method, own in rows.groupby("method"):
        assert shown[_write_name(str(method))] == f"{own['value'].max():.3f} decoding top-1"


def test_each_recording_has_a_section_of_its_own(reported_run: ReportedRun) -> None:
    parts = reported_run.html.split('<section id="')
    own = next(part for part in parts if part.startswith('recording-1"'))
    assert '<h2 id="recording-1-title">world</h2>' in own
    for title in ("Recordings", "Stimuli"):
        assert f">{title}</h3>" in own


def test_page_asks_for_nothing_outside_itself(reported_run: ReportedRun, page: PageReader) -> None:
    for _, attributes in page.elements:
        for name in ("src", "href", "srcset", "data", "action"):
            address = attributes.get(name) or "#"
            assert address.startswith(("#", "data:image/"))
    assert not re.search(r"url\((?!#)|@import", reported_run.html)
    assert not page.find("link")


def test_links_lead_to_places_that_exist(page: PageReader) -> None:
    anchors = [str(attributes["id"]) for _, attributes in page.elements if "id" in attributes]
    assert len(anchors) == len(set(anchors))
    links = [str(link["href"])[1:] for link in page.find("a")]
    assert len(links) > 20
    assert set(links) <= set(anchors)


def test_every_figure_is_copied_and_shows_something(reported_run: ReportedRun) -> None:
    files = sorted((reported_run.report / "figures").iterdir())
    names = " ".join(file.name for file in files)
    kinds = ("scores-", "retrieval-", "similarity-", "training-", "units-", "stimulus-")
    assert all(kind in names for kind in (*kinds, "backbones"))
    for file in files:
        if file.suffix == ".png":
            pixels = np.asarray(Image.open(io.BytesIO(file.read_bytes())).convert("L"))
            assert pixels.std() > 5, file.name
        else:
            assert file.read_text(encoding="utf-8").count("<path") > 10, file.name


def test_report_is_published_with_the_digests_of_its_inputs(reported_run: ReportedRun) -> None:
    manifest = read_manifest(reported_run.report)
    assert manifest.kind == "report"
    assert find_damage(reported_run.report) == []
    assert manifest.provenance["inputs"] == {
        str(path): read_manifest(path).digest for path in reported_run.inputs
    }


def test_the_same_run_gives_the_same_page(reported_run: ReportedRun) -> None:
    again = compose_page(read_run(reported_run.inputs, reported_run.results), n_workers=2)
    assert again.html == reported_run.html


def test_provenance_lists_every_artifact_and_how_to_open_it(
    reported_run: ReportedRun, page: PageReader
) -> None:
    rows = {row[0].split()[0]: " ".join(row) for row in page.rows if row}
    listed = [*reported_run.inputs, *(reported_run.results / "scores").rglob("*.zarr")]
    for path in listed:
        row = rows[str(path.relative_to(reported_run.results))]
        manifest = read_manifest(path)
        assert manifest.digest[:10] in row
        assert f"{manifest.provenance['run']['wall_s']:.1f} s" in row
        assert f'("{path}' in row


def test_names_are_shown_and_never_run(tmp_path: Path) -> None:
    hostile = "<script>alert(1)<"
    inputs = build_run(tmp_path, subjects=(hostile, "a$b$c"))
    html = compose_page(read_run(inputs, tmp_path)).html
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)&lt;" in html
    assert "a$b$c" in html


def test_a_run_without_methods_shows_its_recordings(tmp_path: Path) -> None:
    recording = write_recording(tmp_path)
    page = PageReader(compose_page(read_run([recording], tmp_path)).html)
    headings = [text for text in page.texts if text in ("Scores", "Recordings", "Training")]
    assert set(headings) == {"Recordings"}
    assert any("there are no scores" in text for text in page.texts)
    assert any(
        "8 ok, 1 silent, 1 too few repeats" in str(image["alt"]) for image in page.find("img")
    )


@pytest.mark.parametrize(
    "part",
    ["stimuli", "responses", "features", "models", "predictions", "scores.zarr"],
)
def test_a_part_that_is_missing_leaves_the_others(reported_run: ReportedRun, part: str) -> None:
    inputs = [path for path in reported_run.inputs if part not in path.parts]
    assert len(inputs) < len(reported_run.inputs)
    html = compose_page(read_run(inputs, reported_run.results)).html
    assert "Provenance and run time" in html
    assert ('id="scores"' in html) == (part != "scores.zarr")


def test_movie_designs_are_shown_too(tmp_path: Path) -> None:
    stimuli, responses = tmp_path / "stimuli/film.zarr", tmp_path / "responses/film/cat.zarr"
    write_store(stimuli, make_movie_stimuli(), "stimuli", {})
    write_store(responses, make_movie_responses(), "responses", {})
    html = compose_page(read_run([stimuli, responses], tmp_path)).html
    assert "8 frames" in html
    assert "fish at" in html


def test_a_damaged_training_table_is_named(
    reported_run: ReportedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "models/vna/world/pixels"
    shutil.copytree(reported_run.results / "models/vna/world/pixels", model)
    (model / "training.csv").write_bytes(b"")
    words = ["report", "--results", str(tmp_path), "--inputs", str(model)]
    assert main([*words, "--output", str(tmp_path / "report")]) == 3
    assert "training.csv" in capsys.readouterr().err
    assert not (tmp_path / "report").exists()


def test_a_folder_of_another_kind_is_refused(
    reported_run: ReportedRun, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["report", "--results", str(tmp_path), "--inputs", str(reported_run.report)]
    assert main([*words, "--output", str(tmp_path / "report")]) == 2
    assert "no place for this folder" in capsys.readouterr().err


def test_an_older_report_is_replaced_whole(reported_run: ReportedRun, tmp_path: Path) -> None:
    output = tmp_path / "report"
    output.mkdir()
    (output / "left-over.txt").write_text("old")
    write_report(tmp_path, [write_recording(tmp_path)], output)
    assert sorted(path.name for path in output.iterdir()) == [
        "figures",
        "index.html",
        "manifest.json",
    ]


@pytest.mark.parametrize(("part", "name"), [("subject", "monkey-b"), ("area", "PIT")])
def test_each_subject_and_each_area_has_rows_of_its_own(
    reported_run: ReportedRun, page: PageReader, part: str, name: str
) -> None:
    table = read_score_table(
        xr.open_datatree(reported_run.results / "scores.zarr", engine="zarr").load()
    )
    other = "area" if part == "subject" else "subject"
    row = table[
        (table[part] == name)
        & (table[other] == "all")
        & (table["seed"] == "all")
        & (table["response"] == "mean")
        & (table["method"] == "vna")
        & (table["backbone"] == "world_clip")
        & (table["task"] == "discriminative_encoding")
        & (table["metric"] == "top_1")
    ]
    shown = next(
        cells for cells in page.rows if cells and cells[0] == f"VNA {name} · cosine · world clip"
    )
    assert len(row) == 1
    assert shown[1].startswith(f"{row['value'].item():.3f} ")
