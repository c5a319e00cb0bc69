"""Memory that jobs ask for: one figure per method, more where a job is known to need it."""

from __future__ import annotations

import pytest

from brainalign.config.models import Config
from brainalign.config.plan import Plan
from brainalign.errors import InputError


def make_plan(*fits: tuple[str, str], **content: object) -> Plan:
    methods = {"ridge": {"method": "direct_decoding_ridge"}, "vna": {"method": "vna"}}
    datasets = {"scanner": {"kind": "simulated_fmri"}, "array": {"kind": "simulated_it"}}
    experiments = [
        {"datasets": [dataset], "backbones": ["grid"], "methods": [method]}
        for method, dataset in fits
    ]
    backbones = {"grid": {"kind": "pixels"}}
    parts = {"methods": methods, "datasets": datasets, "backbones": backbones}
    return Plan(Config.model_validate({**parts, "experiments": experiments, **content}))


def test_decoding_of_voxels_to_features_asks_for_more_than_other_predictions() -> None:
    plan = make_plan()
    assert plan.get_method_memory("ridge", "scanner") == 8000
    assert plan.get_method_memory("ridge", "array") == 3000
    assert plan.get_method_memory("vna", "scanner") == 3000


def test_all_fits_of_an_array_ask_for_what_the_largest_needs() -> None:
    plan = make_plan(("vna", "scanner"), ("ridge", "scanner"), ("vna", "array"))
    assert plan.get_fit_memory("vna", "array") == 8000
    assert make_plan(("vna", "scanner"), ("ridge", "array")).get_fit_memory("vna", "array") == 3000


def test_an_unknown_method_has_no_memory() -> None:
    with pytest.raises(InputError, match="no method named 'glm'"):
        make_plan().get_method_memory("glm", "array")


def test_a_prior_asks_for_what_its_steps_keep() -> None:
    plan = make_plan(image_priors={"small": {}, "paper": {"preset": "paper"}})
    assert plan.get_prior_memory("small") < 4500
    # Counted from the tensors that one step keeps: 0.49 GB for each of 128 images.
    assert plan.get_prior_memory("paper") > 4000 + 62_000


def test_on_a_gpu_a_prior_asks_for_its_weights_and_images_only() -> None:
    plan = make_plan(image_priors={"paper": {"preset": "paper"}}, device="cuda")
    assert plan.get_prior_memory("paper") == 4000
