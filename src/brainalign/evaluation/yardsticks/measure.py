"""All yardsticks of one backbone on one data set."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from brainalign.errors import InputError
from brainalign.evaluation.yardsticks.category_scores import Categories, decode_responses
from brainalign.evaluation.yardsticks.encoding_scores import score_encoding
from brainalign.evaluation.yardsticks.options import YardstickOptions
from brainalign.evaluation.yardsticks.recordings import YardstickSubject
from brainalign.evaluation.yardsticks.similarity_scores import (
    RSA,
    estimate_area_ceilings,
    score_similarity,
)
from brainalign.progress import show_progress
from brainalign.stores.read import open_store, read_labels


@dataclass(frozen=True)
class Layers:
    """Features of all layers by stimulus.

    Attributes
    ----------
    stimulus : array of shape (n_stimuli,) of str
        Ids of the rows.
    feature : dict of str to array of shape (n_stimuli, n_features)
        By path in the feature store, such as ``layer_4/mean``.
    """

    stimulus: NDArray[np.str_]
    feature: dict[str, NDArray[np.floating]]

    def take(self, layer: str, stimuli: NDArray[np.str_]) -> NDArray[np.floating]:
        """Take the features of some stimuli, found by id.

        Raises
        ------
        InputError
            If a stimulus has no features.
        """
        row_of = {name: row for row, name in enumerate(self.stimulus.tolist())}
        missing = [name for name in stimuli.tolist() if name not in row_of]
        if missing:
            raise InputError(
                f"{len(missing)} stimuli have no features", found=", ".join(missing[:3])
            )
        return self.feature[layer][[row_of[name] for name in stimuli.tolist()]]


def open_layers(path: Path) -> Layers:
    """Read every pooled layer of a feature store; tokens are left out.

    Raises
    ------
    InputError
        If the store has no pooled layer of images.
    """
    store = open_store(path, "features")
    feature = {
        node.path.strip("/"): np.asarray(node.variables["feature"].values, dtype=np.float32)
        for node in store.subtree
        if "feature" in node.data_vars and node.variables["feature"].dims[0] == "stimulus"
    }
    if not feature:
        raise InputError("the store holds no pooled features of images", where=path)
    return Layers(read_labels(store, "stimulus"), feature)


def measure_layers(
    subjects: list[YardstickSubject],
    layers: Layers,
    options: YardstickOptions,
    categories: Categories | None = None,
) -> tuple[pd.DataFrame, dict[str, pd.DataFrame]]:
    """Encode, and compare representations of, all layers and subjects.

    Parameters
    ----------
    subjects : list of YardstickSubject
        All subjects of a data set; what is measured of one does not depend on the others, but for
        the ceiling of RSA, which is about their agreement.
    layers : Layers
        Features of one backbone.
    options : YardstickOptions
        Permutations, draws and coverage.
    categories : Categories, optional
        What stimuli show; without them no category is decoded.

    Returns
    -------
    scores : pandas.DataFrame
        Tidy scores.
    details : dict of str to pandas.DataFrame
        ``unit_encoding``, ``permutation_tests`` and ``rsa_ceilings``.
    """
    names = sorted(layers.feature)
    scores, units, tests = [], [], []
    for subject in subjects:
        progress = show_progress(names, f"encoding {subject.subject}")
        encoding, per_unit = score_encoding(subject, progress, layers.take, options, categories)
        similarity, per_pair = score_similarity(subject, names, layers.take, options)
        scores += [encoding, similarity]
        if categories is not None:
            scores.append(decode_responses(subject, categories, options))
        units.append(per_unit)
        tests.append(per_pair)
    table = pd.concat(scores, ignore_index=True)
    ceilings = estimate_area_ceilings(subjects)
    upper = table["area"].map(ceilings.set_index("area")["upper"])
    table["ceiling"] = table["ceiling"].where(table["metric"] != RSA, upper)
    return table, {
        "unit_encoding": pd.concat(units, ignore_index=True),
        "permutation_tests": pd.concat(tests, ignore_index=True),
        "rsa_ceilings": ceilings,
    }
