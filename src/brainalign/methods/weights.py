"""Weights of a method as flat numeric arrays, in memory and in a file; imports no torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from brainalign.errors import CorruptDataError, InputError

WEIGHTS_FILE = "weights.safetensors"
OPTIONS_FILE = "options.json"

Weights = dict[str, np.ndarray]


def select_weights(weights: Mapping[str, np.ndarray], prefix: str) -> Weights:
    """Take the weights under a prefix and leave the prefix out of their names.

    Parameters
    ----------
    weights : mapping of str to array
        Weights by flat name.
    prefix : str
        Start of the names to take, such as ``module/``.

    Returns
    -------
    selected : dict of str to array
        Empty where no name starts so.
    """
    return {
        name.removeprefix(prefix): value
        for name, value in weights.items()
        if name.startswith(prefix)
    }


def prefix_weights(weights: Mapping[str, np.ndarray], prefix: str) -> Weights:
    """Put a prefix before the names; the inverse of `select_weights`.

    Parameters
    ----------
    weights : mapping of str to array
        Weights by flat name.
    prefix : str
        Start of the new names.

    Returns
    -------
    prefixed : dict of str to array
        Same arrays.
    """
    return {f"{prefix}{name}": value for name, value in weights.items()}


def check_weights(
    weights: Mapping[str, np.ndarray], shapes: Mapping[str, tuple[int, ...]], *, where: str
) -> None:
    """Check that weights have the names and the shapes that a model has room for.

    Parameters
    ----------
    weights : mapping of str to array
        Weights by flat name.
    shapes : mapping of str to tuple of int
        What is expected.
    where : str
        Whose weights these are.

    Raises
    ------
    InputError
        A name is missing or not expected, or a shape differs; both shapes are named.
    """
    missing, unexpected = sorted(set(shapes) - set(weights)), sorted(set(weights) - set(shapes))
    if missing or unexpected:
        raise InputError(
            "these weights are of another model",
            where=where,
            expected=f"also {', '.join(missing[:3])}" if missing else None,
            found=f"also {', '.join(unexpected[:3])}" if unexpected else None,
            remedy="Load them with the method and the options that they were fitted with.",
        )
    for name, shape in shapes.items():
        if weights[name].shape != tuple(shape):
            raise InputError(
                f"weight '{name}' has another width",
                where=where,
                expected=tuple(shape),
                found=weights[name].shape,
                remedy="Load it with the options and the data widths that it was fitted with.",
            )


def write_weights(folder: Path, weights: Weights, description: Mapping[str, Any]) -> None:
    """Write weights and their description into an existing or new folder.

    Parameters
    ----------
    folder : Path
        Gets ``weights.safetensors`` and ``options.json``.
    weights : dict of str to array
        Numeric arrays by flat name.
    description : mapping
        What JSON can hold.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # Not ascontiguousarray, which makes a vector of a scalar.
    contiguous = {name: np.asarray(value, order="C") for name, value in weights.items()}
    (folder / WEIGHTS_FILE).write_bytes(save_tensors(contiguous))
    (folder / OPTIONS_FILE).write_text(json.dumps(description, indent=2) + "\n")


def read_weights(folder: Path) -> tuple[Weights, dict[str, Any]]:
    """Read what `write_weights` wrote.

    Parameters
    ----------
    folder : Path
        Folder with both files.

    Returns
    -------
    weights : dict of str to array
        Numeric arrays by flat name.
    description : dict
        Content of ``options.json``.

    Raises
    ------
    InputError
        A file is not there.
    CorruptDataError
        A file cannot be read as what it should be.
    """
    try:
        content = (folder / WEIGHTS_FILE).read_bytes()
        description = json.loads((folder / OPTIONS_FILE).read_bytes())
        return load_tensors(content), description
    except FileNotFoundError as error:
        raise InputError(
            "no fitted model in this folder",
            where=folder,
            expected=f"{WEIGHTS_FILE} and {OPTIONS_FILE}",
            remedy="Fit the method first.",
        ) from error
    except (SafetensorError, ValueError) as error:
        raise CorruptDataError(
            f"a file of the fitted model is damaged ({error})",
            where=folder,
            remedy="Delete the folder and fit again.",
        ) from error
