"""Keep non-finite losses and gradients away from the weights."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import nn

from brainalign.errors import CorruptDataError


class GradientGuard:
    """Take a step only where loss and gradient are finite; give up after too many bad ones.

    One NaN in one batch would otherwise turn all weights into NaN for good, without an error.
    Buffers that a forward pass updates (running means of batch norm) are not protected.

    Parameters
    ----------
    max_consecutive_skips : int
        Bad steps in a row after which the fit is aborted.
    gradient_clip : float, optional
        Largest norm of the gradient; None leaves it as it is.

    Attributes
    ----------
    consecutive_skips : int
        Bad steps since the last good one.
    """

    def __init__(self, max_consecutive_skips: int, gradient_clip: float | None = None) -> None:
        self.max_consecutive_skips = max_consecutive_skips
        self.gradient_clip = gradient_clip
        self.consecutive_skips = 0

    def take_step(
        self,
        loss: torch.Tensor,
        parameters: Sequence[nn.Parameter],
        optimiser: torch.optim.Optimizer,
    ) -> bool:
        """Step along gradients that are already there, unless something is not finite.

        Parameters
        ----------
        loss : tensor of shape ()
            Loss of one batch, whose gradient the parameters hold.
        parameters : sequence of torch.nn.Parameter
            Parameters whose gradient is looked at and clipped.
        optimiser : torch.optim.Optimizer
            Optimiser of these parameters.

        Returns
        -------
        taken : bool
            False where the step was skipped; weights and optimiser are then untouched.

        Raises
        ------
        CorruptDataError
            `max_consecutive_skips` steps in a row were bad.
        """
        gradients = [p.grad for p in parameters if p.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        # One read-back for both keeps it at a single host synchronisation per step.
        if not bool(torch.isfinite(norm.float() + loss.detach().float())):
            optimiser.zero_grad(set_to_none=True)
            self._count_skip()
            return False
        if self.gradient_clip is not None:
            torch.nn.utils.clip_grads_with_norm_(parameters, self.gradient_clip, norm)
        optimiser.step()
        self.consecutive_skips = 0
        return True

    def _count_skip(self) -> None:
        self.consecutive_skips += 1
        if self.consecutive_skips >= self.max_consecutive_skips:
            raise CorruptDataError(
                f"loss or gradient was not finite in {self.consecutive_skips} steps in a row",
                where="training",
                remedy="Look for NaN or huge values in features and responses, or lower "
                "learning_rate.",
            )
