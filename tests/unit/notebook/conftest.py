from __future__ import annotations

from pathlib import Path

import pytest

from notebook_run import build_notebook_run


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `results` of a run; read only."""
    folder = tmp_path_factory.mktemp("finished")
    build_notebook_run(folder / "results")
    return folder
