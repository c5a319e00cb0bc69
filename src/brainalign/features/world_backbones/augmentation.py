"""Random views of images as batched tensor operations (no torchvision)."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

_LUMA = (0.299, 0.587, 0.114)


def _draw(
    shape: tuple[int, ...], low: float, high: float, generator: torch.Generator
) -> torch.Tensor:
    return low + (high - low) * torch.rand(shape, generator=generator)


def shift_images(
    images: torch.Tensor, maximum_shift: int, generator: torch.Generator
) -> torch.Tensor:
    """Translate images by whole pixels, repeating the border.

    Parameters
    ----------
    images : tensor of shape (n_images, 3, y, x), float32
        Images.
    maximum_shift : int
        Largest shift in pixels, in either direction.
    generator : torch.Generator
        Source of the shifts.

    Returns
    -------
    shifted : tensor of shape (n_images, 3, y, x)
        Each image by a shift of its own.
    """
    if maximum_shift == 0:
        return images
    n_images, _, height, width = images.shape
    padded = functional.pad(images, (maximum_shift,) * 4, mode="replicate")
    offsets = torch.randint(0, 2 * maximum_shift + 1, (2, n_images), generator=generator)
    rows = offsets[0, :, None] + torch.arange(height)
    columns = offsets[1, :, None] + torch.arange(width)
    number = torch.arange(n_images)[:, None, None]
    return padded.permute(0, 2, 3, 1)[number, rows[:, :, None], columns[:, None]].permute(
        0, 3, 1, 2
    )


def crop_images(
    images: torch.Tensor,
    size: int,
    area: tuple[float, float],
    generator: torch.Generator,
) -> torch.Tensor:
    """Take a random part of each image, mirror half of them and resize to a square.

    Parameters
    ----------
    images : tensor of shape (n_images, 3, y, x), float32
        Images.
    size : int
        Side of the result in pixels.
    area : tuple of float
        Smallest and largest fraction of the image's area.
    generator : torch.Generator
        Source of place, area, aspect (3/4 to 4/3) and mirroring.

    Returns
    -------
    crops : tensor of shape (n_images, 3, size, size)
        Bilinear; without antialiasing.
    """
    n_images = len(images)
    area_fraction = _draw((n_images,), area[0], area[1], generator)
    aspect = torch.exp(_draw((n_images,), math.log(3 / 4), math.log(4 / 3), generator))
    height = (area_fraction / aspect).sqrt().clamp(max=1.0)
    width = (area_fraction * aspect).sqrt().clamp(max=1.0)
    center_y = (1 - height) * _draw((n_images,), -1, 1, generator)
    center_x = (1 - width) * _draw((n_images,), -1, 1, generator)
    mirror = torch.where(torch.rand(n_images, generator=generator) < 0.5, -1.0, 1.0)
    transform = torch.zeros(n_images, 2, 3)
    transform[:, 0, 0], transform[:, 0, 2] = width * mirror, center_x
    transform[:, 1, 1], transform[:, 1, 2] = height, center_y
    grid = functional.affine_grid(transform, [n_images, 3, size, size], align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)


def jitter_colours(
    images: torch.Tensor, generator: torch.Generator, strength: float = 1.0
) -> torch.Tensor:
    """Change brightness, contrast, saturation and hue, and drop the colour of some images.

    Parameters
    ----------
    images : tensor of shape (n_images, 3, y, x), float32
        In [0, 1].
    generator : torch.Generator
        Source of the changes.
    strength : float
        Scales them; 1 is about that of Caron et al. (2021).

    Returns
    -------
    jittered : tensor of shape (n_images, 3, y, x)
        In [0, 1].
    """
    n_images = len(images)
    shape = (n_images, 1, 1, 1)
    luma = torch.tensor(_LUMA).view(1, 3, 1, 1)
    images = images * _draw(shape, 1 - 0.4 * strength, 1 + 0.4 * strength, generator)
    mean = (images * luma).sum(1, keepdim=True).mean(dim=(2, 3), keepdim=True)
    images = mean + (images - mean) * _draw(
        shape, 1 - 0.4 * strength, 1 + 0.4 * strength, generator
    )
    images = _rotate_hue(images, _draw((n_images,), -0.6, 0.6, generator) * strength)
    grey = (images * luma).sum(1, keepdim=True)
    saturation = _draw(shape, 1 - 0.4 * strength, 1 + 0.4 * strength, generator)
    colourless = torch.rand(shape, generator=generator) < 0.2
    saturation = torch.where(colourless, torch.zeros(()), saturation)
    return (grey + (images - grey) * saturation).clamp(0, 1)


def _rotate_hue(images: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Rotate colours about the grey axis (Rodrigues) by angles in radians."""
    axis = 1 / math.sqrt(3)
    cross = axis * torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]])
    cosine = torch.cos(angles)[:, None, None]
    sine = torch.sin(angles)[:, None, None]
    rotation = cosine * torch.eye(3) + sine * cross + (1 - cosine) / 3
    return torch.einsum("nij,njyx->niyx", rotation, images)


class ViewGenerator:
    """Make one kind of view: crop, colours, noise.

    Parameters
    ----------
    size : int
        Side of the view in pixels.
    area : tuple of float
        Fraction of the image's area that it shows.
    mean, std : tuple of float
        Normalisation of the model's input.
    generator : torch.Generator
        Source of randomness.
    """

    def __init__(
        self,
        size: int,
        area: tuple[float, float],
        mean: tuple[float, ...],
        std: tuple[float, ...],
        generator: torch.Generator,
    ) -> None:
        self.size, self.area, self.generator = size, area, generator
        self.mean = torch.tensor(mean).view(1, 3, 1, 1)
        self.std = torch.tensor(std).view(1, 3, 1, 1)

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """Return a view of each image, normalised."""
        views = crop_images(images, self.size, self.area, self.generator)
        views = jitter_colours(views, self.generator)
        return (views - self.mean) / self.std


def jitter_brightness(images: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Scale and offset normalised images a little, keeping hue and place.

    Parameters
    ----------
    images : tensor of shape (n_images, 3, y, x), float32
        Normalised images.
    generator : torch.Generator
        Source of gain (0.8 to 1.2), offset (-0.2 to 0.2) and pixel noise (0.05).

    Returns
    -------
    jittered : tensor of shape (n_images, 3, y, x)
        In units of the normalisation.
    """
    shape = (len(images), 1, 1, 1)
    jittered = images * _draw(shape, 0.8, 1.2, generator) + _draw(shape, -0.2, 0.2, generator)
    return jittered + 0.05 * torch.randn(images.shape, generator=generator)
