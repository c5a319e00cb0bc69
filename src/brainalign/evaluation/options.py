"""Options of the evaluation."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from brainalign.options import Options


class EvaluationOptions(Options):
    """How predictions are ranked, identified and given intervals."""

    top_k: list[Annotated[int, Field(ge=1)]] = Field(
        [1, 5, 10], description="Values of k for which the top-k hit rate is reported."
    )
    n_way: list[Annotated[int, Field(ge=2)] | Literal["all"]] = Field(
        [2, 5, 10, 50, 100, "all"],
        description="Numbers of candidates for identification; 'all' takes the whole gallery.",
    )
    n_bootstrap: int = Field(
        2000, ge=1, description="Bootstrap draws over query stimuli behind each interval."
    )
    level: float = Field(
        0.95, gt=0.0, lt=1.0, description="Coverage of the percentile intervals (fraction)."
    )
    seed: int = Field(0, ge=0, description="Seed of the bootstrap draws.")
    csls_neighbours: int | None = Field(
        None,
        ge=1,
        description="Neighbours of the hubness correction (CSLS); null leaves scores as they are.",
    )
    unmatched_items: Literal["refuse", "distract"] = Field(
        "refuse",
        description="Items whose id is on one axis only: an error, or distractors but no queries.",
    )
    n_half_splits: int = Field(
        10, ge=1, description="Random splits of the repeats behind the half-split ceiling."
    )
    chunk_size: int = Field(
        1024, ge=1, description="Queries that are ranked at once; bounds memory, changes no score."
    )
    legacy_auc: bool = Field(
        False,
        description="Label decoding: count classes without positives or without negatives in the "
        "test split as an AUC of 1, as the public code of CLIP-MUSED does; else they are left out.",
    )
    n_permutations: int = Field(
        500, ge=1, description="Permutations of stimuli behind the chance of token similarities."
    )
    retrieval_gallery: int = Field(
        300, ge=2, description="Stimuli per draw of token retrieval; fewer where there are fewer."
    )
    retrieval_draws: int = Field(
        30, ge=1, description="Random galleries of token retrieval that are averaged."
    )
