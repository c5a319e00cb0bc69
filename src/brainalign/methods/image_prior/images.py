"""Stimuli as a prior sees them: resized, grey or coloured, between -1 and 1."""

from __future__ import annotations

import numpy as np

from brainalign.raw.images import resize_image

# ITU-R BT.601, what `PIL` makes grey images with.
_LUMINANCE = np.array([0.299, 0.587, 0.114])


def prepare_images(image: np.ndarray, size: int, n_channels: int) -> np.ndarray:
    """Resize stimuli and scale their pixels.

    Parameters
    ----------
    image : array of shape (n_images, y, x, 3), uint8
        RGB.
    size : int
        Height and width of the result in pixels.
    n_channels : {1, 3}
        Luminance, or red, green and blue.

    Returns
    -------
    prepared : array of shape (n_images, n_channels, size, size), float32
        0 becomes -1 and 255 becomes 1, in every image alike.
    """
    resized = np.stack([resize_image(pixels, size) for pixels in image]).astype(np.float64)
    if n_channels == 1:
        resized = (resized @ _LUMINANCE)[..., np.newaxis]
    return np.moveaxis(resized / 127.5 - 1, -1, 1).astype(np.float32)


def restore_images(prepared: np.ndarray) -> np.ndarray:
    """Turn images of a prior back into pixels; what lies outside of the range is clipped.

    Parameters
    ----------
    prepared : array of shape (..., n_channels, y, x)
        Between -1 and 1.

    Returns
    -------
    image : array of shape (..., y, x, 3), uint8
        RGB; grey images have three equal channels.
    """
    pixels = np.round((np.clip(np.moveaxis(prepared, -3, -1), -1, 1) + 1) * 127.5)
    if pixels.shape[-1] == 1:
        pixels = np.repeat(pixels, 3, axis=-1)
    return pixels.astype(np.uint8)
