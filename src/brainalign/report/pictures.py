"""Figures as files and as data that a page can hold."""

from __future__ import annotations

import base64
import io
import warnings
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from brainalign.report.figures.style import PIXELS_PER_INCH, use_style

_MEDIA_TYPES = {"svg": "image/svg+xml", "png": "image/png"}
# Screens of phones have two or three pixels per CSS pixel.
_PIXEL_RATIO = 2


@dataclass(frozen=True)
class Picture:
    """One figure of the page.

    Attributes
    ----------
    file : str
        Name of its copy in the folder of figures.
    alt : str
        What it shows, for those who do not see it.
    content : bytes
        The file.
    width, height : int
        Size at which its text is legible, in CSS pixels.
    """

    file: str
    alt: str
    content: bytes
    width: int
    height: int

    @property
    def source(self) -> str:
        """The picture as a ``data:`` address: the page needs no other file."""
        media_type = _MEDIA_TYPES[self.file.rsplit(".", 1)[1]]
        return f"data:{media_type};base64,{base64.b64encode(self.content).decode()}"


def encode_figure(figure: Figure, name: str, alt: str, *, file_format: str = "svg") -> Picture:
    """Save a figure for the page.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        Sized so that its text is legible at its natural width.
    name : str
        Name of the file without ending.
    alt : str
        Alternative text.
    file_format : {"svg", "png"}
        ``png`` for figures that are made of pixels.
    """
    stream = io.BytesIO()
    with use_style(), warnings.catch_warnings():
        # An id may hold a character that the font lacks; a box in its place is all right.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        if file_format == "svg":
            # A date would make equal runs differ.
            figure.savefig(stream, format="svg", metadata={"Date": None})
        else:
            figure.savefig(stream, format="png", dpi=PIXELS_PER_INCH * _PIXEL_RATIO)
    width, height = (round(inches * PIXELS_PER_INCH) for inches in figure.get_size_inches())
    return Picture(f"{name}.{file_format}", alt, stream.getvalue(), width, height)


def encode_image(pixels: NDArray[np.uint8], name: str, alt: str, width: int) -> Picture:
    """Save one stimulus as a small picture.

    Parameters
    ----------
    pixels : array of shape (y, x, 3), uint8
        RGB.
    name : str
        Name of the file without ending.
    alt : str
        Alternative text.
    width : int
        Width on the page, in CSS pixels; images that are wider than a sharp screen needs are
        made smaller.
    """
    image = Image.fromarray(pixels)
    height = max(1, round(width * image.height / image.width))
    if image.width > width * _PIXEL_RATIO:
        image = image.resize(
            (width * _PIXEL_RATIO, height * _PIXEL_RATIO), Image.Resampling.LANCZOS
        )
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=True)
    return Picture(f"{name}.png", alt, stream.getvalue(), width, height)
