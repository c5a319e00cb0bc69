"""Share the GPUs of one machine between the jobs of one user."""

from __future__ import annotations

import contextlib
import fcntl
import itertools
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from brainalign.errors import ResourceError
from brainalign.training.device import resolve_device
from brainalign.training.distributed import is_launched


@contextlib.contextmanager
def claim_device(device: str, folder: Path | None = None) -> Iterator[torch.device]:
    """Turn the name of a device into one that this job uses, and hold a GPU for its length.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"} or "cuda:<index>"
        As for `resolve_device`. Without an index, and where no scheduler has set
        ``CUDA_VISIBLE_DEVICES``, the card with the fewest jobs of this user is taken.
    folder : Path, optional
        Where the locks lie; a folder per user by default.

    Yields
    ------
    device : torch.device
        The CPU or a GPU; under torch's launcher the GPU of this process on its node.

    Raises
    ------
    ResourceError
        The device is not there.

    Notes
    -----
    Jobs of other users and programs are not seen. The system frees the locks of a job that dies.
    """
    found = resolve_device(device)
    if found.type != "cuda" or found.index is not None:
        yield found
    elif is_launched():
        yield resolve_device(f"cuda:{os.environ.get('LOCAL_RANK', '0')}")
    elif "CUDA_VISIBLE_DEVICES" in os.environ:
        yield found
    else:
        with claim_card(torch.cuda.device_count(), folder or get_lock_folder()) as card:
            yield torch.device("cuda", card)


@contextlib.contextmanager
def claim_card(n_cards: int, folder: Path) -> Iterator[int]:
    """Hold the card that the fewest jobs hold, for the length of the block.

    Parameters
    ----------
    n_cards : int
        Cards of this machine, at least 1.
    folder : Path
        Where the locks lie; made if it is not there.

    Yields
    ------
    card : int
        Index of the card; of equally used ones the first.

    Raises
    ------
    ResourceError
        The folder cannot be written.
    """
    # Every place on a card is a lock: first places are handed out on all cards, then second ones.
    for number in itertools.count():
        place, card = divmod(number, n_cards)
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = os.open(folder / f"card-{card}.place-{place}", os.O_CREAT | os.O_RDWR, 0o600)
        except OSError as error:
            raise ResourceError(
                f"cannot write the locks that share GPUs between jobs ({error.strerror})",
                where=folder,
                remedy="Set CUDA_VISIBLE_DEVICES, or TMPDIR to a folder that can be written.",
            ) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(lock)
            continue
        try:
            yield card
        finally:
            os.close(lock)
        return


def get_lock_folder() -> Path:
    """Name the folder of the locks.

    Returns
    -------
    folder : Path
        In ``XDG_RUNTIME_DIR`` where the system has one for this user, else beside other
        temporary files; local to the machine in both cases, as its cards are.
    """
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime and os.access(runtime, os.W_OK):
        return Path(runtime) / "brainalign" / "cards"
    return Path(tempfile.gettempdir()) / f"brainalign-{os.getuid()}" / "cards"


def measure_gpu_memory(device: torch.device) -> dict[str, object]:
    """Describe the use of a GPU by this process, for the record of a run.

    Parameters
    ----------
    device : torch.device
        Where the job computed.

    Returns
    -------
    use : dict
        Name of the card, and the peak of the memory that torch had reserved on it, in MB
        (2^20 bytes); empty on a CPU.
    """
    if device.type != "cuda":
        return {}
    return {
        "gpu": torch.cuda.get_device_name(device),
        "peak_gpu_memory_mb": round(torch.cuda.max_memory_reserved(device) / (1 << 20)),
    }
