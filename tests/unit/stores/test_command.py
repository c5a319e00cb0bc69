"""The verbs verify and inspect at a terminal."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import pytest

from brainalign.errors import CorruptDataError, InputError
from brainalign.stores.command import (
    add_inspect_arguments,
    add_verify_arguments,
    run_inspect,
    run_verify,
)
from brainalign.stores.write import write_store
from example_stores import make_features, make_responses


@pytest.fixture
def results(tmp_path: Path) -> Path:
    write_store(tmp_path / "responses" / "sub-01.zarr", make_responses(), "responses")
    write_store(tmp_path / "features" / "pixels.zarr", make_features(), "features")
    return tmp_path


def _verify(*paths: Path) -> int:
    parser = argparse.ArgumentParser()
    add_verify_arguments(parser)
    return run_verify(parser.parse_args([str(path) for path in paths]))


def _inspect(*arguments: object) -> int:
    parser = argparse.ArgumentParser()
    add_inspect_arguments(parser)
    return run_inspect(parser.parse_args([str(argument) for argument in arguments]))


def test_verify_prints_one_line_per_folder(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _verify(results) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"ok  {results / 'features' / 'pixels.zarr'}",
        f"ok  {results / 'responses' / 'sub-01.zarr'}",
    ]


def test_verify_names_all_damaged_folders_before_it_fails(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (results / "features" / "pixels.zarr" / "manifest.json").unlink()
    (results / "responses" / "sub-01.zarr" / "zarr.json").unlink()
    with pytest.raises(CorruptDataError, match="2 of 2 published folders") as caught:
        _verify(results / "features", results / "responses" / "sub-01.zarr")
    assert caught.value.exit_code == 3
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith(f"DAMAGED {results / 'features' / 'pixels.zarr'}: has no manifest")
    assert second.endswith("sub-01.zarr: zarr.json is missing")


def test_verify_of_a_path_that_does_not_exist_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such store"):
        _verify(tmp_path / "none")


def test_verify_of_a_folder_without_anything_published_fails(tmp_path: Path) -> None:
    with pytest.raises(CorruptDataError):
        _verify(tmp_path)


def test_inspect_prints_the_tree(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _inspect(results / "features" / "pixels.zarr") == 0
    assert "/layer_1/mean  (stimulus 6, dimension 4)" in capsys.readouterr().out


def test_inspect_can_leave_out_statistics(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _inspect(results / "features" / "pixels.zarr", "--no-statistics") == 0
    assert "mean " not in capsys.readouterr().out.replace("/mean ", "")


def test_help_needs_no_heavy_package() -> None:
    code = (
        "import sys, brainalign.stores.command\n"
        "heavy = {'torch', 'transformers', 'xarray', 'zarr', 'numpy', 'pandas'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
