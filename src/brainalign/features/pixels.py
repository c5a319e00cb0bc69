"""The floor: luminance and contrast on a grid, without weights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

from brainalign.errors import InputError
from brainalign.features.backbone import Backbone
from brainalign.options import suggest_name

# Luminance of linear sRGB primaries: ITU-R BT.709.
_LUMINANCE = (0.2126, 0.7152, 0.0722)
_PATH = "grid/feature"


class PixelsBackbone(Backbone):
    """Mean and standard deviation of luminance in the cells of a grid.

    Parameters
    ----------
    grid : int
        Cells along each side.
    device : torch.device
        Where to compute.

    Notes
    -----
    sRGB is linearised (IEC 61966-2-1) and weighted by BT.709. The ``2 * grid ** 2`` features are
    the luminances of the cells, row by row, then their contrasts (standard deviation over the
    cell's pixels, in units of the display's white). Colour is left out.
    """

    architecture = "pixels"
    n_layers = 0

    def __init__(self, grid: int, device: torch.device) -> None:
        self.grid = grid
        self.device = device

    def describe(self) -> dict[str, Any]:
        """Return grid and formula; there are no weights."""
        return {
            "model": "pixels",
            "architecture": self.architecture,
            "revision": None,
            "weights_sha256": None,
            "n_layers": 0,
            "preprocessing": {"grid": self.grid, "luminance": list(_LUMINANCE)},
        }

    def list_paths(self, layers: Sequence[int | str], outputs: Sequence[str]) -> list[str]:
        """Return ``["grid/feature"]``; outputs play no role."""
        for layer in layers:
            if layer != "grid":
                raise InputError(
                    f"the pixels backbone has no layer '{layer}'",
                    where="layers",
                    remedy=suggest_name(str(layer), ["grid"]),
                )
        return [_PATH]

    def move(self, device: torch.device) -> None:
        """Compute on this device from now on."""
        self.device = device

    def compute(
        self, images: torch.Tensor, paths: Sequence[str], dtype: torch.dtype
    ) -> dict[str, torch.Tensor]:
        """Compute luminance and contrast, always in float32."""
        height, width = images.shape[1:3]
        if min(height, width) < self.grid:
            raise InputError(
                f"images of {height} x {width} pixels are smaller than the grid",
                where="features.backbones.pixels.grid",
                expected=f"at most {min(height, width)}",
                found=self.grid,
            )
        luminance = compute_luminance(images)[:, None]
        mean = functional.adaptive_avg_pool2d(luminance, self.grid)
        mean_square = functional.adaptive_avg_pool2d(luminance.square(), self.grid)
        contrast = (mean_square - mean.square()).clamp_min(0).sqrt()
        return {_PATH: torch.cat([mean.flatten(1), contrast.flatten(1)], dim=1).float()}


def compute_luminance(images: torch.Tensor) -> torch.Tensor:
    """Turn sRGB images into relative luminance.

    Parameters
    ----------
    images : tensor of shape (n_images, y, x, 3), uint8
        sRGB images.

    Returns
    -------
    luminance : tensor of shape (n_images, y, x), float64
        In [0, 1], 1 for white.

    Notes
    -----
    float64, because the variance of a flat cell as a difference of squares would otherwise
    show rounding errors as contrast.
    """
    encoded = images.double() / 255
    linear = torch.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    return linear @ torch.tensor(_LUMINANCE, dtype=torch.float64, device=images.device)
