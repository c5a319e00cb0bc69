"""A simulated recording of movies in the scanner, and a copy that a test may damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from movie_scanner import make_options, write_recording, write_stores


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_recording(tmp_path_factory.mktemp("original"), make_options())


@pytest.fixture
def recording(original: Path, tmp_path: Path) -> Path:
    return shutil.copytree(original, tmp_path / "recording")


@pytest.fixture(scope="module")
def stores(original: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stores")
    write_stores(folder, original, make_options())
    return folder
