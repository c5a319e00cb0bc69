"""Training task of VNA: which pairs form a batch, and how an epoch is judged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from brainalign.errors import InputError
from brainalign.methods.repeats import RepeatTable
from brainalign.methods.vna.losses import compute_info_nce
from brainalign.methods.vna.module import VNAModule
from brainalign.methods.vna.options import VNAOptions
from brainalign.training.batches import draw_batches
from brainalign.training.checkpoint import digest_content


@dataclass(frozen=True)
class SubjectPairs:
    """Standardised pairs of one subject in one split.

    Attributes
    ----------
    response : array of shape (n_rows, n_units), float32
        Presentations in training, means over repeats in validation.
    stimulus_row : array of shape (n_rows,), int64
        Row of the features that each response belongs to.
    repeats : RepeatTable
        Presentations by stimulus.
    """

    response: np.ndarray
    stimulus_row: np.ndarray
    repeats: RepeatTable


@dataclass(frozen=True)
class SplitPairs:
    """Standardised features and pairs of all subjects in one split.

    Attributes
    ----------
    feature : array of shape (n_stimuli, n_features), float32
        Standardised features.
    subjects : sequence of SubjectPairs or None
        In the order of the input layers; None where a subject is not in the split.
    """

    feature: np.ndarray
    subjects: Sequence[SubjectPairs | None]


@dataclass(frozen=True)
class ContrastiveBatch:
    """Pairs of one subject.

    Attributes
    ----------
    subject : int
        Position of the subject.
    feature : tensor of shape (n_pairs, n_features)
        Standardised features.
    response : tensor of shape (n_pairs, n_units)
        Standardised responses.
    stimulus : tensor of shape (n_pairs,), int64
        Identity of the stimulus of each pair.
    """

    subject: int
    feature: torch.Tensor
    response: torch.Tensor
    stimulus: torch.Tensor


class VNATask:
    """Contrastive training on the pairs of one or several subjects.

    Each batch holds pairs of one subject, since units of different subjects have no common
    columns; an epoch draws the batches of all subjects in a random order. The score is top-1 of
    both directions on the validation split, responses averaged over repeats, mean over subjects.

    Parameters
    ----------
    module : VNAModule
        Towers and scale.
    options : VNAOptions
        Batch size and resampling.
    training, validation : SplitPairs
        Standardised with the statistics of the training split.

    Raises
    ------
    InputError
        A subject has too few stimuli for a batch of two, or validation holds no two stimuli.
    """

    undecayed_parameters = frozenset({"scale.log_scale"})

    def __init__(
        self,
        module: VNAModule,
        options: VNAOptions,
        training: SplitPairs,
        validation: SplitPairs,
    ) -> None:
        self.module, self.options = module, options
        self.training, self.validation = training, validation
        self.n_stimuli = len(training.feature)
        self._pairs = [pairs for pairs in training.subjects if pairs is not None]
        self._batch_sizes = [self._choose_batch_size(pairs) for pairs in self._pairs]
        self._judged = [
            (position, pairs)
            for position, pairs in enumerate(validation.subjects)
            if pairs is not None and len(pairs.stimulus_row) >= 2
        ]
        if not self._judged:
            raise InputError(
                "the validation split can tell no epoch from another",
                where="vna",
                expected="two stimuli or more with responses of a fitted subject",
            )

    def prepare(self, device: torch.device) -> None:
        """Move module and data to the device.

        Parameters
        ----------
        device : torch.device
            Where to train; all of the data must fit into its memory.
        """
        self.module.to(device)
        self._device = device
        self._feature = torch.from_numpy(self.training.feature).to(device)
        self._responses = [torch.from_numpy(pairs.response).to(device) for pairs in self._pairs]
        self._validation_feature = torch.from_numpy(self.validation.feature).to(device)
        self._judged_pairs = [
            (
                position,
                torch.from_numpy(pairs.response).to(device),
                torch.from_numpy(pairs.stimulus_row).to(device),
            )
            for position, pairs in self._judged
        ]

    def fingerprint(self) -> str:
        """Digest of options and data.

        Returns
        -------
        digest : str
            Keys the resume checkpoints.
        """
        arrays = [split.feature for split in (self.training, self.validation)]
        for split in (self.training, self.validation):
            for pairs in split.subjects:
                if pairs is not None:
                    arrays += [pairs.response, pairs.stimulus_row]
        options = self.options.model_dump(mode="json", exclude={"checkpoint_every"})
        return digest_content(["vna", options, *arrays])

    def iterate_batches(
        self, epoch: int, generator: np.random.Generator
    ) -> Iterator[ContrastiveBatch]:
        """Yield batches of one subject each, subjects in random order.

        Parameters
        ----------
        epoch : int
            Not used: the generator is another one in each epoch.
        generator : numpy.random.Generator
            Source of three separate streams: repeats, order of pairs, order of subjects.

        Yields
        ------
        batch : ContrastiveBatch
            Without resampling it may hold several repeats of a stimulus.
        """
        repeat_stream, order_stream, subject_stream = generator.spawn(3)
        batches = [
            (subject, rows)
            for subject, pairs in enumerate(self._pairs)
            for rows in self._draw_rows(subject, pairs, repeat_stream, order_stream)
        ]
        for position in subject_stream.permutation(len(batches)):
            subject, rows = batches[position]
            stimulus = torch.from_numpy(self._pairs[subject].stimulus_row[rows]).to(self._device)
            presentation = torch.from_numpy(rows).to(self._device)
            yield ContrastiveBatch(
                subject,
                self._feature[stimulus],
                self._responses[subject][presentation],
                stimulus,
            )

    def compute_loss(self, batch: ContrastiveBatch) -> torch.Tensor:
        """Contrastive loss of one batch.

        Parameters
        ----------
        batch : ContrastiveBatch
            Pairs of one subject.

        Returns
        -------
        loss : tensor of shape ()
            In fp32.
        """
        return self.compute_loss_of_outputs(self.compute_outputs(batch), batch)

    def count_rows(self, batch: ContrastiveBatch) -> int:
        """Count the pairs of a batch.

        Parameters
        ----------
        batch : ContrastiveBatch
            Pairs of one subject.

        Returns
        -------
        n_pairs : int
            Pairs.
        """
        return len(batch.stimulus)

    def take_rows(self, batch: ContrastiveBatch, rows: slice) -> ContrastiveBatch:
        """Part of a batch.

        Parameters
        ----------
        batch : ContrastiveBatch
            Pairs of one subject.
        rows : slice
            Which of them.

        Returns
        -------
        part : ContrastiveBatch
            Pairs of the same subject.
        """
        return ContrastiveBatch(
            batch.subject, batch.feature[rows], batch.response[rows], batch.stimulus[rows]
        )

    def compute_outputs(self, batch: ContrastiveBatch) -> tuple[torch.Tensor, ...]:
        """Embed both sides of each pair.

        Parameters
        ----------
        batch : ContrastiveBatch
            Pairs of one subject.

        Returns
        -------
        stimulus_embedding, response_embedding : tensors of shape (n_pairs, dimension)
            Unit vectors.
        """
        return (
            self.module.embed_stimuli(batch.feature),
            self.module.embed_responses(batch.response, batch.subject),
        )

    def compute_loss_of_outputs(
        self, outputs: tuple[torch.Tensor, ...], batch: ContrastiveBatch
    ) -> torch.Tensor:
        """Contrast all pairs of a batch with each other.

        Parameters
        ----------
        outputs : pair of tensors of shape (n_pairs, dimension)
            As from `compute_outputs`.
        batch : ContrastiveBatch
            The whole batch.

        Returns
        -------
        loss : tensor of shape ()
            In fp32.
        """
        stimulus_embedding, response_embedding = outputs
        return compute_info_nce(
            stimulus_embedding, response_embedding, self.module.scale(), batch.stimulus
        )

    def validate(self) -> float:
        """Top-1 on the validation split.

        Returns
        -------
        score : float
            Mean over both directions and over subjects, in [0, 1].
        """
        stimuli = self.module.embed_stimuli(self._validation_feature)
        scores = []
        for position, response, rows in self._judged_pairs:
            embedding = self.module.embed_responses(response, position)
            similarity = stimuli[rows] @ embedding.T
            scores.append(0.5 * (compute_top1(similarity) + compute_top1(similarity.T)))
        return sum(scores) / len(scores)

    def _choose_batch_size(self, pairs: SubjectPairs) -> int:
        n_shown = len(pairs.repeats.stimulus_row)
        batch_size = self.options.limit_batch_size(n_shown)
        if batch_size < 2:
            raise InputError(
                "a contrastive batch needs two stimuli or more",
                where="vna",
                found=f"{n_shown} training stimuli, batch_size {self.options.batch_size}, "
                f"largest_batch_fraction {self.options.largest_batch_fraction}",
                remedy="Train on more stimuli or raise batch_size.",
            )
        return batch_size

    def _draw_rows(
        self,
        subject: int,
        pairs: SubjectPairs,
        repeat_stream: np.random.Generator,
        order_stream: np.random.Generator,
    ) -> Iterator[np.ndarray]:
        candidates = pairs.repeats.presentation
        if self.options.trial_resampling:
            candidates = pairs.repeats.draw_presentations(repeat_stream)
        for order in draw_batches(len(candidates), self._batch_sizes[subject], order_stream):
            yield candidates[order]


def compute_top1(similarity: torch.Tensor) -> float:
    """Share of rows whose own column is the best, ties counted by their chance.

    Parameters
    ----------
    similarity : tensor of shape (n, n)
        The partner of row i is column i.

    Returns
    -------
    top1 : float
        In [0, 1]; exactly ``1 / n`` for a constant matrix. A NaN counts as a miss.
    """
    own = similarity.diagonal()[:, None]
    n_better = (~(similarity <= own)).sum(1)
    n_tied = (similarity == own).sum(1).clamp(min=1)
    return float(((n_better == 0) / n_tied).mean())
