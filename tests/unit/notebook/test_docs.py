"""The Python of the documentation runs as it stands, on a small finished run."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import matplotlib as mpl
import pytest

DOCS = Path(__file__).resolve().parents[3] / "docs"


@pytest.fixture(scope="module")
def workplace(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("workplace")
    for name in ("results", "results_before"):
        shutil.copytree(finished / "results", folder / name)
    return folder


@pytest.mark.parametrize(("chapter", "leaves"), [("python", "my_model"), ("scores", "top_1.svg")])
def test_the_blocks_of_a_chapter_run_one_after_the_other(
    chapter: str, leaves: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
):
    mpl.use("agg")
    monkeypatch.chdir(workplace)
    blocks = re.findall(r"```python\n(.*?)```", (DOCS / f"{chapter}.md").read_text(), re.DOTALL)
    assert len(blocks) >= 3
    names: dict[str, object] = {}
    for number, block in enumerate(blocks, start=1):
        exec(compile(block, f"{chapter}.md, block {number}", "exec"), names)
    assert (workplace / leaves).exists()
