"""Choose the device that a fit runs on."""

from __future__ import annotations

import torch

from brainalign.errors import InputError, ResourceError
from brainalign.options import suggest_name

DEVICES = ("auto", "cpu", "cuda")


def resolve_device(device: str) -> torch.device:
    """Turn the name of a device into a torch device that exists here.

    Parameters
    ----------
    device : {"auto", "cpu", "cuda"} or "cuda:<index>"
        ``auto`` takes CUDA where it is available, else the CPU.

    Returns
    -------
    device : torch.device
        A device that can be used.

    Raises
    ------
    ResourceError
        CUDA is asked for and not there; it is never replaced by the CPU in silence.
    InputError
        The name is unknown.
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = device.partition(":")
    if kind not in DEVICES[1:] or (index and not index.isdigit()):
        raise InputError(
            f"unknown device '{device}'", where="device", remedy=suggest_name(device, DEVICES)
        )
    if kind == "cuda":
        n_devices = torch.cuda.device_count() if torch.cuda.is_available() else 0
        if int(index or 0) >= n_devices:
            raise ResourceError(
                f"device '{device}' is asked for but not available",
                where="device",
                found=f"{n_devices} CUDA devices",
                remedy="Use device: auto or cpu, or run where torch sees the GPU.",
            )
    return torch.device(device)


def resolve_precision(precision: str, device: torch.device) -> str:
    """Choose the arithmetic of the forward pass for a device.

    Parameters
    ----------
    precision : {"auto", "fp32", "bf16"}
        ``auto`` takes bf16 on a GPU that computes in it, else fp32.
    device : torch.device
        Where to compute.

    Returns
    -------
    precision : {"fp32", "bf16"}
        What is used.
    """
    if precision != "auto":
        return precision
    pays = device.type == "cuda" and torch.cuda.is_bf16_supported(including_emulation=False)
    return "bf16" if pays else "fp32"
