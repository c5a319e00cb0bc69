"""What drives the voxels of a simulated subject.

Early voxels pool the energy of oriented filters over a receptive field of the picture; late voxels
follow the categories and the place of the objects, through the latents of the world:

    response_v(s) = mean + sd_v drive_v(s),     drive of unit variance over the shown stimuli
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import fft

from .fmri_options import EARLY_ROIS, ROI_SHARES, FMRIScannerOptions
from .latents import slice_group
from .streams import derive_generator

N_ORIENTATIONS = 4
WAVELENGTHS = (4.0, 8.0, 16.0)  # in pixels of the 64-pixel picture that the filters see
GRID = 8  # energy is pooled into a grid of this many squares per side
_SIDE = 64

_FIELD_SIZE = {"V1": 0.07, "V2": 0.11, "V3": 0.17}  # SD of the receptive field, image fractions
_ORIENTATION_TUNING = {"V1": 2.0, "V2": 1.2, "V3": 0.7}  # concentration over orientations
_PREFERRED = {"FFA": ("face",), "PPA": ("house", "tree")}
_OWN_SHARE = 0.5  # of a late voxel's direction that is not that of its region
_PLACE_SHARE = 0.35  # of LOC voxels' direction that follows position and size


@dataclass(frozen=True)
class VoxelPopulation:
    """Planted tuning of the voxels of one subject, in the order of :func:`list_voxels`.

    Parameters
    ----------
    index : array of shape (n_voxels, 3), int
        Voxel indices.
    roi : array of shape (n_voxels,) of str
        Region of each voxel.
    drive : array of shape (n_stimuli, n_voxels)
        Drive by every stimulus, of mean 0 and variance 1 over stimuli.
    signal_sd : array of shape (n_voxels,)
        Standard deviation of the response over stimuli, percent of the baseline.
    delay_s : array of shape (n_voxels,)
        Delay of the BOLD response against the canonical one.
    """

    index: np.ndarray
    roi: np.ndarray
    drive: np.ndarray
    signal_sd: np.ndarray
    delay_s: np.ndarray


def compute_filter_energy(images: np.ndarray) -> np.ndarray:
    """Compute the energy of oriented filters in the squares of a grid.

    Parameters
    ----------
    images : array of shape (n_stimuli, y, x)
        Grey pictures in [0, 1]; they are resampled to 64 x 64 pixels.

    Returns
    -------
    energy : array of shape (n_stimuli, 4, 3, 8, 8)
        Root of the mean energy of quadrature pairs (log-Gabor, Field 1987), by orientation,
        wavelength, row and column of the grid.
    """
    small = _resample(images)
    frequency = fft.fftfreq(_SIDE)
    fy, fx = np.meshgrid(frequency, frequency, indexing="ij")
    radius, angle = np.hypot(fx, fy), np.arctan2(fy, fx)
    radius[0, 0] = 1
    energy = np.empty((len(images), N_ORIENTATIONS, len(WAVELENGTHS), GRID, GRID))
    square = _SIDE // GRID
    spectrum = fft.fft2(small)
    for orientation in range(N_ORIENTATIONS):
        turn = angle - np.pi * orientation / N_ORIENTATIONS
        # One side of the spectrum only: the result is the analytic signal, a quadrature pair.
        tuning = np.where(np.cos(turn) > 0, np.exp(-(np.sin(turn) ** 2) / (2 * 0.35**2)), 0)
        for scale, wavelength in enumerate(WAVELENGTHS):
            band = np.exp(-(np.log(radius * wavelength) ** 2) / (2 * 0.55**2))
            band[0, 0] = 0
            power = np.abs(fft.ifft2(spectrum * (band * tuning))) ** 2
            pooled = power.reshape(-1, GRID, square, GRID, square).mean(axis=(2, 4))
            energy[:, orientation, scale] = np.sqrt(pooled)
    return energy


def _resample(images: np.ndarray) -> np.ndarray:
    """Resample by the area that each new pixel covers, along rows and then columns."""
    for axis in (1, 2):
        length = images.shape[axis]
        edges = np.linspace(0, length, _SIDE + 1)
        # The running integral of a picture, read off at the edges of the new pixels.
        integral = np.concatenate(
            [np.zeros_like(np.take(images, [0], axis)), np.cumsum(images, axis)], axis
        )
        low = np.minimum(edges.astype(int), length - 1)
        share = np.expand_dims(edges - low, tuple(a for a in range(3) if a != axis))
        at_edges = np.take(integral, low, axis) * (1 - share)
        at_edges = at_edges + np.take(integral, low + 1, axis) * share
        images = np.diff(at_edges, axis=axis) * _SIDE / length
    return images


def list_voxels(roi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """List the voxels of all regions, region by region.

    Returns
    -------
    index : array of shape (n_voxels, 3), int
        Voxel indices.
    name : array of shape (n_voxels,) of str
        Region of each.
    """
    indices = [np.argwhere(roi == number) for number in range(1, len(ROI_SHARES) + 1)]
    names = np.repeat(list(ROI_SHARES), [len(one) for one in indices])
    return np.concatenate(indices), names


def draw_population(
    options: FMRIScannerOptions,
    subject: str,
    roi: np.ndarray,
    energy: np.ndarray,
    latent: np.ndarray,
    n_objects: np.ndarray,
    category_code: dict[str, np.ndarray],
) -> VoxelPopulation:
    """Draw what the voxels of one subject prefer.

    Parameters
    ----------
    options : FMRIScannerOptions
        Strength and spread of signals.
    subject : str
        Name of the random stream.
    roi : array of shape (x, y, z), int
        Regions, see :class:`brainalign.raw.simulate.fmri_anatomy.Anatomy`.
    energy : array of shape (n_stimuli, 4, 3, 8, 8)
        From :func:`compute_filter_energy`.
    latent : array of shape (n_stimuli, 13)
        Latents of the world.
    n_objects : array of shape (n_stimuli,)
        Objects per picture. Latents of scenes are means over their objects; voxels answer to the
        mean times the root of the number, between the mean and the sum.
    category_code : dict of str to array of shape (7,)
        Place of each category among the latents.
    """
    generator = derive_generator(options.seed, "fmri-population", subject)
    index, names = list_voxels(roi)
    drive = np.empty((len(energy), len(index)))
    category = latent[:, slice_group("category")] * np.sqrt(n_objects)[:, np.newaxis]
    place = np.concatenate(
        [latent[:, slice_group("position")], latent[:, slice_group("size")]], axis=1
    )
    for name in ROI_SHARES:
        chosen = np.flatnonzero(names == name)
        if name in EARLY_ROIS:
            weight = _draw_fields(generator, name, len(chosen))
            drive[:, chosen] = energy.reshape(len(energy), -1) @ weight
        else:
            drive[:, chosen] = _draw_late(generator, name, len(chosen), category, category_code)
            if name == "LOC":
                share = np.sqrt(_PLACE_SHARE)
                other = _scale(place) @ _draw_unit(generator, len(chosen), 3).T
                drive[:, chosen] = np.sqrt(1 - share**2) * _scale(drive[:, chosen]) + share * other
    spread = np.exp(options.signal_spread * generator.standard_normal(len(index)))
    delay = options.hrf_delay_spread_s * generator.standard_normal(len(index))
    return VoxelPopulation(
        index=index,
        roi=names,
        drive=_scale(drive),
        signal_sd=options.signal_percent * spread,
        delay_s=np.clip(delay, -2.5 * options.hrf_delay_spread_s, 2.5 * options.hrf_delay_spread_s),
    )


def _draw_fields(generator: np.random.Generator, name: str, n_voxels: int) -> np.ndarray:
    """Draw weights over orientation, wavelength and grid, shape (768, n_voxels)."""
    centre = generator.uniform(0.2, 0.8, (n_voxels, 2))
    preferred = generator.uniform(0, np.pi, n_voxels)
    scale = generator.integers(0, len(WAVELENGTHS), n_voxels)
    middle = (np.arange(GRID) + 0.5) / GRID
    rows = np.exp(-((middle - centre[:, :1]) ** 2) / (2 * _FIELD_SIZE[name] ** 2))
    columns = np.exp(-((middle - centre[:, 1:]) ** 2) / (2 * _FIELD_SIZE[name] ** 2))
    angles = np.pi * np.arange(N_ORIENTATIONS) / N_ORIENTATIONS
    turn = angles - preferred[:, np.newaxis]
    tuning = np.exp(_ORIENTATION_TUNING[name] * (np.cos(2 * turn) - 1))
    band = np.exp(-((np.arange(len(WAVELENGTHS)) - scale[:, np.newaxis]) ** 2) / (2 * 0.6**2))
    weight = np.einsum("vo,vs,vy,vx->osyxv", tuning, band, rows, columns)
    return weight.reshape(-1, n_voxels)


def _draw_late(
    generator: np.random.Generator,
    name: str,
    n_voxels: int,
    category: np.ndarray,
    category_code: dict[str, np.ndarray],
) -> np.ndarray:
    direction = _draw_unit(generator, n_voxels, category.shape[1])
    preferred = [category_code[one] for one in _PREFERRED.get(name, ()) if one in category_code]
    if preferred:
        shared = np.mean(preferred, axis=0)
        shared = shared / np.linalg.norm(shared)
        direction = np.sqrt(1 - _OWN_SHARE**2) * shared + _OWN_SHARE * direction
    return category @ direction.T


def _draw_unit(generator: np.random.Generator, n_rows: int, n_dimensions: int) -> np.ndarray:
    rows = generator.standard_normal((n_rows, n_dimensions))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _scale(values: np.ndarray) -> np.ndarray:
    deviation = values.std(axis=0)
    return (values - values.mean(axis=0)) / np.where(deviation > 0, deviation, 1)
