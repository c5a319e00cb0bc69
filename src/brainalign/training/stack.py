"""Modules of equal shape as one: their weights, gradients and AdamW steps side by side."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import nn
from torch.func import functional_call, vmap

from brainalign.training.dropout import (
    GivenFactors,
    RandomLayer,
    choose_factor_shape,
    fill_factors,
)
from brainalign.training.options import TrainingOptions
from brainalign.training.task import TrainingTask

Batch = tuple[torch.Tensor, ...]

# The defaults of torch.optim.AdamW, which a single fit uses.
_BETA_MEAN, _BETA_SQUARE, _EPSILON = 0.9, 0.999, 1e-8


class ModuleStack:
    """Weights of several heads as rows of one matrix, which the modules view.

    Operations on the matrix are those of `torch.optim.AdamW` on each head, with a count of steps
    per head, so that a head whose step is skipped stays as it is.

    Parameters
    ----------
    tasks : sequence of TrainingTask
        Prepared on the CPU, with modules of equal structure; batches are tuples of tensors.
    options : TrainingOptions
        Weight decay and clipping.

    Attributes
    ----------
    weights, mean, square : tensors of shape (n_heads, n_parameters)
        Parameters and the moving averages of their gradients.
    n_steps : tensor of shape (n_heads, 1), float64
        Steps that each head has taken.
    """

    def __init__(self, tasks: Sequence[TrainingTask[Any]], options: TrainingOptions) -> None:
        self.modules = [task.module for task in tasks]
        self.clip = options.gradient_clip
        named = dict(self.modules[0].named_parameters())
        self._names, self._shapes = list(named), [p.shape for p in named.values()]
        self._sizes = [parameter.numel() for parameter in named.values()]
        decay = [
            0.0 if name in tasks[0].undecayed_parameters else options.weight_decay for name in named
        ]
        self._decay = torch.repeat_interleave(torch.tensor(decay), torch.tensor(self._sizes))
        self.weights = torch.stack([flatten_parameters(module) for module in self.modules])
        self.mean, self.square = torch.zeros_like(self.weights), torch.zeros_like(self.weights)
        self.n_steps = torch.zeros((len(tasks), 1), dtype=torch.float64)
        self._loss = _TemplateLoss(tasks[0])
        self._compute_losses = vmap(self._compute_one)
        self._factors: dict[tuple[str, torch.Size], torch.Tensor] = {}
        self._bind()

    def compute(
        self, batch: Batch, generators: Sequence[torch.Generator]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Loss and gradient of every head on its own batch.

        Parameters
        ----------
        batch : tuple of tensors of shape (n_heads, n_rows, …)
            The batches of all heads.
        generators : sequence of torch.Generator
            Source of each head's dropout.

        Returns
        -------
        losses : tensor of shape (n_heads,)
            Detached.
        gradient : tensor of shape (n_heads, n_parameters)
            Of each loss with respect to its own parameters.
        """
        leaf = self.weights.detach().requires_grad_()
        parts = leaf.split(self._sizes, dim=1)
        values = {
            f"module.{name}": part.view(-1, *shape)
            for name, part, shape in zip(self._names, parts, self._shapes, strict=True)
        }
        values |= self._buffers | self._draw_factors(batch, generators)
        losses: torch.Tensor = self._compute_losses(values, batch)
        (gradient,) = torch.autograd.grad(losses.sum(), leaf)
        return losses.detach(), gradient

    def take_step(
        self, losses: torch.Tensor, gradient: torch.Tensor, learning_rate: float
    ) -> torch.Tensor:
        """Step with every head whose loss and gradient are finite.

        Parameters
        ----------
        losses, gradient : tensors of shape (n_heads,) and (n_heads, n_parameters)
            As from `compute`.
        learning_rate : float
            Of this step.

        Returns
        -------
        taken : tensor of shape (n_heads,), bool
            False for heads that are left as they were.
        """
        norm = torch.linalg.vector_norm(gradient, dim=1)
        taken = torch.isfinite(norm + losses)
        if self.clip is not None:
            # As torch.nn.utils.clip_grads_with_norm_.
            gradient = gradient * (self.clip / (norm + 1e-6)).clamp(max=1.0)[:, None]
        state = [self.weights, self.mean, self.square, self.n_steps]
        if bool(taken.all()):
            _step_adamw(state, gradient, self._decay, learning_rate)
        elif bool(taken.any()):
            changed = [tensor[taken] for tensor in state]
            _step_adamw(changed, gradient[taken], self._decay, learning_rate)
            for tensor, rows in zip(state, changed, strict=True):
                tensor[taken] = rows
        return taken

    def select(self, heads: Sequence[int]) -> None:
        """Go on with some heads only; the modules of the others stay as they are.

        Parameters
        ----------
        heads : sequence of int
            Positions among the present heads, ascending.
        """
        rows = torch.tensor(heads, dtype=torch.int64)
        self.modules = [self.modules[head] for head in heads]
        self.weights, self.mean = self.weights[rows], self.mean[rows]
        self.square, self.n_steps = self.square[rows], self.n_steps[rows]
        self._factors.clear()
        self._bind()

    def load(self, module: nn.Module, weights: torch.Tensor) -> None:
        """Give a module weights of its own.

        Parameters
        ----------
        module : torch.nn.Module
            One of the heads.
        weights : tensor of shape (n_parameters,)
            A row, which is copied.
        """
        parts = weights.detach().clone().split(self._sizes)
        for parameter, part in zip(module.parameters(), parts, strict=True):
            parameter.data = part.view(parameter.shape)

    def _bind(self) -> None:
        """Make the parameters of every module a view of its row; collect their buffers."""
        for module, row in zip(self.modules, self.weights, strict=True):
            parts = row.split(self._sizes)
            for parameter, part in zip(module.parameters(), parts, strict=True):
                parameter.data = part.view(parameter.shape)
        named = [dict(module.named_buffers()) for module in self.modules]
        self._buffers = {
            f"module.{name}": torch.stack([buffers[name] for buffers in named])
            for name in (named[0] if named else {})
        }

    def _compute_one(self, values: dict[str, torch.Tensor], batch: Batch) -> torch.Tensor:
        loss: torch.Tensor = functional_call(self._loss, values, (batch,))
        return loss

    def _draw_factors(
        self, batch: Batch, generators: Sequence[torch.Generator]
    ) -> dict[str, torch.Tensor]:
        factors = {}
        for name, shape in self._loss.list_factors(tuple(part[0] for part in batch)):
            # The last step's factors are overwritten: its backward pass is over.
            key = (name, shape)
            if key not in self._factors:
                self._factors[key] = torch.empty((len(self.modules), *shape))
            for row, generator in zip(self._factors[key], generators, strict=True):
                fill_factors(self._loss.layers[name], row, generator)
            factors[f"module.{name}.factors"] = self._factors[key]
        return factors


