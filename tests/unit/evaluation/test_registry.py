"""Every kind of prediction finds its scorer; stores without one are refused."""

from __future__ import annotations

from importlib import import_module

import pytest
import xarray as xr

from brainalign.errors import InputError
from brainalign.evaluation.options import EvaluationOptions
from brainalign.evaluation.registry import SCORERS, list_scorer_modules, score_all
from example_stores import make_predictions

OPTIONS = EvaluationOptions(top_k=[1], n_way=[2], n_bootstrap=20)


@pytest.mark.parametrize("kind", SCORERS)
def test_every_scorer_exists(kind: str) -> None:
    module, _, function = SCORERS[kind].function.partition(":")
    assert callable(getattr(import_module(module), function))
    assert module in list_scorer_modules()


def test_markers_tell_kinds_apart() -> None:
    markers = [entry.marker for entry in SCORERS.values()]
    assert len(set(markers)) == len(markers)


def test_embeddings_are_scored_through_the_table() -> None:
    scores, details = score_all(make_predictions(), OPTIONS)
    assert "discriminative_decoding" in set(scores["task"])
    assert len(details["queries"])


def test_a_store_without_known_predictions_is_refused() -> None:
    tree = xr.DataTree.from_dict({"/s/all/x": xr.Dataset({"dream": ("stimulus", [1.0])})})
    with pytest.raises(InputError, match="stimulus_embedding") as error:
        score_all(tree, OPTIONS)
    assert "dream" in str(error.value)
