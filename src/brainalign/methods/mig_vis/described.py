"""Responses with what is known of their stimuli, from plain arrays; imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from brainalign.errors import InputError
from brainalign.methods.image_prior.attributes import StimulusAttributes
from brainalign.methods.mig_vis.arrays import ResponseTable


@dataclass(frozen=True)
class DescribedResponses:
    """Mean responses to stimuli, with the stimuli's categories, factors and images.

    Attributes
    ----------
    stimulus : array of shape (n_stimuli,) of str
        Ids, each once.
    response : array of shape (n_stimuli, n_units), float32
        Means over repeats; NaN where a unit was not recorded.
    category : array of shape (n_stimuli,) of str
        Empty where unknown.
    factor : mapping of str to array of shape (n_stimuli,)
        Numbers by name, such as ``yaw_deg``; NaN where unknown.
    image : array of shape (n_stimuli, y, x, 3), uint8, optional
        What was shown.

    Raises
    ------
    InputError
        Rows do not fit together, or an id comes twice.
    """

    stimulus: np.ndarray
    response: np.ndarray
    category: np.ndarray
    factor: Mapping[str, np.ndarray]
    image: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.response.ndim != 2 or 0 in self.response.shape:
            raise InputError(
                "response is no filled matrix",
                expected="(n_stimuli, n_units)",
                found=self.response.shape,
            )
        rows = {"stimulus": self.stimulus, "category": self.category, **self.factor}
        if self.image is not None:
            rows["image"] = self.image
        for name, values in rows.items():
            if len(values) != len(self.response):
                raise InputError(
                    f"every response needs one row of {name}",
                    expected=f"{len(self.response)} rows",
                    found=f"{len(values)} rows",
                )
        if len(np.unique(self.stimulus)) < len(self.stimulus):
            raise InputError(
                "each stimulus id may come once",
                remedy="Average repeats first, with average_presentations.",
            )

    @classmethod
    def from_arrays(
        cls,
        response: np.ndarray,
        *,
        category: np.ndarray | None = None,
        factor: Mapping[str, np.ndarray] | None = None,
        image: np.ndarray | None = None,
        stimulus: np.ndarray | None = None,
    ) -> Self:
        """Make them of plain arrays; what is left out is unknown, ids are numbers.

        Parameters
        ----------
        response, category, factor, image, stimulus
            As the attributes.
        """
        matrix = np.asarray(response, dtype=np.float32)
        n_stimuli = len(matrix)
        ids = [f"stimulus-{row:05d}" for row in range(n_stimuli)] if stimulus is None else stimulus
        return cls(
            stimulus=np.asarray(ids, dtype=np.str_),
            response=matrix,
            category=np.full(n_stimuli, "") if category is None else np.asarray(category, np.str_),
            factor={name: np.asarray(v, np.float64) for name, v in (factor or {}).items()},
            image=image,
        )

    def make_table(self) -> ResponseTable:
        """Make the table that latents are fitted to, one session for all."""
        return ResponseTable(
            self.stimulus,
            np.zeros(len(self.stimulus), dtype=np.int64),
            self.response,
            np.isfinite(self.response).astype(np.float32),
        )

    def get_images(self) -> np.ndarray:
        """Give the images.

        Raises
        ------
        InputError
            There are none.
        """
        if self.image is None:
            raise InputError(
                "critics are fitted to images, and there are none",
                remedy="Give image=…, or fit without a prior.",
            )
        return self.image


def join_attributes(
    training: DescribedResponses, validation: DescribedResponses
) -> StimulusAttributes:
    """Put what is known of two splits into one table, training first.

    Raises
    ------
    InputError
        The splits know other factors.
    """
    names = tuple(training.factor)
    if set(names) != set(validation.factor):
        raise InputError(
            "validation knows other factors than training",
            expected=", ".join(names) or "none",
            found=", ".join(validation.factor) or "none",
        )
    both = (training, validation)
    factor = [
        np.column_stack([one.factor[name] for name in names])
        if names
        else np.empty((len(one.stimulus), 0))
        for one in both
    ]
    # Ids may be plain numbers in both splits; rows keep them apart.
    stimulus = [
        f"{split}/{name}"
        for split, one in zip(("train", "validation"), both, strict=True)
        for name in one.stimulus
    ]
    return StimulusAttributes(
        np.array(stimulus),
        np.concatenate([one.category for one in both]),
        names,
        np.concatenate(factor),
    )
