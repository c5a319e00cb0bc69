"""What every alignment method offers; imports no torch."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import numpy as np
import pandas as pd

from brainalign.methods.arrays import PairedEmbedding, PairedResponses
from brainalign.methods.method import Method
from brainalign.training.progress import Report


class AlignmentMethod(Method):
    """A model that pairs stimuli with responses: arrays in, embeddings and weights out.

    Knows no paths but those it is given, no config files and no workflow.

    Parameters
    ----------
    options : Options, optional
        Options of the method; its defaults where None.

    Attributes
    ----------
    name : str
        Name in the registry.
    requirements : Requirements
        What the method needs and yields.
    Options : type
        Model of the options.
    """

    @abstractmethod
    def fit(
        self,
        training: PairedResponses,
        validation: PairedResponses,
        *,
        seed: int,
        device: str = "cpu",
        scratch: Path | None = None,
        report: Report | None = None,
    ) -> pd.DataFrame:
        """Learn from the training split.

        Parameters
        ----------
        training : PairedResponses
            All that is learned, normalisation and selection of units included, comes from here.
        validation : PairedResponses
            Only decides which epoch is the best.
        seed : int
            Seed of all randomness; equal seeds give equal weights on the CPU.
        device : {"auto", "cpu", "cuda"}
            Where to compute.
        scratch : Path, optional
            Folder for resume checkpoints, which the caller removes.
        report : callable, optional
            Called after each epoch with its record and the number of epochs.

        Returns
        -------
        history : pandas.DataFrame
            What happened, ready for a CSV file.
        """

    @classmethod
    def fit_together(
        cls,
        methods: Sequence[Self],
        training: PairedResponses,
        validation: PairedResponses,
        *,
        seeds: Sequence[int],
        device: str = "cpu",
        scratches: Sequence[Path | None],
        reports: Sequence[Report | None],
    ) -> list[pd.DataFrame]:
        """Fit several methods of equal options to the same splits, one per seed.

        One after the other, unless a method can train them at once, which changes weights by
        rounding only.

        Parameters
        ----------
        methods : sequence of AlignmentMethod
            Not fitted yet.
        training, validation : PairedResponses
            As for `fit`.
        seeds : sequence of int
            Seed of each method.
        device : {"auto", "cpu", "cuda"}
            Where to compute.
        scratches : sequence of Path or None
            Folder for resume checkpoints of each method.
        reports : sequence of callable or None
            As for `fit`, of each method.

        Returns
        -------
        histories : list of pandas.DataFrame
            One per method.
        """
        return [
            method.fit(
                training, validation, seed=seed, device=device, scratch=scratch, report=report
            )
            for method, seed, scratch, report in zip(
                methods, seeds, scratches, reports, strict=True
            )
        ]

    @abstractmethod
    def embed(
        self, subject: str, feature: np.ndarray, response: np.ndarray
    ) -> dict[str, PairedEmbedding]:
        """Put stimuli and responses of one subject into a common space.

        Parameters
        ----------
        subject : str
            A subject that the method was fitted on.
        feature : array of shape (n_stimuli, n_features)
            Features of any stimuli, in any order.
        response : array of shape (n_responses, n_units)
            Any responses of all units of the subject: single trials or means over repeats.

        Returns
        -------
        embeddings : dict of str to PairedEmbedding
            One per variant of matching.

        Raises
        ------
        InputError
            The subject is unknown, a width is another one, or a kept unit is not finite.
        """

    def predict(
        self, subject: str, feature: np.ndarray, response: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Say how well each stimulus and each response of one subject fit together.

        Parameters
        ----------
        subject, feature, response
            As for `embed`.

        Returns
        -------
        compatibility : dict of str to array of shape (n_stimuli, n_responses), float64
            One per variant of matching; larger means a better match.
        """
        embedded = self.embed(subject, feature, response)
        return {variant: pair.compute_compatibility() for variant, pair in embedded.items()}
