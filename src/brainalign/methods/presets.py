"""Named sets of option values that a user starts from; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Presets = Mapping[str, Mapping[str, Any]]


def fill_from_preset(given: Any, presets: Presets, default: str) -> Any:
    """Put the values of the chosen preset behind those that a user has given.

    Parameters
    ----------
    given : mapping or anything else
        Raw input of an options model; what is no mapping is left to the model's own check.
    presets : mapping of str to mapping
        Values of each preset that differ from the defaults of the fields.
    default : str
        Preset where none is given.

    Returns
    -------
    filled : same kind as `given`
        What was given wins over the preset, the preset over the defaults of the fields.
    """
    if not isinstance(given, Mapping):
        return given
    # An unknown preset passes through: the model's Literal names the allowed ones.
    return {**presets.get(str(given.get("preset", default)), {}), **given}
