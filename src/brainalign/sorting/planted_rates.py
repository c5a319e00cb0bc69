"""Planted rates of simulated cells per stimulus, to which the sorted population is held."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

PLANTED_RATES = "planted_rates.npz"
"""In the folder of a simulated recording, and passed on with its sorted units."""


def write_planted_rates(folder: Path, stimulus: np.ndarray, rates: dict[str, np.ndarray]) -> None:
    """Write planted rates.

    Parameters
    ----------
    folder : Path
        Folder of the simulated recording.
    stimulus : array of str of shape (n_stimuli,)
        Ids.
    rates : dict of str to array of shape (n_stimuli, n_cells)
        Hz, by subject.
    """
    arrays: dict[str, Any] = {f"rate_{subject}": values for subject, values in rates.items()}
    np.savez(folder / PLANTED_RATES, stimulus=stimulus, **arrays)


def read_planted_rates(folder: Path, subject: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Read the ids and the planted rates of one subject; None where nothing is planted."""
    path = folder / PLANTED_RATES
    if not path.is_file():
        return None
    with np.load(path, allow_pickle=False) as content:
        key = f"rate_{subject}"
        return (content["stimulus"], content[key]) if key in content else None
