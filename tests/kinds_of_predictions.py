"""One small prediction store per kind, for claims that hold of all scorers."""

from __future__ import annotations

import hashlib

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.evaluation.comparison.differences import compare_contests
from brainalign.evaluation.comparison.options import ComparisonOptions
from brainalign.evaluation.comparison.unit_values import list_contests
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.registry import score_all
from brainalign.evaluation.table import complete_scores

OPTIONS = EvaluationOptions(top_k=[1], n_way=[2], n_bootstrap=40)
N_ITEMS, N_CELLS = 14, 4
KINDS = {
    "embedding": ("stimulus", "cosine"),
    "label": ("stimulus", "labels"),
    "rate": ("unit", "within_movie"),
    "clip": ("clip", "clips"),
}
"""Axis of the items that scores are over, and name of the group, by kind."""


def make_group(kind: str, seed: int = 0, noise: float = 1.0) -> xr.Dataset:
    """Make the predictions of one subject, two seeds."""
    generator = np.random.default_rng(seed)

    def draw(*shape: int) -> np.ndarray:
        return generator.standard_normal(shape)

    stimulus = [f"s{number:02d}" for number in range(N_ITEMS)]
    if kind == "embedding":
        embedding = draw(2, N_ITEMS, 5)
        axes = ("seed", "stimulus", "dimension")
        return xr.Dataset(
            {
                "stimulus_embedding": (axes, embedding),
                "response_embedding": (axes, embedding + noise * draw(2, N_ITEMS, 5)),
            },
            coords={"seed": [0, 1], "stimulus": stimulus, "fold": ("stimulus", [0] * N_ITEMS)},
            attrs={"similarity": "cosine"},
        )
    if kind == "label":
        # Truth belongs to the stimuli, not to the subject.
        label = np.random.default_rng(0).random((N_ITEMS, 3)) < 0.5
        score = 1 / (1 + np.exp(-(2 * label - 1 + noise * draw(2, N_ITEMS, 3))))
        return xr.Dataset(
            {
                "label_score": (("seed", "stimulus", "class"), score),
                "label": (("stimulus", "class"), label),
            },
            coords={
                "seed": [0, 1],
                "stimulus": stimulus,
                "class": ["cat", "dog", "house"],
                "fold": ("stimulus", [0] * N_ITEMS),
            },
        )
    if kind == "rate":
        n_frames = 30
        rate = np.exp(np.sin(draw(n_frames, N_CELLS).cumsum(0)))
        mean = np.tile(rate.mean(0), (n_frames, 1))
        predicted = np.abs(rate + noise * draw(2, n_frames, N_CELLS))
        return xr.Dataset(
            {
                "predicted_response": (("seed", "frame", "unit"), predicted),
                "recorded_response": (
                    ("repeat", "frame", "unit"),
                    generator.poisson(rate, (4, n_frames, N_CELLS)).astype(np.float64),
                ),
                "mean_rate": (("frame", "unit"), mean),
                "fold": ("frame", [0] * n_frames),
                "movie": ("frame", ["film"] * n_frames),
                "stretch": ("frame", [0] * n_frames),
            },
            coords={"seed": [0, 1], "unit": [f"u{number:02d}" for number in range(N_CELLS)]},
            attrs={"frame_rate_hz": 1.0},
        )
    moment = draw(2, N_ITEMS, 6, 4)
    answer = moment + noise * draw(2, N_ITEMS, 6, 4)
    return xr.Dataset(
        {
            "clip_stimulus_embedding": (("seed", "clip", "dimension"), _scale(moment.mean(2))),
            "clip_response_embedding": (("seed", "clip", "dimension"), _scale(answer.mean(2))),
            "moment_stimulus_embedding": (("seed", "clip", "step", "width"), _scale(moment)),
            "moment_response_embedding": (("seed", "clip", "step", "width"), _scale(answer)),
            "segment": ("clip", np.repeat(["a", "b"], N_ITEMS // 2)),
            "start_tr": ("clip", np.tile(6 * np.arange(N_ITEMS // 2), 2)),
            "is_disjoint": ("clip", np.ones(N_ITEMS, dtype=bool)),
        },
        coords={"seed": [0, 1]},
    )


def _scale(values: np.ndarray) -> np.ndarray:
    return values / np.linalg.norm(values, axis=-1, keepdims=True)


def make_tree(
    kind: str, noise: float = 1.0, subjects: str = "a", shuffled: bool = False
) -> xr.DataTree:
    """Make a prediction store with one group per subject."""
    axis, name = KINDS[kind]
    groups = {"/": xr.Dataset()}
    for subject in subjects:
        group = make_group(kind, ord(subject), noise)
        if shuffled:
            group = group.isel({axis: np.random.default_rng(1).permutation(group.sizes[axis])})
        groups[f"/{subject}/all/{name}"] = group
    return xr.DataTree.from_dict(groups)


def score(kind: str, **given: object) -> pd.DataFrame:
    """Score a store; rows in an order that does not depend on its items."""
    scores, _ = score_all(make_tree(kind, **given), OPTIONS)  # type: ignore[arg-type]
    keys = ["subject", "matching", "response", "seed", "task", "metric"]
    return complete_scores(scores).sort_values(keys).reset_index(drop=True)


def compare(kind: str, **given: object) -> pd.DataFrame:
    """Compare two methods of different noise on the same items."""
    stores = []
    for method, noise in (("first", 0.5), ("second", 1.5)):
        _, details = score_all(make_tree(kind, noise=noise, **given), OPTIONS)  # type: ignore[arg-type]
        names = {"dataset": "d", "method": method, "backbone": "b"}
        stores.append({name: table.assign(**names) for name, table in details.items()})
    options = ComparisonOptions(n_permutations=199, n_bootstrap=50)
    return compare_contests(list_contests(stores), options)


def main() -> None:
    """Print one digest of all comparisons, whose values are the scores."""
    text = "".join(compare(kind, subjects="ab").to_csv(float_format="%.12g") for kind in KINDS)
    print(hashlib.sha256(text.encode()).hexdigest())


if __name__ == "__main__":
    main()
