"""Contrastive losses."""

from __future__ import annotations

import math

import torch
from torch import nn

LARGEST_SCALE = 100.0
"""Above it gradients become spiky (Radford et al. 2021)."""


class LogitScale(nn.Module):
    """Learned factor on cosine similarities, stored as its logarithm.

    The value that is used is clamped, not the parameter, and the parameter must be kept out of
    weight decay, which would pull the factor towards 1.

    Parameters
    ----------
    initial : float
        Factor at the start.
    """

    def __init__(self, initial: float) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(math.log(initial)))

    def forward(self) -> torch.Tensor:
        """Return the factor, at most `LARGEST_SCALE`.

        Returns
        -------
        scale : tensor of shape ()
            In fp32, autocast or not.
        """
        return self.log_scale.exp().clamp(max=LARGEST_SCALE)


def compute_info_nce(
    stimulus_embedding: torch.Tensor,
    response_embedding: torch.Tensor,
    scale: torch.Tensor | float,
    stimulus: torch.Tensor,
) -> torch.Tensor:
    """Symmetric contrastive loss with all repeats of a stimulus as positives.

    Parameters
    ----------
    stimulus_embedding, response_embedding : tensors of shape (n_pairs, dimension)
        Unit vectors; row i of both belongs to pair i.
    scale : tensor of shape () or float
        Factor on the cosines.
    stimulus : tensor of shape (n_pairs,), integer
        Identity of the stimulus of each pair; pairs of one identity are positives.

    Returns
    -------
    loss : tensor of shape ()
        Mean of both directions, in fp32 or the wider dtype of the inputs.

    Notes
    -----
    ``-log(sum_{j in P(i)} exp(s f_i.g_j) / sum_j exp(s f_i.g_j))``, averaged over i and over both
    directions, as a difference of two logsumexp. With distinct stimuli it is the loss of CLIP
    (Radford et al. 2021). It is 0 for a batch of one stimulus, whatever the embeddings.
    """
    with torch.autocast(stimulus_embedding.device.type, enabled=False):
        stimulus_embedding = _widen(stimulus_embedding)
        logits = scale * stimulus_embedding @ _widen(response_embedding).T
        positive = stimulus[:, None] == stimulus[None, :]
        positive_logits = logits.masked_fill(~positive, -math.inf)
        stimulus_to_response = logits.logsumexp(1) - positive_logits.logsumexp(1)
        response_to_stimulus = logits.logsumexp(0) - positive_logits.logsumexp(0)
        return 0.5 * (stimulus_to_response.mean() + response_to_stimulus.mean())


def _widen(values: torch.Tensor) -> torch.Tensor:
    return values.float() if values.dtype in (torch.float16, torch.bfloat16) else values
