"""brainalign open: a page for every kind of store and folder."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from PIL import Image
from safetensors.numpy import load_file, save_file

from brainalign.cli import main
from brainalign.evaluation.table import read_score_table
from brainalign.report.open_command import choose_output
from brainalign.report.opening import list_imports, write_import, write_opener
from brainalign.report.views.features import compute_components
from brainalign.report.views.page import compose_store_page
from brainalign.report.views.sample import sample_variable
from brainalign.stores.inspect import describe_store
from brainalign.stores.manifest import read_manifest
from brainalign.stores.publish import publish_folder
from brainalign.stores.read import open_store
from brainalign.stores.verify import list_published_folders
from brainalign.stores.write import write_store
from example_stores import EXAMPLES, make_responses, make_scores
from unit.report.conftest import PageReader


def _publish_example(folder: Path, example: str) -> Path:
    kind, make = EXAMPLES[example]
    write_store(folder / "store.zarr", make(), kind)
    return folder / "store.zarr"


def _publish_model(path: Path) -> Path:
    with publish_folder(path, "model") as draft:
        save_file({"tower.weight": np.ones((2, 3), np.float32)}, draft / "weights.safetensors")
        (draft / "options.json").write_text(json.dumps({"method": "vna", "options": {"rate": 0.5}}))
        history = pd.DataFrame(
            {"epoch": [1, 2], "loss": [2.0, 1.0], "validation_score": [0.1, 0.2]}
        )
        history.to_csv(draft / "training.csv", index=False)
    return path


def _publish_raw(path: Path) -> Path:
    with publish_folder(path, "raw") as draft:
        Image.fromarray(np.zeros((4, 5, 3), np.uint8)).save(draft / "picture.png")
        (draft / "events.tsv").write_text("onset\tstimulus\n1.5\t007\n")
        (draft / "description.json").write_text('{"Name": "a <b>lab</b>"}')
        np.save(draft / "noise.npy", np.zeros((3, 2)))
    return path


def _publish_prior(path: Path) -> Path:
    with publish_folder(path, "prior") as draft:
        save_file({"unet.weight": np.ones((2, 2), np.float32)}, draft / "weights.safetensors")
        (draft / "training.csv").write_text("step,loss\n1,2.0\n2,1.5\n")
    return path


def _read(path: Path) -> PageReader:
    return PageReader(compose_store_page(path))


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_kind_of_store_gets_a_page_of_its_variables(tmp_path: Path, example: str) -> None:
    page = _read(_publish_example(tmp_path, example))
    shown = {row[0] for row in page.rows if row}
    kind, make = EXAMPLES[example]
    for node in make().subtree:
        for name in node.to_dataset(inherit=False).variables:
            assert f"{node.path.rstrip('/')}/{name}" in shown
    assert any(row[:2] == ["Kind", kind] for row in page.rows)


@pytest.mark.parametrize("example", EXAMPLES)
def test_figures_of_stores_have_accessible_names(tmp_path: Path, example: str) -> None:
    images = _read(_publish_example(tmp_path, example)).find("img")
    assert images or example == "movie responses"
    assert all(len(str(image["alt"])) > 10 for image in images)


@pytest.mark.parametrize("publish", [_publish_model, _publish_raw, _publish_prior])
def test_every_kind_of_folder_lists_its_files(tmp_path: Path, publish: object) -> None:
    path = publish(tmp_path / "folder")  # type: ignore[operator]
    shown = {row[0] for row in _read(path).rows if row}
    assert set(read_manifest(path).files) <= shown


def test_weights_and_options_of_a_model_are_tabulated(tmp_path: Path) -> None:
    rows = _read(_publish_model(tmp_path / "vna/world/pixels")).rows
    assert ["options.rate", "0.5"] in rows
    assert next(row for row in rows if row and row[0] == "tower.weight")[1] == "2 x 3"


def test_tables_of_raw_data_keep_their_ids(tmp_path: Path) -> None:
    page = _read(_publish_raw(tmp_path / "lab"))
    assert ["1.5", "007"] in page.rows
    assert ["Name", "a <b>lab</b>"] in page.rows


def test_scores_on_the_page_are_those_of_the_store(tmp_path: Path) -> None:
    tree = make_scores(n_rows=6)
    write_store(tmp_path / "scores.zarr", tree, "scores")
    rows = [
        row for row in _read(tmp_path / "scores.zarr").rows if row and row[0].startswith("task")
    ]
    table = read_score_table(tree)
    assert len(rows) == len(table)
    for row, (_, expected) in zip(rows, table.iterrows(), strict=True):
        numbers = [f"{expected[name]:.3f}" for name in ("value", "chance", "ceiling")]
        interval = f"[{expected['ci_low']:.3f}, {expected['ci_high']:.3f}]"
        assert row[-4:] == [numbers[0], interval, *numbers[1:]]


def test_a_large_store_is_read_in_part_and_the_page_says_so(tmp_path: Path) -> None:
    write_store(tmp_path / "a.zarr", make_responses(n_presentations=900, n_units=300), "responses")
    text = compose_store_page(tmp_path / "a.zarr")
    assert "presentation 160 of 900, unit 120 of 300" in text
    assert "40 of 300 units" in text


def test_a_sample_holds_the_values_of_its_rows(tmp_path: Path) -> None:
    tree = make_responses(n_presentations=50)
    write_store(tmp_path / "a.zarr", tree, "responses")
    variable = open_store(tmp_path / "a.zarr", "responses").variables["response"]
    sample = sample_variable(variable, tmp_path, 16, {"unit": 3})
    np.testing.assert_array_equal(sample.values, tree["response"].values[sample.rows, :3])
    assert sample.rows[0] == 0
    assert sample.rows[-1] == 49


def test_components_equal_a_singular_value_decomposition() -> None:
    values = np.random.default_rng(0).normal(size=(12, 5)) * [5, 3, 1, 1, 1]
    centred = values - values.mean(axis=0)
    left, singular, _ = np.linalg.svd(centred, full_matrices=False)
    points, shares = compute_components(values)
    np.testing.assert_allclose(np.abs(points), np.abs(left[:, :2] * singular[:2]))
    np.testing.assert_allclose(shares, singular[:2] ** 2 / (singular**2).sum())


def test_the_command_prints_the_path_of_a_page_in_the_results_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "results/responses/lab/cat.zarr"
    write_store(path, make_responses(), "responses")
    before = read_manifest(path)
    assert main(["open", str(path)]) == 0
    page = tmp_path / "results/pages/responses/lab/cat.zarr.html"
    assert capsys.readouterr().out.strip() == str(page)
    assert "<!DOCTYPE html>" in page.read_text(encoding="utf-8")
    assert read_manifest(path) == before


def test_a_folder_outside_of_results_gets_a_temporary_page(tmp_path: Path) -> None:
    assert choose_output(tmp_path / "elsewhere").name.endswith("elsewhere.html")
    assert not choose_output(tmp_path / "elsewhere").is_relative_to(tmp_path)


def test_a_data_set_named_like_a_stage_does_not_move_the_page(tmp_path: Path) -> None:
    store = tmp_path / "responses/scores/a.zarr"
    store.mkdir(parents=True)
    (tmp_path / "scores").mkdir()
    assert choose_output(store) == tmp_path / "pages/responses/scores/a.zarr.html"


PUBLISHED_METHODS = ("vna", "neuroalign", "mig_vis", "clip_mused", "vi_st")


@pytest.fixture(scope="module")
def whole_run() -> Path:
    folder = os.environ.get("BRAINALIGN_RESULTS")
    if folder is None:
        pytest.skip("set BRAINALIGN_RESULTS to the results of the default run")
    return Path(folder)


def test_everything_that_a_whole_run_publishes_can_be_inspected(whole_run: Path) -> None:
    folders = list_published_folders(whole_run)
    stages = {folder.relative_to(whole_run).parts[0] for folder in folders}
    assert {"raw", "stimuli", "responses", "features", "models", "predictions"} <= stages
    for folder in folders:
        kind = read_manifest(folder).kind
        assert describe_store(folder, statistics=False).startswith(f"{kind}  ")


@pytest.mark.parametrize("stage", ["models", "predictions"])
@pytest.mark.parametrize("method", PUBLISHED_METHODS)
def test_every_published_method_of_a_whole_run_opens(
    whole_run: Path, stage: str, method: str
) -> None:
    [dataset, *_] = sorted((whole_run / stage / method).iterdir())
    [artifact, *_] = sorted(dataset.iterdir())
    page = PageReader(compose_store_page(artifact))
    assert page.find("table")
    assert all(image["alt"] for image in page.find("img"))


def test_a_report_is_its_own_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with publish_folder(tmp_path / "report", "report") as draft:
        (draft / "index.html").write_text("page")
    assert main(["open", str(tmp_path / "report")]) == 0
    assert capsys.readouterr().out.strip() == str(tmp_path / "report/index.html")


@pytest.mark.parametrize(
    ("damage", "status", "said"),
    [("no manifest", 3, "never published"), ("no chunk", 3, "is missing"), ("gone", 2, "no such")],
)
def test_a_damaged_folder_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: str, status: int, said: str
) -> None:
    path = _publish_example(tmp_path, "images")
    if damage == "no manifest":
        (path / "manifest.json").unlink()
    elif damage == "no chunk":
        chunks = (path / "image" / "c").rglob("*")
        next(file for file in chunks if file.is_file()).unlink()
    else:
        shutil.rmtree(path)
    assert main(["open", str(path), "--output", str(tmp_path / "page.html")]) == status
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1
    assert not (tmp_path / "page.html").exists()


def test_a_file_is_refused_with_a_remedy(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "scores.csv").write_text("a\n")
    assert main(["open", str(tmp_path / "scores.csv")]) == 2
    assert "Give the folder" in capsys.readouterr().err


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_line_that_opens_a_store_opens_it(tmp_path: Path, example: str) -> None:
    path = _publish_example(tmp_path / 'a "quoted" folder', example)
    line = write_opener(path, read_manifest(path))
    opened = eval(line, {"xr": xr, "pd": pd})
    kind, make = EXAMPLES[example]
    tree = make()
    if isinstance(opened, xr.DataTree):
        assert {node.path for node in opened.subtree} == {node.path for node in tree.subtree}
    else:
        expected = tree["table"] if kind == "scores" else tree
        assert set(opened.variables) == set(expected.variables)


def test_the_lines_that_open_folders_open_them(tmp_path: Path) -> None:
    known = {"pd": pd, "load_file": load_file, "Path": Path}
    model, raw = _publish_model(tmp_path / "model"), _publish_raw(tmp_path / "raw")
    assert list(eval(write_opener(model, read_manifest(model)), known)["epoch"]) == [1, 2]
    files = eval(write_opener(raw, read_manifest(raw)), known)
    assert raw / "events.tsv" in files


def test_every_line_has_its_import(tmp_path: Path) -> None:
    with publish_folder(tmp_path / "backbone", "backbone") as draft:
        (draft / "config.json").write_text("{}")
    folders = [tmp_path / "backbone", _publish_model(tmp_path / "m"), _publish_raw(tmp_path / "r")]
    folders += [_publish_example(tmp_path / name, name) for name in EXAMPLES]
    for folder in folders:
        needed = write_import(write_opener(folder, read_manifest(folder)))
        assert needed in list_imports()
        compile(needed, "import", "exec")


def test_pages_ask_for_nothing_outside_themselves(tmp_path: Path) -> None:
    text = compose_store_page(_publish_example(tmp_path, "images"))
    addresses = re.findall(r'(?:src|href)="([^"]*)"', text)
    assert addresses
    assert all(address.startswith(("#", "data:")) for address in addresses)


def test_an_nwb_file_that_is_odd_does_not_hide_the_rest(tmp_path: Path) -> None:
    with publish_folder(tmp_path / "lab", "raw") as draft:
        h5py.File(draft / "odd.nwb", "w").close()
        (draft / "events.tsv").write_text("onset\n1.5\n")
    page = _read(tmp_path / "lab")
    assert ["1.5"] in page.rows
    assert any("odd.nwb could not be shown" in text for text in page.texts)
