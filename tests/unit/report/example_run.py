"""A small finished run: two subjects, two methods, two backbones, with real scores."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.predictions import score_predictions
from brainalign.evaluation.table import compose_score_tree
from brainalign.stores.provenance import ProvenanceRecorder
from brainalign.stores.publish import publish_folder
from brainalign.stores.write import write_store

DATASET = "world"
METHODS = {"vna": ["cosine"], "direct_encoding_ridge": ["likelihood", "pearson"]}
BACKBONES = ["pixels", "world_clip"]
N_STIMULI, N_TEST = 24, 8
SEEDS = [0, 1]
AREAS = ["all", "AIT", "PIT"]

_SIMILARITIES = {
    "cosine": "cosine",
    "pearson": "pearson",
    "likelihood": "negative_half_squared_distance",
}
_UNIT_STATUS = ["ok"] * 8 + ["silent", "too_few_repeats"]


def build_run(results: Path, subjects: tuple[str, ...] = ("monkey-a", "monkey-b")) -> list[Path]:
    """Publish everything that a report reads, and give the paths in the order of the plan."""
    stimuli = _write_stimuli(results)
    responses = [_write_responses(results, subject) for subject in subjects]
    backbone = _write_backbone(results)
    features = [_write_features(results, name, stimuli) for name in BACKBONES]
    fits = [(method, backbone) for method in METHODS for backbone in BACKBONES]
    models = [_write_model(results, *fit, stimuli) for fit in fits]
    predictions = [
        _write_predictions(results, *fit, subjects, seed=number) for number, fit in enumerate(fits)
    ]
    scores = write_scores(results, predictions)
    return [stimuli, *responses, backbone, *features, *models, *predictions, scores]


def write_recording(results: Path, dataset: str = DATASET, subject: str = "monkey-a") -> Path:
    """Publish responses and nothing else."""
    return _write_responses(results, subject, dataset)


def read_test_ids() -> list[str]:
    """List the test stimuli of the run."""
    return [f"item-{number:02d}" for number in range(N_STIMULI - N_TEST, N_STIMULI)]


def _write_stimuli(results: Path) -> Path:
    generator = np.random.default_rng(0)
    n_training = N_STIMULI - N_TEST
    dataset = xr.Dataset(
        {
            "image": (
                ("stimulus", "y", "x", "channel"),
                generator.integers(0, 256, (N_STIMULI, 16, 16, 3), dtype=np.uint8),
            )
        },
        coords={
            "stimulus": [f"item-{number:02d}" for number in range(N_STIMULI)],
            "split": ("stimulus", ["train"] * (n_training - 4) + ["validation"] * 4 + ["test"] * 8),
            "category": ("stimulus", ["face", "house"] * (N_STIMULI // 2)),
            "caption": ("stimulus", [f"A thing, number {n}." for n in range(N_STIMULI)]),
        },
    )
    path = results / "stimuli" / f"{DATASET}.zarr"
    recorder = ProvenanceRecorder("stimuli", {}, {})
    write_store(path, dataset, "stimuli", recorder.finish())
    return path


def _write_responses(results: Path, subject: str, dataset: str = DATASET) -> Path:
    generator = np.random.default_rng(1)
    n_units, n_presentations = len(_UNIT_STATUS), 2 * N_STIMULI
    usable = np.array(_UNIT_STATUS) == "ok"
    ids = [f"item-{number:02d}" for number in range(N_STIMULI)]
    responses = xr.Dataset(
        {
            "response": (
                ("presentation", "unit"),
                generator.random((n_presentations, n_units), dtype=np.float32),
            ),
            "noise_ceiling": ("unit", np.where(usable, generator.random(n_units), np.nan)),
            "reliability": ("unit", np.where(usable, generator.random(n_units), np.nan)),
            "unit_status": ("unit", _UNIT_STATUS),
        },
        coords={
            "unit": [f"unit-{number}" for number in range(n_units)],
            "area": ("unit", AREAS[1:] * (n_units // 2)),
            "stimulus": ("presentation", ids * 2),
            "repeat": ("presentation", np.repeat([0, 1], N_STIMULI)),
            "session": ("presentation", ["1"] * n_presentations),
        },
    )
    path = results / "responses" / dataset / f"{subject}.zarr"
    recorder = ProvenanceRecorder("responses", {}, {})
    write_store(path, responses, "responses", recorder.finish())
    return path


def _write_backbone(results: Path) -> Path:
    path = results / "backbones" / "world_clip"
    recorder = ProvenanceRecorder("backbones", {}, {})
    evaluation = {"chance": 0.125, "probe_accuracy": 0.75, "pixel_probe_accuracy": 0.25}
    evaluation["zero_shot_accuracy"] = 0.625
    with publish_folder(path, "backbone", recorder.finish(seeds=[0])) as draft:
        (draft / "evaluation.json").write_text(json.dumps(evaluation))
    return path


def _write_features(results: Path, backbone: str, stimuli: Path) -> Path:
    generator = np.random.default_rng(2)
    ids = [f"item-{number:02d}" for number in range(N_STIMULI)]
    feature = generator.normal(size=(N_STIMULI, 5)).astype(np.float32)
    tree = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(coords={"stimulus": ids}),
            "/grid/feature": xr.Dataset({"feature": (("stimulus", "dimension"), feature)}),
        }
    )
    path = results / "features" / DATASET / f"{backbone}.zarr"
    kind = "pixels" if backbone == "pixels" else "world_clip"
    recorder = ProvenanceRecorder("features", {"backbone": {"kind": kind}}, {"stimuli": stimuli})
    write_store(path, tree, "features", recorder.finish(device="cpu"))
    return path


def _write_model(results: Path, method: str, backbone: str, stimuli: Path) -> Path:
    if method == "vna":
        epochs = np.arange(1, 6)
        history = pd.concat(
            pd.DataFrame(
                {"epoch": epochs, "loss": 1 / epochs, "validation_score": 1 - 1 / epochs}
            ).assign(area=area, seed=seed, fold=0)
            for area in AREAS
            for seed in SEEDS
        )
    else:
        history = pd.DataFrame(
            {
                "area": "all",
                "seed": SEEDS,
                "fold": 0,
                "training_error": 0.25,
                "validation_error": 0.5,
            }
        )
    path = results / "models" / method / DATASET / backbone
    recorder = ProvenanceRecorder("models", {}, {"stimuli": stimuli})
    with publish_folder(path, "model", recorder.finish(seeds=SEEDS, device="cpu")) as draft:
        history.to_csv(draft / "training.csv", index=False)
    return path


def _write_predictions(
    results: Path, method: str, backbone: str, subjects: tuple[str, ...], seed: int
) -> Path:
    generator = np.random.default_rng(seed)
    groups = {
        f"/{subject}/{area}/{matching}": _predict(generator, _SIMILARITIES[matching])
        for subject in subjects
        for area in AREAS
        for matching in METHODS[method]
    }
    tree = xr.DataTree.from_dict({"/": xr.Dataset(), **groups})
    tree.attrs.update(
        {"method": method, "dataset": DATASET, "backbone": backbone, "feature": "grid/feature"}
    )
    path = results / "predictions" / method / DATASET / f"{backbone}.zarr"
    recorder = ProvenanceRecorder("predictions", {}, {})
    write_store(path, tree, "predictions", recorder.finish(seeds=SEEDS))
    return path


def _predict(generator: np.random.Generator, similarity: str) -> xr.Dataset:
    """Embed stimuli, and responses as the same with noise."""
    shape = (len(SEEDS), N_TEST, 4)
    stimulus = generator.normal(size=shape)
    noisy = stimulus + 0.8 * generator.normal(size=shape)
    halves = stimulus[:, None, None] + generator.normal(size=(len(SEEDS), 2, 2, N_TEST, 4))
    embedding = ("seed", "stimulus", "dimension")
    return xr.Dataset(
        {
            "stimulus_embedding": (embedding, stimulus),
            "response_embedding": (embedding, noisy),
            "presentation_embedding": (("seed", "presentation", "dimension"), noisy),
            "half_embedding": (("seed", "half_split", "half", "stimulus", "dimension"), halves),
        },
        coords={
            "seed": SEEDS,
            "stimulus": read_test_ids(),
            "fold": ("stimulus", np.zeros(N_TEST, dtype=np.int32)),
            "presented_stimulus": ("presentation", read_test_ids()),
            "presentation_fold": ("presentation", np.zeros(N_TEST, dtype=np.int32)),
        },
        attrs={"similarity": similarity},
    )


def write_scores(results: Path, predictions: list[Path]) -> Path:
    """Score the predictions as the workflow does."""
    options = EvaluationOptions(n_bootstrap=50, top_k=[1, 5], n_way=[2])
    tables, counts, stores = [], [], []
    for path in predictions:
        tree = xr.open_datatree(path, engine="zarr")
        names = {name: tree.attrs[name] for name in ("dataset", "method", "backbone", "feature")}
        scores, details = score_predictions(tree, options)
        scores, queries = scores.assign(**names), details["queries"].assign(**names)
        store = results / "scores" / path.relative_to(results / "predictions")
        recorder = ProvenanceRecorder("scores", {"evaluation": {"n_bootstrap": 50}}, {"p": path})
        tree = compose_score_tree(scores, {"queries": queries})
        write_store(store, tree, "scores", recorder.finish())
        tables.append(scores)
        counts.append(queries)
        stores.append(store)
    path = results / "scores.zarr"
    recorder = ProvenanceRecorder("scores", {}, {str(store): store for store in stores})
    joined = compose_score_tree(
        pd.concat(tables, ignore_index=True), {"queries": pd.concat(counts, ignore_index=True)}
    )
    write_store(path, joined, "scores", recorder.finish())
    return path
