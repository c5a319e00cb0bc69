"""Which methods exist; nothing is imported before it is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from brainalign.errors import InputError
from brainalign.options import Options, suggest_name

if TYPE_CHECKING:
    from brainalign.methods.base import AlignmentMethod


@dataclass(frozen=True)
class MethodEntry:
    """Where a method is defined.

    Attributes
    ----------
    method, options : str
        ``module:Class`` of the method and of its options; the latter imports no torch.
    experiment : str
        Module that fits and predicts from stores, see :mod:`brainalign.methods.experiment`.
    """

    method: str
    options: str
    experiment: str = "brainalign.methods.image_alignment"


METHODS: dict[str, MethodEntry] = {
    "mig_vis": MethodEntry(
        "brainalign.methods.mig_vis.model:MIGVis",
        "brainalign.methods.mig_vis.options:MIGVisOptions",
        "brainalign.methods.mig_vis.experiment",
    ),
    "vna": MethodEntry(
        "brainalign.methods.vna.model:VNA",
        "brainalign.methods.vna.options:VNAOptions",
    ),
    "direct_encoding_ridge": MethodEntry(
        "brainalign.methods.direct.methods:DirectEncodingRidge",
        "brainalign.methods.direct.options:RidgeOptions",
    ),
    "direct_encoding_nonlinear": MethodEntry(
        "brainalign.methods.direct.methods:DirectEncodingNonlinear",
        "brainalign.methods.direct.options:NonlinearEncodingOptions",
    ),
    "direct_decoding_ridge": MethodEntry(
        "brainalign.methods.direct.methods:DirectDecodingRidge",
        "brainalign.methods.direct.options:RidgeOptions",
    ),
    "direct_decoding_nonlinear": MethodEntry(
        "brainalign.methods.direct.methods:DirectDecodingNonlinear",
        "brainalign.methods.direct.options:NonlinearDecodingOptions",
    ),
}


def get_method(name: str) -> type[AlignmentMethod]:
    """Class of a method.

    Parameters
    ----------
    name : str
        Name in `METHODS`.

    Returns
    -------
    method : type
        Subclass of `AlignmentMethod`; imports torch.

    Raises
    ------
    InputError
        The name is unknown; the known and the nearest ones are named.
    """
    return _import_class(_get_entry(name).method)


def get_method_options(name: str) -> type[Options]:
    """Options of a method, without importing the method.

    Parameters
    ----------
    name : str
        Name in `METHODS`.

    Returns
    -------
    options : type
        Model of the options; its `requirements` are those of the method.

    Raises
    ------
    InputError
        The name is unknown; the known and the nearest ones are named.
    """
    return _import_class(_get_entry(name).options)


def get_experiment_module(name: str) -> str:
    """Name the module that fits and predicts a method from stores.

    Parameters
    ----------
    name : str
        Name in `METHODS`.

    Raises
    ------
    InputError
        The name is unknown; the known and the nearest ones are named.
    """
    return _get_entry(name).experiment


def _get_entry(name: str) -> MethodEntry:
    if name not in METHODS:
        raise InputError(f"unknown method '{name}'", remedy=suggest_name(name, METHODS))
    return METHODS[name]


def _import_class(path: str) -> Any:
    module, _, class_name = path.partition(":")
    return getattr(import_module(module), class_name)
