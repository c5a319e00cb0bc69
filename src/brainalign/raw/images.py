"""Decode image files and arrays into RGB pixels, in one documented way.

========================  =====================================================
found                     becomes
========================  =====================================================
grey                      the same value in three channels
palette                   its colours
alpha                     composited over mid-grey (128)
16 bit                    the upper 8 bits
EXIF orientation          upright
CMYK, YCbCr, Lab          RGB by Pillow
animation                 refused: which frame was shown is not known
========================  =====================================================
"""

from __future__ import annotations

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from brainalign.errors import CorruptDataError, InputError

_MID_GREY = 128
_FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "WEBP", "GIF", "PPM")


def decode_image_file(path: Path, max_pixels: int = 50_000_000) -> np.ndarray:
    """Decode one image file.

    Parameters
    ----------
    path : Path
        A PNG, JPEG, TIFF, BMP, WebP, GIF or PPM file.
    max_pixels : int
        A file that claims more pixels is refused before any of them is decoded.

    Returns
    -------
    pixels : array of shape (y, x, 3), uint8
        RGB.

    Raises
    ------
    InputError
        If the file is missing, animated or too large.
    CorruptDataError
        If it is truncated, damaged or no image. A damaged JPEG can decode without an error to
        wrong pixels; only a checksum in the stimulus table finds that.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise InputError("no such image file", where=path) from None
    return decode_image_bytes(content, path, max_pixels)


def decode_image_bytes(content: bytes, path: Path, max_pixels: int = 50_000_000) -> np.ndarray:
    """Decode the content of one image file.

    Parameters
    ----------
    content : bytes
        What the file holds.
    path : Path
        Where it comes from, for messages.
    max_pixels : int
        As :func:`decode_image_file` takes it.

    Returns
    -------
    pixels : array of shape (y, x, 3), uint8
        RGB.

    Raises
    ------
    InputError, CorruptDataError
        As :func:`decode_image_file`.
    """
    with warnings.catch_warnings():
        # Pillow only warns up to twice its own limit; ours is checked below.
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
                _check_size(image, path, max_pixels)
                return _convert(image, path)
        except Image.DecompressionBombError as error:
            raise _too_large(path, str(error), max_pixels) from error
        except UnidentifiedImageError as error:
            raise CorruptDataError(
                "is no image that can be read",
                where=path,
                expected=", ".join(_FORMATS),
                remedy="Copy the file again.",
            ) from error
        except (InputError, MemoryError):
            raise
        except Exception as error:  # Pillow's parsers let every kind through (TypeError in TIFF)
            raise CorruptDataError(
                "the image is truncated or damaged",
                where=path,
                found=str(error),
                remedy="Copy the file again.",
            ) from error


def check_image_file(path: Path, max_pixels: int = 50_000_000) -> tuple[int, int]:
    """Look at the header of an image file without decoding its pixels.

    Returns
    -------
    size : tuple of int
        Width and height in pixels, as the file states them (before EXIF orientation).

    Raises
    ------
    InputError
        If the file is missing, animated or too large.
    CorruptDataError
        If it does not start as an image.
    """
    if not path.is_file():
        raise InputError("no such image file", where=path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        try:
            with Image.open(path, formats=_FORMATS) as image:
                _check_size(image, path, max_pixels)
                return image.size
        except InputError:
            raise
        except Exception as error:  # as above: Pillow's parsers let every kind through
            raise CorruptDataError(
                "is no image that can be read",
                where=path,
                expected=", ".join(_FORMATS),
                remedy="Copy the file again.",
            ) from error


def _check_size(image: Image.Image, path: Path, max_pixels: int) -> None:
    if image.width * image.height > max_pixels:
        raise _too_large(path, f"{image.width} x {image.height} pixels", max_pixels)
    if getattr(image, "n_frames", 1) > 1:
        raise InputError(
            "is an animation",
            where=path,
            expected="one image",
            found=f"{getattr(image, 'n_frames', 0)} frames",
            remedy="Save the frame that was shown, or use a movie data set.",
        )


def _too_large(path: Path, found: str, max_pixels: int) -> InputError:
    return InputError(
        "the image claims more pixels than allowed",
        where=path,
        expected=f"at most {max_pixels}",
        found=found,
        remedy="Shrink it, or raise stimuli.max_pixels if it is meant.",
    )


def _convert(image: Image.Image, path: Path) -> np.ndarray:
    upright = ImageOps.exif_transpose(image)
    if upright.mode == "I":
        # Formats without a 16-bit mode of their own in Pillow come as 32-bit integers.
        return to_rgb(_narrow(np.asarray(upright), path), path)
    if upright.mode.startswith(("I;", "F")):
        return to_rgb(np.asarray(upright), path)
    if upright.mode in ("P", "L", "RGB") and "transparency" in upright.info:
        upright = upright.convert("RGBA")
    if upright.mode in ("LA", "PA", "La"):
        upright = upright.convert("RGBA")
    if upright.mode == "RGBA":
        return to_rgb(np.asarray(upright), path)
    return np.asarray(upright.convert("RGB"))


def _narrow(pixels: np.ndarray, path: Path) -> np.ndarray:
    if pixels.min() < 0 or pixels.max() >= 1 << 16:
        raise InputError(
            "has more than 16 bits per pixel",
            where=path,
            found=f"values from {pixels.min()} to {pixels.max()}",
            remedy="Save it with 8 or 16 bits.",
        )
    return pixels.astype(np.uint16)


def to_rgb(pixels: np.ndarray, where: object) -> np.ndarray:
    """Convert an array of pixels as files or NWB images hold them to RGB.

    Parameters
    ----------
    pixels : array of shape (y, x), (y, x, 3) or (y, x, 4)
        Grey, RGB or RGBA; uint8, or uint16 (of which the upper 8 bits are kept), or other
        integers up to 255, or floats in [0, 1].
    where : object
        Name of the image, for messages.

    Returns
    -------
    rgb : array of shape (y, x, 3), uint8
        Alpha is composited over mid-grey.

    Raises
    ------
    InputError
        If the shape or the range of values is another.
    """
    if pixels.ndim not in (2, 3) or (pixels.ndim == 3 and pixels.shape[2] not in (1, 3, 4)):
        raise InputError(
            "has no shape of an image", where=where, expected="(y, x[, 3 or 4])", found=pixels.shape
        )
    pixels = _to_bytes(pixels, where)
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.shape[2] == 4:
        alpha = pixels[:, :, 3:].astype(np.float64) / 255
        blended = pixels[:, :, :3] * alpha + _MID_GREY * (1 - alpha)
        return np.rint(blended).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def _to_bytes(pixels: np.ndarray, where: object) -> np.ndarray:
    if pixels.dtype == np.uint8:
        return pixels
    low, high = float(np.min(pixels)), float(np.max(pixels))
    if pixels.dtype.kind == "u" and pixels.dtype.itemsize == 2:
        return (pixels >> 8).astype(np.uint8)
    # Bytes in a wider type: the upper bits of them would be a black image.
    if pixels.dtype.kind in "iu" and low >= 0 and high < 1 << 8:
        return pixels.astype(np.uint8)
    if pixels.dtype.kind == "f" and low >= 0 and high <= 1:
        return np.rint(pixels * 255).astype(np.uint8)
    raise InputError(
        "has pixel values that are neither 8 bit, 16 bit nor in [0, 1]",
        where=where,
        found=f"{pixels.dtype} from {low:g} to {high:g}",
    )


def resize_image(pixels: np.ndarray, size: int) -> np.ndarray:
    """Resize an RGB image to a square by area-true bicubic resampling.

    Parameters
    ----------
    pixels : array of shape (y, x, 3), uint8
        An image of any shape; its aspect ratio is not kept.
    size : int
        Side of the result in pixels.
    """
    if pixels.shape[:2] == (size, size):
        return pixels
    resized = Image.fromarray(pixels).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(resized)
