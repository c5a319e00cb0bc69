"""Assemble the stimulus store of a data set."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.errors import InputError
from brainalign.raw.images import resize_image
from brainalign.raw.recording import StimulusCollection
from brainalign.stimuli.options import SplitOptions, StimuliOptions
from brainalign.stimuli.splits import assign_splits, split_stimuli
from brainalign.stores.spill import allocate_array, make_lazy

# More pictures than this are gathered in a file, in MB; the rule asks for twice as much.
_IN_MEMORY_MB = 1000


@dataclass(frozen=True)
class StimulusDivision:
    """Where each stimulus belongs.

    Parameters
    ----------
    split : array of shape (n_stimuli,) of str
        ``train``, ``validation`` or ``test``; with folds, that of fold 0.
    fold : array of shape (n_stimuli,), int32, or None
        Fold in which it is tested.
    group : array of shape (n_stimuli,) of str
        Split or fold; the same picture must not stand in two groups.
    """

    split: np.ndarray
    fold: np.ndarray | None
    group: np.ndarray


def divide_stimuli(
    stimulus: np.ndarray, table: pd.DataFrame, options: SplitOptions
) -> StimulusDivision:
    """Assign every stimulus to a split and, where there are folds, to a fold.

    Parameters
    ----------
    stimulus : array of shape (n_stimuli,) of str
        Ids.
    table : pandas.DataFrame
        Indexed by stimulus id; its column ``split``, where it has one, is the given split.
    options : SplitOptions
        Where splits come from.

    Raises
    ------
    InputError
        As :func:`brainalign.stimuli.splits.split_stimuli`.
    """
    given = None
    if "split" in table.columns:
        given = table.loc[list(stimulus), "split"].to_numpy(dtype=np.str_)
    split, fold = split_stimuli(stimulus, given, options)
    group = split if fold is None else np.array([f"fold {number}" for number in fold])
    return StimulusDivision(split, fold, group)


def build_image_stimuli(
    collection: StimulusCollection,
    options: StimuliOptions,
    progress: Any = None,
) -> xr.Dataset:
    """Decode, resize, describe and split the images of a data set.

    Parameters
    ----------
    collection : StimulusCollection
        Images and what is known of them.
    options : StimuliOptions
        Size, duplicates and splits.
    progress : callable, optional
        Wraps the iteration over stimuli to show progress.

    Returns
    -------
    stimuli : xarray.Dataset
        Contract ``stimuli``: ``image`` where there are any, ``split`` and, where known, ``fold``,
        ``split_by_fold``, ``category``, ``caption``, ``label``, ``factor``.

    Raises
    ------
    InputError
        If sizes differ and none is configured, or the same pixels stand in training and test.
    """
    stimulus = np.asarray(sorted(map(str, collection.table.index)), dtype=np.str_)
    table = collection.table.loc[list(stimulus)]
    image = (
        _read_images(collection, stimulus, options.image_size, progress)
        if collection.has_images
        else None
    )
    division = divide_stimuli(stimulus, table, options.split)
    coords: dict[str, Any] = {"stimulus": stimulus, "split": ("stimulus", division.split)}
    if division.fold is not None:
        fold = division.fold
        coords["fold"] = ("stimulus", fold)
        by_fold = [assign_splits(stimulus, fold, k, options.split) for k in range(fold.max() + 1)]
        coords["split_by_fold"] = (("tested_fold", "stimulus"), np.stack(by_fold))
    if image is not None:
        _check_duplicates(image, stimulus, division.group, options.duplicates)
    for name in ("category", "exemplar", "kind", "caption"):
        if name in table.columns:
            coords[name] = ("stimulus", table[name].to_numpy(dtype=np.str_))
    variables: dict[str, Any] = {}
    if image is not None:
        coords["channel"] = ["red", "green", "blue"]
        variables["image"] = (("stimulus", "y", "x", "channel"), make_lazy(image))
    variables |= _encode_labels(table, coords)
    variables |= _encode_factors(table, collection.factors, coords)
    dataset = xr.Dataset(variables, coords=coords)
    _describe(dataset)
    return dataset


def _read_images(
    collection: StimulusCollection,
    stimulus: np.ndarray,
    image_size: int | None,
    progress: Any,
) -> np.ndarray:
    names: Iterable[str] = progress(stimulus) if progress else stimulus
    image: np.ndarray | None = None
    for row, name in enumerate(names):
        pixels = collection.read_image(str(name))
        if image_size is not None:
            pixels = resize_image(pixels, image_size)
        if image is None:
            shape = (len(stimulus), *pixels.shape)
            image = allocate_array(shape, np.uint8, _IN_MEMORY_MB)
        if pixels.shape != image.shape[1:]:
            raise InputError(
                "images have different sizes",
                where=f"stimulus '{name}'",
                expected=f"{image.shape[2]} x {image.shape[1]} pixels as '{stimulus[0]}'",
                found=f"{pixels.shape[1]} x {pixels.shape[0]}",
                remedy="Set stimuli.image_size to resize all of them.",
            )
        image[row] = pixels
    if image is None:
        raise InputError("the data set has no stimulus")
    return image


def find_duplicates(image: Iterable[np.ndarray], stimulus: np.ndarray) -> list[tuple[str, str]]:
    """Find pairs of ids whose pixels are equal.

    Parameters
    ----------
    image : iterable of array of shape (y, x, 3), uint8
        One image per stimulus; only its digest is kept.
    stimulus : array of shape (n_stimuli,) of str
        Ids.

    Returns
    -------
    pairs : list of (str, str)
        A later id and the first one with the same pixels.
    """
    first: dict[bytes, str] = {}
    pairs = []
    for name, pixels in zip(stimulus, image, strict=True):
        digest = hashlib.sha256(np.ascontiguousarray(pixels).data).digest()
        if digest in first:
            pairs.append((str(name), first[digest]))
        else:
            first[digest] = str(name)
    return pairs


def _check_duplicates(
    image: np.ndarray, stimulus: np.ndarray, split: np.ndarray, policy: str
) -> None:
    if policy == "allow":
        return
    split_of = dict(zip(map(str, stimulus), map(str, split), strict=True))
    for name, twin in find_duplicates(image, stimulus):
        if split_of[name] != split_of[twin]:
            raise InputError(
                f"the same picture stands in {split_of[twin]} as '{twin}' and in "
                f"{split_of[name]} as '{name}'",
                remedy="Give both one id, or set stimuli.duplicates: allow.",
            )


def _encode_labels(table: pd.DataFrame, coords: dict[str, Any]) -> dict[str, Any]:
    if "labels" not in table.columns:
        return {}
    named = [{label for label in str(text).split(";") if label} for text in table["labels"]]
    classes = sorted(set().union(*named)) if named else []
    if not classes:
        return {}
    coords["class"] = classes
    label = np.array([[name in labels for name in classes] for labels in named], dtype=bool)
    return {"label": (("stimulus", "class"), label)}


def _encode_factors(
    table: pd.DataFrame, factors: tuple[str, ...], coords: dict[str, Any]
) -> dict[str, Any]:
    if not factors:
        return {}
    coords["factor_name"] = list(factors)
    return {
        "factor": (("stimulus", "factor_name"), table[list(factors)].to_numpy(dtype=np.float64))
    }


def _describe(dataset: xr.Dataset) -> None:
    descriptions = {
        "image": "pixels, RGB",
        "split": "train, validation or test; with folds, that of fold 0",
        "fold": "fold in which the stimulus is tested",
        "split_by_fold": "split of each stimulus when a fold is tested",
        "label": "objects that the stimulus shows",
        "factor": "controlled properties of the stimulus, see the data set's documentation",
    }
    for name, variable in dataset.variables.items():
        variable.attrs.setdefault("long_name", descriptions.get(str(name), str(name)))
        variable.attrs.setdefault("units", "1")
