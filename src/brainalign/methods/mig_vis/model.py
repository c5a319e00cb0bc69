"""The group-wise autoencoder of responses: arrays in, latents and weights out."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from brainalign.errors import InputError
from brainalign.methods.mig_vis.arrays import GroupLabel, ResponseTable, check_latents
from brainalign.methods.mig_vis.module import GroupVAE, LabelShape
from brainalign.methods.mig_vis.options import GroupVAEOptions
from brainalign.methods.mig_vis.penalties import SATURATION, measure_saturation
from brainalign.methods.mig_vis.task import GroupVAETask, make_rows
from brainalign.methods.weights import Weights, check_weights, prefix_weights, select_weights
from brainalign.training.loop import train_module
from brainalign.training.progress import Report
from brainalign.training.randomness import derive_seed, isolate_torch_randomness


@dataclass(frozen=True)
class FittedLatents:
    """Latents of some rows.

    Attributes
    ----------
    mean, log_variance : array of shape (n_rows, n_latents), float32
        Moments of the posteriors.
    """

    mean: np.ndarray
    log_variance: np.ndarray


class MIGVis:
    """Group-wise variational autoencoder with weak labels and an independence penalty.

    After Wang, Yu, Li, Li and Wu (2026, arXiv 2510.02182), written from its description; what
    its public code does otherwise and why is in ``docs/mig_vis.md``.

    Parameters
    ----------
    options : GroupVAEOptions
        Widths, weights and budget.
    groups : sequence of slice
        Columns of each group in the latents.
    """

    name = "mig_vis"

    def __init__(self, options: GroupVAEOptions, groups: Sequence[slice]) -> None:
        self.options, self.groups = options, list(groups)
        self._module: GroupVAE | None = None
        self._mean = self._sd = np.empty((0, 0), dtype=np.float32)
        self.saturation = 0.0

    def fit(
        self,
        training: ResponseTable,
        validation: ResponseTable,
        training_labels: Sequence[GroupLabel | None],
        validation_labels: Sequence[GroupLabel | None],
        *,
        seed: int,
        device: str = "cpu",
        scratch: Path | None = None,
        report: Report | None = None,
    ) -> pd.DataFrame:
        """Fit latents to responses.

        Parameters
        ----------
        training, validation : ResponseTable
            Rows of both splits.
        training_labels, validation_labels : sequence of GroupLabel or None
            Weak labels, one per group; used only with a label weight.
        seed : int
            Of weights, batches and draws.
        device : {"auto", "cpu", "cuda"}
            Where to fit.
        scratch : Path, optional
            Folder for resume checkpoints.
        report : callable, optional
            Called after each epoch.

        Returns
        -------
        history : pandas.DataFrame
            One row per epoch.

        Raises
        ------
        InputError
            A unit has no training response, or counts are negative.

        Warns
        -----
        UserWarning
            The minibatch penalty is saturated: it has no gradient and does nothing.
        """
        poisson = self.options.likelihood == "poisson"
        if poisson and np.nanmin(training.response) < 0:
            raise InputError(
                "a Poisson likelihood needs counts",
                where="MIG-Vis",
                found=f"a response of {np.nanmin(training.response):.3g}",
                remedy="Set responses.normalisation: none and no baseline, or likelihood: "
                "gaussian.",
            )
        n_sessions = int(max(training.session.max(), validation.session.max())) + 1
        self._mean, self._sd = _standardise_by_session(training, n_sessions, self._transform)
        used = training_labels if self.options.label_weight else [None] * len(self.groups)
        shapes = [None if label is None else LabelShape(label.kind, label.size) for label in used]
        with isolate_torch_randomness(derive_seed(seed, "initialisation")):
            module = GroupVAE(
                training.response.shape[1], n_sessions, self.groups, shapes, self.options
            )
        held_out = validation_labels if self.options.label_weight else used
        task = GroupVAETask(
            module,
            self.options,
            make_rows(training, self._apply(training), used, self.options.likelihood),
            make_rows(validation, self._apply(validation), held_out, self.options.likelihood),
        )
        history = train_module(
            task, self.options, seed=seed, device=device, scratch=scratch, report=report
        )
        with isolate_torch_randomness(derive_seed(seed, "saturation")):
            correlation, n_rows = task.measure_minibatch_correlation()
        self.saturation = measure_saturation(correlation, len(self.groups), n_rows)
        if self.options.penalty == "minibatch" and self.saturation > SATURATION:
            warnings.warn(
                f"the minibatch penalty is at {self.saturation:.1%} of its largest value, "
                f"(groups - 1) log(batch): it has no gradient. Use penalty: gaussian, or raise "
                f"kl_weight.",
                UserWarning,
                stacklevel=2,
            )
        self._module = module.cpu().eval()
        return history

    @torch.no_grad()
    def encode(self, table: ResponseTable) -> FittedLatents:
        """Infer the latents of responses.

        Raises
        ------
        InputError
            A latent is not finite, as the weights are damaged.
        """
        module = self._get_module()
        filled = np.nan_to_num(self._apply(table), nan=0.0)
        latents = module.encode(torch.from_numpy(filled), torch.from_numpy(table.session))
        check_latents(latents.mean.numpy(), "mig_vis")
        return FittedLatents(latents.mean.numpy(), latents.log_variance.numpy())

    @torch.no_grad()
    def decode(self, latent: np.ndarray, session: np.ndarray | None = None) -> np.ndarray:
        """Predict responses from latents, in the scale of the responses.

        Returns
        -------
        response : array of shape (n_rows, n_units), float32
        """
        module = self._get_module()
        row = np.zeros(len(latent), dtype=np.int64) if session is None else session
        decoded = module.decode(torch.from_numpy(latent), torch.from_numpy(row)).numpy()
        if self.options.likelihood == "poisson":
            return decoded
        return decoded * self._sd[row] + self._mean[row]

    def get_weights(self) -> Weights:
        """All that was learned, as flat arrays."""
        state = {name: v.numpy().copy() for name, v in self._get_module().state_dict().items()}
        shapes = [
            [-1, 0] if label is None else [int(label.kind == "category"), label.size]
            for label in self._get_module().labels
        ]
        return {
            "mean": self._mean,
            "sd": self._sd,
            "label_shape": np.array(shapes, dtype=np.int64),
            "saturation": np.array(self.saturation),
            **prefix_weights(state, "module/"),
        }

    def set_weights(self, weights: Weights) -> None:
        """Take up the weights of another fit.

        Raises
        ------
        InputError
            They are of another shape.
        """
        for name in ("mean", "sd", "saturation", "label_shape"):
            if name not in weights:
                raise InputError(
                    "these weights are of another model", where=self.name, expected=f"also {name}"
                )
        self._mean, self._sd = weights["mean"], weights["sd"]
        self.saturation = float(weights["saturation"])
        shapes = [
            None if kind < 0 else LabelShape("category" if kind else "factor", int(size))
            for kind, size in weights["label_shape"].tolist()
        ]
        with isolate_torch_randomness(0):
            module = GroupVAE(
                self._mean.shape[1], len(self._mean), self.groups, shapes, self.options
            )
        state = select_weights(weights, "module/")
        expected = {name: tuple(value.shape) for name, value in module.state_dict().items()}
        check_weights(state, expected, where=self.name)
        module.load_state_dict({name: torch.from_numpy(v.copy()) for name, v in state.items()})
        self._module = module.eval()

    def _transform(self, response: np.ndarray) -> np.ndarray:
        # The square root makes the variance of Poisson counts nearly constant.
        return np.sqrt(response) if self.options.likelihood == "poisson" else response

    def _apply(self, table: ResponseTable) -> np.ndarray:
        if table.response.shape[1] != self._mean.shape[1]:
            raise InputError(
                "the latents were fitted to other units",
                where=self.name,
                expected=f"{self._mean.shape[1]} units",
                found=table.response.shape[1],
            )
        centred = self._transform(table.response) - self._mean[table.session]
        return (centred / self._sd[table.session]).astype(np.float32)

    def _get_module(self) -> GroupVAE:
        if self._module is None:
            raise InputError("the latents are not fitted", where=self.name, remedy="Call fit.")
        return self._module


def _standardise_by_session(
    table: ResponseTable, n_sessions: int, transform: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Mean and SD of every unit in every session over training rows."""
    shape = (n_sessions, table.response.shape[1])
    mean, sd = np.zeros(shape, dtype=np.float32), np.ones(shape, dtype=np.float32)
    value = transform(table.response)
    seen = np.zeros(shape[1], dtype=bool)
    for session in range(n_sessions):
        rows = value[table.session == session]
        there = np.isfinite(rows)
        count = there.sum(axis=0)
        seen |= count > 0
        safe = np.maximum(count, 1)
        mean[session] = np.where(there, rows, 0).sum(axis=0) / safe
        spread = np.sqrt(np.where(there, (rows - mean[session]) ** 2, 0).sum(axis=0) / safe)
        sd[session] = np.where(spread > 0, spread, 1)
    if not seen.all():
        raise InputError(
            f"{np.count_nonzero(~seen)} units have no response to any training stimulus",
            where="MIG-Vis",
            found=f"columns {', '.join(map(str, np.flatnonzero(~seen)[:5]))}",
            remedy="Leave these units out.",
        )
    return mean, sd
