"""Ganglion cells of the simulated retina: where they look, what they like, how they fire.

Four types: ON and OFF, each sustained (a linear filter and a static nonlinearity) and transient
(rectified subunits that are pooled, and a more biphasic filter). All have a surround.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .retina_options import SimulatedRetinaOptions
from .streams import derive_generator, draw_stratified

CELL_TYPES = ("on-sustained", "off-sustained", "on-transient", "off-transient")
STEPS_PER_FRAME = 4  # rates are computed this often per frame
KERNEL_FRAMES = 15  # length of the temporal filter
MARGIN = 0.15  # centres keep this distance from the frame's border, in frame widths
SURROUND_SCALE = 2.5  # radius of the surround over that of the centre
SURROUND_DELAY_FRAMES = 1
SUBUNIT_SCALE = 0.5  # radius of a subunit over that of the centre
SUBUNIT_DISTANCE = 0.9  # of the outer subunits from the middle, in radii
UNDERSHOOT = {"sustained": 0.25, "transient": 0.85}  # area of the second lobe over the first
RISE_POWER = 6
THRESHOLD, STEEPNESS = 1.0, 4.0  # of the output nonlinearity, in SD of the drive


@dataclass(frozen=True)
class RetinaCells:
    """What is planted in each cell of one retina.

    Parameters
    ----------
    name : array of shape (n_cells,) of str
        Ids such as ``cell-03``.
    cell_type : array of shape (n_cells,) of str
        One of ``CELL_TYPES``.
    center_x, center_y : array of shape (n_cells,)
        Shares of the frame's width from its left and of its height from its top.
    axis_major, axis_minor : array of shape (n_cells,)
        Standard deviations of the centre along its axes, in frame widths.
    angle : array of shape (n_cells,)
        Of the major axis, in radians from x towards y (downwards).
    kernel : array of shape (n_cells, n_steps)
        Temporal filter in steps of a quarter frame, from the present into the past; unit L1 norm,
        its first lobe positive. The polarity is not in it.
    mean_rate_hz : array of shape (n_cells,)
        Mean rate over the world's movies.
    """

    name: np.ndarray
    cell_type: np.ndarray
    center_x: np.ndarray
    center_y: np.ndarray
    axis_major: np.ndarray
    axis_minor: np.ndarray
    angle: np.ndarray
    kernel: np.ndarray
    mean_rate_hz: np.ndarray

    @property
    def polarity(self) -> np.ndarray:
        """Give 1 for ON and -1 for OFF cells."""
        return np.where(np.char.startswith(self.cell_type, "on"), 1.0, -1.0)

    @property
    def is_transient(self) -> np.ndarray:
        """Tell which cells have subunits."""
        return np.char.endswith(self.cell_type, "transient")


def draw_cells(options: SimulatedRetinaOptions, subject: str, n_cells: int) -> RetinaCells:
    """Draw the cells of one retina.

    Parameters
    ----------
    options : SimulatedRetinaOptions
        Radii, rates and seed.
    subject : str
        Id of the retina.
    n_cells : int
        Types are dealt in turn.
    """
    generator = derive_generator(options.seed, "cells", subject)
    place = MARGIN + (1 - 2 * MARGIN) * draw_stratified(generator, n_cells, 2)
    first, second = generator.uniform(options.smallest_radius, options.largest_radius, (2, n_cells))
    cell_type = np.array([CELL_TYPES[cell % len(CELL_TYPES)] for cell in range(n_cells)])
    delay_frames = generator.uniform(2.2, 3.4, n_cells)
    kernels = [
        make_kernel(delay, UNDERSHOOT[kind.split("-")[1]])
        for delay, kind in zip(delay_frames, cell_type, strict=True)
    ]
    rate = options.mean_rate_hz * np.exp(options.rate_spread * generator.standard_normal(n_cells))
    return RetinaCells(
        name=np.array([f"cell-{cell + 1:02d}" for cell in range(n_cells)]),
        cell_type=cell_type,
        center_x=place[:, 0],
        center_y=place[:, 1],
        axis_major=np.maximum(first, second),
        axis_minor=np.minimum(first, second),
        angle=generator.uniform(-np.pi / 2, np.pi / 2, n_cells),
        kernel=np.stack(kernels),
        mean_rate_hz=rate,
    )


def make_kernel(delay_frames: float, undershoot: float) -> np.ndarray:
    """Make a biphasic temporal filter.

    Parameters
    ----------
    delay_frames : float
        Peak of the first lobe in frames.
    undershoot : float
        Area of the second, later lobe over that of the first.

    Returns
    -------
    kernel : array of shape (KERNEL_FRAMES * STEPS_PER_FRAME,)
        Per quarter frame into the past; unit L1 norm.
    """
    time = (np.arange(KERNEL_FRAMES * STEPS_PER_FRAME) + 0.5) / STEPS_PER_FRAME

    def lobe(delay: float) -> np.ndarray:
        shape = (time / delay) ** RISE_POWER * np.exp(-RISE_POWER * (time / delay - 1))
        return shape / shape.sum()

    kernel = lobe(delay_frames) - undershoot * lobe(1.8 * delay_frames)
    return kernel / np.abs(kernel).sum()


def compute_drive(cells: RetinaCells, contrast: np.ndarray, surround: float) -> np.ndarray:
    """Compute what each cell makes of a movie before its output nonlinearity.

    Parameters
    ----------
    cells : RetinaCells
        The cells.
    contrast : array of shape (n_frames, y, x)
        Luminance contrast, about 0 on average.
    surround : float
        Weight of the surround relative to the centre.

    Returns
    -------
    drive : array of shape (n_frames * STEPS_PER_FRAME, n_cells)
        Standardised over the movie: cells adapt to the contrast of what is shown.
    """
    size = contrast.shape[1:]
    flat = contrast.reshape(len(contrast), -1)
    flat = flat - flat.mean(axis=0)
    weights = [_make_weights(cells, cell, size) for cell in range(len(cells.name))]
    n_filters = [len(own) for own in weights]
    signal = flat @ np.concatenate(weights).T
    drive = np.empty((len(contrast) * STEPS_PER_FRAME, len(cells.name)))
    for cell, columns in enumerate(np.split(signal, np.cumsum(n_filters)[:-1], axis=1)):
        # The first column is the surround, the others are the centre or its subunits.
        delayed = np.roll(columns[:, 0], SURROUND_DELAY_FRAMES)
        delayed[:SURROUND_DELAY_FRAMES] = 0.0
        columns = cells.polarity[cell] * (columns[:, 1:] - surround * delayed[:, np.newaxis])
        filtered = _filter_time(columns, cells.kernel[cell])
        if cells.is_transient[cell]:
            filtered = np.maximum(filtered / filtered.std(axis=0), 0.0)
        pooled = filtered.mean(axis=1)
        drive[:, cell] = (pooled - pooled.mean()) / pooled.std()
    return drive


def apply_nonlinearity(drive: np.ndarray) -> np.ndarray:
    """Turn drive into rate, in units that :func:`compute_drive`'s cells scale: softplus."""
    return np.logaddexp(0.0, STEEPNESS * (drive - THRESHOLD)) / STEEPNESS


