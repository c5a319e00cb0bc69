"""What a conditional prior is told of an image: its category and its factors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from brainalign.methods.image_prior.reader import AttributeTable


@dataclass(frozen=True)
class ConditionTable:
    """Conditions of training and held-out images.

    Attributes
    ----------
    training, validation : array of shape (n_images, n_condition), float32
        See `encode_condition`.
    n_categories : int
        Columns of the category; those of the factors follow.
    mirror : array of shape (2, n_factors), float32, or None
        Factor and offset of the factors of a mirrored image; None: images must not be mirrored.
    """

    training: np.ndarray
    validation: np.ndarray
    n_categories: int
    mirror: np.ndarray | None

    def mirror_rows(self, condition: torch.Tensor) -> torch.Tensor:
        """Tell what mirrored images show.

        Parameters
        ----------
        condition : tensor of shape (n_images, n_condition)
            Conditions of the images as they are.
        """
        if self.mirror is None:
            return condition
        first, n_factors = self.n_categories, self.mirror.shape[1]
        factor, offset = torch.from_numpy(self.mirror).to(condition.device)
        known = condition[:, -n_factors:] if n_factors else condition[:, :0]
        mirrored = condition.clone()
        columns = slice(first, first + n_factors)
        mirrored[:, columns] = (condition[:, columns] * factor + offset) * known
        return mirrored


def count_condition(n_categories: int, n_factors: int) -> int:
    """Count the numbers of a condition."""
    return n_categories + n_factors + 1 + n_factors


def encode_condition(category: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Lay out what is known of images; where nothing is known all numbers are 0.

    Parameters
    ----------
    category : array of shape (n_images, n_categories)
        Probabilities of the categories; NaN where the category is unknown.
    factor : array of shape (n_images, n_factors)
        Standardised factors; NaN where unknown.

    Returns
    -------
    condition : array of shape (n_images, n_condition), float32
        Category, factors, whether the category is known, whether each factor is.
    """
    named = np.isfinite(category).all(axis=1, keepdims=True) & (category.shape[1] > 0)
    there = np.isfinite(factor)
    return np.concatenate(
        [np.where(named, category, 0), np.where(there, factor, 0), named, there], axis=1
    ).astype(np.float32)


def encode_table(table: AttributeTable, n_categories: int) -> np.ndarray:
    """Encode what is known of stimuli, see `encode_condition`."""
    category = np.where(
        table.category[:, np.newaxis] >= 0,
        table.category[:, np.newaxis] == np.arange(n_categories),
        np.nan,
    )
    return encode_condition(category, table.factor)
