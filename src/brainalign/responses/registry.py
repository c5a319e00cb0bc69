"""The table of response builders: modality and design of a recording → what builds its store."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import xarray as xr

from brainalign.errors import InputError

ResponseBuilder = Callable[[Any, str, Any, Any], xr.Dataset]
"""Takes the raw data set, the subject, the response options and the splits (or None)."""

RESPONSE_BUILDERS: dict[tuple[str, str], str] = {
    ("spikes", "images"): "brainalign.responses.build:build_spike_responses",
    ("spike_rates", "images"): "brainalign.responses.rates:build_rate_responses",
    ("spikes", "movies"): "brainalign.responses.movies:build_movie_responses",
    ("fmri", "images"): "brainalign.responses.fmri_build:build_fmri_responses",
    ("fmri_responses", "images"): (
        "brainalign.responses.published_build:build_published_responses"
    ),
    ("fmri", "movies"): "brainalign.responses.fmri_movies:build_fmri_movie_responses",
}


def get_response_builder(modality: str, design: str) -> ResponseBuilder:
    """Import the function that builds the response store of a subject.

    Parameters
    ----------
    modality : str
        What was recorded, as the options of the data set declare it.
    design : {"images", "movies"}
        What was shown.

    Raises
    ------
    InputError
        If there is no builder for the two.
    """
    module, _, function = _get_path(modality, design).partition(":")
    return getattr(import_module(module), function)


def get_builder_module(modality: str, design: str) -> str:
    """Name the module of a response builder.

    Raises
    ------
    InputError
        If there is no builder for the two.
    """
    return _get_path(modality, design).split(":")[0]


def _get_path(modality: str, design: str) -> str:
    if (modality, design) not in RESPONSE_BUILDERS:
        raise InputError(
            f"no responses can be built from {modality} with a design of {design}",
            expected=" or ".join(" with ".join(key) for key in RESPONSE_BUILDERS),
        )
    return RESPONSE_BUILDERS[modality, design]
