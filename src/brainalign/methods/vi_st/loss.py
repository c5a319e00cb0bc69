"""The loss of Vi-ST, also for recordings with gaps."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from brainalign.errors import InputError
from brainalign.methods.vi_st.soft_dtw import compute_soft_dtw_divergence

RMSE_WEIGHT, NEGATIVITY_WEIGHT, DTW_WEIGHT = 0.1, 0.5, 0.5e-5
"""Published weights; they balance for rates in Hz only."""

GAMMA = 0.1
"""Smoothing of soft-DTW, in Hz squared."""

SHORTEST_CLIP = 40
"""Frames below which the published rule leaves a window without a hop."""

# The gradient of a square root at zero would be 0/0.
_ROOT_GUARD = 1e-12


def choose_windows(n_frames: int) -> tuple[int, int]:
    """Choose the windows of the soft-DTW terms by the published rule.

    Parameters
    ----------
    n_frames : int
        Frames of a clip.

    Returns
    -------
    windows : tuple of int
        A twentieth and a tenth of the clip; losses of clips of other lengths do not compare.

    Raises
    ------
    InputError
        The clip has fewer than 40 frames.
    """
    if n_frames < SHORTEST_CLIP:
        raise InputError(
            "the clip is too short for windows by rule",
            where="vi_st loss",
            expected=f"{SHORTEST_CLIP} frames or more",
            found=n_frames,
            remedy="Give dtw_windows in frames or train on longer clips.",
        )
    return n_frames // 20, n_frames // 10


def find_windows(n_frames: int, window: int, stretch: torch.Tensor | None) -> torch.Tensor:
    """Find where windows start.

    Parameters
    ----------
    n_frames : int
        Frames of a clip.
    window : int
        Frames of a window; the hop is half of it.
    stretch : tensor of shape (n_clips, n_frames), int64, optional
        Number of the recorded stretch of each frame, -1 where nothing was recorded. None: all
        frames of all clips are recorded without a gap.

    Returns
    -------
    starts : tensor of shape (n_windows,) or (n_windows, 2)
        Without stretches the starts in every clip, strictly below ``n_frames - window`` as
        published; else clip and start of each window, which lies within one stretch.
    """
    hop = max(1, window // 2)
    if stretch is None:
        return torch.arange(0, n_frames - window, hop)
    if window > n_frames:
        return torch.empty((0, 2), dtype=torch.int64, device=stretch.device)
    frame = torch.arange(n_frames, device=stretch.device).expand_as(stretch)
    is_first = torch.ones_like(stretch, dtype=torch.bool)
    is_first[:, 1:] = stretch[:, 1:] != stretch[:, :-1]
    begin = torch.where(is_first, frame, 0).cummax(1).values
    last = n_frames - window + 1
    is_one_stretch = begin[:, window - 1 :] <= frame[:, :last]
    due = (frame - begin)[:, :last] % hop == 0
    return torch.nonzero(is_one_stretch & due & (stretch[:, :last] >= 0))


def cut_windows(trace: torch.Tensor, starts: torch.Tensor, window: int) -> torch.Tensor:
    """Cut windows out of clips.

    Parameters
    ----------
    trace : tensor of shape (n_clips, n_frames, n_units)
        Rates.
    starts : tensor
        From :func:`find_windows`.
    window : int
        Frames of a window.

    Returns
    -------
    windows : tensor of shape (n, window, n_units)
        Windows of all clips.
    """
    offset = torch.arange(window, device=trace.device)
    if starts.ndim == 1:
        frames = starts.to(trace.device)[:, None] + offset
        return trace[:, frames].flatten(0, 1)
    return trace[starts[:, :1], starts[:, 1:] + offset]


def compute_loss(
    prediction: torch.Tensor,
    target: torch.Tensor,
    stretch: torch.Tensor | None = None,
    dtw_windows: Sequence[int] | None = None,
    kind: str = "vist",
) -> torch.Tensor:
    """Root mean square error, negativity and soft-DTW divergence over two windows.

    Parameters
    ----------
    prediction : tensor of shape (n_clips, n_units, n_frames)
        Predicted rates in Hz.
    target : tensor of shape (n_clips, n_frames, n_units)
        Recorded mean rates in Hz; anything finite where nothing was recorded.
    stretch : tensor of shape (n_clips, n_frames), int64, optional
        Number of the recorded stretch of each frame, -1 outside: such frames have no weight,
        and no window crosses the border of a stretch.
    dtw_windows : sequence of int, optional
        Frames of the windows; by rule where None.
    kind : {"vist", "rmse"}
        ``rmse`` is the first term only.

    Returns
    -------
    loss : tensor of shape ()
        In float64.

    Raises
    ------
    InputError
        The clip is too short for windows by rule.
    """
    # Autocast would multiply the costs in bf16.
    with torch.autocast(prediction.device.type, enabled=False):
        predicted, recorded = prediction.transpose(1, 2).double(), target.double()
        if stretch is None:
            weight = torch.ones((), dtype=torch.float64, device=predicted.device)
            share = weight / predicted.numel()
        else:
            weight = (stretch >= 0).double().unsqueeze(2)
            share = 1.0 / (weight.sum() * predicted.shape[2]).clamp(min=1.0)
        squared = ((predicted - recorded).square() * weight).sum() * share
        loss = RMSE_WEIGHT * torch.sqrt(squared + _ROOT_GUARD)
        if kind == "rmse":
            return loss
        loss = loss + NEGATIVITY_WEIGHT * (torch.relu(-predicted) * weight).sum() * share
        n_frames = predicted.shape[1]
        for window in dtw_windows if dtw_windows is not None else choose_windows(n_frames):
            starts = find_windows(n_frames, window, stretch)
            if len(starts):
                divergence = compute_soft_dtw_divergence(
                    cut_windows(predicted, starts, window),
                    cut_windows(recorded, starts, window),
                    GAMMA,
                )
                loss = loss + DTW_WEIGHT * divergence.mean()
        return loss
