"""A small convolutional network from images to vectors that keeps where things are."""

from __future__ import annotations

import torch
from torch import nn

_WIDTHS = (32, 64, 128)
_GROUPS = 8


class ImageEncoder(nn.Module):
    """Three strided convolutions and one linear layer.

    Parameters
    ----------
    n_channels : int
        Channels of an image.
    dimension : int
        Length of the vector.

    Notes
    -----
    Positions are averaged over a 4 x 4 grid and no further: where an object is must stay readable.
    """

    def __init__(self, n_channels: int, dimension: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        width = n_channels
        for wider in _WIDTHS:
            layers += [nn.Conv2d(width, wider, 3, stride=2, padding=1)]
            layers += [nn.GroupNorm(_GROUPS, wider), nn.SiLU()]
            width = wider
        self.convolutions = nn.Sequential(*layers)
        self.pool = nn.AdaptiveAvgPool2d(4)
        self.project = nn.Linear(16 * width, dimension)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Encode images.

        Parameters
        ----------
        image : tensor of shape (n_images, n_channels, y, x)
            Between -1 and 1.

        Returns
        -------
        code : tensor of shape (n_images, dimension)
        """
        return self.project(self.pool(self.convolutions(image)).flatten(1))
