"""Ridge and logistic regression per subject, and the shared response model before the latter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from brainalign.errors import InputError
from brainalign.methods.label_baselines.options import LinearLabelOptions, SharedResponseOptions
from brainalign.methods.label_baselines.readout import (
    Readout,
    choose_readout,
    fit_logistic,
    fit_ridge,
)
from brainalign.methods.label_baselines.shared_response import fit_shared_response
from brainalign.methods.labels.arrays import (
    LabelledResponses,
    LabelPrediction,
    check_classes,
    fill_unlearnable,
)
from brainalign.methods.labels.base import LabelMethod
from brainalign.methods.normalisation import Standardisation, fit_standardisation
from brainalign.methods.weights import Weights, prefix_weights, select_weights
from brainalign.options import suggest_name
from brainalign.training.progress import Report


@dataclass(frozen=True)
class FittedReadout:
    """What a linear fit has learned.

    Attributes
    ----------
    standardisation : dict of str to Standardisation
        Kept units of each subject with mean and deviation.
    basis : dict of str to array of shape (n_kept, n_columns)
        From the units of each subject to the columns of the read-out; empty: the units themselves.
    readout : tuple of arrays
        Weights and intercepts.
    learnable, always : array of shape (n_classes,), bool
        Classes that were learned, and those that every training stimulus shows.
    """

    standardisation: dict[str, Standardisation]
    basis: dict[str, np.ndarray]
    readout: Readout
    learnable: np.ndarray
    always: np.ndarray


class LinearLabels(LabelMethod):
    """A linear read-out of the responses of one subject; subclasses choose the loss."""

    uses_seed = False

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._fitted: FittedReadout | None = None

    def fit_readouts(
        self, values: np.ndarray, label: np.ndarray, penalties: Sequence[float]
    ) -> list[Readout]:
        """Fit one read-out per penalty."""
        return fit_logistic(values, label, penalties)

    def link(self, drive: np.ndarray) -> np.ndarray:
        """Turn the output of the read-out into probabilities."""
        return expit(drive)

    def fit_basis(
        self, training: LabelledResponses, units: Mapping[str, Standardisation], seed: int
    ) -> dict[str, np.ndarray]:
        """Learn what stands between units and read-out; nothing here."""
        return {}

    def fit(
        self,
        training: LabelledResponses,
        validation: LabelledResponses,
        *,
        seed: int,
        device: str = "cpu",
        scratch: Path | None = None,
        report: Report | None = None,
    ) -> pd.DataFrame:
        """Fit a read-out per penalty and keep the best on the validation split.

        Returns
        -------
        history : pandas.DataFrame
            One row: the penalty that was chosen, and its mean average precision there.
        """
        learnable = check_classes(training)
        units = {
            subject: fit_standardisation(
                training.get_subject(subject).response,
                where=f"units of {subject}",
                nan_policy=self.options.nan_policy,
            )
            for subject in training.list_subjects()
        }
        basis = self.fit_basis(training, units, seed)
        values, label = _stack(training, units, basis)
        judged_values, judged_label = _stack(validation, units, basis)
        readouts = self.fit_readouts(values, label[:, learnable], self.options.penalties)
        chosen, precision = choose_readout(
            readouts, judged_values, judged_label[:, learnable], self.link
        )
        weights = np.zeros((values.shape[1], training.n_classes))
        intercept = np.zeros(training.n_classes)
        weights[:, learnable], intercept[learnable] = readouts[chosen]
        always = np.asarray(training.label.all(axis=0))
        self._fitted = FittedReadout(units, basis, (weights, intercept), learnable, always)
        penalty = self.options.penalties[chosen]
        return pd.DataFrame({"median_alpha": [penalty], "validation_score": [precision[chosen]]})

    def predict(
        self, subject: str, response: np.ndarray, *, as_subject: str | None = None
    ) -> LabelPrediction:
        """Score the classes; a map of one subject has no other's that could be taken."""
        fitted = self._get_fitted()
        if subject not in fitted.standardisation:
            raise InputError(
                f"the model was not fitted on subject '{subject}'",
                where=self.name,
                remedy=suggest_name(subject, fitted.standardisation),
            )
        where = f"units of {subject}"
        values = fitted.standardisation[subject].apply(response, where=where)
        if subject in fitted.basis:
            values = values @ fitted.basis[subject]
        weights, intercept = fitted.readout
        score = np.clip(self.link(values @ weights + intercept), 0, 1)
        return LabelPrediction(fill_unlearnable(score, fitted.learnable, fitted.always))

    def get_weights(self) -> Weights:
        """All that was learned: ``units/…``, ``basis/…``, ``readout/…`` and ``classes/…``."""
        fitted = self._get_fitted()
        weights: Weights = {
            "classes/learnable": fitted.learnable.astype(np.uint8),
            "classes/always": fitted.always.astype(np.uint8),
            "readout/weights": fitted.readout[0],
            "readout/intercept": fitted.readout[1],
        }
        for subject, statistics in fitted.standardisation.items():
            weights |= prefix_weights(statistics.get_weights(), f"units/{subject}/")
        return weights | prefix_weights(fitted.basis, "basis/")

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit; see `LabelMethod.set_weights`."""
        missing = {"readout/weights", "readout/intercept", "classes/learnable"} - set(weights)
        units = select_weights(weights, "units/")
        if missing or not units:
            raise InputError(
                "these weights are of another model",
                where=self.name,
                expected=f"also {', '.join(sorted(missing)) or 'units/'}",
            )
        subjects = sorted({name.rpartition("/")[0] for name in units})
        self._fitted = FittedReadout(
            {
                subject: Standardisation.from_weights(
                    select_weights(units, f"{subject}/"), where=f"units of {subject}"
                )
                for subject in subjects
            },
            select_weights(weights, "basis/"),
            (weights["readout/weights"], weights["readout/intercept"]),
            weights["classes/learnable"].astype(bool),
            weights["classes/always"].astype(bool),
        )

    def _get_fitted(self) -> FittedReadout:
        if self._fitted is None:
            raise self._refuse_unfitted()
        return self._fitted


class LogisticLabels(LinearLabels):
    """Multi-label logistic regression on the responses of one subject."""

    name = "label_logistic"
    requirements = LinearLabelOptions.requirements
    Options = LinearLabelOptions


class RidgeLabels(LinearLabels):
    """Ridge regression of labels on the responses of one subject, cut to [0, 1]."""

    name = "label_ridge"
    requirements = LinearLabelOptions.requirements
    Options = LinearLabelOptions

    def fit_readouts(
        self, values: np.ndarray, label: np.ndarray, penalties: Sequence[float]
    ) -> list[Readout]:
        """Fit one ridge regression per penalty."""
        return fit_ridge(values, label, penalties)

    def link(self, drive: np.ndarray) -> np.ndarray:
        """Leave the output as it is: labels were regressed as 0 and 1."""
        return drive


class SharedResponseLabels(LinearLabels):
    """Shared response model (Chen et al. 2015), then one logistic read-out for all subjects."""

    name = "label_srm"
    requirements = SharedResponseOptions.requirements
    Options = SharedResponseOptions
    uses_seed = True

    def fit_basis(
        self, training: LabelledResponses, units: Mapping[str, Standardisation], seed: int
    ) -> dict[str, np.ndarray]:
        """Learn the shared features on the stimuli that all subjects saw."""
        subjects = [training.get_subject(name) for name in training.list_subjects()]
        shared = sorted(set.intersection(*(set(one.stimulus.tolist()) for one in subjects)))
        if len(shared) < 2:
            raise InputError(
                "the shared response model needs stimuli that all subjects saw",
                where=self.name,
                expected="two or more in the training split",
                found=str(len(shared)),
                remedy="Leave label_srm out for this data set.",
            )
        responses = {
            one.subject: units[one.subject].apply(
                _average(one.response, one.stimulus, shared), where=f"units of {one.subject}"
            )
            for one in subjects
        }
        return fit_shared_response(
            responses, self.options.n_features, self.options.n_iterations, seed
        )


def _average(response: np.ndarray, stimulus: np.ndarray, shared: Sequence[str]) -> np.ndarray:
    return np.stack([response[stimulus == name].mean(axis=0) for name in shared])


def _stack(
    split: LabelledResponses,
    units: Mapping[str, Standardisation],
    basis: Mapping[str, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    order = {str(name): row for row, name in enumerate(split.stimulus)}
    values, label = [], []
    for subject, statistics in units.items():
        responses = split.get_subject(subject)
        standard = statistics.apply(responses.response, where=f"units of {subject}")
        values.append(standard @ basis[subject] if subject in basis else standard)
        label.append(split.label[[order[name] for name in responses.stimulus.tolist()]])
    return np.concatenate(values).astype(np.float64), np.concatenate(label).astype(np.float64)
