"""How many jobs a study of full size has."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from full_scale import METHODS, N_RECORDINGS, N_SUBJECTS, run_with_stand_in, write_full_scale
from project_copy import copy_project

MOST_JOBS = 2000


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = copy_project(tmp_path_factory.mktemp("full_scale") / "project")
    write_full_scale(folder)
    return folder


@pytest.fixture(scope="module")
def planned(project: Path) -> Counter[str]:
    output, _ = run_with_stand_in(project, "-n", "--configfile", "full_scale.yaml")
    table = output.split("Job stats:")[1].split("\n\n")[0]
    rows = re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)
    return Counter({name: int(number) for name, number in rows})


def test_a_full_study_has_at_most_2000_jobs(planned):
    assert 0 < planned["total"] <= MOST_JOBS


def test_a_full_study_has_one_fit_for_all_layers_folds_and_seeds(planned):
    assert planned["responses"] == N_SUBJECTS * N_RECORDINGS
    assert planned["features"] == 6 * N_RECORDINGS
    assert planned["fit"] == planned["predict"] == planned["score"] == 6 * N_RECORDINGS * 5
    assert len(METHODS) == 5
