"""What each kind of store must hold, checked on every write and every open.

A contract is a table of groups and variables. A store may hold more than its contract asks
for, never less, and what it holds must have the stated dimensions and kind of numbers.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr

from brainalign.errors import CorruptDataError, InputError
from brainalign.options import suggest_name


@dataclass(frozen=True)
class VariableContract:
    """What one variable of a group must look like.

    Parameters
    ----------
    dimensions : tuple of tuple of str
        The allowed dimension names, in axis order.
    kind : str
        NumPy kind characters that are allowed (``"f"`` floats, ``"iu"`` integers, ``"T"`` text).
    required : bool
        Whether the variable must be there.
    """

    dimensions: tuple[tuple[str, ...], ...]
    kind: str
    required: bool = True


@dataclass(frozen=True)
class StoreContract:
    """The contract of one kind of store.

    Parameters
    ----------
    kind : str
        Name of the kind.
    root : dict of str to VariableContract
        Variables of the root group.
    groups : dict of str to dict
        Glob patterns of group paths and the variables of the groups that match.
    needs_group : bool
        Whether at least one group must match a pattern.
    """

    kind: str
    root: dict[str, VariableContract]
    groups: dict[str, dict[str, VariableContract]]
    needs_group: bool = False


_TEXT, _FLOAT, _INTEGER, _BYTE, _BOOLEAN = "T", "f", "iu", "u", "b"
_EDITS = ("edited_variant", "edited_seed", "reference", "group")


def _one(*dimensions: str, kind: str, required: bool = True) -> VariableContract:
    return VariableContract((dimensions,), kind, required)


CONTRACTS: dict[str, StoreContract] = {
    "stimuli": StoreContract(
        kind="stimuli",
        root={
            "stimulus": _one("stimulus", kind=_TEXT, required=False),
            "image": _one("stimulus", "y", "x", "channel", kind=_BYTE, required=False),
            "frame": _one("frame", "y", "x", "channel", kind=_BYTE, required=False),
            "movie": _one("frame", kind=_TEXT, required=False),
            "time": _one("frame", kind=_FLOAT, required=False),
            "split": VariableContract((("stimulus",), ("frame",)), _TEXT),
            "fold": VariableContract((("stimulus",), ("frame",)), _INTEGER, required=False),
            "split_by_fold": VariableContract(
                (("tested_fold", "stimulus"), ("tested_fold", "frame")), _TEXT, required=False
            ),
            "frame_number": _one("frame", kind=_INTEGER, required=False),
            "source_time": _one("frame", kind=_FLOAT, required=False),
            "category": _one("stimulus", kind=_TEXT, required=False),
            "caption": VariableContract((("stimulus",), ("frame",)), _TEXT, required=False),
            "label": _one("stimulus", "class", kind=_BOOLEAN, required=False),
            "factor": _one("stimulus", "factor_name", kind=_FLOAT, required=False),
        },
        groups={},
    ),
    "responses": StoreContract(
        kind="responses",
        root={
            "unit": _one("unit", kind=_TEXT),
            "area": _one("unit", kind=_TEXT),
            "response": VariableContract(
                (("presentation", "unit"), ("trial", "time", "unit")), _FLOAT
            ),
            "stimulus": _one("presentation", kind=_TEXT, required=False),
            "repeat": VariableContract((("presentation",), ("trial",)), _INTEGER, required=False),
            "session": VariableContract((("presentation",), ("trial",)), _TEXT),
            "movie": _one("trial", kind=_TEXT, required=False),
            "time": _one("time", kind=_FLOAT, required=False),
            "window": _one("trial", "time", kind=_INTEGER, required=False),
            "rf_center_x": _one("unit", kind=_FLOAT, required=False),
            "rf_center_y": _one("unit", kind=_FLOAT, required=False),
            "rf_axis_major": _one("unit", kind=_FLOAT, required=False),
            "rf_axis_minor": _one("unit", kind=_FLOAT, required=False),
            "rf_angle": _one("unit", kind=_FLOAT, required=False),
            "rf_polarity": _one("unit", kind=_FLOAT, required=False),
            "rf_p_value": _one("unit", kind=_FLOAT, required=False),
            "rf_status": _one("unit", kind=_TEXT, required=False),
            "rf_map": _one("unit", "y", "x", kind=_FLOAT, required=False),
            "rf_sta": _one("unit", "sta_y", "sta_x", kind=_FLOAT, required=False),
            "rf_time_course": _one("unit", "lag", kind=_FLOAT, required=False),
            "rf_outline": _one("unit", "point", "coordinate", kind=_FLOAT, required=False),
            "oracle_correlation": _one("unit", kind=_FLOAT, required=False),
            "explainable_variance": _one("unit", kind=_FLOAT, required=False),
            "noise_ceiling": _one("unit", kind=_FLOAT),
            "reliability": _one("unit", kind=_FLOAT),
            "unit_status": _one("unit", kind=_TEXT),
        },
        groups={},
    ),
    "features": StoreContract(
        kind="features",
        root={
            "stimulus": _one("stimulus", kind=_TEXT, required=False),
            "movie": _one("frame", kind=_TEXT, required=False),
            "time": _one("frame", kind=_FLOAT, required=False),
            "frame_number": _one("frame", kind=_INTEGER, required=False),
        },
        # xarray makes a variable that is named like one of its dimensions a coordinate, hence
        # feature (stimulus, dimension) and not feature (stimulus, feature).
        groups={
            "*/*": {
                "feature": VariableContract(
                    (("stimulus", "dimension"), ("frame", "dimension")), _FLOAT, required=False
                ),
                "token": VariableContract(
                    (("stimulus", "patch", "dimension"), ("frame", "patch", "dimension")),
                    _FLOAT,
                    required=False,
                ),
            }
        },
        needs_group=True,
    ),
    "predictions": StoreContract(
        kind="predictions",
        root={},
        groups={
            "*/*/*": {
                "fold": VariableContract((("stimulus",), ("frame",), ("clip",)), _INTEGER),
                "seed": _one("seed", kind=_INTEGER),
                **{
                    name: _one(*dimensions, kind=_FLOAT, required=False)
                    for name, dimensions in {
                        "stimulus_embedding": ("seed", "stimulus", "dimension"),
                        "response_embedding": ("seed", "stimulus", "dimension"),
                        "presentation_embedding": ("seed", "presentation", "dimension"),
                        "half_embedding": ("seed", "half_split", "half", "stimulus", "dimension"),
                        "stimulus_bias": ("seed", "stimulus"),
                        "response_bias": ("seed", "stimulus"),
                        "presentation_bias": ("seed", "presentation"),
                        "half_bias": ("seed", "half_split", "half", "stimulus"),
                        "label_score": ("seed", "stimulus", "class"),
                        "token_low": ("seed", "stimulus", "token_dimension"),
                        "token_high": ("seed", "stimulus", "token_dimension"),
                        "target_low": ("stimulus", "low_dimension"),
                        "target_high": ("stimulus", "high_dimension"),
                        "attention": ("seed", "level", "area"),
                        "stimulus_attention": ("seed", "stimulus", "level", "area"),
                        "occlusion": ("seed", "level", "area"),
                        "predicted_response": ("seed", "frame", "unit"),
                        "predicted_response_reversed": ("seed", "frame", "unit"),
                        "predicted_response_shuffled": ("seed", "frame", "unit"),
                        "recorded_response": ("repeat", "frame", "unit"),
                        "mean_rate": ("frame", "unit"),
                        "clip_stimulus_embedding": ("seed", "clip", "dimension"),
                        "clip_response_embedding": ("seed", "clip", "dimension"),
                        "moment_stimulus_embedding": ("seed", "clip", "step", "moment_dimension"),
                        "moment_response_embedding": ("seed", "clip", "step", "moment_dimension"),
                        "half_clip_embedding": ("seed", "half", "clip", "dimension"),
                        "half_moment_embedding": (
                            "seed",
                            "half",
                            "clip",
                            "step",
                            "moment_dimension",
                        ),
                        "codebook": ("seed", "code", "code_dimension"),
                        "lag_weight": ("seed", "lag_region", "lag"),
                        "time": ("frame",),
                    }.items()
                },
                "presented_stimulus": _one("presentation", kind=_TEXT, required=False),
                **{
                    name: _one(*dimensions, kind=_FLOAT, required=False)
                    for name, dimensions in {
                        "group_latent": ("variant", "seed", "stimulus", "latent"),
                        "observed_response": ("stimulus", "unit"),
                        "reconstructed_response": ("variant", "seed", "stimulus", "unit"),
                        "moved_latent": (*_EDITS, "strength", "latent"),
                        "reading": (*_EDITS, "strength", "reading_column"),
                        "control_reading": (
                            *("edited_variant", "edited_seed", "control", "reference", "group"),
                            "reading_column",
                        ),
                    }.items()
                },
                "synthesised_image": _one(
                    *(*_EDITS, "strength", "y", "x", "channel"),
                    kind=_BYTE,
                    required=False,
                ),
                "label": _one("stimulus", "class", kind=_BOOLEAN, required=False),
                "movie": _one("frame", kind=_TEXT, required=False),
                "split": VariableContract((("stimulus",), ("frame",)), _TEXT, required=False),
                "stretch": _one("frame", kind=_INTEGER, required=False),
                "segment": _one("clip", kind=_TEXT, required=False),
                "start_tr": _one("clip", kind=_INTEGER, required=False),
                "clip_movie": _one("clip", kind=_TEXT, required=False),
                "start_s": _one("clip", kind=_FLOAT, required=False),
                "is_disjoint": _one("clip", kind=_BOOLEAN, required=False),
                "clip_stimulus_code": _one("seed", "clip", "step", kind=_INTEGER, required=False),
                "clip_response_code": _one("seed", "clip", "step", kind=_INTEGER, required=False),
            }
        },
        needs_group=True,
    ),
    "encoding": StoreContract(
        kind="encoding",
        root={
            "unit": _one("unit", kind=_TEXT),
            "area": _one("unit", kind=_TEXT),
            "correlation": _one("fold", "unit", kind=_FLOAT),
            "penalty": _one("fold", "unit", kind=_FLOAT),
            "noise_ceiling": _one("unit", kind=_FLOAT),
            "reliability": _one("unit", kind=_FLOAT),
        },
        groups={},
    ),
    "scores": StoreContract(
        kind="scores",
        root={},
        groups={
            "table": {
                "dataset": _one("row", kind=_TEXT),
                "subject": _one("row", kind=_TEXT),
                "method": _one("row", kind=_TEXT),
                "backbone": _one("row", kind=_TEXT),
                "seed": _one("row", kind=_TEXT),
                "task": _one("row", kind=_TEXT),
                "metric": _one("row", kind=_TEXT),
                "direction": _one("row", kind=_TEXT),
                "value": _one("row", kind=_FLOAT),
                "ci_low": _one("row", kind=_FLOAT),
                "ci_high": _one("row", kind=_FLOAT),
                "chance": _one("row", kind=_FLOAT),
                "ceiling": _one("row", kind=_FLOAT),
            }
        },
        needs_group=True,
    ),
}


def get_contract(kind: str) -> StoreContract:
    """Look up the contract of one kind of store.

    Raises
    ------
    InputError
        If the kind is unknown; the message lists the known ones.
    """
    if kind not in CONTRACTS:
        raise InputError(f"unknown kind of store '{kind}'", remedy=suggest_name(kind, CONTRACTS))
    return CONTRACTS[kind]


def find_contract_violations(tree: xr.DataTree, kind: str) -> list[str]:
    """List everything in a tree that breaks the contract of its kind.

    Parameters
    ----------
    tree : xarray.DataTree
        The content of a store.
    kind : str
        Kind of store, a key of :data:`CONTRACTS`.

    Returns
    -------
    violations : list of str
        One sentence each; empty for a good store.
    """
    contract = get_contract(kind)
    violations = list(_check_group("/", tree, contract.root))
    matched = 0
    for node in tree.subtree:
        path = node.path.lstrip("/")
        for pattern, variables in contract.groups.items():
            if path.count("/") == pattern.count("/") and fnmatch.fnmatch(path, pattern):
                matched += 1
                violations += _check_group(node.path, node, variables)
    if contract.needs_group and not matched:
        violations.append(f"no group matches {' or '.join(contract.groups)}")
    for node in tree.subtree:
        violations += _check_labels(node)
    return violations


def check_contract(tree: xr.DataTree, kind: str, where: object) -> None:
    """Refuse a tree that breaks the contract of its kind.

    Raises
    ------
    CorruptDataError
        With every violation in one line.
    """
    violations = find_contract_violations(tree, kind)
    if violations:
        raise CorruptDataError(
            f"breaks the contract of {kind} stores: {'; '.join(violations)}",
            where=where,
            remedy="Delete the store and run its rule again.",
        )


def _check_group(
    path: str, node: xr.DataTree, variables: dict[str, VariableContract]
) -> Iterator[str]:
    for name, contract in variables.items():
        if name not in node.variables:
            if contract.required:
                yield f"{path}: variable '{name}' is missing"
            continue
        variable = node.variables[name]
        if variable.dims not in contract.dimensions:
            allowed = " or ".join(str(dimensions) for dimensions in contract.dimensions)
            yield f"{path}: '{name}' has dimensions {variable.dims}, expected {allowed}"
        if not _has_kind(variable.dtype, contract.kind):
            yield f"{path}: '{name}' has type {variable.dtype}, expected kind {contract.kind}"


def _check_labels(node: xr.DataTree) -> Iterator[str]:
    """Ids identify: an index of labels must not repeat or leave out one."""
    for name, index in node.dataset.xindexes.items():
        labels = node.variables[name].values
        if not _has_kind(node.variables[name].dtype, _TEXT):
            continue
        if len({str(label) for label in labels}) != len(labels):
            yield f"{node.path}: labels of '{name}' repeat"
        if any(str(label) == "" for label in labels):
            yield f"{node.path}: a label of '{name}' is empty"
        del index


def _has_kind(dtype: np.dtype, kinds: str) -> bool:
    if _TEXT in kinds and (dtype.kind in "OUT" or str(dtype).startswith(("string", "str"))):
        return True
    return dtype.kind in kinds
