"""Training of Vi-ST on clips."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from brainalign.errors import InputError
from brainalign.methods.movies.arrays import RateTargets
from brainalign.methods.movies.base import correlate_columns
from brainalign.methods.vi_st.loss import compute_loss
from brainalign.methods.vi_st.network import ViSTNetwork, count_field
from brainalign.methods.vi_st.options import ViSTOptions
from brainalign.training.batches import draw_batches
from brainalign.training.checkpoint import digest_content

PREDICTED_AT_ONCE = 512
"""Frames of one forward pass of a long movie; bounds memory, changes no prediction."""


@dataclass(frozen=True)
class ClipBatch:
    """Clips of one step.

    Attributes
    ----------
    frame : tensor of shape (n_distinct,), int64
        Distinct frames of the clips.
    position : tensor of shape (n_clips, n_frames), int64
        Where each frame of each clip lies among them.
    stretch : tensor of shape (n_clips, n_frames), int64, or None
        Recorded stretch of each frame; None where all clips are recorded without a gap.
    """

    frame: torch.Tensor
    position: torch.Tensor
    stretch: torch.Tensor | None


class ViSTTask:
    """Clips of the training split; the score is the mean correlation on the validation split.

    All tokens lie on the device and clips are gathered there. A clip may hold frames of other
    splits as context; they have no weight in the loss.

    Parameters
    ----------
    network : ViSTNetwork
        What is trained.
    options : ViSTOptions
        Clips, batches and loss.
    token : array of shape (n_frames, n_patches, n_dimensions)
        Tokens of all frames.
    spans : list of slice
        Rows of each movie.
    rf : array of shape (n_units, grid, grid), float32
        Receptive fields.
    training, validation : RateTargets
        Rates of both splits.

    Raises
    ------
    InputError
        No movie is as long as a clip, or a split holds no recorded frame.
    """

    def __init__(
        self,
        network: ViSTNetwork,
        options: ViSTOptions,
        token: np.ndarray,
        spans: list[slice],
        rf: np.ndarray,
        training: RateTargets,
        validation: RateTargets,
    ) -> None:
        self.module, self.options = network, options
        self.token, self.spans, self.rf = token, spans, rf
        self.training, self.validation = training, validation
        for name, targets in (("training", training), ("validation", validation)):
            if not len(targets.frames):
                raise InputError(f"the {name} split holds no recorded frame", where="vi_st")
        self.starts = find_clip_starts(
            training.stretch, spans, options.clip_frames, options.warmup_frames
        )
        self.n_stimuli = len(self.starts)
        self.undecayed_parameters = frozenset(
            name
            for name, parameter in network.named_parameters()
            if not options.decay_all and parameter.ndim == 1
        )

    def prepare(self, device: torch.device) -> None:
        """Move module and data to the device; all tokens must fit into its memory."""
        self.module.to(device)
        self._device = device
        self._token = torch.from_numpy(np.ascontiguousarray(self.token)).to(device)
        self._rf = torch.from_numpy(self.rf)[None].to(device)
        self._rate = torch.from_numpy(self.training.rate).to(device)

    def fingerprint(self) -> str:
        """Digest of options and data."""
        options = self.options.model_dump(mode="json", exclude={"checkpoint_every"})
        parts = [self.token, self.rf]
        for targets in (self.training, self.validation):
            parts += [targets.rate, targets.stretch]
        return digest_content(["vi_st", options, *parts])

    def iterate_batches(self, epoch: int, generator: np.random.Generator) -> Iterator[ClipBatch]:
        """Yield clips at random starts, none twice before all had their turn.

        Parameters
        ----------
        epoch : int
            Not used: the generator is another one in each epoch.
        generator : numpy.random.Generator
            Source of the order.

        Yields
        ------
        batch : ClipBatch
            ``steps_per_epoch`` of them.
        """
        batch_size = min(self.options.batch_size, len(self.starts))
        n_left = self.options.steps_per_epoch
        while n_left:
            for rows in draw_batches(len(self.starts), batch_size, generator):
                yield self._cut_clips(self.starts[rows])
                n_left -= 1
                if not n_left:
                    return

    def _cut_clips(self, starts: np.ndarray) -> ClipBatch:
        warmup = self.options.warmup_frames
        rows = starts[:, None] + np.arange(-warmup, self.options.clip_frames)
        frame, position = np.unique(rows, return_inverse=True)
        stretch = self.training.stretch[rows[:, warmup:]]
        # One stretch from end to end: the published windows apply.
        is_whole = bool((stretch == stretch[:, :1]).all() and (stretch >= 0).all())
        return ClipBatch(
            torch.from_numpy(frame).to(self._device),
            torch.from_numpy(position.reshape(rows.shape)).to(self._device),
            None if is_whole else torch.from_numpy(stretch).to(self._device),
        )

    def compute_loss(self, batch: ClipBatch) -> torch.Tensor:
        """Loss of some clips, in float64."""
        token = self._token[batch.frame]
        # Half-precision tokens save memory; the network computes in its own precision.
        token = token.to(self.module.head.weight.dtype)
        predicted = self.module.forward_shared(token, batch.position, self._rf)
        warmup = self.options.warmup_frames
        return compute_loss(
            predicted[:, :, warmup:],
            self._rate[batch.frame][batch.position[:, warmup:]],
            batch.stretch,
            self.options.dtw_windows,
            self.options.loss,
        )

    def validate(self) -> float:
        """Mean over cells of the correlation on the validation frames.

        Returns
        -------
        score : float
            Cells with a constant rate are left out; -1 where no prediction varies yet.
        """
        frames = self.validation.frames
        predicted = []
        for span in self.spans:
            inside = frames[(frames >= span.start) & (frames < span.stop)]
            if len(inside):
                wanted = slice(int(inside[0]), int(inside[-1]) + 1)
                rate = predict_frames(self.module, self._token, self._rf, span, wanted)
                predicted.append(rate[torch.from_numpy(inside - wanted.start)])
        recorded = self.validation.rate[frames]
        correlation = correlate_columns(torch.cat(predicted).numpy(), recorded)
        return float(np.nanmean(correlation)) if np.isfinite(correlation).any() else -1.0


def find_clip_starts(
    stretch: np.ndarray, spans: list[slice], clip_frames: int, warmup_frames: int
) -> np.ndarray:
    """Find where clips may start.

    Parameters
    ----------
    stretch : array of shape (n_frames,)
        Recorded stretch of each frame, -1 outside.
    spans : list of slice
        Rows of each movie; no clip crosses their borders.
    clip_frames, warmup_frames : int
        Frames that are judged, and earlier ones that are fed.

    Returns
    -------
    starts : array of shape (n_starts,), int64
        First judged frame of each clip. Clips with less than half as many recorded frames as
        the best one are left out.

    Raises
    ------
    InputError
        No movie is long enough.
    """
    candidates = [
        np.arange(span.start + warmup_frames, span.stop - clip_frames + 1) for span in spans
    ]
    starts = np.concatenate(candidates) if candidates else np.empty(0, np.int64)
    if not len(starts):
        longest = max((span.stop - span.start for span in spans), default=0)
        raise InputError(
            "no movie is as long as a training clip",
            where="vi_st",
            expected=f"{clip_frames + warmup_frames} frames or more",
            found=f"{longest} frames in the longest movie",
            remedy="Lower clip_frames or warmup_frames.",
        )
    total = np.concatenate([[0], np.cumsum(stretch >= 0)])
    n_recorded = total[starts + clip_frames] - total[starts]
    return starts[(n_recorded > 0) & (2 * n_recorded >= n_recorded.max())]


def predict_frames(
    network: ViSTNetwork, token: torch.Tensor, rf: torch.Tensor, movie: slice, wanted: slice
) -> torch.Tensor:
    """Predict some frames of a movie with all of their history.

    Parameters
    ----------
    network : ViSTNetwork
        In eval mode.
    token : tensor of shape (n_frames, n_patches, n_dimensions)
        All frames.
    rf : tensor of shape (1, n_units, grid, grid)
        Receptive fields.
    movie : slice
        Rows of the movie.
    wanted : slice
        Rows to predict, within the movie.

    Returns
    -------
    rate : tensor of shape (n_wanted, n_units)
        In Hz, float32 on the CPU; independent of how the movie is cut.
    """
    reach = count_field(network.options) - 1
    before, after = (reach, 0) if network.options.causal else (reach // 2, reach // 2)
    predicted = []
    for start in range(wanted.start, wanted.stop, PREDICTED_AT_ONCE):
        stop = min(start + PREDICTED_AT_ONCE, wanted.stop)
        first, last = max(movie.start, start - before), min(movie.stop, stop + after)
        clip = token[first:last][None].to(network.head.weight.dtype)
        rate = network(clip, rf)[0, :, start - first : stop - first]
        predicted.append(rate.T.float().cpu())
    return torch.cat(predicted)
