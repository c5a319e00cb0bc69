"""One codebook for all modalities, learned by moving averages."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import nn

from brainalign.errors import InputError
from brainalign.methods.neuroalign.options import NeuroAlignOptions

_SMOOTHING = 1e-5
"""Added to the counts where a sum is divided by them (Laplace)."""

_STATISTICS_DECAY = 0.99
"""Forgetting of the running error and agreement per step."""

_SMALLEST_VARIANCE, _SMALLEST_DEVIATION = 1e-12, 1e-6
_JITTER = 1e-3
"""Spread of codes that start from one token, relative to the tokens' own."""


@dataclass(frozen=True)
class Quantised:
    """A batch of tokens against the codebook as it was before this batch.

    Attributes
    ----------
    squared_distance : tensor of shape (n_modalities, n_clips, n_steps, n_codes)
        With a gradient for the tokens.
    code : tensor of shape (n_modalities, n_clips, n_steps), int64
        Nearest codes.
    cross_weight : tensor of shape (n_modalities, n_clips, n_steps)
        Weight of the other modality (mean over them) in the update; 0 without one.
    """

    squared_distance: torch.Tensor
    code: torch.Tensor
    cross_weight: torch.Tensor


class SharedCodebook(nn.Module):
    """Codes that tokens of all modalities share.

    Parameters
    ----------
    n_modalities : int
        Two or more.
    options : NeuroAlignOptions
        Number of codes, kind of update and rules of dead codes.

    Notes
    -----
    ``mmema_seq`` is the update of Uni-Code's public code, one moving average per modality after
    the other with stored smoothed counts. ``mmema_sync`` and ``dynasync`` take one step of all
    modalities from one snapshot; the latter weighs the other modality per token by agreement and
    relative reliability. A dead code is put into the sums and counts, too, so that it stays where
    it was put. Nothing changes outside of training. All of it is in fp32 or wider.
    """

    code: torch.Tensor
    count: torch.Tensor
    total: torch.Tensor
    idle: torch.Tensor
    squared_error: torch.Tensor
    modality_weight: torch.Tensor
    agreement: torch.Tensor
    is_started: torch.Tensor

    def __init__(self, n_modalities: int, options: NeuroAlignOptions) -> None:
        super().__init__()
        if n_modalities < 2:
            raise InputError(
                "a shared codebook needs two modalities", where="neuroalign", found=n_modalities
            )
        self.options = options
        self.decay = options.choose_decay(n_modalities)
        n_codes, width = options.n_codes, options.dimension
        self.register_buffer("code", torch.zeros(n_codes, width))
        self.register_buffer("count", torch.ones(n_codes))
        self.register_buffer("total", torch.zeros(n_codes, width))
        self.register_buffer("idle", torch.zeros(n_modalities, n_codes, dtype=torch.int32))
        self.register_buffer("squared_error", torch.zeros(n_modalities))
        self.register_buffer("modality_weight", torch.ones(n_modalities))
        # Mean and SD over tokens of the cosine between the modalities.
        self.register_buffer("agreement", torch.zeros(2))
        self.register_buffer("is_started", torch.zeros((), dtype=torch.bool))

    def measure(self, token: torch.Tensor) -> torch.Tensor:
        """Squared distances of tokens to codes.

        Parameters
        ----------
        token : tensor of shape (..., dimension)
            Tokens.

        Returns
        -------
        squared_distance : tensor of shape (..., n_codes)
            With a gradient for the tokens; the codes are a snapshot, so that an update between
            forward and backward pass harms no gradient.
        """
        code = self.code.to(token.dtype).clone()
        flat = token.reshape(-1, token.shape[-1])
        squared = torch.addmm(code.square().sum(1), flat, code.T, alpha=-2.0)
        squared = squared.add_(flat.square().sum(1, keepdim=True))
        return squared.view(*token.shape[:-1], -1)

    def look_up(self, code: torch.Tensor) -> torch.Tensor:
        """Vectors of codes by their index, (..., dimension)."""
        return self.code[code]

    def forward(
        self,
        token: torch.Tensor,
        valid: torch.Tensor | None = None,
        generator: torch.Generator | None = None,
    ) -> Quantised:
        """Quantise a batch and, in training, learn from it.

        Parameters
        ----------
        token : tensor of shape (n_modalities, n_clips, n_steps, dimension)
            Aligned tokens.
        valid : tensor of shape (n_clips, n_steps), bool, optional
            Moments that the codebook may learn from.
        generator : torch.Generator, optional
            On the CPU; which tokens the first and the re-seeded codes start from.
        """
        with torch.autocast(token.device.type, enabled=False):
            token = token.float() if token.dtype in (torch.float16, torch.bfloat16) else token
            learns = self.training
            if learns and not bool(self.is_started):
                self._start(token.detach(), valid, generator)
            squared = self.measure(token)
            code = squared.detach().argmin(-1)
            cross_weight = torch.zeros_like(token[..., 0].detach())
            if learns:
                with torch.no_grad():
                    cross_weight = self._learn(token.detach(), squared, code, valid, generator)
            return Quantised(squared, code, cross_weight)

    @torch.no_grad()
    def _start(
        self,
        token: torch.Tensor,
        valid: torch.Tensor | None,
        generator: torch.Generator | None,
    ) -> None:
        """Put the codes onto random tokens of the first batch, with counts that fit."""
        flat = _flatten(token, valid)
        n_codes = len(self.code)
        order = torch.randperm(len(flat), generator=generator)[:n_codes].to(flat.device)
        chosen = flat[order]
        if len(flat) < n_codes:
            more = torch.randint(len(flat), (n_codes - len(flat),), generator=generator)
            noise = torch.randn(len(more), flat.shape[1], generator=generator).to(flat)
            repeated = flat[more.to(flat.device)] + _JITTER * flat.std() * noise
            chosen = torch.cat([chosen, repeated])
        self.code.copy_(chosen)
        self.count.fill_(len(flat) / n_codes)
        self.total.copy_(self.count[:, None] * self.code)
        self.is_started.fill_(True)

    def _learn(
        self,
        token: torch.Tensor,
        squared: torch.Tensor,
        code: torch.Tensor,
        valid: torch.Tensor | None,
        generator: torch.Generator | None,
    ) -> torch.Tensor:
        n_modalities, _, _, width = token.shape
        counted = torch.isfinite(token).all(-1).all(0)
        if valid is not None:
            counted = counted & valid
        weight = counted.flatten().to(self.code.dtype)
        # NaN times a weight of 0 would still be NaN.
        token = torch.where(counted[None, ..., None], token, 0)
        partner = self._find_partners(token, counted)
        error = torch.gather(squared, -1, code[..., None])[..., 0]
        error = torch.where(counted, error, 0)
        cross = self._weigh_partners(token, partner, error, weight)
        mixed = (1 - cross.sum(1))[..., None] * token
        for own, others in enumerate(partner):
            for place, other in enumerate(others):
                mixed[own].addcmul_(cross[own, place, ..., None], other)
        flat_code = code.flatten(1)
        if self.options.codebook == "mmema_seq":
            self._update_in_turn(mixed.view(n_modalities, -1, width), flat_code, weight)
        else:
            self._update_at_once(mixed.view(n_modalities, -1, width), flat_code, weight)
        self._replace_dead(token, counted, flat_code, generator)
        return cross.mean(1) if n_modalities > 1 else cross[:, 0]

    def _find_partners(
        self, token: torch.Tensor, counted: torch.Tensor
    ) -> list[list[torch.Tensor]]:
        """List what stands for each other modality, by modality, each (clip, step, dimension)."""
        others = _list_others(len(token))
        if self.options.partner == "aligned":
            return [[token[other] for other in row] for row in others]
        scale = math.sqrt(token.shape[-1])
        attended = []
        for own, row in zip(token, others, strict=True):
            score = own[None] @ token[row].transpose(-1, -2) / scale
            score = score.masked_fill(~counted[None, :, None, :], -math.inf)
            attended.append(list(torch.nan_to_num(score.softmax(-1)) @ token[row]))
        return attended

    def _weigh_partners(
        self,
        token: torch.Tensor,
        partner: list[list[torch.Tensor]],
        error: torch.Tensor,
        weight: torch.Tensor,
    ) -> torch.Tensor:
        """Weight of each other modality in each target, (n_modalities, n_others, clip, step)."""
        options, n_others = self.options, len(partner[0])
        shape = (len(token), n_others, *token.shape[1:3])
        mean_error = (error.flatten(1) * weight).sum(1) / weight.sum().clamp(min=1)
        if options.codebook == "own":
            return token.new_zeros(shape)
        if options.codebook in ("mmema_seq", "mmema_sync"):
            return token.new_full(shape, 0.5 / n_others)
        self._track(self.squared_error, mean_error)
        agreement = _measure_agreement(token, partner)
        share = weight.view(shape[2:]) / (weight.sum().clamp(min=1) * shape[0] * n_others)
        mean = (agreement * share).sum()
        deviation = ((agreement - mean).square() * share).sum().sqrt()
        self._track(self.agreement, torch.stack([mean, deviation]))
        low, high = options.cross_weights
        centred = (agreement - self.agreement[0]) / (self.agreement[1] + _SMALLEST_DEVIATION)
        cross = low + (high - low) * centred.sigmoid()
        if options.use_reliability:
            spread = 2 * self.squared_error.clamp(min=_SMALLEST_VARIANCE)
            reliability = (-error / spread[:, None, None]).exp()
            other = torch.stack([reliability[row] for row in _list_others(len(token))])
            ratio = 2 * other / (reliability[:, None] + other).clamp(min=_SMALLEST_VARIANCE)
            cross = (cross * ratio).clamp(0, high)
        return cross / n_others

    def _track(self, running: torch.Tensor, value: torch.Tensor) -> None:
        """Move a running average, which starts at its first value."""
        first = (running == 0).all()
        moved = _STATISTICS_DECAY * running + (1 - _STATISTICS_DECAY) * value
        running.copy_(torch.where(first, value.to(running), moved.to(running)))

    def _update_at_once(
        self, target: torch.Tensor, code: torch.Tensor, weight: torch.Tensor
    ) -> None:
        importance = self._weigh_modalities(len(target))
        factor = (importance[:, None] * weight).flatten()
        self.count.mul_(self.decay)
        self.total.mul_(self.decay)
        own = (1 - self.decay) * factor
        self.count.index_add_(0, code.flatten(), own)
        self.total.index_add_(0, code.flatten(), own[:, None] * target.flatten(0, 1))
        self.code.copy_(self.total / self._smooth_counts()[:, None])

    def _weigh_modalities(self, n_modalities: int) -> torch.Tensor:
        temperature = self.options.modality_temperature
        if temperature is None or self.options.codebook != "dynasync":
            return self.modality_weight
        weight = n_modalities * (-self.squared_error / temperature).softmax(0)
        self._track(self.modality_weight, weight)
        return self.modality_weight

    def _update_in_turn(
        self, target: torch.Tensor, code: torch.Tensor, weight: torch.Tensor
    ) -> None:
        own = (1 - self.decay) * weight
        for one, index in zip(target, code, strict=True):
            self.count.mul_(self.decay).index_add_(0, index, own)
            # The public code keeps the smoothed counts.
            self.count.copy_(self._smooth_counts())
            self.total.mul_(self.decay).index_add_(0, index, own[:, None] * one)
            self.code.copy_(self.total / self.count[:, None])

    def _smooth_counts(self) -> torch.Tensor:
        n_tokens = self.count.sum()
        return (self.count + _SMOOTHING) / (n_tokens + len(self.count) * _SMOOTHING) * n_tokens

    def _replace_dead(
        self,
        token: torch.Tensor,
        counted: torch.Tensor,
        code: torch.Tensor,
        generator: torch.Generator | None,
    ) -> None:
        n_uses = torch.zeros_like(self.idle)
        n_uses.scatter_add_(1, code, counted.flatten().to(n_uses).expand_as(code))
        self.idle.copy_(torch.where(n_uses > 0, 0, self.idle + 1))
        if self.options.dead_when == "never":
            return
        late = self.idle > self.options.dead_after_steps
        dead = late.any(0) if self.options.dead_when == "any" else late.all(0)
        # The middle of the modalities at random moments: a code that all of them are near to.
        moments = torch.nonzero(counted.flatten())[:, 0]
        if not len(moments):
            return
        place = torch.randint(len(moments), (len(dead),), generator=generator)
        count = self.count.mean()
        chosen = token.flatten(1, 2)[:, moments[place.to(moments.device)]].mean(0).to(self.code)
        self.code.copy_(torch.where(dead[:, None], chosen, self.code))
        self.count.copy_(torch.where(dead, count, self.count))
        # Into the sums as well: the next update divides them by the counts.
        self.total.copy_(torch.where(dead[:, None], count * chosen, self.total))
        self.idle.copy_(torch.where(dead, 0, self.idle))


