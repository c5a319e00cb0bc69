"""What a store must hold is checked on every write and on every open."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from brainalign.errors import CorruptDataError, InputError
from brainalign.stores.contracts import CONTRACTS, find_contract_violations, get_contract
from brainalign.stores.read import open_store
from brainalign.stores.write import write_store
from example_stores import EXAMPLES, make_features, make_responses, write_without_checks

_REQUIRED = [
    (example, name)
    for example, (kind, _) in EXAMPLES.items()
    for variables in (CONTRACTS[kind].root, *CONTRACTS[kind].groups.values())
    for name, contract in variables.items()
    if contract.required
]


def _change(change: Callable[[xr.Dataset], xr.Dataset]) -> xr.DataTree:
    return xr.DataTree(change(make_responses().to_dataset()))


def _repeat_label(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.assign_coords(unit=["unit-1", *dataset["unit"].values[1:-1], "unit-1"])


def _empty_label(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.assign_coords(unit=["", *dataset["unit"].values[1:]])


BROKEN = {
    "a missing variable": (lambda d: d.drop_vars("noise_ceiling"), "'noise_ceiling' is missing"),
    "swapped dimensions": (lambda d: d.transpose("unit", ...), "has dimensions"),
    "another dimension": (
        lambda d: d.assign(area=("presentation", ["V1"] * d.sizes["presentation"])),
        "'area' has dimensions",
    ),
    "integers for floats": (
        lambda d: d.assign(response=d["response"].fillna(0).astype(np.int32)),
        "'response' has type int32",
    ),
    "floats for integers": (lambda d: d.assign(repeat=d["repeat"] / 2), "'repeat' has type"),
    "numbers for text": (lambda d: d.assign(session=d["repeat"]), "'session' has type int64"),
    "number ids": (lambda d: d.assign_coords(unit=range(d.sizes["unit"])), "'unit' has type"),
    "labels that repeat": (_repeat_label, "labels of 'unit' repeat"),
    "an empty label": (_empty_label, "a label of 'unit' is empty"),
}


@pytest.mark.parametrize("example", EXAMPLES)
def test_examples_keep_their_contract(example: str) -> None:
    kind, make = EXAMPLES[example]
    assert find_contract_violations(make(), kind) == []


@pytest.mark.parametrize(("example", "name"), _REQUIRED)
def test_each_required_variable_is_required(example: str, name: str) -> None:
    kind, make = EXAMPLES[example]
    tree = make().map_over_datasets(lambda dataset: dataset.drop_vars(name, errors="ignore"))
    assert any(f"'{name}' is missing" in v for v in find_contract_violations(tree, kind))


@pytest.mark.parametrize("case", BROKEN)
def test_broken_content_is_refused_on_write(tmp_path: Path, case: str) -> None:
    change, message = BROKEN[case]
    with pytest.raises(CorruptDataError, match=message):
        write_store(tmp_path / "sub-01.zarr", _change(change), "responses")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("case", BROKEN)
def test_broken_content_is_refused_on_open(tmp_path: Path, case: str) -> None:
    change, message = BROKEN[case]
    path = tmp_path / "sub-01.zarr"
    tree = _change(change)
    text = {
        name: variable.astype(object)
        for name, variable in tree.variables.items()
        if variable.dtype.kind == "U"
    }
    write_without_checks(path, xr.DataTree(tree.to_dataset().assign(text)), "responses")
    with pytest.raises(CorruptDataError, match=message):
        open_store(path, "responses")


def test_all_violations_are_named_at_once() -> None:
    tree = _change(lambda d: d.drop_vars(["area", "reliability"]))
    assert len(find_contract_violations(tree, "responses")) == 2


def test_a_store_without_any_group_of_its_contract_is_refused() -> None:
    tree = make_features()
    del tree["layer_1"]
    assert find_contract_violations(tree, "features") == ["no group matches */*"]


def test_a_broken_variable_inside_a_group_is_named_with_its_group() -> None:
    tree = make_features()
    tree["layer_1/mean"] = tree["layer_1/mean"].to_dataset().transpose("dimension", "stimulus")
    assert find_contract_violations(tree, "features")[0].startswith("/layer_1/mean: 'feature'")


def test_a_store_may_hold_more_than_its_contract() -> None:
    tree = _change(lambda d: d.assign(electrode=("unit", np.arange(d.sizes["unit"]))))
    assert find_contract_violations(tree, "responses") == []


def test_an_unknown_kind_lists_the_known_ones_and_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'responses'") as caught:
        get_contract("response")
    assert all(kind in str(caught.value) for kind in CONTRACTS)