def _make_weights(cells: RetinaCells, cell: int, size: tuple[int, int]) -> np.ndarray:
    """Make the surround and the centre, or the subunits, of one cell: (n_filters, y * x)."""
    centre = (cells.center_x[cell], cells.center_y[cell])
    axes = (cells.axis_major[cell], cells.axis_minor[cell])
    angle = float(cells.angle[cell])
    filters = [_gaussian(centre, axes, SURROUND_SCALE, angle, size)]
    if not cells.is_transient[cell]:
        return np.stack([*filters, _gaussian(centre, axes, 1.0, angle, size)])
    # One subunit in the middle and six around it, on the ellipse.
    directions = [(0.0, 0.0), *((np.cos(k * np.pi / 3), np.sin(k * np.pi / 3)) for k in range(6))]
    for along, across in directions:
        along, across = SUBUNIT_DISTANCE * along * axes[0], SUBUNIT_DISTANCE * across * axes[1]
        place = (
            centre[0] + np.cos(angle) * along - np.sin(angle) * across,
            centre[1] + np.sin(angle) * along + np.cos(angle) * across,
        )
        filters.append(_gaussian(place, axes, SUBUNIT_SCALE, angle, size))
    return np.stack(filters)


def _gaussian(
    centre: tuple[float, float],
    axes: tuple[float, float],
    scale: float,
    angle: float,
    size: tuple[int, int],
) -> np.ndarray:
    """Draw a Gaussian of unit sum over a square frame."""
    height, width = size
    right = (np.arange(width) + 0.5) / width - centre[0]
    down = ((np.arange(height) + 0.5) / height - centre[1])[:, np.newaxis]
    along = (np.cos(angle) * right + np.sin(angle) * down) / (scale * axes[0])
    across = (-np.sin(angle) * right + np.cos(angle) * down) / (scale * axes[1])
    weight = np.exp(-0.5 * (along**2 + across**2))
    return (weight / weight.sum()).ravel()


def _filter_time(signal: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """Filter (n_frames, n_columns) causally at the finer steps."""
    steps = np.repeat(signal, STEPS_PER_FRAME, axis=0)
    length = len(steps) + len(kernel)
    spectrum = np.fft.rfft(steps, n=length, axis=0) * np.fft.rfft(kernel, n=length)[:, np.newaxis]
    return np.fft.irfft(spectrum, n=length, axis=0)[: len(steps)]
