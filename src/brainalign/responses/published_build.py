"""Assemble the response store of one subject from responses that others have estimated."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import CorruptDataError
from brainalign.raw.published.recording import PublishedRecording, ResponseBlock, VoxelPlaces
from brainalign.responses.build import mark_training
from brainalign.responses.counts import number_repeats
from brainalign.responses.fmri_options import VoxelResponseOptions
from brainalign.responses.voxel_summary import describe_variables, summarise_voxels
from brainalign.stimuli.read import StimulusSplits
from brainalign.stores.spill import allocate_array, make_lazy

_ROUNDING = 1e-7


def build_published_responses(
    dataset: PublishedRecording,
    subject: str,
    options: VoxelResponseOptions,
    splits: StimulusSplits | None,
) -> xr.Dataset:
    """Build the responses of one subject of a published data set of voxel responses.

    Parameters
    ----------
    dataset : PublishedRecording
        Gives units and blocks of responses, such as sessions.
    subject : str
        Id of the subject.
    options : VoxelResponseOptions
        Memory and reliability.
    splits : StimulusSplits or None
        Training stimuli per fold; None where every presentation counts as training.

    Returns
    -------
    responses : xarray.Dataset
        Contract ``responses``, image design; with the places of voxels where they have some.

    Raises
    ------
    InputError, CorruptDataError
        As the reader of the data set.

    Notes
    -----
    Blocks are read one after the other, so memory holds the responses and one block; responses
    larger than ``in_memory_mb`` lie in a temporary file.
    """
    units = dataset.read_units(subject)
    blocks = dataset.list_blocks(subject, units)
    presentations = pd.concat([block.presentations for block in blocks], ignore_index=True)
    shape = (len(presentations), len(units.unit))
    response = allocate_array(shape, np.float32, options.in_memory_mb)
    unusable = _gather(blocks, response)
    stimulus = presentations["stimulus"].to_numpy(dtype=np.str_)
    session = presentations["session"].to_numpy(dtype=np.str_)
    statistics, summary = summarise_voxels(
        response, unusable, stimulus, session, mark_training(stimulus, splits), options
    )
    variables: dict[str, object] = {
        "response": (("presentation", "unit"), make_lazy(response)),
        **{name: (("fold", "session_name", "unit"), one) for name, one in statistics.items()},
        **{name: ("unit", values) for name, values in summary.items()},
        **{name: ("unit", values) for name, values in units.further.items()},
    }
    coords: dict[str, object] = {
        "unit": units.unit,
        "area": ("unit", units.area),
        "stimulus": ("presentation", stimulus),
        "repeat": ("presentation", number_repeats(stimulus)),
        "session": ("presentation", session),
        "run": ("presentation", presentations["run"].to_numpy(dtype=np.str_)),
        "onset": ("presentation", presentations["onset_s"].to_numpy(dtype=np.float64)),
        "session_name": np.unique(session),
    }
    attributes = {"design": "images", "estimate": dataset.estimate, **units.attributes}
    if units.places is not None:
        _place(units.places, variables, coords)
        attributes["space"] = units.places.space
    responses = xr.Dataset(variables, coords=coords, attrs=attributes)
    describe_variables(responses, dataset.estimate, dataset.response_unit)
    return responses


def _gather(blocks: list[ResponseBlock], response: np.ndarray) -> dict[str, np.ndarray]:
    """Read the blocks into their rows; voxels without finite or changing values become 0."""
    n_units = response.shape[1]
    not_finite = np.zeros(n_units, dtype=bool)
    constant = np.zeros(n_units, dtype=bool)
    first = 0
    for block in blocks:
        values = block.read()
        expected = (len(block.presentations), n_units)
        if values.shape != expected:
            raise CorruptDataError(
                "a block of responses has another shape than announced",
                expected=expected,
                found=values.shape,
            )
        not_finite |= ~np.isfinite(values.sum(axis=0, dtype=np.float64))
        low, high = values.min(axis=0), values.max(axis=0)
        constant |= (high - low) <= _ROUNDING * np.maximum(np.abs(high), 1e-12)
        response[first : first + len(values)] = values
        first += len(values)
    unusable = not_finite | constant
    if unusable.any():
        response[:, unusable] = 0
    return {"constant": constant & ~not_finite, "not_finite": not_finite}


def _place(places: VoxelPlaces, variables: dict[str, object], coords: dict[str, object]) -> None:
    """Add voxel indices, mm and the volume that maps are drawn on."""
    affine = places.affine
    place = (places.index @ affine[:3, :3].T + affine[:3, 3]).astype(np.float32)
    coords["voxel_index"] = (("unit", "axis"), places.index)
    coords["coordinate_mm"] = (("unit", "axis"), place)
    coords["axis"] = ["x", "y", "z"]
    variables["reference_volume"] = (("x", "y", "z"), places.reference)
    variables["affine"] = (("row", "column"), affine)