def compute_commitment(
    quantised: Quantised,
    weight: float,
    width: int,
    valid: torch.Tensor | None = None,
    by_agreement: bool = False,
) -> torch.Tensor:
    """Draw tokens towards their own code and towards those of the other modalities.

    Parameters
    ----------
    quantised : Quantised
        Distances and codes.
    weight : float
        Weight beta; half of it for the other modalities.
    width : int
        Dimension of the tokens: losses are means over it.
    valid : tensor of shape (n_clips, n_steps), bool, optional
        Moments that count.
    by_agreement : bool
        Multiply the part of the others by the cross weights.

    Returns
    -------
    loss : tensor of shape ()
        Sum over modalities of ``beta |z - e|² + beta / 2 sum |z - e'|²``, means over moments and
        dimensions; Xia et al. (2023), equation 8.
    """
    own, cross = measure_code_errors(quantised)
    factor = 0.5 * weight * (quantised.cross_weight[:, None] if by_agreement else 1.0)
    error = weight * own + (factor * cross).sum(1)
    if valid is None:
        return error.mean((1, 2)).sum() / width
    kept = valid.to(error.dtype)
    return (error * kept).sum() / kept.sum().clamp(min=1) / width


def measure_code_errors(quantised: Quantised) -> tuple[torch.Tensor, torch.Tensor]:
    """Squared distances to the own code and to those of the other modalities.

    Returns
    -------
    own : tensor of shape (n_modalities, n_clips, n_steps)
    cross : tensor of shape (n_modalities, n_others, n_clips, n_steps)
        Read from the distances to all codes, which code matching needs anyway.
    """
    squared, code = quantised.squared_distance, quantised.code
    n_modalities = len(code)
    # One look-up for all pairs: the gradient of each is as large as the table.
    chosen = code.movedim(0, -1).expand(n_modalities, -1, -1, -1)
    error = torch.gather(squared, -1, chosen).movedim(-1, 1)
    own = error.diagonal(dim1=0, dim2=1).movedim(-1, 0)
    others = torch.tensor(_list_others(n_modalities), device=code.device)
    rows = torch.arange(n_modalities, device=code.device)[:, None]
    return own, error[rows, others]


def _measure_agreement(token: torch.Tensor, partner: list[list[torch.Tensor]]) -> torch.Tensor:
    """Cosine of each token with what stands for each other modality, (modality, other, …)."""
    length = token.norm(dim=-1).clamp(min=_SMALLEST_DEVIATION)
    return torch.stack(
        [
            torch.stack(
                [
                    torch.linalg.vecdot(one, other)
                    / (own * other.norm(dim=-1).clamp(min=_SMALLEST_DEVIATION))
                    for other in others
                ]
            )
            for one, own, others in zip(token, length, partner, strict=True)
        ]
    )


def _list_others(n_modalities: int) -> list[list[int]]:
    return [[one for one in range(n_modalities) if one != own] for own in range(n_modalities)]


def _flatten(token: torch.Tensor, valid: torch.Tensor | None) -> torch.Tensor:
    flat = token.flatten(0, 2)
    keep = torch.isfinite(flat).all(1)
    if valid is not None:
        keep = keep & valid.expand(len(token), -1, -1).flatten()
    flat = flat[keep]
    if not len(flat):
        raise InputError("no token to start the codebook from", where="neuroalign")
    return flat
