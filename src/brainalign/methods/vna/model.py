"""VNA as an alignment method: arrays in, embeddings and weights out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brainalign.errors import InputError
from brainalign.methods.arrays import PairedEmbedding, PairedResponses
from brainalign.methods.base import AlignmentMethod
from brainalign.methods.normalisation import Standardisation, fit_standardisation
from brainalign.methods.repeats import group_repeats
from brainalign.methods.vna.module import VNAModule
from brainalign.methods.vna.options import VNAOptions
from brainalign.methods.vna.task import SplitPairs, SubjectPairs, VNATask
from brainalign.methods.weights import Weights, check_weights, prefix_weights, select_weights
from brainalign.options import suggest_name
from brainalign.training.loop import train_module
from brainalign.training.progress import Report
from brainalign.training.randomness import derive_seed, isolate_torch_randomness


@dataclass(frozen=True)
class FittedVNA:
    """What a fit has learned.

    Attributes
    ----------
    feature : Standardisation
        Selection and statistics of the features.
    responses : dict of str to Standardisation
        The same for the units of each subject, sorted by subject.
    module : VNAModule
        Trained towers, in eval mode.
    """

    feature: Standardisation
    responses: dict[str, Standardisation]
    module: VNAModule


class VNA(AlignmentMethod):
    """Contrastive visual-neural alignment: stimuli and responses as unit vectors in one space.

    After Gao, Rong and He (2025, arXiv 2511.04096), of which no code and no hyper-parameters are
    public: the architecture is ours. Several subjects share the visual tower, the neural trunk and
    the head and have an input layer each. Statistics of responses are those of single
    presentations in training, so a mean over repeats is embedded with smaller deviations.

    Parameters
    ----------
    options : VNAOptions, optional
        Preset ``small`` where None.
    """

    name = "vna"
    requirements = VNAOptions.requirements
    Options = VNAOptions

    options: VNAOptions

    def __init__(self, options: VNAOptions | None = None) -> None:
        super().__init__(options)
        self._fitted: FittedVNA | None = None

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
        """Learn both towers; see `AlignmentMethod.fit`.

        Returns
        -------
        history : pandas.DataFrame
            One row per epoch; ``attrs`` holds the seeds and the number of dropped units.

        Notes
        -----
        The validation score is top-1 of both directions, responses averaged over repeats.
        """
        feature = fit_standardisation(training.feature, where="features")
        responses = {
            subject: fit_standardisation(
                training.get_subject(subject).response,
                where=f"units of {subject}",
                nan_policy=self.options.nan_policy,
            )
            for subject in training.list_subjects()
        }
        initialisation_seed = derive_seed(seed, "initialisation")
        with isolate_torch_randomness(initialisation_seed):
            module = VNAModule(
                feature.n_kept, [units.n_kept for units in responses.values()], self.options
            )
        task = VNATask(
            module,
            self.options,
            standardise_pairs(training, feature, responses, average=False),
            standardise_pairs(validation, feature, responses, average=True),
        )
        history = train_module(
            task, self.options, seed=seed, device=device, scratch=scratch, report=report
        )
        self._fitted = FittedVNA(feature, responses, module.cpu())
        history.attrs["dropped_units"] = {
            subject: units.n_dropped for subject, units in responses.items()
        }
        return history

    def embed(
        self, subject: str, feature: np.ndarray, response: np.ndarray
    ) -> dict[str, PairedEmbedding]:
        """Put stimuli and responses on the unit sphere; see `AlignmentMethod.embed`.

        Returns
        -------
        embeddings : dict of str to PairedEmbedding
            One variant, ``cosine``, without biases.
        """
        fitted = self._get_fitted()
        if subject not in fitted.responses:
            raise InputError(
                f"the model was not fitted on subject '{subject}'",
                where=self.name,
                remedy=suggest_name(subject, fitted.responses),
            )
        features = fitted.feature.apply(feature, where="features")
        units = fitted.responses[subject].apply(response, where=f"units of {subject}")
        position = list(fitted.responses).index(subject)
        with torch.inference_mode():
            stimulus_embedding = fitted.module.embed_stimuli(torch.from_numpy(features))
            response_embedding = fitted.module.embed_responses(torch.from_numpy(units), position)
        return {
            "cosine": PairedEmbedding(
                stimulus_embedding.numpy(), response_embedding.numpy(), "cosine"
            )
        }

    def get_weights(self) -> Weights:
        """All that was learned; see `AlignmentMethod.get_weights`.

        Returns
        -------
        weights : dict of str to array
            ``feature/…``, ``response/{subject}/…`` and ``module/…``.
        """
        fitted = self._get_fitted()
        weights = prefix_weights(fitted.feature.get_weights(), "feature/")
        for subject, units in fitted.responses.items():
            weights |= prefix_weights(units.get_weights(), f"response/{subject}/")
        state = {name: value.numpy().copy() for name, value in fitted.module.state_dict().items()}
        return weights | prefix_weights(state, "module/")

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit; see `AlignmentMethod.set_weights`."""
        if self._fitted is not None:
            shapes = {name: value.shape for name, value in self.get_weights().items()}
            check_weights(weights, shapes, where=self.name)
        feature = Standardisation.from_weights(
            select_weights(weights, "feature/"), where="vna: features"
        )
        subjects = sorted({key.rpartition("/")[0] for key in select_weights(weights, "response/")})
        if not subjects:
            raise InputError(
                "these weights are of another model", where=self.name, expected="also response/"
            )
        responses = {
            subject: Standardisation.from_weights(
                select_weights(weights, f"response/{subject}/"), where=f"vna: units of {subject}"
            )
            for subject in subjects
        }
        with isolate_torch_randomness(0):
            module = VNAModule(
                feature.n_kept, [units.n_kept for units in responses.values()], self.options
            )
        state = select_weights(weights, "module/")
        shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
        check_weights(state, shapes, where=self.name)
        module.load_state_dict(
            {name: torch.from_numpy(value.copy()) for name, value in state.items()}
        )
        self._fitted = FittedVNA(feature, responses, module.eval())

    def _get_fitted(self) -> FittedVNA:
        if self._fitted is None:
            raise InputError(
                "the method is not fitted", where=self.name, remedy="Call fit or load."
            )
        return self._fitted


def standardise_pairs(
    paired: PairedResponses,
    feature: Standardisation,
    responses: dict[str, Standardisation],
    *,
    average: bool,
) -> SplitPairs:
    """Standardise one split with statistics of the training split.

    Parameters
    ----------
    paired : PairedResponses
        One split; subjects that were not fitted are left out.
    feature : Standardisation
        Statistics of the features.
    responses : dict of str to Standardisation
        Statistics of the units of each fitted subject.
    average : bool
        Whether the repeats of a stimulus are averaged.

    Returns
    -------
    pairs : SplitPairs
        Subjects in the order of `responses`, None where the split has none of a subject.
    """
    present: Sequence[str] = paired.list_subjects()
    subjects: list[SubjectPairs | None] = []
    for subject, units in responses.items():
        if subject not in present:
            subjects.append(None)
            continue
        repeats = group_repeats(paired, subject)
        raw = paired.get_subject(subject).response
        standardised = units.apply(raw, where=f"units of {subject}")
        row = np.empty(len(raw), dtype=np.int64)
        row[repeats.presentation] = np.repeat(repeats.stimulus_row, repeats.count)
        if average:
            standardised, row = repeats.average(standardised), repeats.stimulus_row
        subjects.append(SubjectPairs(standardised, row, repeats))
    return SplitPairs(feature.apply(paired.feature, where="features"), subjects)
