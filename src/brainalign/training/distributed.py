"""Several processes that train one module together, started by torch's own launcher.

``torchrun --nproc-per-node 2 -m brainalign fit …`` starts the same command several times. All
processes draw the same batches; each computes its share of the rows, and the loss is that of the
whole batch, so that the number of processes changes speed and memory but not the result.
"""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import distributed, nn

from brainalign.errors import InputError, ResourceError


@dataclass(frozen=True)
class Processes:
    """The processes of one fit, seen from one of them; every method is a no-op for a single one.

    Attributes
    ----------
    rank : int
        Number of this process, from 0; process 0 writes and reports.
    count : int
        Number of processes.
    """

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes and reports."""
        return self.rank == 0

    def divide_rows(self, n_rows: int) -> list[slice]:
        """Cut the rows of a batch into one share per process.

        Parameters
        ----------
        n_rows : int
            Rows of the batch.

        Returns
        -------
        shares : list of slice
            In the order of the processes; sizes differ by one at most.

        Raises
        ------
        InputError
            There are fewer rows than processes.
        """
        if n_rows < self.count:
            raise InputError(
                "a batch has fewer rows than there are processes",
                where="training",
                expected=f"{self.count} or more",
                found=n_rows,
                remedy="Start fewer processes.",
            )
        bounds = [n_rows * rank // self.count for rank in range(self.count + 1)]
        return [slice(start, stop) for start, stop in itertools.pairwise(bounds)]

    def gather_rows(self, own: torch.Tensor, n_rows: int) -> torch.Tensor:
        """Join the rows of all processes.

        Parameters
        ----------
        own : tensor of shape (n_own, …)
            Rows of this process, its share by `divide_rows`.
        n_rows : int
            Rows of all processes together.

        Returns
        -------
        rows : tensor of shape (n_rows, …)
            Equal on all processes. Gradients reach the own rows only, `count` times as large:
            the mean of the parameters' gradients over processes is then that of a loss which
            every process computes on all rows.
        """
        if self.count == 1:
            return own
        shares = self.divide_rows(n_rows)
        longest = max(share.stop - share.start for share in shares)
        # Collectives want equal shapes.
        padded = own.new_zeros((longest, *own.shape[1:]))
        padded[: len(own)] = own.detach()
        received = [torch.empty_like(padded) for _ in shares]
        distributed.all_gather(received, padded)
        parts = [
            part[: share.stop - share.start] for part, share in zip(received, shares, strict=True)
        ]
        if own.requires_grad:
            own.register_hook(lambda gradient: gradient * self.count)
        parts[self.rank] = own
        return torch.cat(parts)

    def average_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Replace the gradients by their means over processes.

        Parameters
        ----------
        parameters : sequence of torch.nn.Parameter
            The same on all processes, with gradients on the same ones.
        """
        gradients = [p.grad for p in parameters if p.grad is not None]
        if self.count == 1 or not gradients:
            return
        joined = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(joined)
        joined /= self.count
        parts = joined.split([gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.view_as(gradient))

    def share_number(self, number: float, device: torch.device) -> float:
        """Take over a number of the first process.

        Parameters
        ----------
        number : float
            The number of this process.
        device : torch.device
            Where the collective runs.

        Returns
        -------
        number : float
            The number of process 0.
        """
        if self.count == 1:
            return number
        shared = torch.tensor(number, dtype=torch.float64, device=device)
        distributed.broadcast(shared, src=0)
        return float(shared)

    def is_any(self, flag: bool, device: torch.device) -> bool:
        """Whether a flag is set on any process.

        Parameters
        ----------
        flag : bool
            The flag of this process.
        device : torch.device
            Where the collective runs.

        Returns
        -------
        any_set : bool
            Equal on all processes.
        """
        if self.count == 1:
            return flag
        total = torch.tensor(float(flag), device=device)
        distributed.all_reduce(total)
        return bool(total > 0)


def get_processes() -> Processes:
    """Tell which processes share the present fit.

    Returns
    -------
    processes : Processes
        A single one outside `join_processes`.
    """
    if distributed.is_available() and distributed.is_initialized():
        return Processes(distributed.get_rank(), distributed.get_world_size())
    return Processes()


def is_launched() -> bool:
    """Whether torch's launcher started this process as one of several.

    Returns
    -------
    launched : bool
        By ``WORLD_SIZE``, which ``torchrun`` sets.
    """
    return os.environ.get("WORLD_SIZE", "1") not in ("", "0", "1") and "RANK" in os.environ


@contextlib.contextmanager
def join_processes(device: torch.device) -> Iterator[Processes]:
    """Meet the other processes that the launcher has started, for the length of the block.

    Parameters
    ----------
    device : torch.device
        Where this process trains: NCCL connects GPUs, Gloo CPUs.

    Yields
    ------
    processes : Processes
        A single one where no launcher was used.

    Raises
    ------
    ResourceError
        The processes cannot reach each other.
    """
    if not is_launched():
        yield Processes()
        return
    try:
        if device.type == "cuda":
            torch.cuda.set_device(device)
        distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    except (RuntimeError, ValueError) as error:
        raise ResourceError(
            f"the processes of this fit cannot reach each other ({error})",
            where="torchrun",
            remedy="Check --rdzv-endpoint and that the nodes see each other.",
        ) from error
    try:
        yield get_processes()
    finally:
        distributed.destroy_process_group()
