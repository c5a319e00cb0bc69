"""Page of a stimulus store: pictures and splits."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainalign.report.blocks import Block, Section, Table
from brainalign.report.names import describe_counts
from brainalign.report.sections.stimuli import compose_stimuli
from brainalign.report.views.parts import (
    Opened,
    compose_variables,
    list_sections,
    tabulate_frame,
    tabulate_pairs,
)
from brainalign.stores.read import read_labels

_MOST_CATEGORIES = 40


def compose_view(opened: Opened) -> list[Section]:
    """Show example stimuli, the splits, and what else the store holds."""
    return list_sections(
        compose_stimuli(opened.run),
        Section("splits", "Splits", _show_splits(opened)),
        compose_variables(opened),
    )


def _show_splits(opened: Opened) -> list[Block]:
    tree = opened.tree
    split = read_labels(tree, "split")
    blocks: list[Block] = []
    if "split_by_fold" in tree.variables:
        pairs = {
            f"tested fold {number}": describe_counts(map(str, row))
            for number, row in enumerate(tree.variables["split_by_fold"].values)
        }
        blocks.append(tabulate_pairs("Stimuli of each split, when a fold is tested.", pairs))
    else:
        blocks.append(tabulate_pairs("Stimuli of each split.", {"all": describe_counts(split)}))
    groups = [name for name in ("category", "movie") if name in tree.variables]
    return [*blocks, *(_cross(read_labels(tree, name), split, name) for name in groups)]


def _cross(labels: NDArray[np.str_], split: NDArray[np.str_], name: str) -> Table:
    counts = pd.crosstab(pd.Series(labels, name=name), pd.Series(split, name="split"))
    return tabulate_frame(counts.reset_index(), f"Stimuli by {name} and split.", _MOST_CATEGORIES)
