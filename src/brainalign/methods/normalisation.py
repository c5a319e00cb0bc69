"""Selection and z-scoring of columns, learned on the training split only; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from brainalign.errors import InputError
from brainalign.methods.weights import Weights

NanPolicy = Literal["reject", "drop_units"]

SMALLEST_RELATIVE_DEVIATION = 1e-6
"""Standard deviation over largest magnitude below which a float32 column is called constant:
about ten times the rounding error of float32. Relative, so that no unit of measure matters."""


@dataclass(frozen=True)
class Standardisation:
    """Which columns are kept, and their mean and standard deviation in training.

    Attributes
    ----------
    kept : array of shape (n_columns,), bool
        False for columns that were constant in training or not finite.
    mean, scale : arrays of shape (n_kept,), float64
        Mean and standard deviation of the kept columns.
    """

    kept: np.ndarray
    mean: np.ndarray
    scale: np.ndarray

    @property
    def n_kept(self) -> int:
        """Number of columns after selection."""
        return int(self.kept.sum())

    @property
    def n_dropped(self) -> int:
        """Number of columns that selection left out."""
        return int((~self.kept).sum())

    def apply(self, values: np.ndarray, *, where: str) -> np.ndarray:
        """Select and z-score columns with the statistics of the training split.

        Parameters
        ----------
        values : array of shape (n_rows, n_columns)
            Any rows.
        where : str
            What the columns are, for the errors.

        Returns
        -------
        standardised : array of shape (n_rows, n_kept), float32
            Computed in float64, so that another unit of measure that is a power of two gives
            bitwise the same.

        Raises
        ------
        InputError
            The number of columns is another one, or a kept column is not finite.
        """
        values = np.asarray(values)
        if values.ndim != 2 or values.shape[1] != self.kept.size:
            raise InputError(
                "another width than in the fit",
                where=where,
                expected=f"{self.kept.size} columns",
                found=f"shape {values.shape}",
            )
        selected = values[:, self.kept].astype(np.float64)
        if not np.isfinite(selected).all():
            raise InputError(
                "values that are not finite in columns that the fit kept",
                where=where,
                found=f"{int((~np.isfinite(selected)).sum())} values",
                remedy="Leave these rows out.",
            )
        return ((selected - self.mean) / self.scale).astype(np.float32)

    def get_weights(self) -> Weights:
        """Statistics as numeric arrays.

        Returns
        -------
        weights : dict of str to array
            ``kept`` (uint8), ``mean`` and ``scale`` (float64).
        """
        return {"kept": self.kept.astype(np.uint8), "mean": self.mean, "scale": self.scale}

    @classmethod
    def from_weights(cls, weights: Mapping[str, np.ndarray], *, where: str) -> Standardisation:
        """Rebuild the statistics; the inverse of `get_weights`.

        Parameters
        ----------
        weights : mapping of str to array
            ``kept``, ``mean`` and ``scale``.
        where : str
            What the columns are, for the error.

        Returns
        -------
        standardisation : Standardisation
            As it was learned.

        Raises
        ------
        InputError
            A key is missing or not expected, or the lengths contradict each other.
        """
        if set(weights) != {"kept", "mean", "scale"}:
            raise InputError(
                "these weights are of another model",
                where=where,
                expected="kept, mean, scale",
                found=", ".join(sorted(weights)) or "nothing",
            )
        kept = weights["kept"].astype(bool)
        for name in ("mean", "scale"):
            if weights[name].shape != (int(kept.sum()),):
                raise InputError(
                    f"'{name}' has another width than the kept columns",
                    where=where,
                    expected=(int(kept.sum()),),
                    found=weights[name].shape,
                )
        return cls(kept, weights["mean"], weights["scale"])


def fit_standardisation(
    values: np.ndarray, *, where: str, nan_policy: NanPolicy = "reject"
) -> Standardisation:
    """Learn which columns to keep, and their mean and standard deviation.

    Parameters
    ----------
    values : array of shape (n_rows, n_columns)
        Training rows.
    where : str
        What the columns are, for the errors.
    nan_policy : {"reject", "drop_units"}
        What to do with columns that hold NaN or infinity.

    Returns
    -------
    standardisation : Standardisation
        Columns without variance are always dropped; never is divided by a tiny deviation.

    Raises
    ------
    InputError
        A value is not finite under ``reject``, or no column is left.
    """
    finite = np.isfinite(values).all(axis=0)
    if not finite.all() and nan_policy == "reject":
        raise InputError(
            f"{int((~finite).sum())} of {finite.size} columns hold NaN or infinity",
            where=where,
            remedy="Repair them, or set nan_policy: drop_units where they are units.",
        )
    # Whole columns of zeros stand in, so that the statistics of the others raise no warning.
    usable = np.where(finite, values, 0).astype(np.float64)
    mean, scale = usable.mean(axis=0), usable.std(axis=0)
    kept = scale > SMALLEST_RELATIVE_DEVIATION * np.abs(usable).max(axis=0)
    if not kept.any():
        raise InputError(
            "no column varies in the training split",
            where=where,
            found=f"{finite.size} columns, {int((~finite).sum())} of them not finite",
        )
    return Standardisation(kept, mean[kept], scale[kept])
