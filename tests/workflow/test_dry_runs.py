"""What Snakemake plans: jobs, reruns, refusals. One tiny experiment is really run."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

import brainalign
from brainalign.config.load import load_config
from brainalign.config.plan import Plan
from movie_sorts_lab import write_movie_config, write_movie_sorts

PROJECT = Path(__file__).resolve().parents[2]
SCORES = "results/scores.csv"
TINY = """\
seeds: [0]
device: cpu
world:
  image_size: 32
  exemplars_per_category: 1
  views_per_exemplar: 5
  n_scenes: 0
  movies: {n_object_movies: 0, n_texture_movies: 0}
datasets:
  simulated_it:
    kind: simulated_it
    simulation: {subjects: {monkey-a: 6}, n_sessions: 1}
    responses: {n_half_splits: 2, min_repeated_stimuli: 3}
methods:
  direct_encoding_ridge: {alphas: [1.0]}
evaluation: {n_bootstrap: 10, n_half_splits: 2}
experiments:
  - datasets: [simulated_it]
    backbones: [pixels]
    methods: [direct_encoding_ridge]
"""


class Project:
    """A copy of the project in which Snakemake runs with a copy of the package."""

    def __init__(self, root: Path) -> None:
        self.root = root
        ignored = shutil.ignore_patterns("__pycache__")
        for name in ("workflow", "profiles", "envs"):
            shutil.copytree(PROJECT / name, root / name)
        for name in ("Snakefile", "config.yaml"):
            shutil.copy(PROJECT / name, root / name)
        shutil.copytree(
            Path(brainalign.__file__).parent, root / "src" / "brainalign", ignore=ignored
        )
        (root / "tiny.yaml").write_text(TINY)

    def run(self, *words: str, data_folder: Path | None = None) -> subprocess.CompletedProcess[str]:
        environment = {
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "HOME": str(self.root),
            "PYTHONPATH": str(self.root / "src"),
            "OMP_NUM_THREADS": "1",
            **({"BRAINALIGN_DATA": str(data_folder)} if data_folder else {}),
        }
        return subprocess.run(
            [sys.executable, "-m", "snakemake", *words],
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
        )

    def list_jobs(self, *words: str, data_folder: Path | None = None) -> Counter[str]:
        """Numbers of planned jobs by rule."""
        run = self.run("-n", *words, data_folder=data_folder)
        text = run.stdout + run.stderr
        assert run.returncode == 0, text
        if "Nothing to be done" in text:
            return Counter()
        table = text.split("Job stats:")[1].split("\n\n")[0]
        rows = re.findall(r"^(\w+) +(\d+)$", table, flags=re.MULTILINE)
        return Counter({name: int(number) for name, number in rows if name != "total"})

    def list_tiny_jobs(self, config: str = "tiny.yaml") -> set[str]:
        return set(self.list_jobs(SCORES, "--configfile", config))


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return Project(tmp_path_factory.mktemp("a project"))


@pytest.fixture(scope="module")
def finished(project: Project) -> Project:
    """The project after the tiny experiment was run to its scores."""
    run = project.run(SCORES, "--cores", "2", "--configfile", "tiny.yaml")
    assert run.returncode == 0, run.stderr
    return project


ALL_STAGES = {
    "simulate_world",
    "simulate_recording",
    "stimuli",
    "responses",
    "features",
    "fit",
    "predict",
    "score",
    "yardsticks",
    "collect",
}


def test_a_plain_call_plans_all_jobs_of_the_default_experiment(project: Project) -> None:
    jobs = project.list_jobs()
    assert jobs["all"] == 1, "the default target is not rule all"
    assert set(jobs) >= ALL_STAGES | {"all", "train_backbone", "report"}
    plan = Plan(load_config([PROJECT / "config.yaml"]))
    assert jobs["responses"] == len(plan.list_response_stores())
    assert jobs["features"] == len(plan.features)
    # All seeds and folds of a method are one job.
    assert jobs["fit"] == jobs["predict"] == jobs["score"] == len(plan.rows)
    assert jobs["simulate_recording"] == sum(map(plan.is_simulated, plan.datasets))
    assert jobs["simulate_world"] == jobs["collect"] == jobs["report"] == 1


def test_one_store_asks_only_for_what_it_needs(project: Project) -> None:
    jobs = project.list_jobs("results/responses/simulated_it/monkey-a.zarr")
    assert jobs == {"simulate_world": 1, "simulate_recording": 1, "stimuli": 1, "responses": 1}


def test_shards_are_jobs_of_their_own_with_one_that_joins_them(project: Project) -> None:
    (project.root / "sharded.yaml").write_text("backbones: {pixels: {kind: pixels, shards: 4}}\n")
    jobs = project.list_jobs("--configfile", "sharded.yaml")
    assert jobs["features_shard"] == 4
    plan = Plan(load_config([PROJECT / "config.yaml"]))
    assert jobs["features"] == len(plan.features)


def test_encoding_models_are_made_on_request(project: Project) -> None:
    jobs = project.list_jobs("results/encoding/simulated_it/pixels/monkey-a.zarr")
    assert jobs["encode"] == jobs["features"] == jobs["responses"] == 1
    assert not jobs["fit"]


@pytest.mark.real_data
def test_published_data_are_not_simulated(project: Project, data_folder: Path) -> None:
    config = "workflow/datasets/onken2016_salamander.yaml"
    jobs = project.list_jobs("--configfile", config, data_folder=data_folder)
    assert jobs["fit"] == 5
    assert jobs["responses"] == 1
    assert not {"simulate_world", "simulate_recording", "train_backbone"} & set(jobs)


@pytest.mark.real_data
def test_data_without_images_are_fitted_without_features(
    project: Project, data_folder: Path
) -> None:
    config = "workflow/datasets/zhang_desimone2011.yaml"
    jobs = project.list_jobs("--configfile", config, data_folder=data_folder)
    assert jobs["fit"] == jobs["predict"] == jobs["score"] == 2
    assert not {"features", "image_prior", "simulate_world"} & set(jobs)


def test_all_baselines_of_edits_are_planned_with_their_two_priors(project: Project) -> None:
    config = "workflow/datasets/mig_vis_baselines.yaml"
    jobs = project.list_jobs("--configfile", config)
    assert jobs["image_prior"] == 2
    assert jobs["fit"] == jobs["score"] == 1
    assert not jobs["features"]


def test_ablations_of_rate_prediction_are_planned(project: Project) -> None:
    config = "workflow/datasets/vi_st_ablations.yaml"
    loaded = load_config([PROJECT / "config.yaml", PROJECT / config])
    full, switched = loaded.methods["vi_st"].model_dump(), {}
    for name, options in loaded.methods.items():
        if name.startswith("vi_st_"):
            changed = {key for key, value in options.model_dump().items() if value != full[key]}
            switched[name] = changed
    # Each takes one thing away.
    assert all(len(changed) == 1 for changed in switched.values()), switched
    assert set().union(*switched.values()) == {
        "prior",
        "prior_time",
        "rf_mode",
        "causal",
        "multiscale",
        "video_layers",
        "loss",
        "spikes_alignment",
    }
    jobs = project.list_jobs("--configfile", config)
    # The whole model, and six baselines in the same tables.
    assert jobs["fit"] == jobs["predict"] == jobs["score"] == len(switched) + 7


@pytest.mark.real_data
def test_the_real_movies_are_planned_with_baselines(project: Project, data_folder: Path) -> None:
    config = "workflow/datasets/onken2016_salamander_movies.yaml"
    jobs = project.list_jobs("--configfile", config, data_folder=data_folder)
    assert jobs["fit"] == jobs["score"] == 6
    assert jobs["responses"] == 1
    assert not {"simulate_world", "train_backbone"} & set(jobs)


def test_movies_before_nwb_are_sorted_first_and_need_no_simulated_world(
    project: Project, tmp_path: Path
) -> None:
    config = write_movie_config(
        tmp_path,
        write_movie_sorts(tmp_path),
        {"datasets": ["lab"], "backbones": ["pixels"], "methods": ["ln"]},
    )
    jobs = project.list_jobs("--configfile", str(config))
    planned = {name: jobs[name] for name in ("sort", "stimuli", "responses", "features", "fit")}
    assert planned == dict.fromkeys(planned, 1)
    assert not {"simulate_world", "simulate_recording", "simulate_electrodes"} & set(jobs)


def test_paths_with_spaces_reach_the_commands_whole(project: Project) -> None:
    (project.root / "spaces.yaml").write_text('results: "my results ü"\n')
    target = "my results ü/responses/simulated_it/monkey-a.zarr"
    run = project.run("-n", "-p", target, "--configfile", "spaces.yaml")
    assert run.returncode == 0, run.stderr
    commands = re.findall(r"^Shell command: (.*)$", run.stdout, flags=re.MULTILINE)
    assert len(commands) == 4
    words = shlex.split(commands[-1])
    assert words[words.index("--stimuli") + 1] == "my results ü/stimuli/simulated_it.zarr"
    assert words[words.index("--recording") + 1] == "my results ü/raw/simulated_it"
    assert words[words.index("--output") + 1] == target


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seedz: [0]\n", "line 1: seedz: unknown option 'seedz'. Did you mean 'seeds'?"),
        (
            "datasets: {x: {kind: nwb, folder: /absent}}\nexperiments: [{datasets: [x]}]\n",
            "folder /absent: no such folder",
        ),
    ],
    ids=["unknown key", "missing folder"],
)
def test_a_wrong_configuration_is_one_clear_line(text: str, message: str, project: Project) -> None:
    (project.root / "wrong.yaml").write_text(text)
    run = project.run("-n", "--configfile", "wrong.yaml")
    assert run.returncode == 2
    assert "Traceback" not in run.stderr
    [line] = [line for line in run.stderr.splitlines() if line.startswith("brainalign: ")]
    assert message in line


def test_an_undefined_data_set_is_no_target(project: Project) -> None:
    run = project.run("-n", "results/stimuli/absent.zarr")
    assert run.returncode != 0
    assert "Traceback" not in run.stderr


def test_a_second_call_does_nothing(finished: Project) -> None:
    assert finished.list_tiny_jobs() == set()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("n_bootstrap: 10", "n_bootstrap: 11", {"score", "collect"}),
        ("alphas: [1.0]", "alphas: [2.0]", {"fit", "predict", "score", "collect"}),
        (
            "responses: {n_half_splits: 2",
            "responses: {n_half_splits: 3",
            {"responses", "fit", "predict", "score", "yardsticks", "collect"},
        ),
        ("n_scenes: 0", "n_scenes: 2", ALL_STAGES),
    ],
)
def test_a_changed_option_reruns_what_uses_it(
    old: str, new: str, expected: set[str], finished: Project
) -> None:
    assert old in TINY
    (finished.root / "changed.yaml").write_text(TINY.replace(old, new))
    assert finished.list_tiny_jobs("changed.yaml") == expected


@pytest.mark.parametrize(
    ("file", "old", "new", "expected"),
    [
        (
            "evaluation/chance.py",
            "import numpy",
            "import math, numpy",
            {"score", "yardsticks", "collect"},
        ),
        (
            "raw/simulate/it_population.py",
            "import numpy",
            "import math, numpy",
            ALL_STAGES - {"simulate_world"},
        ),
        ("methods/vna/model.py", "import torch\n", "import torch, math\n", set()),
    ],
)
def test_edited_code_reruns_what_depends_on_it(
    file: str, old: str, new: str, expected: set[str], finished: Project
) -> None:
    path = finished.root / "src" / "brainalign" / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    try:
        jobs = finished.list_tiny_jobs()
    finally:
        path.write_text(text)
    assert jobs == expected


def test_a_second_run_in_the_same_folder_is_locked_out(finished: Project) -> None:
    locks = finished.root / ".snakemake" / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    # What a running Snakemake leaves there: the outputs that it is about to write.
    (locks / "0.output.lock").write_text(SCORES + "\n")
    try:
        run = finished.run(
            SCORES, "--cores", "1", "--configfile", "tiny.yaml", "--forcerun", "collect"
        )
    finally:
        (locks / "0.output.lock").unlink(missing_ok=True)
    assert run.returncode != 0
    assert "cannot be locked" in run.stdout + run.stderr


def test_the_workflow_has_no_lint(project: Project) -> None:
    run = project.run("--lint")
    assert run.returncode == 0, run.stderr


def test_the_workflow_is_formatted() -> None:
    pytest.importorskip("snakefmt")
    run = subprocess.run(
        [Path(sys.executable).with_name("snakefmt"), "--check", "Snakefile", "workflow"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
