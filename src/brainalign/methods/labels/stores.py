"""Read stores into the arrays that label methods take."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from brainalign.errors import InputError
from brainalign.methods.arrays import SubjectResponses, locate_stimuli
from brainalign.methods.experiment import ExperimentJob
from brainalign.methods.labels.arrays import LabelledResponses
from brainalign.methods.pairs import ImageExperiment, read_feature, read_image_experiment
from brainalign.responses.reliability import mean_over_repeats
from brainalign.stores.read import open_store, read_labels


@dataclass(frozen=True)
class LabelExperiment:
    """All that a label method is fitted on and tested with.

    Attributes
    ----------
    images : ImageExperiment
        Splits and normalised responses.
    stimulus : array of shape (n_stimuli,), str
        Ids of the rows of `label`.
    class_name : array of shape (n_classes,), str
        Names of the classes.
    label : array of shape (n_stimuli, n_classes), bool
        What each stimulus shows.
    target : dict of str to array of shape (n_stimuli, n_features)
        Features that guide the levels, in the order of `stimulus`.
    voxel_index : dict of str to array of shape (n_units, 3)
        Place of each unit, for subjects whose stores have it.
    """

    images: ImageExperiment
    stimulus: np.ndarray
    class_name: np.ndarray
    label: np.ndarray
    target: dict[str, np.ndarray]
    voxel_index: dict[str, np.ndarray]

    def take_split(self, fold: int, split: str) -> LabelledResponses:
        """Pair labels and responses of one split, repeats averaged.

        Parameters
        ----------
        fold : int
            The tested fold; 0 where there is one split.
        split : {"train", "validation", "test"}
            Which part.
        """
        stimuli = self.images.splits.list_stimuli(fold, split)
        shown = [s.stimulus for s in self.images.take_split(fold, split).subjects]
        stimuli = stimuli[np.isin(stimuli, np.concatenate(shown))]
        rows = locate_stimuli(stimuli, self.stimulus, where="the stimulus store")
        subjects, area = [], {}
        for recorded in self.images.subjects:
            response, seen = self.average(recorded.subject, fold, stimuli)
            subjects.append(SubjectResponses(recorded.subject, response, seen))
            area[recorded.subject] = recorded.area
        return LabelledResponses(
            stimuli,
            self.label[rows],
            tuple(subjects),
            area,
            {level: values[rows] for level, values in self.target.items()},
            self.voxel_index,
        )

    def average(
        self, subject: str, fold: int, stimuli: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Average the repeats of the stimuli that a subject saw.

        Returns
        -------
        response : array of shape (n_seen, n_units), float32
            Means over repeats.
        seen : array of shape (n_seen,), str
            Their stimuli, sorted.
        """
        recorded = next(one for one in self.images.subjects if one.subject == subject)
        chosen = np.isin(recorded.stimulus, stimuli)
        seen = np.unique(recorded.stimulus[chosen])
        mean, _ = mean_over_repeats(
            recorded.response[fold][chosen], recorded.stimulus[chosen], seen
        )
        return mean.astype(np.float32), seen


def read_label_experiment(job: ExperimentJob, feature: str, normalisation: str) -> LabelExperiment:
    """Read one experiment with labels.

    Parameters
    ----------
    job : ExperimentJob
        Names the stores; its method options name the features that guide the levels, if any.
    feature : str
        Path of the features that the job names; read to check that stores fit together.
    normalisation : str
        As the responses are normalised.

    Raises
    ------
    InputError
        The stimuli have no labels, or the feature store lacks what guides a level.
    """
    images = read_image_experiment(job.stimuli, job.responses, job.features, feature, normalisation)
    store = open_store(job.stimuli, "stimuli")
    if "label" not in store.variables or "class" not in store.variables:
        raise InputError(
            "the stimuli have no labels, so there is nothing to predict",
            where=job.stimuli,
            expected="label (stimulus, class)",
            remedy=f"Give the table of stimuli a column labels, or leave {job.method} out.",
        )
    stimulus = read_labels(store, "stimulus")
    target = {}
    if "low_feature" in job.method_options:
        target = _read_targets(job, stimulus)
    voxel_index = {}
    for path in job.responses:
        responses = open_store(path, "responses")
        if "voxel_index" in responses.variables:
            index = np.asarray(responses.variables["voxel_index"].values)
            voxel_index[str(responses.attrs["subject"])] = index
    return LabelExperiment(
        images,
        stimulus,
        read_labels(store, "class"),
        np.asarray(store.variables["label"].values, dtype=bool),
        target,
        voxel_index,
    )


def _read_targets(job: ExperimentJob, stimulus: np.ndarray) -> dict[str, np.ndarray]:
    options = job.method_options
    low = _take(job.features, options["low_feature"], stimulus)
    guidance = options["guidance"]
    image = _take(job.features, options["high_feature"], stimulus)
    if guidance == "image":
        return {"low": low, "high": image}
    try:
        text = _take(job.features, options["text_feature"], stimulus)
    except InputError as error:
        raise InputError(
            "the feature store holds no features of captions",
            where=job.features,
            expected=options["text_feature"],
            found=error.remedy,
            remedy="Use a CLIP with text: true and stimuli with captions, or set guidance: image.",
        ) from None
    return {"low": low, "high": join_levels(image, text, guidance)}


def join_levels(image: np.ndarray, text: np.ndarray, guidance: str) -> np.ndarray:
    """Join the features of image and caption for the high level.

    Parameters
    ----------
    image, text : array of shape (n_stimuli, n_features)
        Features in the space that image and text share; NaN rows for missing captions.
    guidance : {"image_and_text", "text"}
        Mean of both, or the caption alone.

    Returns
    -------
    high : array of shape (n_stimuli, n_features), float32
        Rows of length 1 before the mean, so that neither tower outweighs the other. Stimuli
        without a caption have the features of their image.

    Raises
    ------
    InputError
        The two do not share a space.
    """
    if image.shape != text.shape:
        raise InputError(
            "image and text features must share a space to be averaged",
            expected=f"text features of shape {image.shape}",
            found=text.shape,
            remedy="Set high_feature to the projection of the image, or guidance: image.",
        )
    unit_image, unit_text = (
        values / np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-12)
        for values in (image, text)
    )
    missing = ~np.isfinite(text).all(axis=1, keepdims=True)
    joined = unit_text if guidance == "text" else (unit_image + unit_text) / 2
    return np.where(missing, unit_image, joined).astype(np.float32)


def _take(features: Path, path: str, stimulus: np.ndarray) -> np.ndarray:
    ids, values = read_feature(features, path)
    return values[locate_stimuli(stimulus, ids, where="the feature store")]
