"""Find channels that recorded nothing: dead, saturated or much too noisy ones."""

from __future__ import annotations

import numpy as np

from brainalign.errors import InputError
from brainalign.sorting.options import PreprocessingOptions

# The median absolute deviation of a normal distribution is this part of its SD.
_MAD_OF_NORMAL = 0.6744897501960817


def judge_channels(raw: np.ndarray, options: PreprocessingOptions) -> np.ndarray:
    """Tell what is wrong with each channel.

    Parameters
    ----------
    raw : array of shape (n_samples, n_channels)
        Samples as recorded, from one or several stretches.
    options : PreprocessingOptions
        Bounds.

    Returns
    -------
    verdict : array of str of shape (n_channels,)
        ``ok``, ``saturated``, ``dead`` or ``noisy``.

    Notes
    -----
    Noise is the median absolute deviation of the differences of neighbouring samples: slow waves
    and spikes hardly enter it.
    """
    verdict = np.full(raw.shape[1], "ok", dtype="<U9")
    noise = estimate_noise(np.diff(raw.astype(np.float32), axis=0))
    alive = noise > 0
    typical = float(np.median(noise[alive])) if alive.any() else 0.0
    verdict[noise > options.noisy_ratio * typical] = "noisy"
    # A channel at its rail most of the time has no differences, so this order matters.
    verdict[noise <= options.dead_ratio * typical] = "dead"
    verdict[_measure_saturation(raw) > options.saturated_share] = "saturated"
    return verdict


def refuse_bad_recording(verdict: np.ndarray, options: PreprocessingOptions, where: str) -> None:
    """Stop where too few channels are left.

    Raises
    ------
    InputError
        If the share of bad channels lies above its bound, or none is good.
    """
    bad = verdict != "ok"
    if bad.mean() > options.max_bad_share or bad.all():
        names, counts = np.unique(verdict[bad], return_counts=True)
        raise InputError(
            f"{int(bad.sum())} of {len(bad)} channels are bad",
            where=where,
            expected=f"at most {options.max_bad_share:.0%}",
            found=", ".join(f"{count} {name}" for name, count in zip(names, counts, strict=True)),
            remedy="Check the amplifier and the file's type, or set preprocessing.max_bad_share.",
        )


def estimate_noise(signal: np.ndarray) -> np.ndarray:
    """Estimate the standard deviation of noise per channel, robust to spikes.

    Parameters
    ----------
    signal : array of shape (n_samples, n_channels)
        Filtered signal.

    Returns
    -------
    noise : array of shape (n_channels,)
        In the unit of the signal.
    """
    centred = np.abs(signal - np.median(signal, axis=0))
    return np.median(centred, axis=0) / _MAD_OF_NORMAL


def _measure_saturation(raw: np.ndarray) -> np.ndarray:
    """Share of samples that stick at a channel's extreme values for more than one sample."""
    share = np.zeros(raw.shape[1])
    for extreme in (raw.max(axis=0), raw.min(axis=0)):
        at_rail = raw == extreme
        # A peak touches its maximum once; a rail holds it.
        stuck = at_rail[1:] & at_rail[:-1]
        share = np.maximum(share, stuck.mean(axis=0))
    is_flat = raw.max(axis=0) == raw.min(axis=0)
    at_type_limit = np.zeros(raw.shape[1], dtype=bool)
    if np.issubdtype(raw.dtype, np.integer):
        limits = np.iinfo(raw.dtype)
        at_type_limit = (raw.max(axis=0) == limits.max) | (raw.min(axis=0) == limits.min)
    # A flat line in the middle of the range is a dead channel, not a saturated one.
    return np.where(is_flat & ~at_type_limit, 0.0, share)
