"""Methods whose model is one network over the responses of one or several subjects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import torch
from torch import nn

from brainalign.errors import InputError
from brainalign.methods.labels.arrays import (
    LabelledResponses,
    LabelPrediction,
    check_classes,
    fill_unlearnable,
)
from brainalign.methods.labels.base import LabelMethod
from brainalign.methods.labels.network import (
    NetworkOutput,
    NetworkShape,
    RegionTransformer,
    SubjectInformation,
)
from brainalign.methods.labels.patches import RegionPatches, fit_region_patches, list_areas
from brainalign.methods.labels.sampling import Sampling
from brainalign.methods.labels.task import LabelTask, Samples
from brainalign.methods.weights import Weights, check_weights, prefix_weights, select_weights
from brainalign.options import suggest_name
from brainalign.training.loop import train_module
from brainalign.training.progress import Report
from brainalign.training.randomness import derive_seed, isolate_torch_randomness

_PREDICTION_BATCH = 512


@dataclass(frozen=True)
class FittedNetwork:
    """What a fit has learned.

    Attributes
    ----------
    areas : list of str
        Regions, in the order of the patches.
    encoders : dict of str to RegionPatches
        From the units of each subject to patches, in the order of the network's subjects.
    module : torch.nn.Module
        Trained network, in eval mode.
    learnable, always : array of shape (n_classes,), bool
        Classes that were learned, and those that every training stimulus shows.
    """

    areas: list[str]
    encoders: dict[str, Any]
    module: Any
    learnable: np.ndarray
    always: np.ndarray


class NetworkMethod(LabelMethod):
    """One network on the patches of regions; subclasses say what it knows of the subject.

    Attributes
    ----------
    information : {"tokens", "embedding", "none"}
        See `RegionTransformer`.
    """

    information: ClassVar[SubjectInformation] = "none"

    def __init__(self, options: Any = None) -> None:
        super().__init__(options)
        self._fitted: FittedNetwork | None = None

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
        """Train the network; see `LabelMethod.fit`.

        Returns
        -------
        history : pandas.DataFrame
            One row per epoch; the score is mean average precision on the validation split.
        """
        learnable = check_classes(training)
        subjects = training.list_subjects()
        areas = list_areas([training.area[subject] for subject in subjects])
        encoders = self.fit_encoders(training, areas)
        with isolate_torch_randomness(derive_seed(seed, "initialisation")):
            module = self.build_module(encoders, areas, training.n_classes)
        always = np.asarray(training.label.all(axis=0))
        self._fitted = FittedNetwork(areas, encoders, module, learnable, always)
        task = self.build_task(module, training, validation)
        return train_module(
            task, self.options, seed=seed, device=device, scratch=scratch, report=report
        )

    def fit_encoders(self, split: LabelledResponses, areas: list[str]) -> dict[str, Any]:
        """Learn the patches of each subject of a split."""
        return {
            subject: fit_region_patches(
                split.get_subject(subject).response,
                split.area[subject],
                areas,
                self.options.patch_length,
                where=f"units of {subject}",
                nan_policy=self.options.nan_policy,
            )
            for subject in split.list_subjects()
        }

    def build_module(
        self, encoders: Mapping[str, RegionPatches], areas: list[str], n_classes: int
    ) -> nn.Module:
        """Make the network with random weights, from the global generator of torch."""
        shape = NetworkShape(
            n_areas=len(areas),
            patch_length=self.options.patch_length,
            width=self.options.width,
            depth=self.options.depth,
            n_heads=self.options.n_heads,
            mlp_ratio=self.options.mlp_ratio,
            dropout=self.options.dropout,
            n_classes=n_classes,
            n_subjects=len(encoders),
            input_rank=getattr(self.options, "input_rank", 0),
        )
        present = np.stack([patches.present for patches in encoders.values()])
        return RegionTransformer(shape, torch.from_numpy(present), self.information)

    def build_task(
        self, module: nn.Module, training: LabelledResponses, validation: LabelledResponses
    ) -> LabelTask:
        """Make the training task."""
        return LabelTask(
            module,
            self.options.model_dump(mode="json", exclude={"checkpoint_every"}),
            self.encode(training),
            self.encode(validation),
            self.get_fitted().learnable,
            self.get_sampling(),
            self.options.batch_size,
        )

    def get_sampling(self) -> Sampling:
        """How batches are drawn."""
        return getattr(self.options, "sampling", "pooled")

    def encode(self, split: LabelledResponses, subjects: list[str] | None = None) -> Samples:
        """Turn the responses of the fitted subjects into the samples of a network."""
        encoders = self.get_fitted().encoders
        order = {str(name): row for row, name in enumerate(split.stimulus)}
        values, numbers, rows = [], [], []
        for number, (subject, encoder) in enumerate(encoders.items()):
            if subject not in split.list_subjects() or subject not in (subjects or encoders):
                continue
            responses = split.get_subject(subject)
            values.append(encoder.apply(responses.response, where=f"units of {subject}"))
            numbers.append(np.full(len(responses.response), number, dtype=np.int64))
            rows.append(np.array([order[name] for name in responses.stimulus.tolist()]))
        if not values:
            raise InputError("no fitted subject is in this split", where=self.name)
        return Samples(
            np.concatenate(values),
            np.concatenate(numbers),
            np.concatenate(rows).astype(np.int64),
            split.label,
            self.process_targets(split),
        )

    def process_targets(self, split: LabelledResponses) -> dict[str, np.ndarray]:
        """Features that guide the levels; none without guidance."""
        return {}

    def predict(
        self, subject: str, response: np.ndarray, *, as_subject: str | None = None
    ) -> LabelPrediction:
        """Score the classes; see `LabelMethod.predict`."""
        fitted = self.get_fitted()
        for name in (subject, as_subject or subject):
            if name not in fitted.encoders:
                raise InputError(
                    f"the model was not fitted on subject '{name}'",
                    where=self.name,
                    remedy=suggest_name(name, fitted.encoders),
                )
        values = fitted.encoders[subject].apply(response, where=f"units of {subject}")
        own = list(fitted.encoders).index(as_subject or subject)
        output = self._run(torch.from_numpy(values), own)
        score = fill_unlearnable(
            torch.sigmoid(output.logit).numpy(), fitted.learnable, fitted.always
        )
        low, high = output.low.numpy(), output.high.numpy()
        if output.attention is None:
            return LabelPrediction(score, low, high)
        present = fitted.encoders[subject].present
        attention = np.where(present, output.attention.numpy(), np.nan).astype(np.float32)
        occlusion = self._occlude(values, own, np.stack([low, high], 1), present)
        return LabelPrediction(score, low, high, attention, occlusion)

    def _run(self, values: torch.Tensor, subject: int) -> NetworkOutput:
        module = self.get_fitted().module
        has_attention = isinstance(module, RegionTransformer)
        extra = {"with_attention": True} if has_attention else {}
        parts = []
        with torch.inference_mode():
            for chunk in values.split(_PREDICTION_BATCH):
                numbers = torch.full((len(chunk),), subject, dtype=torch.int64)
                parts.append(module(chunk, numbers, **extra))
        attention = torch.cat([part.attention for part in parts]) if has_attention else None
        return NetworkOutput(
            torch.cat([part.logit for part in parts]),
            torch.cat([part.low for part in parts]),
            torch.cat([part.high for part in parts]),
            attention,
        )

    def _occlude(
        self, values: np.ndarray, subject: int, token: np.ndarray, present: np.ndarray
    ) -> np.ndarray:
        """Measure how far the tokens move when each region gives its mean response."""
        moved = np.full((len(values), 2, len(present)), np.nan, dtype=np.float32)
        length = np.linalg.norm(token, axis=2)
        for area in np.flatnonzero(present):
            silenced = values.copy()
            silenced[:, area] = 0
            output = self._run(torch.from_numpy(silenced), subject)
            other = np.stack([output.low.numpy(), output.high.numpy()], 1)
            moved[:, :, area] = np.linalg.norm(other - token, axis=2) / length
        return moved

    def get_weights(self) -> Weights:
        """All that was learned; see `LabelMethod.get_weights`.

        Returns
        -------
        weights : dict of str to array
            ``area/{name}`` (position), ``encoder/{position}/{subject}/…``, ``classes/…`` and
            ``module/…``.
        """
        fitted = self.get_fitted()
        weights: Weights = {
            "classes/learnable": fitted.learnable.astype(np.uint8),
            "classes/always": fitted.always.astype(np.uint8),
        }
        for position, name in enumerate(fitted.areas):
            weights[f"area/{name}"] = np.array(position)
        for position, (subject, encoder) in enumerate(fitted.encoders.items()):
            prefix = f"encoder/{position:03d}/{subject}/"
            weights |= prefix_weights(encoder.get_weights(), prefix)
        state = {name: value.numpy().copy() for name, value in fitted.module.state_dict().items()}
        return weights | prefix_weights(state, "module/")

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit; see `LabelMethod.set_weights`."""
        positions = select_weights(weights, "area/")
        areas = sorted(positions, key=lambda name: int(positions[name]))
        encoded = select_weights(weights, "encoder/")
        keys = sorted({"/".join(name.split("/")[:2]) for name in encoded})
        if not areas or not keys:
            raise InputError(
                "these weights are of another model",
                where=self.name,
                expected="area/, encoder/, classes/ and module/",
            )
        encoders = {
            key.split("/")[1]: self.restore_encoder(select_weights(encoded, f"{key}/"))
            for key in keys
        }
        learnable = weights["classes/learnable"].astype(bool)
        with isolate_torch_randomness(0):
            module = self.build_module(encoders, areas, len(learnable))
        state = select_weights(weights, "module/")
        shapes = {name: tuple(value.shape) for name, value in module.state_dict().items()}
        check_weights(state, shapes, where=self.name)
        module.load_state_dict({name: torch.from_numpy(np.array(v)) for name, v in state.items()})
        always = weights["classes/always"].astype(bool)
        self._fitted = FittedNetwork(areas, encoders, module.eval(), learnable, always)

    def restore_encoder(self, weights: Weights) -> Any:
        """Rebuild what turns the responses of a subject into values."""
        return RegionPatches.from_weights(weights, where=f"{self.name}: patches")

    def get_fitted(self) -> FittedNetwork:
        """Give what was learned.

        Raises
        ------
        InputError
            The method is not fitted.
        """
        if self._fitted is None:
            raise self._refuse_unfitted()
        return self._fitted
