"""Course of the learning rate."""

from __future__ import annotations

import math

from brainalign.training.options import TrainingOptions


def compute_learning_rate(options: TrainingOptions, epoch: int, epochs: int) -> float:
    """Learning rate of one epoch.

    A function of the epoch and not of a history, so that a resumed fit needs no scheduler state.

    Parameters
    ----------
    options : TrainingOptions
        Peak learning rate, warm-up and schedule.
    epoch : int
        Epoch, counted from 0.
    epochs : int
        Number of epochs of the whole fit.

    Returns
    -------
    learning_rate : float
        Linear rise over the warm-up, then the peak (``constant``) or half a cosine from the peak
        towards 0 (``cosine``; Loshchilov and Hutter 2017, without restarts).
    """
    if options.learning_rates is not None:
        return options.learning_rates[min(epoch, len(options.learning_rates) - 1)]
    warmup_epochs = math.ceil(options.warmup_fraction * epochs)
    if epoch < warmup_epochs:
        return options.learning_rate * (epoch + 1) / (warmup_epochs + 1)
    if options.schedule == "constant":
        return options.learning_rate
    progress = (epoch - warmup_epochs) / max(1, epochs - warmup_epochs)
    return options.learning_rate * 0.5 * (1 + math.cos(math.pi * progress))
