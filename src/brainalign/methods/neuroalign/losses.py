"""Losses of NeuroAlign: global contrast, prediction across modalities, code matching."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from brainalign.methods.neuroalign.options import NeuroAlignOptions
from brainalign.methods.vna.losses import LogitScale

INITIAL_SCALE = 1 / 0.07
"""Factor on cosines before training, as in CLIP (Radford et al. 2021)."""


def average_tokens(token: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
    """Reduce windows to unit vectors, the direction of their mean token.

    Parameters
    ----------
    token : tensor of shape (n_clips, n_steps, dimension)
        Tokens.
    valid : tensor of shape (n_clips, n_steps), bool, optional
        Tokens that count.

    Returns
    -------
    embedding : tensor of shape (n_clips, dimension)
    """
    if valid is not None:
        token = token * valid[..., None].to(token.dtype)
    return functional.normalize(token.sum(1), dim=-1)


def find_overlap(segment: torch.Tensor, start: torch.Tensor, n_trs: int) -> torch.Tensor:
    """Find pairs of windows that share TRs.

    Parameters
    ----------
    segment, start : tensor of shape (n_clips,), int64
        Segment and first TR of each window.
    n_trs : int
        Length of a window.

    Returns
    -------
    overlap : tensor of shape (n_clips, n_clips), bool
        False on the diagonal.
    """
    near = (start[:, None] - start[None, :]).abs() < n_trs
    overlap = (segment[:, None] == segment[None, :]) & near
    return overlap & ~torch.eye(len(start), dtype=torch.bool, device=start.device)


def compute_global_contrast(
    first: torch.Tensor,
    second: torch.Tensor,
    scale: torch.Tensor | float,
    overlap: torch.Tensor | None = None,
) -> torch.Tensor:
    """Symmetric InfoNCE over the windows of a batch.

    Parameters
    ----------
    first, second : tensor of shape (n_clips, dimension)
        Unit vectors of two modalities.
    scale : tensor of shape () or float
        Factor on the cosines.
    overlap : tensor of shape (n_clips, n_clips), bool, optional
        Pairs that are no negatives.

    Returns
    -------
    loss : tensor of shape ()
        Mean of both directions.
    """
    with torch.autocast(first.device.type, enabled=False):
        logits = scale * _widen(first) @ _widen(second).T
        if overlap is not None:
            logits = logits.masked_fill(overlap, -math.inf)
        target = torch.arange(len(logits), device=logits.device)
        return 0.5 * (
            functional.cross_entropy(logits, target) + functional.cross_entropy(logits.T, target)
        )


class CrossPrediction(nn.Module):
    """Predict the coming tokens of every modality from the past of every modality.

    Parameters
    ----------
    n_modalities : int
        Number of modalities.
    options : NeuroAlignOptions
        Kind, steps, weights and width.

    Notes
    -----
    Cross-CPC of Xia et al. (2023), equation 6. ``released`` is what their public code computes: two
    layers of LSTM, one step from one moment, products without normalisation, and a softmax over
    the predictions for each true future. ``recommended`` runs one layer once, predicts from all
    moments but the first, takes cosines with a learned scale, and averages both softmax directions.
    """

    def __init__(self, n_modalities: int, options: NeuroAlignOptions) -> None:
        super().__init__()
        width = options.dimension
        self.is_released = options.prediction == "released"
        self.n_steps = 1 if self.is_released else options.prediction_steps
        self.self_weight = options.self_prediction_weight
        self.contrasts_moments = options.prediction_negatives == "moments"
        self.memories = nn.ModuleList(
            nn.LSTM(width, width, num_layers=2 if self.is_released else 1, batch_first=True)
            for _ in range(n_modalities)
        )
        # One per modality and step, modality after modality.
        self.predictors = nn.ModuleList(
            nn.Linear(width, width) for _ in range(n_modalities * self.n_steps)
        )
        self.scale = LogitScale(INITIAL_SCALE)

    def forward(
        self,
        token: torch.Tensor,
        moment: torch.Tensor | None = None,
        valid: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Loss of a batch.

        Parameters
        ----------
        token : tensor of shape (n_modalities, n_clips, n_steps, dimension)
            Tokens.
        moment : tensor of shape (), int64, optional
            The one moment that ``released`` predicts from.
        valid : tensor of shape (n_modalities, n_clips, n_steps), bool, optional
            Tokens that count, as context's end and as future.

        Returns
        -------
        loss : tensor of shape ()
            Sum over ordered pairs of modalities, own ones weighted.
        """
        # In fp32 always: the products of a batch decide by small differences.
        with torch.autocast(token.device.type, enabled=False):
            token = _widen(token)
            if self.is_released:
                if moment is None:
                    moment = torch.randint(1, token.shape[2] - 1, ())
                # Of the one moment that is predicted from, nothing later is remembered.
                now = int(moment)
                past = self._remember(token[:, :, : now + 1])[:, :, -1]
                return self._predict_released(past, token[:, :, now + 1])
            return self._predict_all(token, self._remember(token), valid)

    def _remember(self, token: torch.Tensor) -> torch.Tensor:
        parts = zip(self.memories, token, strict=True)
        return torch.stack([memory(one)[0] for memory, one in parts])

    def _predict_released(self, past: torch.Tensor, future: torch.Tensor) -> torch.Tensor:
        loss = past.new_zeros(())
        target = torch.arange(past.shape[1], device=past.device)
        for source, predictor in enumerate(self.predictors):
            predicted = predictor(past[source])
            for sink, coming in enumerate(future):
                weight = self.self_weight if source == sink else 1.0
                loss = loss + weight * functional.cross_entropy(coming @ predicted.T, target)
        return loss

    def _predict_all(
        self, token: torch.Tensor, context: torch.Tensor, valid: torch.Tensor | None
    ) -> torch.Tensor:
        unit = functional.normalize(token, dim=-1)
        scale, n_modalities, n_times = self.scale(), len(token), token.shape[2]
        weight = torch.ones(n_modalities, n_modalities, dtype=token.dtype, device=token.device)
        weight.fill_diagonal_(self.self_weight)
        loss = token.new_zeros(())
        for step in range(1, self.n_steps + 1):
            past = context[:, :, 1 : n_times - step]
            predictors = [self.predictors[n * self.n_steps + step - 1] for n in range(n_modalities)]
            parts = zip(predictors, past, strict=True)
            predicted = torch.stack([predictor(one) for predictor, one in parts])
            predicted = scale * functional.normalize(predicted, dim=-1)
            counted = None
            if valid is not None:
                counted = valid[:, None, :, 1 : n_times - step] & valid[None, :, :, step + 1 :]
                counted = counted.transpose(2, 3)
            loss = loss + (weight * self._contrast(predicted, unit, step, counted)).sum()
        return loss / self.n_steps

    def _contrast(
        self,
        predicted: torch.Tensor,
        unit: torch.Tensor,
        step: int,
        counted: torch.Tensor | None,
    ) -> torch.Tensor:
        """Contrast predictions with what came, over clips and, where asked, over moments.

        Gives the loss of each pair of modalities, (n_modalities, n_modalities), sources first.
        """
        # Pairs and times first, so that one product serves all of them.
        logits = predicted.transpose(1, 2)[:, None] @ unit[None, :, :, step + 1 :].permute(
            0, 1, 3, 4, 2
        )
        moments = None
        if self.contrasts_moments:
            moments = predicted[:, None] @ unit[None].transpose(3, 4)
            n_predicted, n_times = moments.shape[3:]
            place = torch.arange(n_predicted, device=unit.device)
            # The true moment stands among the clips already.
            is_true = place[:, None] + step + 1 == torch.arange(n_times, device=unit.device)
            moments = moments.masked_fill(is_true, -math.inf).logsumexp(4).transpose(2, 3)
        return _contrast_diagonals(logits, counted, moments)


