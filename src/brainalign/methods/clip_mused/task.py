"""Training of CLIP-MUSED: labels, the two similarity losses and orthogonality."""

from __future__ import annotations

from typing import Any

import torch

from brainalign.methods.clip_mused.losses import (
    compute_label_loss,
    compute_orthogonality,
    compute_rsa_loss,
)
from brainalign.methods.clip_mused.options import CLIPMusedOptions
from brainalign.methods.labels.network import NetworkOutput
from brainalign.methods.labels.task import LabelBatch, LabelTask


class GuidedLabelTask(LabelTask):
    """Multi-label training in which features of CLIP guide both tokens.

    Parameters
    ----------
    method_options : CLIPMusedOptions
        Weights of the losses.
    *arguments
        As of `LabelTask`.

    Notes
    -----
    The batch mixes subjects and stimuli, and so do the similarities: this is what ties the tokens
    of different subjects to each other.
    """

    def __init__(self, method_options: CLIPMusedOptions, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.method_options = method_options

    def compute_loss(self, batch: LabelBatch) -> torch.Tensor:
        """Weighted sum of the four losses of one batch."""
        output: NetworkOutput = self.module(batch.values, batch.subject)
        chosen = self.method_options
        low, high = output.low.float(), output.high.float()
        return (
            compute_label_loss(output.logit.float(), batch.label, self._learnable)
            + chosen.low_level_weight * compute_rsa_loss(low, batch.target["low"])
            + chosen.high_level_weight * compute_rsa_loss(high, batch.target["high"])
            + chosen.orthogonality_weight * compute_orthogonality(high, low, chosen.orthogonality)
        )
