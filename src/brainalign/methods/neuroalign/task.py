"""Training of NeuroAlign on windows, in two stages."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from brainalign.errors import InputError
from brainalign.methods.clips.arrays import Segments
from brainalign.methods.neuroalign.codebook import Quantised, compute_commitment
from brainalign.methods.neuroalign.losses import (
    average_tokens,
    compute_code_matching,
    compute_global_contrast,
    find_overlap,
)
from brainalign.methods.neuroalign.network import LevelEncoder, NeuroAlignNetwork
from brainalign.methods.neuroalign.options import NeuroAlignOptions
from brainalign.methods.neuroalign.windows import WindowBatch, WindowSource, embed_windows
from brainalign.training.batches import draw_batches
from brainalign.training.checkpoint import digest_content


class NeuroAlignTask:
    """Windows of the training segments; the score is retrieval on the validation segments.

    Parameters
    ----------
    network : NeuroAlignNetwork
        What is trained.
    options : NeuroAlignOptions
        Batches, stages and weights of the losses.
    training, validation : Segments
        Standardised rows of both splits.
    training_starts, validation_starts : array of shape (n_starts,), int64
        Where windows may start.

    Raises
    ------
    InputError
        There are fewer than two windows in a split.
    """

    def __init__(
        self,
        network: NeuroAlignNetwork,
        options: NeuroAlignOptions,
        training: Segments,
        validation: Segments,
        training_starts: np.ndarray,
        validation_starts: np.ndarray,
    ) -> None:
        self.module, self.options = network, options
        self.training, self.validation = training, validation
        self.starts, self.validation_starts = training_starts, validation_starts
        for name, starts in (("training", training_starts), ("validation", validation_starts)):
            if len(starts) < 2:
                raise InputError(
                    f"the {name} split has fewer than two windows",
                    where="neuroalign",
                    found=len(starts),
                    remedy="A contrast of one window is zero whatever the model does: give more "
                    "or longer segments.",
                )
        self.batch_size = min(options.batch_size, len(training_starts) // 2)
        if self.batch_size < 2:
            raise InputError(
                "a batch would hold a single window",
                where="neuroalign",
                expected="batch_size 2 or more, and four training windows or more",
                found=f"batch_size {options.batch_size}, {len(training_starts)} windows",
                remedy="Set batch_size to 2 or more, or give more training segments.",
            )
        self.n_stimuli = len(training_starts)
        self.undecayed_parameters = frozenset(
            name
            for name, parameter in network.named_parameters()
            if parameter.ndim < 2 or name.endswith(("offset", "position"))
        )

    def prepare(self, device: torch.device) -> None:
        """Move module and rows to the device."""
        self.module.to(device)
        self._device = device
        self._source = WindowSource(self.training, self.options, device)
        self._validation_source = WindowSource(self.validation, self.options, device)
        _, number = np.unique(self.training.segment, return_inverse=True)
        self._segment = torch.from_numpy(number.reshape(-1).astype(np.int64)).to(device)

    def fingerprint(self) -> str:
        """Digest of options and data."""
        options = self.options.model_dump(mode="json", exclude={"checkpoint_every"})
        parts: list[object] = ["neuroalign", options, self.starts, self.validation_starts]
        for one in (self.training, self.validation):
            parts += [one.bold, one.video]
            if one.text is not None:
                parts.append(one.text)
        return digest_content(parts)

    def iterate_batches(self, epoch: int, generator: np.random.Generator) -> Iterator[WindowBatch]:
        """Yield windows at random starts, none twice before all had their turn.

        Parameters
        ----------
        epoch : int
            Epochs from ``contrast_epochs`` on are of the second stage.
        generator : numpy.random.Generator
            Source of all randomness of the steps.

        Yields
        ------
        batch : WindowBatch
        """
        has_codes = self.module.codebook is not None and epoch >= self.options.contrast_epochs
        self._has_codes = has_codes
        for rows in self._draw_rows(generator):
            start = torch.from_numpy(self.starts[rows]).to(self._device)
            yield replace(
                self._source.cut(start),
                segment=self._segment[start],
                has_codes=has_codes,
                seed=int(generator.integers(1 << 62)),
            )

    def _draw_rows(self, generator: np.random.Generator) -> Iterator[np.ndarray]:
        n_left = self.options.steps_per_epoch
        if n_left is None:
            yield from draw_batches(len(self.starts), self.batch_size, generator)
            return
        while n_left:
            for rows in draw_batches(len(self.starts), self.batch_size, generator):
                yield rows
                n_left -= 1
                if not n_left:
                    return

    def count_rows(self, batch: WindowBatch) -> int:
        """Count the windows of a batch."""
        return len(batch.start)

    def take_rows(self, batch: WindowBatch, rows: slice) -> WindowBatch:
        """Take some windows of a batch."""
        return replace(
            batch,
            start=batch.start[rows],
            bold=batch.bold[rows],
            video=batch.video[rows],
            text=None if batch.text is None else batch.text[rows],
            recorded=None if batch.recorded is None else batch.recorded[rows],
            segment=None if batch.segment is None else batch.segment[rows],
        )

    def compute_outputs(self, batch: WindowBatch) -> tuple[torch.Tensor, ...]:
        """Tokens of every level, each (n_clips, n_modalities, n_steps, dimension)."""
        return self.module(batch.bold, batch.video, batch.text, batch.recorded)

    def compute_loss(self, batch: WindowBatch) -> torch.Tensor:
        """Loss of a batch, in fp32."""
        return self.compute_loss_of_outputs(self.compute_outputs(batch), batch)

    def compute_loss_of_outputs(
        self, outputs: tuple[torch.Tensor, ...], batch: WindowBatch
    ) -> torch.Tensor:
        """Loss of the tokens of a batch; also lets the codebook learn from them."""
        with torch.autocast(self._device.type, enabled=False):
            outputs = tuple(one.float() if one.dtype != torch.float64 else one for one in outputs)
            return self._compare(outputs, batch)

    def _compare(self, outputs: tuple[torch.Tensor, ...], batch: WindowBatch) -> torch.Tensor:
        options, network = self.options, self.module
        generator = torch.Generator().manual_seed(batch.seed)
        overlap = None
        if options.mask_overlap and batch.segment is not None:
            overlap = find_overlap(batch.segment, batch.start, options.window_trs)
        valids = [self._find_valid(level, batch) for level in network.list_levels()]
        scale = network.scale()
        loss = outputs[0].new_zeros(())
        for number, (token, valid) in enumerate(zip(outputs, valids, strict=True)):
            windows = [
                average_tokens(token[:, modality], valid if modality == 0 else None)
                for modality in range(token.shape[1])
            ]
            pairs = [(0, 1), (0, 2), (1, 2)] if len(windows) == 3 else [(0, 1)]
            contrast = torch.stack(
                [
                    compute_global_contrast(windows[first], windows[second], scale, overlap)
                    for first, second in pairs
                ]
            ).mean()
            loss = loss + contrast
            if len(network.predictions):
                by_modality = token.transpose(0, 1)
                moment = torch.randint(1, token.shape[2] - 1, (), generator=generator)
                predicted = network.predictions[number](
                    by_modality, moment, _expand_valid(valid, len(by_modality))
                )
                loss = loss + options.prediction_weight * predicted
        if len(outputs) > 1:
            joined, _ = network.embed(outputs, valids[-1])
            loss = loss + compute_global_contrast(joined[0], joined[1], scale, overlap)
        if batch.has_codes:
            loss = loss + self._compare_codes(outputs[-1], batch, valids[-1], generator)
        return loss

    def _find_valid(self, level: LevelEncoder, batch: WindowBatch) -> torch.Tensor | None:
        return None if batch.recorded is None else level.find_valid(batch.recorded)

    def _compare_codes(
        self,
        output: torch.Tensor,
        batch: WindowBatch,
        valid: torch.Tensor | None,
        generator: torch.Generator,
    ) -> torch.Tensor:
        options, network = self.options, self.module
        token = output.transpose(0, 1)
        codebook = network.codebook
        assert codebook is not None
        quantised: Quantised = codebook(token, valid, generator)
        loss = compute_commitment(
            quantised,
            options.commitment,
            token.shape[-1],
            valid,
            by_agreement=options.cross_commitment == "agreement",
        )
        if options.code_matching_weight:
            matching = compute_code_matching(
                quantised.squared_distance, _expand_valid(valid, len(token))
            )
            loss = loss + options.code_matching_weight * matching
        if network.reconstruction is not None:
            level = network.list_levels()[-1]
            inputs = [
                batch.bold[:, : token.shape[2], level.voxels],
                batch.video[..., level.features],
                *([] if batch.text is None else [batch.text]),
            ]
            order = torch.randperm(token.shape[1], generator=generator).to(token.device)
            loss = loss + network.reconstruction(
                inputs, token, codebook.look_up(quantised.code), order
            )
        return loss

    def validate(self) -> float:
        """Mean reciprocal rank of both directions on the validation windows.

        Returns
        -------
        score : float
            In [0, 1] in the second stage and for options without one; 1 less in the first stage,
            whose epochs must never be the best: their codebook does not exist yet.
        """
        window, _, code = embed_windows(
            self.module, self._validation_source, self.validation_starts, self._device
        )
        score = window[0] @ window[1].T
        codebook = self.module.codebook
        share = self.options.code_score_share
        if share and codebook is not None and self._has_codes and code is not None:
            vectors = torch.nn.functional.normalize(codebook.look_up(code), dim=-1)
            flat = vectors.flatten(2)
            score = (1 - share) * score + share * flat[0] @ flat[1].T / code.shape[2]
        rank = _average_reciprocal_rank(score)
        return rank if self._has_codes or codebook is None else rank - 1


def _expand_valid(valid: torch.Tensor | None, n_modalities: int) -> torch.Tensor | None:
    """BOLD has censored moments; what was shown is always known."""
    if valid is None:
        return None
    others = torch.ones_like(valid).expand(n_modalities - 1, -1, -1)
    return torch.cat([valid[None], others])


def _average_reciprocal_rank(score: torch.Tensor) -> float:
    own = score.diagonal()
    rows = (score >= own[:, None]).sum(1)
    columns = (score >= own[None, :]).sum(0)
    return float(0.5 * ((1 / rows).mean() + (1 / columns).mean()))