def _contrast_diagonals(
    logits: torch.Tensor, counted: torch.Tensor | None, moments: torch.Tensor | None
) -> torch.Tensor:
    """Average over moments and both directions; clips that do not count are no candidates.

    Parameters
    ----------
    logits : tensor of shape (..., n_moments, n_clips, n_clips)
        Predictions by rows.
    counted : tensor of shape (..., n_moments, n_clips), bool, or None
        None: all.
    moments : tensor of shape (..., n_moments, n_clips), or None
        Logsumexp over the other moments of the own clip, which join the candidates of a row.
    """
    if counted is not None:
        off = ~counted
        logits = logits.masked_fill(off[..., :, None] | off[..., None, :], -math.inf)
        # A row without any candidate would be 0/0; its diagonal is left and it has no weight.
        logits = torch.where(torch.diag_embed(off), torch.zeros_like(logits), logits)
    diagonal = logits.diagonal(dim1=-2, dim2=-1)
    rows = logits.logsumexp(-1)
    if moments is not None:
        rows = torch.logaddexp(rows, moments)
    loss = 0.5 * (rows + logits.logsumexp(-2)) - diagonal
    if counted is None:
        return loss.mean((-2, -1))
    return (loss * counted).sum((-2, -1)) / counted.sum((-2, -1)).clamp(min=1)


