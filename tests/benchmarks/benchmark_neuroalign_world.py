"""Acceptance table of NeuroAlign on planted latents: five seeds, mean and SD, a row per variant.

Run ``pytest tests/benchmarks/benchmark_neuroalign_world.py -s`` (about 12 CPU minutes), a row with
``-k``. The gallery holds 200 overlapping test windows: chance of R@1 is 0.005. What the rows with a
bound must reach is that of the specification; seeds come from NEUROALIGN_SEEDS (default 5).
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from brainalign.evaluation.clips import CODE_SHARES
from brainalign.methods.clips.arrays import ClipEmbedding, Segments
from brainalign.methods.neuroalign.model import NeuroAlign
from brainalign.methods.neuroalign.options import NeuroAlignOptions
from unit.methods.bold_video_world import N_TRS, make_segments, rank_windows

N_SEEDS = int(os.environ.get("NEUROALIGN_SEEDS", "5"))
STARTS = np.concatenate([segment * N_TRS + np.arange(0, 97, 4) for segment in range(8)])
CONTRAST = {"codebook": "none", "prediction": "none"}
CORRUPTED_SHARE, CORRUPTED_SD = 0.4, 2.0

Row = dict[str, float]


def corrupt(segments: Segments, seed: int) -> Segments:
    """Replace two TRs in five by noise, after z-scoring, as no scrubbing would find it."""
    generator = np.random.default_rng(seed)
    bold = segments.bold.copy()
    rows = generator.random(len(bold)) < CORRUPTED_SHARE
    noise = generator.standard_normal((int(rows.sum()), bold.shape[1]))
    bold[rows] = bold.mean(0) + CORRUPTED_SD * bold.std(0) * noise
    return replace(segments, bold=bold.astype(np.float32))


def measure(
    given: dict[str, Any], seed: int, change: Callable[[Segments, int], Segments] | None = None
) -> Row:
    """Fit one seed and score the test windows."""
    parts = make_segments(seed)
    if change is not None:
        parts = tuple(change(one, 10 * seed + place) for place, one in enumerate(parts))
    method = NeuroAlign(NeuroAlignOptions.model_validate(given))
    start = time.process_time()
    method.fit(parts[0], parts[1], seed=seed)
    row = {"CPU s": time.process_time() - start}
    embedded = method.embed(parts[2], STARTS)
    row["BOLD>video"], row["video>BOLD"] = rank_windows(embedded.stimulus, embedded.response)
    if embedded.codebook is not None:
        row |= score_codes(embedded)
    lags = method.describe_lags()["all"]
    return row | {"peak lag": float(lags.argmax()), "w2+w3": float(lags[2:4].sum())}


def score_codes(embedded: ClipEmbedding) -> Row:
    """R@1 of codes alone and of mixed scores, BOLD to video, and how both use the codes."""
    codes = (embedded.response_code, embedded.stimulus_code)
    response, stimulus = (embedded.codebook[code].reshape(len(STARTS), -1) for code in codes)
    coded = (response @ stimulus.T / codes[0].shape[1]).round(6)
    score = embedded.response @ embedded.stimulus.T
    own = np.arange(len(score))
    row = {
        name: float((((1 - share) * score + share * coded).argmax(1) == own).mean())
        for name, share in CODE_SHARES.items()
        if share
    }
    shares = [np.bincount(code.ravel(), minlength=len(embedded.codebook)) for code in codes]
    shares = [share / share.sum() for share in shares]
    row["same code"] = float((codes[0] == codes[1]).mean())
    row["its chance"] = float(shares[0] @ shares[1])
    for name, share in zip(("perplexity BOLD", "perplexity video"), shares, strict=True):
        used = share[share > 0]
        row[name] = float(np.exp(-(used * np.log(used)).sum()))
    row["codes per window"] = float(np.mean([len(set(one)) for one in codes[1].tolist()]))
    return row


def tabulate(label: str, given: dict[str, Any], **more: Any) -> Row:
    """Measure all seeds, print mean (SD), give the means."""
    rows = [measure(given, seed, **more) for seed in range(N_SEEDS)]
    values = {name: np.array([row[name] for row in rows]) for name in rows[0]}
    cells = [f"{name} {one.mean():.3f} ({one.std():.3f})" for name, one in values.items()]
    print(f"\n{label}: " + ", ".join(cells), flush=True)
    return {name: float(one.mean()) for name, one in values.items()}


def test_lags_are_worth_a_tenth_of_retrieval_and_more() -> None:
    none = tabulate("InfoNCE, no lag", {**CONTRAST, "lag": "none"})
    fixed = tabulate("InfoNCE, fixed shift of 2 TRs", {**CONTRAST, "lag": "fixed"})
    learned = tabulate("InfoNCE, learned lag from the HRF", CONTRAST)
    # The specification's prototype keeps .78 without a lag; ours keeps less (docs/neuroalign.md).
    assert none["BOLD>video"] <= 0.85
    assert fixed["BOLD>video"] > 0.90
    assert learned["BOLD>video"] > 0.95
    assert learned["BOLD>video"] - none["BOLD>video"] > 0.12
    assert learned["w2+w3"] > 0.5


def test_both_stages_retrieve_and_share_codes() -> None:
    row = tabulate("small", {})
    assert min(row["BOLD>video"], row["video>BOLD"]) > 0.92
    assert row["codes"] > 0.35
    assert row["same code"] > max(0.40, 20 * row["its chance"])
    assert min(row["perplexity BOLD"], row["perplexity video"]) > 50


@pytest.mark.parametrize(
    ("label", "given"),
    [
        ("dynasync", {}),
        ("fixed halves", {"cross_weights": [0.5, 0.5], "use_reliability": False}),
        ("own modality", {"codebook": "own"}),
    ],
)
def test_corrupted_volumes(label: str, given: dict[str, Any]) -> None:
    # Commitment to own codes only, as in the specification's row, is not an option here; the cross
    # weight of each token comes nearest.
    tabulate(
        f"40 % of TRs noise, {label}", {**given, "cross_commitment": "agreement"}, change=corrupt
    )


@pytest.mark.parametrize(
    ("label", "given"),
    [
        ("small, published negatives", {"prediction_negatives": "clips"}),
        ("NTCL (no codes)", {"codebook": "none"}),
        ("InfoNCE and released prediction", {"codebook": "none", "prediction": "released"}),
    ],
)
def test_variants(label: str, given: dict[str, Any]) -> None:
    tabulate(label, given)
