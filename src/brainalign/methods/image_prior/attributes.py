"""What stimuli are, as the predictors and weak labels take it; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from brainalign.errors import InputError
from brainalign.options import suggest_name
from brainalign.stores.read import read_labels

_UNKNOWN = ("", "n/a", "none")


@dataclass(frozen=True)
class StimulusAttributes:
    """Categories and factors of all stimuli of a data set.

    Attributes
    ----------
    stimulus : array of shape (n_stimuli,) of str
        Ids.
    category : array of shape (n_stimuli,) of str
        Category; empty where unknown.
    factor_name : tuple of str
        Names of the columns of `factor`.
    factor : array of shape (n_stimuli, n_factors), float64
        NaN where unknown.
    """

    stimulus: np.ndarray
    category: np.ndarray
    factor_name: tuple[str, ...]
    factor: np.ndarray

    def take_factors(self, names: Sequence[str]) -> np.ndarray:
        """Take some factors by name.

        Raises
        ------
        InputError
            If the data set has no such factor; the nearest is named.
        """
        for name in names:
            if name not in self.factor_name:
                raise InputError(
                    f"the stimuli have no factor '{name}'",
                    where="attributes",
                    remedy=suggest_name(name, self.factor_name),
                )
        return self.factor[:, [self.factor_name.index(name) for name in names]]

    def locate(self, stimuli: np.ndarray) -> np.ndarray:
        """Find the rows of some stimuli by id.

        Raises
        ------
        InputError
            If one is not among them.
        """
        place = {str(name): row for row, name in enumerate(self.stimulus)}
        missing = sorted({str(name) for name in stimuli} - set(place))
        if missing:
            raise InputError(
                f"{len(missing)} stimuli have no attributes and no labels",
                found=", ".join(missing[:5]),
                remedy="Run the stimuli stage again; its raw data may have changed.",
            )
        return np.array([place[str(name)] for name in stimuli], dtype=np.int64)


def read_stimulus_attributes(stimuli: xr.DataTree | xr.Dataset) -> StimulusAttributes:
    """Read what an open stimulus store knows of its images."""
    stimulus = read_labels(stimuli, "stimulus")
    category = np.full(len(stimulus), "", dtype=np.str_)
    if "category" in stimuli.variables:
        named = read_labels(stimuli, "category")
        category = np.where(np.isin(named, _UNKNOWN), "", named)
    names: tuple[str, ...] = ()
    factor = np.empty((len(stimulus), 0))
    if "factor" in stimuli.variables:
        names = tuple(read_labels(stimuli, "factor_name").tolist())
        factor = np.asarray(stimuli.variables["factor"].values, dtype=np.float64)
    return StimulusAttributes(stimulus, category, names, factor)


def list_attribute_factors(
    attributes: Mapping[str, Sequence[str]], known: StimulusAttributes
) -> list[tuple[str, str]]:
    """List the attributes' factors that the stimuli have.

    Returns
    -------
    pairs : list of (str, str)
        Attribute and factor; attributes whose factors the data set lacks are left out whole.
    """
    return [
        (attribute, factor)
        for attribute, factors in attributes.items()
        if all(factor in known.factor_name for factor in factors)
        for factor in factors
    ]
