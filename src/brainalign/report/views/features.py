"""Page of a feature store: layers, and how stimuli lie in them."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from brainalign.report.blocks import Block, Cell, FigureGroup, Row, Section, Table
from brainalign.report.figures.value_plots import draw_components, draw_histogram
from brainalign.report.names import make_slug
from brainalign.report.pictures import Picture, encode_figure
from brainalign.report.sections.retrieval import pick_evenly
from brainalign.report.views.parts import (
    Opened,
    compose_variables,
    describe_sample,
    list_sections,
)
from brainalign.report.views.sample import Sample, sample_variable
from brainalign.stores.inspect_folder import format_size
from brainalign.stores.read import read_labels

_N_ROWS, _N_DIMENSIONS, _N_PATCHES = 320, 1024, 16
_MOST_LAYERS = 4


def compose_view(opened: Opened) -> list[Section]:
    """Show all layers with their shapes, and principal components and norms of some."""
    return list_sections(
        Section("layers", "Layers", _show_layers(opened)), compose_variables(opened)
    )


def _show_layers(opened: Opened) -> list[Block]:
    layers = {
        node.path.strip("/"): (str(name), variable)
        for node in opened.tree.subtree
        for name, variable in node.to_dataset(inherit=False).data_vars.items()
        if name in ("feature", "token")
    }
    rows = [
        Row(
            (
                Cell(path),
                Cell(name),
                Cell(" x ".join(f"{n:,} {axis}" for axis, n in variable.sizes.items())),
                Cell(str(variable.dtype)),
                Cell(format_size(variable.size * variable.dtype.itemsize)),
            )
        )
        for path, (name, variable) in layers.items()
    ]
    columns = ["Layer and output", "Variable", "Shape", "Type", "In memory"]
    table = Table(f"{len(layers)} layers and outputs.", columns, rows)
    picked = [list(layers)[place] for place in pick_evenly(len(layers), _MOST_LAYERS)]
    samples = {path: _sample(layers[path][1].variable, opened) for path in picked}
    drawn: list[Picture] = []
    norms: list[Picture] = []
    for path, (sample, flat) in samples.items():
        drawn.append(_draw_plane(path, flat, _read_groups(opened, sample)))
        norms.append(_draw_norms(path, flat))
    which = "" if len(picked) == len(layers) else f" of {len(picked)} layers, evenly spaced,"
    return [
        table,
        FigureGroup(
            drawn,
            f"First two principal components{which} over sampled stimuli; tokens are averaged over "
            "patches. Colours are movies, where there are few.",
        ),
        FigureGroup(norms, "Euclidean norm of the same features, one value per stimulus."),
        describe_sample("; ".join(f"{path}: {one.note}" for path, (one, _) in samples.items())),
    ]


def _sample(variable: xr.Variable, opened: Opened) -> tuple[Sample, NDArray[np.float64]]:
    limits = {"dimension": _N_DIMENSIONS, "patch": _N_PATCHES}
    sample = sample_variable(variable, opened.path, _N_ROWS, limits)
    values = sample.values.astype(np.float64)
    return sample, values.mean(axis=1) if values.ndim == 3 else values


def _read_groups(opened: Opened, sample: Sample) -> list[str]:
    if "movie" not in opened.tree.variables:
        return [""] * len(sample.rows)
    return [str(name) for name in read_labels(opened.tree, "movie")[sample.rows]]


def _draw_plane(path: str, values: NDArray[np.float64], groups: list[str]) -> Picture:
    points, shares = compute_components(values)
    figure = draw_components(points, groups, shares, path)
    alt = (
        f"Plane of the first two principal components of {path}: {len(points)} stimuli; they hold "
        f"{shares[0]:.0%} and {shares[1]:.0%} of the variance."
    )
    return encode_figure(figure, make_slug("components", path), alt)


def _draw_norms(path: str, values: NDArray[np.float64]) -> Picture:
    norms = np.linalg.norm(values, axis=1)
    figure = draw_histogram(norms, "norm", path)
    alt = f"Histogram of the norms of {path}: {len(norms)} stimuli, median {np.median(norms):.3g}."
    return encode_figure(figure, make_slug("norms", path), alt)


def compute_components(
    values: NDArray[np.floating],
) -> tuple[NDArray[np.float64], tuple[float, float]]:
    """Project rows on their first two principal components.

    Parameters
    ----------
    values : array of shape (n_rows, n_columns)
        Columns are centred, not scaled; what is not finite counts as 0.

    Returns
    -------
    points : array of shape (n_rows, 2)
        Signs are such that the largest coordinate of each component is positive.
    shares : tuple of float
        Share of the variance; 0 where there is none.
    """
    filled = np.nan_to_num(np.asarray(values, dtype=np.float64), posinf=0.0, neginf=0.0)
    centred = filled - filled.mean(axis=0)
    # Of the two equivalent matrices the one between rows is small, however many columns.
    variances, vectors = np.linalg.eigh(centred @ centred.T)
    variances, vectors = np.clip(variances[::-1], 0, None), vectors[:, ::-1]
    n_missing = max(0, 2 - len(variances))
    variances = np.pad(variances, (0, n_missing))
    vectors = np.pad(vectors, ((0, 0), (0, n_missing)))
    points = vectors[:, :2] * np.sqrt(variances[:2])
    signs = np.sign(points[np.argmax(np.abs(points), axis=0), [0, 1]])
    total = variances.sum() or 1.0
    shares = (float(variances[0] / total), float(variances[1] / total))
    return points * np.where(signs == 0, 1, signs), shares
