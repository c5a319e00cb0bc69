"""Stores of coloured squares at places from left to right, and of units that mix both."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from brainalign.stores.write import write_store
from fit_jobs import write_responses

N_STIMULI, N_UNITS, SIDE = 60, 12, 16
COLOURS = np.array([[220, 40, 40], [40, 200, 60], [60, 60, 230]])


def list_squares() -> np.ndarray:
    """Ids of the stimuli."""
    return np.array([f"square-{row:03d}" for row in range(N_STIMULI)])


def write_square_world(
    folder: Path, *, categories: np.ndarray | None = None, shown_as: np.ndarray | None = None
) -> None:
    """Write ``stimuli.zarr`` and ``monkey.zarr``.

    Parameters
    ----------
    folder : Path
        Where.
    categories : array of shape (n_stimuli,) of str, optional
        Instead of the colours.
    shown_as : array of shape (n_stimuli,) of str, optional
        Ids under which the responses know the stimuli.
    """
    generator = np.random.default_rng(0)
    category, place = np.arange(N_STIMULI) % 3, generator.uniform(-0.3, 0.3, N_STIMULI)
    image = np.full((N_STIMULI, SIDE, SIDE, 3), 128, dtype=np.uint8)
    for row in range(N_STIMULI):
        left = round((0.5 + place[row]) * SIDE) - 3
        image[row, 5:11, max(left, 0) : left + 6] = COLOURS[category[row]]
    stimulus = list_squares()
    name = np.array(["red", "green", "blue"])[category] if categories is None else categories
    split = np.array(["train", "train", "train", "validation", "test"])[
        np.arange(N_STIMULI) // 3 % 5
    ]
    stimuli = xr.Dataset(
        {
            "image": (("stimulus", "y", "x", "channel"), image),
            "split": ("stimulus", split),
            "category": ("stimulus", name),
            "factor": (("stimulus", "factor_name"), place[:, np.newaxis]),
        },
        coords={"stimulus": stimulus, "factor_name": ["x"]},
    )
    write_store(folder / "stimuli.zarr", stimuli, "stimuli")
    drive = np.concatenate([2 * np.eye(3)[category], 5 * place[:, np.newaxis]], axis=1)
    shown = np.tile(np.arange(N_STIMULI), 2)
    response = (drive @ generator.standard_normal((4, N_UNITS)))[shown]
    response += 0.3 * generator.standard_normal(response.shape)
    names = stimulus if shown_as is None else shown_as
    write_responses(folder / "monkey.zarr", response, names[shown])
