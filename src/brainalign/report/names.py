"""How names and numbers are written on the page and in its figures."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

import pandas as pd

MISSING = "\N{EN DASH}"
"""Stands where there is no value."""

# Scores on a scale of ranks, not of shares.
_RANK_METRICS = ("median_rank",)
_WRITTEN_OUT = {
    "vna": "VNA",
    "clip_mused": "CLIP-MUSED",
    "neuroalign": "NeuroAlign",
    "vi_st": "Vi-ST",
    "ln": "LN",
    "glm": "GLM",
    "movie_cnn": "movie CNN",
    "mig_vis": "MIG-Vis",
    "label_mlp": "label MLP",
    "label_srm": "label SRM",
    "label_vit": "label ViT",
}


def write_name(name: str) -> str:
    """Write a name of the configuration for readers: ``vna`` as VNA, spaces for underscores.

    An entry that starts with the name of a method, such as an ablation, keeps its spelling.
    """
    known = max((key for key in _WRITTEN_OUT if f"{name}_".startswith(f"{key}_")), default="")
    return (_WRITTEN_OUT.get(known, "") + name.removeprefix(known).replace("_", " ")).strip()


def write_metric(metric: str) -> str:
    """Write the name of a metric for readers: ``identification_2_way`` as 2-way."""
    if match := re.fullmatch(r"identification_(\w+)_way", metric):
        return f"{match[1]}-way"
    if match := re.fullmatch(r"top_(\d+)", metric):
        return f"top-{match[1]}"
    return metric.replace("_", " ")


def write_task(task: str) -> str:
    """Write the name of a task for readers, without the word that all tasks share."""
    return task.removeprefix("discriminative_").replace("_", " ")


def write_score(value: float, metric: str) -> str:
    """Write a score: shares with three decimals, ranks with one, a dash where there is none."""
    if math.isnan(value):
        return MISSING
    return f"{value:.1f}" if metric in _RANK_METRICS else f"{value:.3f}"


def write_count(count: int, singular: str, plural: str | None = None) -> str:
    """Write a count with its noun."""
    return f"{count:,} {singular if count == 1 else plural or singular + 's'}"


def write_list(names: Sequence[str]) -> str:
    """Join names as in a sentence."""
    if len(names) < 2:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def write_seconds(seconds: float) -> str:
    """Write a duration: seconds up to two minutes, then minutes, then hours."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    if seconds < 7200:
        return f"{seconds / 60:.1f} min"
    return f"{seconds / 3600:.1f} h"


def write_memory(megabytes: float) -> str:
    """Write an amount of memory in MB."""
    return f"{megabytes:,.0f} MB"


def make_slug(*names: str) -> str:
    """Make the name of a file of names that may hold anything."""
    return "-".join(re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-").lower() or "x" for name in names)


def sort_ids(ids: Iterable[str]) -> list[str]:
    """Sort ids as text, the order in which the page picks examples."""
    return sorted(map(str, ids))


def describe_counts(labels: Iterable[str]) -> str:
    """Count labels: ``60 ok, 3 silent``, the most frequent first."""
    counts = pd.Series(list(labels), dtype=object).value_counts(sort=True)
    return ", ".join(f"{count:,} {str(label).replace('_', ' ')}" for label, count in counts.items())
