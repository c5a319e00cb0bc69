"""Every example runs as a script and finds what it planted."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

from brainalign.methods.registry import METHODS

FOLDER = Path(__file__).resolve().parents[2] / "examples"
EXAMPLES = sorted(FOLDER.glob("*.py"))
# The mean rate is chance itself; Vi-ST takes more steps than an example may, and has its own tests.
UNJUDGED = {"mean_rate", "vi_st"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_beats_chance_with_every_method(path: Path, capsys: pytest.CaptureFixture[str]):
    runpy.run_path(str(path), run_name="__main__")
    printed = re.findall(r"^(\w+).* (-?[\d.]+)  chance (-?[\d.]+)", capsys.readouterr().out, re.M)
    assert printed
    for method, score, chance in printed:
        assert method in METHODS
        if method not in UNJUDGED:
            assert float(score) > float(chance) + 0.2, method


def test_every_method_has_an_example():
    text = "".join(path.read_text() for path in EXAMPLES)
    assert not [name for name in METHODS if f'"{name}"' not in text]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_is_short(path: Path):
    assert len(path.read_text().splitlines()) <= 80
