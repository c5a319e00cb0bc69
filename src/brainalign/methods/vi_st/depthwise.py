"""Depthwise convolution over long windows of time with a fast gradient on CPUs.

The library's gradient of a depthwise 3-D convolution takes up to 25 times its forward pass on a
CPU. Here the gradient of the input is a forward convolution with the flipped kernel, and that of
the kernel comes from matrix products of frames with frames, summed along diagonals.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

SHORTEST_WINDOW = 5
"""Frames of the kernel from which the matrix products pay."""

_FRAMES_AT_ONCE = 32
"""Output frames of one product: more would multiply frames that lie further apart than a window."""


class _DepthwiseConvolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
    ) -> torch.Tensor:
        ctx.save_for_backward(hidden, weight)
        return functional.conv3d(hidden, weight, bias, groups=len(weight))

    @staticmethod
    def backward(
        ctx: Any, *gradients: torch.Tensor
    ) -> tuple[torch.Tensor | None, torch.Tensor, torch.Tensor]:
        hidden, weight = ctx.saved_tensors
        gradient = gradients[0]
        window, height, width = weight.shape[2:]
        passed = None
        if ctx.needs_input_grad[0]:
            border = (width - 1, width - 1, height - 1, height - 1, window - 1, window - 1)
            passed = functional.conv3d(
                functional.pad(gradient, border), weight.flip(2, 3, 4), groups=len(weight)
            )
        return (
            passed,
            _compute_kernel_gradient(hidden, gradient, weight),
            gradient.sum((0, 2, 3, 4)),
        )


def _compute_kernel_gradient(
    hidden: torch.Tensor, gradient: torch.Tensor, weight: torch.Tensor
) -> torch.Tensor:
    n_units, _, window, height, width = weight.shape
    n_frames, rows, columns = gradient.shape[2:]
    by_unit = hidden.permute(1, 2, 0, 3, 4).contiguous()
    gradient_by_unit = gradient.permute(1, 2, 0, 3, 4).flatten(2)
    kernel = torch.zeros_like(weight)
    step = _FRAMES_AT_ONCE if n_frames > 2 * _FRAMES_AT_ONCE else n_frames
    for row in range(height):
        for column in range(width):
            shifted = by_unit[..., row : row + rows, column : column + columns].flatten(2)
            for start in range(0, n_frames, step):
                length = min(step, n_frames - start)
                product = torch.bmm(
                    shifted[:, start : start + length + window - 1],
                    gradient_by_unit[:, start : start + length].transpose(1, 2),
                ).contiguous()
                # Entry (frame + tap, frame) belongs to the tap.
                diagonals = product.as_strided(
                    (n_units, window, length), (product.stride(0), length, length + 1)
                )
                kernel[:, 0, :, row, column] += diagonals.sum(2)
    return kernel


def convolve_depthwise(
    hidden: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    """Convolve each channel with its own kernel, without padding.

    Parameters
    ----------
    hidden : tensor of shape (n_clips, n_units, n_frames, y, x)
        Padded maps.
    weight : tensor of shape (n_units, 1, window, 3, 3)
        Kernels.
    bias : tensor of shape (n_units,)
        Added to each channel.

    Returns
    -------
    convolved : tensor of shape (n_clips, n_units, n_frames - window + 1, y - 2, x - 2)
        Equal to ``conv3d``; so is the gradient, up to rounding.
    """
    is_fast = (
        hidden.device.type == "cpu"
        and weight.shape[2] >= SHORTEST_WINDOW
        and not torch.is_autocast_enabled("cpu")
    )
    if is_fast and torch.is_grad_enabled():
        return _DepthwiseConvolution.apply(hidden, weight, bias)
    return functional.conv3d(hidden, weight, bias, groups=len(weight))