def compute_code_matching(
    squared_distance: torch.Tensor,
    valid: torch.Tensor | None = None,
    both_directions: bool = True,
) -> torch.Tensor:
    """Cross-modal code matching: windows of both modalities use the codes alike.

    Parameters
    ----------
    squared_distance : tensor of shape (n_modalities, n_clips, n_steps, n_codes)
        Of every token to every code.
    valid : tensor of shape (n_modalities, n_clips, n_steps), bool, optional
        Tokens that count.
    both_directions : bool
        Mean of the softmax over rows and over columns; false: rows only, as in the public code.

    Returns
    -------
    loss : tensor of shape ()
        Sum over pairs of modalities.

    Notes
    -----
    Liu et al. (2022); form of Xia et al. (2023): codes by softmax of minus the distance, mean over
    the window, ``S = p log q' + q log p'`` for modalities p and q and windows with and without a
    prime, cross-entropy to the diagonal.
    """
    if valid is None:
        weight = torch.full_like(squared_distance[..., 0], 1 / squared_distance.shape[2])
    else:
        weight = valid.to(squared_distance.dtype)
        weight = weight / weight.sum(2, keepdim=True).clamp(min=1)
    share = _CodeShares.apply(squared_distance, weight)
    logarithm = (share + _LOG_GUARD).log()
    target = torch.arange(share.shape[1], device=share.device)
    loss = share.new_zeros(())
    for first, second in itertools.combinations(range(len(share)), 2):
        score = share[first] @ logarithm[second].T + share[second] @ logarithm[first].T
        rows = functional.cross_entropy(score, target)
        if both_directions:
            rows = 0.5 * (rows + functional.cross_entropy(score.T, target))
        loss = loss + rows
    return loss


class _CodeShares(torch.autograd.Function):
    """Mean over a window of the softmax over codes of minus the distance.

    The table of all tokens and codes is larger than a processor's caches: written out, its
    gradient takes a third of the passes over it that the composed operations would take.
    """

    @staticmethod
    def forward(ctx: Any, squared: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        """Shares of codes by window, (n_modalities, n_clips, n_codes)."""
        nearness = squared.clamp(min=_SMALLEST_SQUARE).sqrt_().neg_()
        share = nearness.softmax(-1)
        ctx.save_for_backward(nearness, share, weight)
        return (weight[..., None, :] @ share)[..., 0, :]

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Gradient for the squared distances; 0 where a token lies on a code."""
        nearness, share, weight = ctx.saved_tensors
        gradient = gradients[0][..., None, :]
        mean = (share * gradient).sum(-1, keepdim=True)
        # Of the root: 1 / (2 distance), and the sign of the nearness.
        squared = (gradient - mean).mul_(share).mul_(0.5 * weight[..., None]).div_(nearness)
        return squared.masked_fill_(nearness >= -math.sqrt(_SMALLEST_SQUARE), 0), None


_SMALLEST_SQUARE = 1e-12
"""Below it the gradient of a root is infinite."""

_LOG_GUARD = 1e-10


def _widen(values: torch.Tensor) -> torch.Tensor:
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
