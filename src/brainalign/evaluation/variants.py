"""Take single variants out of predictions that hold several of one subject."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import xarray as xr

from brainalign.stores.read import read_labels

_DIMENSIONS = ("variant", "edited_variant")


class VariantPlace(NamedTuple):
    """Whose predictions they are, and of which variant."""

    subject: str
    area: str
    variant: str


def iterate_variants(
    predictions: xr.DataTree, marker: str
) -> Iterator[tuple[VariantPlace, xr.Dataset]]:
    """Yield every variant that has a certain variable, one subject and area after the other.

    Parameters
    ----------
    predictions : xarray.DataTree
        A store of kind ``predictions`` whose groups ``/{subject}/{area}/…`` hold latents of all
        variants and images of those that are edited.
    marker : str
        Variable that is asked for, with the dimension ``variant`` or ``edited_variant``.

    Yields
    ------
    place : VariantPlace
        Subject, area and variant.
    group : xarray.Dataset
        What is known of this variant; without images where it has none.
    """
    for node in predictions.subtree:
        if marker not in node.data_vars:
            continue
        subject, area, _ = node.path.strip("/").split("/")
        group = node.to_dataset()
        (dimension,) = [name for name in _DIMENSIONS if name in group[marker].dims]
        for variant in read_labels(group, dimension).tolist():
            yield VariantPlace(subject, area, variant), take_variant(group, variant)


def take_variant(group: xr.Dataset, variant: str) -> xr.Dataset:
    """Take one variant; variables of edits are left out where it was not edited."""
    taken = group
    for dimension in _DIMENSIONS:
        if dimension not in group.dims:
            continue
        names = read_labels(group, dimension).tolist()
        if variant in names:
            taken = taken.isel({dimension: names.index(variant)}, drop=True)
        else:
            taken = taken.drop_dims(dimension)
    return taken
