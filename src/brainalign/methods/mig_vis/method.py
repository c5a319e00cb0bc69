"""MIG-Vis as a method of its own arrays: latents, critics, and edits of any images."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from brainalign.errors import InputError
from brainalign.methods.image_prior.fit import estimate_versions
from brainalign.methods.image_prior.folder import ImagePrior, read_prior
from brainalign.methods.image_prior.images import restore_images
from brainalign.methods.method import Method
from brainalign.methods.mig_vis.arrays import make_labels
from brainalign.methods.mig_vis.critic import GroupCritics, train_critics
from brainalign.methods.mig_vis.described import DescribedResponses, join_attributes
from brainalign.methods.mig_vis.editing import edit_images, invert_references
from brainalign.methods.mig_vis.experiment import make_vae_options
from brainalign.methods.mig_vis.model import MIGVis
from brainalign.methods.mig_vis.options import MIGVisOptions
from brainalign.methods.weights import Weights, check_weights, prefix_weights, select_weights
from brainalign.training.progress import Report
from brainalign.training.randomness import derive_seed, isolate_torch_randomness


@dataclass(frozen=True)
class LatentPrediction:
    """What responses say, group by group.

    Attributes
    ----------
    latent, log_variance : array of shape (n_stimuli, n_latents), float32
        Moments of the posteriors.
    response : array of shape (n_stimuli, n_units), float32
        Responses as the latents explain them.
    """

    latent: np.ndarray
    log_variance: np.ndarray
    response: np.ndarray


class MIGVisMethod(Method):
    """Grouped latents of responses, and images edited along each group.

    Wraps the latents of :class:`~brainalign.methods.mig_vis.model.MIGVis` and the critics; the
    workflow fits the same parts, several variants of them. Sessions are pooled.

    Parameters
    ----------
    options : MIGVisOptions, optional
        Its `groups` name the weak labels, its `attributes` the factors behind them; variants,
        references and `image_prior` are the workflow's and have no effect here.
    """

    name = "mig_vis"
    Options = MIGVisOptions
    requirements = MIGVisOptions.requirements
    options: MIGVisOptions

    def __init__(self, options: MIGVisOptions | None = None) -> None:
        super().__init__(options)
        self._latents: MIGVis | None = None
        self._critics: Weights = {}

    def fit(
        self,
        training: DescribedResponses,
        validation: DescribedResponses,
        *,
        seed: int,
        prior: ImagePrior | Path | None = None,
        device: str = "cpu",
        scratch: Path | None = None,
        report: Report | None = None,
    ) -> pd.DataFrame:
        """Learn latents, and critics of images where a prior is given.

        Parameters
        ----------
        training, validation : DescribedResponses
            Responses with the categories and factors of their stimuli; with images for critics.
        seed : int
            Seed of all randomness.
        prior : ImagePrior or path, optional
            A trained image prior, or its folder; None: latents alone, and `edit` is refused.
        device : {"auto", "cpu", "cuda"}
            Where to compute.
        scratch : Path, optional
            Folder for resume checkpoints of the latents, which the caller removes.
        report : callable, optional
            Called after each epoch of the latents with its record and the number of epochs.

        Returns
        -------
        history : pandas.DataFrame
            One row per epoch of the latents.

        Raises
        ------
        InputError
            A label is not known of the stimuli, a unit has no training response, the units
            differ, or images are missing.
        """
        if training.response.shape[1] != validation.response.shape[1]:
            raise InputError(
                "validation has other units than training",
                expected=f"{training.response.shape[1]} units",
                found=validation.response.shape[1],
            )
        known = join_attributes(training, validation)
        n_training = len(training.stimulus)
        is_training = np.arange(len(known.stimulus)) < n_training
        labels = make_labels(
            self.options,
            known,
            known.stimulus,
            is_training,
            self.options.vae.label_fraction,
            derive_seed(seed, "labels"),
        )
        model = MIGVis(self.options.vae, self.options.slice_groups())
        history = model.fit(
            training.make_table(),
            validation.make_table(),
            [label and label.take(is_training) for label in labels],
            [label and label.take(~is_training) for label in labels],
            seed=seed,
            device=device,
            scratch=scratch,
            report=report,
        )
        self._latents, self._critics = model, {}
        if prior is not None:
            self._fit_critics(training, validation, _open(prior), seed, device)
        return history

    def predict(self, response: np.ndarray, session: np.ndarray | None = None) -> LatentPrediction:
        """Infer the latents of responses.

        Parameters
        ----------
        response : array of shape (n_stimuli, n_units)
            Mean responses of the fitted units; NaN where a unit was not recorded.
        session : array of shape (n_stimuli,), int64, optional
            Number of the session of each row, for fits that stitch sessions; None: the first.

        Raises
        ------
        InputError
            The method is not fitted, or the units are others.
        """
        model = self._get_latents()
        table = DescribedResponses.from_arrays(response).make_table()
        if session is not None:
            table = dataclasses.replace(table, session=np.asarray(session, dtype=np.int64))
        latents = model.encode(table)
        explained = model.decode(latents.mean, table.session)
        return LatentPrediction(latents.mean, latents.log_variance, explained)

    def edit(
        self,
        prior: ImagePrior | Path,
        image: np.ndarray,
        response: np.ndarray,
        target_response: np.ndarray,
        context: np.ndarray,
        *,
        seed: int = 0,
        device: str = "cpu",
    ) -> np.ndarray:
        """Edit images so that one group of latents after the other moves towards other responses.

        Parameters
        ----------
        prior : ImagePrior or path
            The prior that the critics were fitted with, or its folder.
        image : array of shape (n_references, y, x, 3), uint8
            References.
        response, target_response : array of shape (n_references, n_units)
            Responses to the references, and to what they are moved towards.
        context : array of shape (n_stimuli, n_units)
            Training responses; their latents stand for all that a group can be.
        seed : int
            Of the choice of negatives.
        device : {"cpu", "cuda"}
            Where to compute.

        Returns
        -------
        edited : array of shape (n_references, n_groups, n_strengths, y, x, 3), uint8
            In the size of the prior.

        Raises
        ------
        InputError
            The method has no critics, or the prior has other channels than that of the fit.
        """
        opened, place = _open(prior), torch.device(device)
        model = opened.make_noise_model(place)
        prepared = opened.prepare(image)
        edits = edit_images(
            model,
            self._restore_critics(opened),
            invert_references(model, prepared, self.options.editing, place),
            self.predict(response).latent,
            self.predict(target_response).latent,
            self.predict(context).latent,
            kind="mutual_information",
            move=self.options.move,
            strengths=self.options.strengths,
            n_negatives=self.options.critic.n_negatives,
            options=self.options.editing,
            seed=seed,
            device=place,
            with_controls=False,
        )
        return restore_images(edits.image)

    @classmethod
    def choose_part_options(cls, options: dict[str, Any], part: Mapping[str, str]) -> Any:
        """Give the options of one objective; a run fits the latents to several."""
        checked = MIGVisOptions.model_validate(options)
        vae = make_vae_options(checked.vae, part["variant"])
        return {**options, "vae": vae.model_dump(mode="json")}

    def get_weights(self) -> Weights:
        """All that was learned: latents, and critics where there are some."""
        latents = prefix_weights(self._get_latents().get_weights(), "latents/")
        return latents | prefix_weights(self._critics, "critics/")

    def set_weights(self, weights: Weights) -> None:
        """Take up what another fit has learned.

        Raises
        ------
        InputError
            They are of another model.
        """
        model = MIGVis(self.options.vae, self.options.slice_groups())
        model.set_weights(select_weights(weights, "latents/"))
        self._latents, self._critics = model, select_weights(weights, "critics/")

    def _fit_critics(
        self,
        training: DescribedResponses,
        validation: DescribedResponses,
        prior: ImagePrior,
        seed: int,
        device: str,
    ) -> None:
        place = torch.device(device)
        images = estimate_versions(
            prior.make_noise_model(place),
            prior.prepare(training.get_images()),
            self.options.critic.n_estimates,
            self.options.editing.edit_level,
            seed,
            place,
        )
        inferred, held_out = self.predict(training.response), self.predict(validation.response)
        critics, _ = train_critics(
            images,
            inferred.latent,
            inferred.log_variance,
            prior.prepare(validation.get_images()),
            held_out.latent,
            self.options.slice_groups(),
            self.options.critic,
            seed=seed,
            device=device,
        )
        self._critics = critics.take_trained()

    def _restore_critics(self, prior: ImagePrior) -> GroupCritics:
        if not self._critics:
            raise InputError(
                "the method has no critics, so it cannot edit images",
                where=self.name,
                remedy="Fit it with a prior.",
            )
        with isolate_torch_randomness(0):
            critics = GroupCritics(
                prior.options.n_channels, self.options.slice_groups(), self.options.critic
            )
        shapes = {name: value.shape for name, value in critics.take_trained().items()}
        check_weights(self._critics, shapes, where=f"{self.name}: critics")
        state = {name: torch.from_numpy(value.copy()) for name, value in self._critics.items()}
        # A frozen pretrained encoder comes from its own folder and is not stored again.
        critics.load_state_dict(state, strict=not critics.is_frozen)
        return critics.eval()

    def _get_latents(self) -> MIGVis:
        if self._latents is None:
            raise self._refuse_unfitted()
        return self._latents


def _open(prior: ImagePrior | Path) -> ImagePrior:
    return prior if isinstance(prior, ImagePrior) else read_prior(Path(prior))
