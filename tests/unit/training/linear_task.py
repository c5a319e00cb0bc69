"""A task small enough to train in milliseconds, with knobs for trouble."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import torch
from torch import nn

from brainalign.training.batches import draw_batches

Batch = tuple[torch.Tensor, torch.Tensor]


class LinearTask:
    """Regress y = x w + noise with dropout; validation score is minus the squared error."""

    undecayed_parameters = frozenset({"1.bias"})

    def __init__(
        self,
        *,
        n_stimuli: int = 64,
        batch_size: int = 16,
        dropout: float = 0.2,
        spoil: Callable[[int, int], float] = lambda epoch, step: 0.0,
        judge: Callable[[int], float] | None = None,
    ) -> None:
        rng = np.random.default_rng(0)
        x = rng.normal(size=(n_stimuli, 5))
        y = x @ rng.normal(size=(5, 2)) + 0.1 * rng.normal(size=(n_stimuli, 2))
        self.n_stimuli, self.batch_size = n_stimuli, batch_size
        self.x, self.y = torch.from_numpy(x).float(), torch.from_numpy(y).float()
        self.spoil, self.judge = spoil, judge
        self.n_validations = 0
        self.output_dtypes: set[torch.dtype] = set()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            self.module: nn.Module = nn.Sequential(nn.Dropout(dropout), nn.Linear(5, 2))

    def prepare(self, device: torch.device) -> None:
        self.module.to(device)

    def fingerprint(self) -> str:
        return "linear"

    def iterate_batches(self, epoch: int, generator: np.random.Generator) -> Iterator[Batch]:
        batches = draw_batches(self.n_stimuli, self.batch_size, generator)
        for step, rows in enumerate(batches):
            yield self.x[rows] + self.spoil(epoch, step), self.y[rows]

    def compute_loss(self, batch: Batch) -> torch.Tensor:
        x, y = batch
        output = self.module(x)
        self.output_dtypes.add(output.dtype)
        return nn.functional.mse_loss(output.float(), y)

    def validate(self) -> float:
        self.n_validations += 1
        if self.judge is not None:
            return self.judge(self.n_validations)
        return -float(nn.functional.mse_loss(self.module(self.x), self.y))

    def get_weights(self) -> dict[str, np.ndarray]:
        return {name: value.numpy().copy() for name, value in self.module.state_dict().items()}
