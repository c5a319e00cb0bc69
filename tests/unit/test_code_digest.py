from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import brainalign
from brainalign.code_digest import compute_code_digest, list_imported_modules
from brainalign.evaluation.registry import list_scorer_modules
from brainalign.methods.registry import get_experiment_module
from brainalign.responses.registry import get_builder_module

# As the rules compose them: a command, and what its tables choose for the data set and method.
STAGES = {
    "world": ["brainalign.raw.world_command"],
    "recording": ["brainalign.raw.simulate_command", "brainalign.raw.simulate.it_recording"],
    "stimuli": ["brainalign.stimuli.command"],
    "responses": ["brainalign.responses.command", get_builder_module("spikes", "images")],
    "features": ["brainalign.features.command"],
    "fit": ["brainalign.methods.fit_command", get_experiment_module("vna")],
    "predict": ["brainalign.methods.predict_command", get_experiment_module("vna")],
    "score": ["brainalign.evaluation.score_command", *list_scorer_modules()],
}


class CopiedPackage:
    """A copy of the package that can be edited, and the digests of its stages."""

    def __init__(self, root: Path) -> None:
        self._root = root
        source = Path(brainalign.__file__).parent
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(source, root / "brainalign", ignore=ignored)
        self.original = self.compute_digests()

    def compute_digests(self) -> dict[str, str]:
        program = (
            "from brainalign.code_digest import compute_code_digest\n"
            f"for name, modules in {STAGES!r}.items():\n"
            "    print(name, compute_code_digest(modules))\n"
        )
        run = subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONPATH": str(self._root)},
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(line.split() for line in run.stdout.splitlines())

    def list_changed(self, file: str, old: str, new: str) -> set[str]:
        """Edit one place of a file, list the stages with another digest, and undo the edit."""
        path = self._root / "brainalign" / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        digests = self.compute_digests()
        path.write_text(text)
        return {name for name in STAGES if digests[name] != self.original[name]}


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> CopiedPackage:
    return CopiedPackage(tmp_path_factory.mktemp("copy"))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Divide stimuli', '"""Reworded. Divide stimuli'),
        ('    """Assign every stimulus to a split or a fold.', '    """Other words.'),
        ("    by_id = np", "    # A comment.\n    by_id = np"),
        ("    by_id = np", "\n    by_id  =  np"),
    ],
    ids=["module docstring", "function docstring", "comment", "layout"],
)
def test_words_do_not_change_digests(old: str, new: str, package: CopiedPackage) -> None:
    assert package.list_changed("stimuli/splits.py", old, new) == set()


@pytest.mark.parametrize(
    ("file", "old", "new", "stages"),
    [
        ("stimuli/splits.py", "seed + 1", "seed + 2", {"stimuli"}),
        (
            "raw/simulate/it_population.py",
            "import numpy as np",
            "import numpy as np, math",
            {"recording"},
        ),
        # Methods normalise responses with code of the stage that counts spikes.
        ("responses/counts.py", "/ 1000", "/ 1001", {"responses", "fit", "predict"}),
        ("evaluation/chance.py", "import numpy as np", "import numpy as np, math", {"score"}),
        ("stores/manifest.py", "import json", "import json, math", set(STAGES)),
    ],
)
def test_code_changes_reach_exactly_the_stages_that_import_it(
    file: str, old: str, new: str, stages: set[str], package: CopiedPackage
) -> None:
    assert package.list_changed(file, old, new) == stages


def test_a_changed_constant_changes_the_digest(package: CopiedPackage) -> None:
    changed = package.list_changed("responses/options.py", "[70.0, 170.0]", "[70.0, 171.0]")
    assert "responses" in changed


def test_options_of_the_command_line_are_not_followed(package: CopiedPackage) -> None:
    assert package.list_changed("config/load.py", "import", "import os, sys, json\nimport") == set()


def test_imports_within_functions_are_followed() -> None:
    text = Path(brainalign.__file__).parent.joinpath("stimuli", "command.py").read_text()
    [line] = [line for line in text.splitlines() if "stimuli.build import" in line]
    assert line.startswith("    "), "this import should be inside a function"
    assert "brainalign.stimuli.build" in list_imported_modules(["brainalign.stimuli.command"])


def test_relative_imports_are_followed() -> None:
    file = Path(brainalign.__file__).parent / "raw" / "simulate" / "it_recording.py"
    assert "from .it_population import" in file.read_text(), "this import should be relative"
    found = list_imported_modules(["brainalign.raw.simulate.it_recording"])
    assert "brainalign.raw.simulate.it_population" in found


def test_no_module_of_a_stage_is_missed() -> None:
    """Python itself knows best what a stage imports."""
    program = (
        "import sys, brainalign.raw.simulate.it_recording\n"
        "print(*[name for name in sys.modules if name.startswith('brainalign.')])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    found = list_imported_modules(["brainalign.raw.simulate.it_recording"])
    file = Path(brainalign.__file__).parent
    missed = {
        name
        for name in set(run.stdout.split()) - found
        if not (file.parent / name.replace(".", "/") / "__init__.py").is_file()
    }
    assert missed == set()


def test_indirect_imports_are_followed() -> None:
    found = list_imported_modules(["brainalign.stimuli.command"])
    assert {"brainalign.stimuli.splits", "brainalign.raw.images", "brainalign.errors"} <= found


def test_later_stages_are_not_among_the_imports_of_earlier_ones() -> None:
    order = ["raw", "stimuli", "responses", "features", "methods", "evaluation", "report"]
    for stage in ("stimuli", "responses"):
        found = list_imported_modules([f"brainalign.{stage}.command"])
        later = order[order.index(stage) + 1 :]
        assert not [name for name in found if name.split(".")[1] in later and "options" not in name]


def test_the_order_of_modules_does_not_matter() -> None:
    modules = ["brainalign.stimuli.command", "brainalign.raw.nwb_dataset"]
    assert compute_code_digest(modules) == compute_code_digest(modules[::-1])


def test_an_unknown_module_is_refused() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"no module named brainalign\.absent"):
        compute_code_digest(["brainalign.absent"])
