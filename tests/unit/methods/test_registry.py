from __future__ import annotations

import subprocess
import sys

import pytest

from brainalign.errors import InputError
from brainalign.methods.base import AlignmentMethod
from brainalign.methods.clips.base import ClipMethod
from brainalign.methods.labels.base import LabelMethod
from brainalign.methods.mig_vis.method import MIGVisMethod
from brainalign.methods.movies.base import RateMethod
from brainalign.methods.registry import METHODS, get_method, get_method_options

BASES = {
    "brainalign.methods.image_alignment": AlignmentMethod,
    "brainalign.methods.labels.experiment": LabelMethod,
    "brainalign.methods.movies.experiment": RateMethod,
    "brainalign.methods.mig_vis.experiment": MIGVisMethod,
    "brainalign.methods.clips.experiment": ClipMethod,
}


@pytest.mark.parametrize("name", sorted(METHODS))
def test_each_entry_leads_to_a_method_of_that_name(name: str):
    method = get_method(name)
    assert issubclass(method, BASES[METHODS[name].experiment])
    assert method.name == name
    assert method.Options is get_method_options(name)
    assert method.requirements is get_method_options(name).requirements


def test_an_unknown_method_names_the_nearest_and_the_known():
    with pytest.raises(InputError, match=r"Did you mean 'direct_encoding_ridge'\?.*vna"):
        get_method("direct_encodng_ridge")


def test_options_come_without_torch_and_himalaya():
    program = """
import sys
from brainalign.methods.registry import METHODS, get_method_options
for name in METHODS:
    get_method_options(name)().model_dump_json()
heavy = {"torch", "himalaya", "transformers", "pandas"} & set(sys.modules)
sys.exit(f"imported {heavy}" if heavy else 0)
"""
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_every_option_has_a_description(name: str):
    for field_name, field in get_method_options(name).model_fields.items():
        assert field.description, field_name
