"""Soft-DTW divergence of many pairs of short trajectories at once, on any device.

Cuturi and Blondel (ICML 2017); the divergence: Blondel, Mensch and Vert (AISTATS 2021). The
recursion runs over anti-diagonals, whose cells are independent, for all pairs together.
"""

from __future__ import annotations

from typing import Any

import torch


class _SoftDTW(torch.autograd.Function):
    """Soft-DTW of cost matrices; the gradient is the expected alignment."""

    @staticmethod
    def forward(ctx: Any, cost: torch.Tensor, gamma: float) -> torch.Tensor:
        n_pairs, rows, columns = cost.shape
        skewed = _skew(cost)
        n_diagonals = rows + columns - 1
        keep = cost.requires_grad
        weights = cost.new_empty((n_diagonals, 3, rows, n_pairs)) if keep else None
        infinite = cost.new_full((rows + 1, n_pairs), torch.inf)
        before_last, last = infinite.clone(), infinite.clone()
        # Row 0 is the border above the table; the path enters at its corner.
        before_last[0] = 0.0
        for diagonal in range(n_diagonals):
            # Of each cell: the one above, the one to the left, the one above and to the left.
            candidates = torch.stack((last[:-1], last[1:], before_last[:-1]))
            smallest = candidates.amin(0)
            # Outside the table all three are infinite, and infinity less infinity is no number.
            shift = torch.where(torch.isinf(smallest), 0.0, smallest)
            exponentials = torch.exp((shift - candidates) / gamma)
            total = exponentials.sum(0)
            current = infinite.clone()
            current[1:] = skewed[diagonal] + shift - gamma * torch.log(total)
            if weights is not None:
                torch.div(exponentials, total, out=weights[diagonal])
            before_last, last = last, current
        if weights is not None:
            ctx.save_for_backward(weights)
        ctx.shape = cost.shape
        return last[rows].clone()

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor, None]:
        (weights,) = ctx.saved_tensors
        n_pairs, rows, columns = ctx.shape
        n_diagonals = rows + columns - 1
        visits = weights.new_zeros((n_diagonals + 1, rows + 1, n_pairs))
        visits[n_diagonals - 1, rows - 1] = gradients[0]
        # Outside the table the weights are no numbers, and nothing may pass through them.
        row = torch.arange(rows, device=weights.device)
        for diagonal in range(n_diagonals - 1, 0, -1):
            inside = (row <= diagonal) & (row > diagonal - columns)
            passed = torch.where(inside[:, None], visits[diagonal, :rows] * weights[diagonal], 0.0)
            visits[diagonal - 1, : rows - 1] += passed[0, 1:]
            visits[diagonal - 1, :rows] += passed[1]
            if diagonal > 1:
                visits[diagonal - 2, : rows - 1] += passed[2, 1:]
        return _unskew(visits[:n_diagonals, :rows], rows, columns), None


def _skew(cost: torch.Tensor) -> torch.Tensor:
    """Bring anti-diagonals into rows, pairs last: (diagonal, row, pair), infinite outside."""
    n_pairs, rows, columns = cost.shape
    skewed = cost.new_full((rows + columns - 1, rows, n_pairs), torch.inf)
    index = _index_diagonals(rows, columns, cost.device)
    skewed[index] = cost.permute(1, 2, 0)
    return skewed


def _unskew(skewed: torch.Tensor, rows: int, columns: int) -> torch.Tensor:
    return skewed[_index_diagonals(rows, columns, skewed.device)].permute(2, 0, 1)


def _index_diagonals(
    rows: int, columns: int, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    row = torch.arange(rows, device=device)[:, None]
    column = torch.arange(columns, device=device)[None, :]
    return row + column, row.expand(rows, columns)


def compute_soft_dtw(first: torch.Tensor, second: torch.Tensor, gamma: float) -> torch.Tensor:
    """Soft-DTW of pairs of trajectories under squared Euclidean cost.

    Parameters
    ----------
    first, second : tensor of shape (n_pairs, n_steps, n_units)
        Trajectories; pair i is row i of both. Differentiable in both, once.
    gamma : float
        Smoothing, in units of the cost; near 0 the cost of the cheapest alignment.

    Returns
    -------
    cost : tensor of shape (n_pairs,)
        In the precision of the inputs; use float64 where costs are large against `gamma`, since
        the gradient holds exp(-cost / gamma).
    """
    return _SoftDTW.apply(_compute_costs(first, second), gamma)


def compute_soft_dtw_divergence(
    prediction: torch.Tensor, target: torch.Tensor, gamma: float
) -> torch.Tensor:
    """Soft-DTW divergence: zero for equal trajectories, positive else.

    Parameters
    ----------
    prediction, target : tensor of shape (n_pairs, n_steps, n_units)
        Trajectories; computed in float64 whatever they are.
    gamma : float
        Smoothing, in units of the squared cost.

    Returns
    -------
    divergence : tensor of shape (n_pairs,), float64
        ``S(p, y) - (S(p, p) + S(y, y)) / 2``; no gradient for the target.
    """
    prediction, target = prediction.double(), target.detach().double()
    n_pairs = len(prediction)
    # The two terms with a gradient share one recursion; that of the target needs none.
    both = compute_soft_dtw(
        torch.cat((prediction, prediction)), torch.cat((target, prediction)), gamma
    )
    with torch.no_grad():
        own = compute_soft_dtw(target, target, gamma)
    return both[:n_pairs] - 0.5 * (both[n_pairs:] + own)


def _compute_costs(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    squared = first.square().sum(2)[:, :, None] + second.square().sum(2)[:, None, :]
    return squared - 2 * first @ second.transpose(1, 2)
