"""CLIP-MUSED as a method: arrays in, label scores, tokens and weights out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from brainalign.errors import InputError
from brainalign.methods.clip_mused.hybrid3d import Hybrid3D, HybridShape
from brainalign.methods.clip_mused.losses import process_target
from brainalign.methods.clip_mused.options import CLIPMusedOptions
from brainalign.methods.clip_mused.task import GuidedLabelTask
from brainalign.methods.clip_mused.volumes import VolumeGrid, fit_volume_grids
from brainalign.methods.labels.arrays import LabelledResponses
from brainalign.methods.labels.network_method import FittedNetwork, NetworkMethod
from brainalign.methods.labels.task import LabelTask
from brainalign.methods.weights import Weights, prefix_weights, select_weights
from brainalign.training.loop import train_module
from brainalign.training.progress import Report
from brainalign.training.randomness import isolate_torch_randomness

CLAMP = 1.5
"""Bound of the features, as published."""

LEVELS = ("low", "high")


class CLIPMused(NetworkMethod):
    """Labels from the responses of several subjects by one network with two tokens per subject.

    After Zhou, Du, Wang and He (2024, arXiv 2402.08994): similarities between output tokens, over
    subjects and stimuli together, follow those between features of CLIP, of an early layer for
    the low token and of the last for the high one.

    Parameters
    ----------
    options : CLIPMusedOptions, optional
        Preset ``small`` where None.
    """

    name = "clip_mused"
    requirements = CLIPMusedOptions.requirements
    Options = CLIPMusedOptions
    information = "tokens"
    knows_subjects = True

    options: CLIPMusedOptions

    def __init__(self, options: CLIPMusedOptions | None = None) -> None:
        super().__init__(options)
        self._centre: dict[str, np.ndarray] = {}

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
        """Train network and tokens; see `LabelMethod.fit`.

        Raises
        ------
        InputError
            The features of a level are missing.
        """
        missing = [level for level in LEVELS if level not in training.target]
        if missing:
            raise InputError(f"no features guide the {missing[0]} level", where=self.name)
        self._centre = {
            level: training.target[level].mean(axis=0).astype(np.float32) for level in LEVELS
        }
        return super().fit(
            training, validation, seed=seed, device=device, scratch=scratch, report=report
        )

    def add_subject(self, training: LabelledResponses, subject: str) -> None:
        """Add a subject with the mean tokens of the others; labels are not looked at.

        Parameters
        ----------
        training : LabelledResponses
            Responses of the new subject, from which its patches are learned.
        subject : str
            Id of the new subject.

        Raises
        ------
        InputError
            The subject is known already, or has no region in common with the others.
        """
        fitted = self.get_fitted()
        if subject in fitted.encoders:
            raise InputError(f"the model was fitted on subject '{subject}'", where=self.name)
        one = training.select_subjects([subject])
        if self.options.form == "regions" and not np.isin(one.area[subject], fitted.areas).any():
            raise InputError(
                f"subject '{subject}' has no region in common with the fitted subjects",
                where=self.name,
                expected=f"one of {', '.join(fitted.areas)}",
                found=", ".join(sorted(set(map(str, one.area[subject])))),
            )
        encoders = fitted.encoders | self._fit_new_encoder(one, subject)
        with isolate_torch_randomness(0):
            module = self.build_module(encoders, fitted.areas, len(fitted.learnable))
        state = dict(fitted.module.state_dict())
        for name in (*fitted.module.list_subject_parameters(), "present"):
            if name in state:
                new = module.state_dict()[name][-1:]
                # The correction of a new subject starts at zero, its tokens amid the others'.
                if name not in ("input_down", "input_up", "present"):
                    new = state[name].mean(0, keepdim=True)
                state[name] = torch.cat([state[name], new])
        module.load_state_dict(state)
        self._fitted = dataclasses.replace(fitted, encoders=encoders, module=module.eval())

    def tune_subject(
        self,
        training: LabelledResponses,
        validation: LabelledResponses,
        subject: str,
        *,
        seed: int,
        device: str = "cpu",
        scratch: Path | None = None,
        report: Report | None = None,
    ) -> pd.DataFrame:
        """Fit what is a subject's own, with everything else frozen.

        Parameters
        ----------
        training, validation : LabelledResponses
            Splits that hold the subject.
        subject : str
            A subject that the model knows, such as from `add_subject`.
        seed, device, scratch, report
            As for `fit`.

        Returns
        -------
        history : pandas.DataFrame
            One row per epoch.
        """
        fitted = self.get_fitted()
        if subject not in fitted.encoders:
            raise InputError(
                f"the model does not know subject '{subject}'",
                where=self.name,
                remedy="Call add_subject first.",
            )
        own = fitted.module.list_subject_parameters()
        for name, parameter in fitted.module.named_parameters():
            parameter.requires_grad_(name in own)
        momenta = {
            part: part.momentum
            for part in fitted.module.modules()
            if isinstance(part, nn.BatchNorm1d | nn.BatchNorm3d)
        }
        for part in momenta:
            # Running statistics belong to the frozen rest.
            part.momentum = 0.0
        task = self.build_task(
            fitted.module,
            training.select_subjects([subject]),
            validation.select_subjects([subject]),
        )
        # Decay would also shrink what belongs to the other subjects.
        task.undecayed_parameters = frozenset(own)
        options = self.options.model_copy(update={"epochs": self.options.new_subject_epochs})
        try:
            return train_module(
                task, options, seed=seed, device=device, scratch=scratch, report=report
            )
        finally:
            fitted.module.cpu().requires_grad_(True)
            for part, momentum in momenta.items():
                part.momentum = momentum

    def fit_encoders(self, split: LabelledResponses, areas: list[str]) -> dict[str, Any]:
        """Learn patches, or places in the volume."""
        if self.options.form == "regions":
            return super().fit_encoders(split, areas)
        responses = {name: split.get_subject(name).response for name in split.list_subjects()}
        return fit_volume_grids(responses, split.voxel_index, self.options.nan_policy)

    def build_module(self, encoders: Any, areas: list[str], n_classes: int) -> nn.Module:
        """Make the network of the chosen form."""
        if self.options.form == "regions":
            return super().build_module(encoders, areas, n_classes)
        shape = HybridShape(
            volume=next(iter(encoders.values())).volume,
            depth=self.options.hybrid_depth,
            width=self.options.hybrid_width,
            n_classes=n_classes,
            n_subjects=len(encoders),
            token_residual=self.options.hybrid_token_residual,
        )
        return Hybrid3D(shape)

    def build_task(
        self, module: nn.Module, training: LabelledResponses, validation: LabelledResponses
    ) -> LabelTask:
        """Make the training task with guidance."""
        return GuidedLabelTask(
            self.options,
            module,
            self.options.model_dump(mode="json", exclude={"checkpoint_every"}),
            self.encode(training),
            self.encode(validation),
            self.get_fitted().learnable,
            self.options.sampling,
            self.options.batch_size,
        )

    def process_targets(self, split: LabelledResponses) -> dict[str, np.ndarray]:
        """Bring features into the form whose similarities guide the tokens."""
        is_centred = self.options.target_processing == "centred"
        processed = {}
        for level in LEVELS:
            centre = torch.from_numpy(self._centre[level]) if is_centred else None
            feature = torch.from_numpy(np.asarray(split.target[level], dtype=np.float32))
            clamp = None if is_centred else CLAMP
            processed[level] = process_target(feature, centre, clamp).numpy()
        return processed

    def get_weights(self) -> Weights:
        """All that was learned; ``centre/…`` are the training means of the features."""
        return super().get_weights() | prefix_weights(self._centre, "centre/")

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit; see `LabelMethod.set_weights`."""
        super().set_weights(weights)
        self._centre = select_weights(weights, "centre/")

    def restore_encoder(self, weights: Weights) -> Any:
        """Rebuild patches or places of a subject."""
        if self.options.form == "regions":
            return super().restore_encoder(weights)
        return VolumeGrid.from_weights(weights, where=f"{self.name}: volume")

    def _fit_new_encoder(self, one: LabelledResponses, subject: str) -> dict[str, Any]:
        fitted: FittedNetwork = self.get_fitted()
        encoder = self.fit_encoders(one, fitted.areas)[subject]
        if not isinstance(encoder, VolumeGrid):
            return {subject: encoder}
        raise InputError(
            "a new subject cannot be added to the 3D form",
            where=self.name,
            remedy="Set form: regions, or fit all subjects together.",
        )