class _TemplateLoss(nn.Module):
    """The loss of a task as a function of parameters, buffers and factors of dropout.

    Parameters
    ----------
    task : TrainingTask
        Any of the stack; neither it nor its module is changed.
    """

    def __init__(self, task: TrainingTask[Any]) -> None:
        super().__init__()
        self.module = copy.deepcopy(task.module).train()
        self._task = cast(Any, copy.copy(task))
        self._task.module = self.module
        self.layers: dict[str, RandomLayer] = {
            name: layer
            for name, layer in self.module.named_modules()
            if isinstance(layer, RandomLayer) and layer.p > 0
        }
        for name in self.layers:
            self.module.set_submodule(name, GivenFactors())
        self._listed: dict[tuple[torch.Size, ...], list[tuple[str, torch.Size]]] = {}

    def list_factors(self, batch: Batch) -> list[tuple[str, torch.Size]]:
        """Names and shapes of what the layers draw for a batch, in the order of their draws.

        Parameters
        ----------
        batch : tuple of tensors
            Batch of one head.

        Returns
        -------
        drawn : list of (str, torch.Size)
            One per layer that silences; found by one forward pass per shape of a batch.
        """
        key = tuple(part.shape for part in batch)
        if key not in self._listed:
            drawn: list[tuple[str, torch.Size]] = []

            def note(name: str, layer: RandomLayer) -> Callable[..., None]:
                return lambda _, inputs: drawn.append(
                    (name, choose_factor_shape(layer, inputs[0].shape))
                )

            hooks = [
                self.module.get_submodule(name).register_forward_pre_hook(note(name, layer))
                for name, layer in self.layers.items()
            ]
            with torch.no_grad():
                self(batch)
            for hook in hooks:
                hook.remove()
            self._listed[key] = drawn
        return self._listed[key]

    def forward(self, batch: Batch) -> torch.Tensor:
        """Loss of one batch of one head."""
        return self._task.compute_loss(batch)


def flatten_parameters(module: nn.Module) -> torch.Tensor:
    """Copy all parameters of a module into one row.

    Parameters
    ----------
    module : torch.nn.Module
        Any module.

    Returns
    -------
    weights : tensor of shape (n_parameters,)
        In the order of ``module.parameters()``.
    """
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def _step_adamw(
    state: Sequence[torch.Tensor],
    gradient: torch.Tensor,
    decay: torch.Tensor,
    learning_rate: float,
) -> None:
    """One step of AdamW on every row, in place (Loshchilov and Hutter 2019, algorithm 2)."""
    weights, mean, square, n_steps = state
    n_steps += 1
    weights.mul_(1 - learning_rate * decay)
    mean.lerp_(gradient, 1 - _BETA_MEAN)
    square.mul_(_BETA_SQUARE).addcmul_(gradient, gradient, value=1 - _BETA_SQUARE)
    step_size = (learning_rate / (1 - _BETA_MEAN**n_steps)).float()
    root_correction = (1 - _BETA_SQUARE**n_steps).sqrt().float()
    denominator = square.sqrt().div_(root_correction).add_(_EPSILON)
    weights.sub_((mean / denominator).mul_(step_size))
