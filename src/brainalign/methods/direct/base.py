"""What all direct methods do: standardise, fit a map per subject, estimate, match."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd

from brainalign.errors import InputError
from brainalign.methods.arrays import PairedEmbedding, PairedResponses
from brainalign.methods.base import AlignmentMethod
from brainalign.methods.direct.matching import (
    Direction,
    Whitening,
    fit_whitening,
    match_predictions,
)
from brainalign.methods.direct.options import DIRECT_REQUIREMENTS
from brainalign.methods.direct.regression import (
    FitContext,
    FittedMap,
    MapFit,
    Regression,
    RegressionPairs,
)
from brainalign.methods.normalisation import Standardisation, fit_standardisation
from brainalign.methods.repeats import group_repeats
from brainalign.methods.weights import Weights, check_weights, prefix_weights, select_weights
from brainalign.options import suggest_name
from brainalign.training.progress import Report, divide_report
from brainalign.training.randomness import derive_seed


@dataclass(frozen=True)
class SubjectMap:
    """What was learned for one subject.

    Attributes
    ----------
    feature, response : Standardisation
        Selection and statistics on the training stimuli that the subject has seen, responses
        averaged over repeats.
    regression : Regression
        Fitted map from one side to the other.
    whitening : Whitening or None
        None where matching needs no covariance.
    """

    feature: Standardisation
    response: Standardisation
    regression: Regression
    whitening: Whitening | None


class DirectMethod(AlignmentMethod):
    """Predict one side from the other, then match predictions with candidates.

    Each subject gets a map of its own. In training the responses to a stimulus are averaged over
    its repeats, and all statistics are those of these means; residuals of single trials are
    therefore larger than the covariance says.
    """

    requirements = DIRECT_REQUIREMENTS
    options: Any
    direction: ClassVar[Direction]
    regression_class: ClassVar[Any]

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._maps: dict[str, SubjectMap] = {}

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
        """Fit one map per subject; see `AlignmentMethod.fit`.

        Returns
        -------
        history : pandas.DataFrame
            Rows of all subjects, with a column ``subject``; refits for out-of-fold residuals are
            not in it. ``attrs`` holds the number of dropped units.
        """
        (history,) = self.fit_together(
            [self],
            training,
            validation,
            seeds=[seed],
            device=device,
            scratches=[scratch],
            reports=[report],
        )
        return history

    @staticmethod
    @abstractmethod
    def fit_maps(fits: Sequence[MapFit[Any]]) -> Iterator[FittedMap]:
        """Fit maps with equal options; yields histories and residuals in their order."""

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
        """Fit one method per seed; see `AlignmentMethod.fit_together`.

        Nonlinear maps of equal shape are trained at once, refits for residuals included. Their
        resume checkpoints lie in the first scratch folder.
        """
        options = methods[0].options
        n_folds = options.residual_folds if set(options.matching) - {"pearson"} else 0
        statistics: dict[str, tuple[Standardisation, Standardisation]] = {}
        fits: list[MapFit[Any]] = []
        for subject in training.list_subjects():
            feature, response, fitting, judging = cls._standardise_subject(
                training, validation, subject, options
            )
            statistics[subject] = feature, response
            targets = response if cls.direction == "encoding" else feature
            for seed, scratch, report in zip(seeds, scratches, reports, strict=True):
                own_seed = derive_seed(seed, f"subject {subject}")
                own_report = divide_report(report, f"subject-{subject}")
                context = FitContext(own_seed, device, scratch, own_report)
                regression = cls.regression_class(options, targets)
                fits.append(MapFit(regression, fitting, judging, context, n_folds))
        maps: list[dict[str, SubjectMap]] = [{} for _ in methods]
        histories: list[list[pd.DataFrame]] = [[] for _ in methods]
        for position, (fit, fitted) in enumerate(zip(fits, cls.fit_maps(fits), strict=True)):
            number, head = divmod(position, len(methods))
            subject = training.list_subjects()[number]
            whitening = None
            if fitted.residual is not None:
                whitening = fit_whitening(fitted.residual, fit.training.targets, options.shrinkage)
            maps[head][subject] = SubjectMap(*statistics[subject], fit.regression, whitening)
            fitted.history.insert(0, "subject", subject)
            histories[head].append(fitted.history)
        tables = []
        for method, own, parts in zip(methods, maps, histories, strict=True):
            method._maps = own
            table = pd.concat(parts, ignore_index=True)
            table.attrs["dropped_units"] = {name: m.response.n_dropped for name, m in own.items()}
            tables.append(table)
        return tables

    def embed(
        self, subject: str, feature: np.ndarray, response: np.ndarray
    ) -> dict[str, PairedEmbedding]:
        """Predict and match; see `AlignmentMethod.embed`.

        Returns
        -------
        embeddings : dict of str to PairedEmbedding
            One per variant in the option ``matching``.
        """
        fitted = self._get_map(subject)
        features = fitted.feature.apply(feature, where="features")
        units = fitted.response.apply(response, where=f"units of {subject}")
        inputs, candidate = (features, units) if self.direction == "encoding" else (units, features)
        return match_predictions(
            fitted.regression.predict(inputs),
            candidate,
            self.direction,
            self.options.matching,
            fitted.whitening,
        )

    def get_weights(self) -> Weights:
        """All that was learned; see `AlignmentMethod.get_weights`.

        Returns
        -------
        weights : dict of str to array
            ``{subject}/feature/…``, ``{subject}/response/…``, ``{subject}/map/…`` and, where
            matching needs it, ``{subject}/whitening/…``.
        """
        if not self._maps:
            raise self._say_not_fitted()
        weights: Weights = {}
        for subject, fitted in self._maps.items():
            weights |= prefix_weights(fitted.feature.get_weights(), f"{subject}/feature/")
            weights |= prefix_weights(fitted.response.get_weights(), f"{subject}/response/")
            weights |= prefix_weights(fitted.regression.get_weights(), f"{subject}/map/")
            if fitted.whitening is not None:
                weights |= prefix_weights(fitted.whitening.get_weights(), f"{subject}/whitening/")
        return weights

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit; see `AlignmentMethod.set_weights`."""
        if self._maps:
            shapes = {name: value.shape for name, value in self.get_weights().items()}
            check_weights(weights, shapes, where=self.name)
        subjects = sorted(
            name.removesuffix("/feature/kept") for name in weights if name.endswith("/feature/kept")
        )
        known = ("feature/", "response/", "map/", "whitening/")
        allowed = tuple(f"{subject}/{part}" for subject in subjects for part in known)
        unexpected = sorted(name for name in weights if not name.startswith(allowed))
        if not subjects or unexpected:
            raise InputError(
                "these weights are of another model",
                where=self.name,
                expected="names such as {subject}/feature/kept",
                found=", ".join(unexpected[:3]) or "nothing",
            )
        self._maps = {
            subject: self._rebuild(subject, select_weights(weights, f"{subject}/"))
            for subject in subjects
        }

    @classmethod
    def _standardise_subject(
        cls, training: PairedResponses, validation: PairedResponses, subject: str, options: Any
    ) -> tuple[Standardisation, Standardisation, RegressionPairs, RegressionPairs]:
        raw_feature, raw_response = average_pairs(training, subject)
        feature = fit_standardisation(raw_feature, where="features")
        response = fit_standardisation(
            raw_response, where=f"units of {subject}", nan_policy=options.nan_policy
        )
        fitting, judging = (
            cls._standardise(split, subject, feature, response) for split in (training, validation)
        )
        return feature, response, fitting, judging

    @classmethod
    def _standardise(
        cls,
        paired: PairedResponses,
        subject: str,
        feature: Standardisation,
        response: Standardisation,
    ) -> RegressionPairs:
        raw_feature, raw_response = average_pairs(paired, subject)
        features = feature.apply(raw_feature, where="features")
        units = response.apply(raw_response, where=f"units of {subject}")
        if cls.direction == "encoding":
            return RegressionPairs(features, units)
        return RegressionPairs(units, features)

    def _rebuild(self, subject: str, weights: Weights) -> SubjectMap:
        feature, response = (
            Standardisation.from_weights(
                select_weights(weights, f"{side}/"), where=f"{self.name}: {side} of {subject}"
            )
            for side in ("feature", "response")
        )
        inputs, targets = (
            (feature, response) if self.direction == "encoding" else (response, feature)
        )
        regression: Regression = self.regression_class(self.options, targets)
        regression.set_weights(select_weights(weights, "map/"), inputs.n_kept, targets.n_kept)
        whitening = None
        if set(self.options.matching) - {"pearson"}:
            factors = select_weights(weights, "whitening/")
            whitening = Whitening.from_weights(factors, targets.n_kept)
        return SubjectMap(feature, response, regression, whitening)

    def _get_map(self, subject: str) -> SubjectMap:
        if not self._maps:
            raise self._say_not_fitted()
        if subject not in self._maps:
            raise InputError(
                f"the model was not fitted on subject '{subject}'",
                where=self.name,
                remedy=suggest_name(subject, self._maps),
            )
        return self._maps[subject]

    def _say_not_fitted(self) -> InputError:
        return InputError(
            "the method is not fitted", where=self.name, remedy="Call fit or load first."
        )


def average_pairs(paired: PairedResponses, subject: str) -> tuple[np.ndarray, np.ndarray]:
    """Features and mean responses of the stimuli that a subject has seen.

    Parameters
    ----------
    paired : PairedResponses
        One split.
    subject : str
        Id of a subject of the split.

    Returns
    -------
    feature : array of shape (n_shown, n_features), float32
        One row per stimulus that was shown.
    response : array of shape (n_shown, n_units), float32
        Mean over repeats.
    """
    repeats = group_repeats(paired, subject)
    response = repeats.average(paired.get_subject(subject).response)
    return paired.feature[repeats.stimulus_row], response
