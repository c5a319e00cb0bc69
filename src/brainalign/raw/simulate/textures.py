"""Textures with the power spectrum of natural images, for backgrounds and movies."""

from __future__ import annotations

import numpy as np


def make_natural_texture(
    generator: np.random.Generator, height: int, width: int, slope: float = 2.0
) -> np.ndarray:
    """Draw a periodic Gaussian texture with power 1/f^slope.

    Parameters
    ----------
    generator : numpy.random.Generator
        Source of randomness.
    height, width : int
        Size in pixels.
    slope : float
        Fall of power with spatial frequency; 2 is that of natural images.

    Returns
    -------
    texture : array of shape (height, width)
        Mean 0, standard deviation 1.

    Notes
    -----
    Field (1987): natural images have amplitude near 1/f, that is power near 1/f^2. Phases are
    random: there are no edges.
    """
    rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None, :]
    frequency = np.hypot(rows, columns)
    frequency[0, 0] = np.inf
    spectrum = np.fft.rfft2(generator.standard_normal((height, width)))
    texture = np.fft.irfft2(spectrum * frequency ** (-slope / 2), s=(height, width))
    return (texture - texture.mean()) / texture.std()


class DriftingTexture:
    """A periodic texture that moves by fractions of a pixel.

    Parameters
    ----------
    texture : array of shape (height, width)
        One period.
    """

    def __init__(self, texture: np.ndarray) -> None:
        self._shape = texture.shape
        self._spectrum = np.fft.rfft2(texture)
        self._rows = np.fft.fftfreq(texture.shape[0])[:, None]
        self._columns = np.fft.rfftfreq(texture.shape[1])[None, :]

    def shift(self, right: float, down: float) -> np.ndarray:
        """Move the texture.

        Parameters
        ----------
        right, down : float
            Displacement in pixels.

        Returns
        -------
        moved : array of shape (height, width)
            Fourier interpolation, which keeps the power spectrum.
        """
        phase = np.exp(-2j * np.pi * (self._columns * right + self._rows * down))
        return np.fft.irfft2(self._spectrum * phase, s=self._shape)


def measure_spectral_slope(image: np.ndarray) -> float:
    """Estimate how power falls with spatial frequency.

    Parameters
    ----------
    image : array of shape (height, width)
        Taken as periodic; window other pictures first.

    Returns
    -------
    slope : float
        s in power ~ 1/f^s, by least squares over the logarithms of ring averages, from 2 cycles
        per image to 0.4 cycles per pixel.
    """
    power = np.abs(np.fft.fft2(image - image.mean())) ** 2
    rows, columns = (np.fft.fftfreq(n)[:, None] for n in image.shape)
    frequency = np.hypot(rows, columns.T)
    edges = np.geomspace(2 / min(image.shape), 0.4, 12)
    ring = np.digitize(frequency.ravel(), edges)
    count = np.bincount(ring, minlength=13)[1:12]
    centre = np.bincount(ring, frequency.ravel(), minlength=13)[1:12] / np.maximum(count, 1)
    height = np.bincount(ring, power.ravel(), minlength=13)[1:12] / np.maximum(count, 1)
    filled = count > 0
    return float(-np.polyfit(np.log(centre[filled]), np.log(height[filled]), 1)[0])
