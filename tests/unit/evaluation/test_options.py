"""Evaluation options are closed, typed and list the metrics they produce."""

import pytest
from pydantic import ValidationError

from brainalign.evaluation.metrics import list_metrics
from brainalign.evaluation.options import EvaluationOptions


def test_defaults_name_the_metrics_of_the_protocol():
    names = [metric.name for metric in list_metrics(EvaluationOptions())]
    assert names == [
        "top_1",
        "top_5",
        "top_10",
        "identification_2_way",
        "identification_5_way",
        "identification_10_way",
        "identification_50_way",
        "identification_100_way",
        "identification_all_way",
        "median_rank",
        "mean_reciprocal_rank",
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        {"top_k": [0]},
        {"n_way": [1]},
        {"n_way": ["every"]},
        {"level": 95},
        {"n_bootstrap": "2000"},
        {"top": [1]},
        {"unmatched_items": "drop"},
    ],
)
def test_impossible_or_unknown_options_are_refused(wrong):
    with pytest.raises(ValidationError):
        EvaluationOptions(**wrong)
