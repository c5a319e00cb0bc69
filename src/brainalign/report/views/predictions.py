"""Page of a prediction store: each kind of prediction in its own way."""

from __future__ import annotations

import itertools

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from brainalign.report.blocks import Block, FigureGroup, Heading, Section, Text, Thumbnails
from brainalign.report.figures.excerpt import draw_excerpt
from brainalign.report.figures.value_plots import draw_lines
from brainalign.report.names import make_slug, write_count
from brainalign.report.pictures import Picture, encode_figure, encode_image
from brainalign.report.views.parts import (
    Opened,
    compose_variables,
    describe_sample,
    list_sections,
)
from brainalign.report.views.sample import Sample, sample_variable

_MOST_GROUPS, _MOST_MATRICES = 4, 6
_N_ITEMS, _N_COLUMNS, _N_FRAMES, _N_REPEATS, _N_LINES = 80, 120, 240, 20, 3
_THUMBNAIL = 96  # CSS pixels
_PAIRS = {
    "stimulus_embedding": "response_embedding",
    "clip_stimulus_embedding": "clip_response_embedding",
}
# Shown by a panel of their own, or repeats of what such a panel shows.
_SHOWN_ELSEWHERE = (
    *_PAIRS,
    *_PAIRS.values(),
    "predicted_response",
    "predicted_response_reversed",
    "predicted_response_shuffled",
    "recorded_response",
    "mean_rate",
    "synthesised_image",
    "presentation_embedding",
    "half_embedding",
)


def compose_view(opened: Opened) -> list[Section]:
    """Show embeddings, labels, rates, images or codes of some groups, whichever a group holds."""
    groups = _choose_groups(opened.tree)
    n_groups = sum(bool(node.data_vars) for node in opened.tree.subtree)
    blocks: list[Block] = [
        Text(
            f"{len(groups)} of {write_count(n_groups, 'group')}, named subject/area/variant: one "
            "per variant first. First seed."
        )
    ]
    for path in groups:
        blocks += [Heading(path.strip("/")), *_show_group(opened, path)]
    return list_sections(Section("predictions", "Predictions", blocks), compose_variables(opened))


def _choose_groups(tree: xr.DataTree) -> list[str]:
    """Take one group of each variant, the first subject first, then others until it is enough."""
    paths = [node.path for node in tree.subtree if node.data_vars]
    first = {path.rsplit("/", 1)[-1]: path for path in reversed(paths)}
    chosen = [path for path in paths if path in first.values()]
    return [*chosen, *(path for path in paths if path not in chosen)][:_MOST_GROUPS]


def _show_group(opened: Opened, path: str) -> list[Block]:
    node = opened.tree[path]
    assert isinstance(node, xr.DataTree)
    group = node.to_dataset(inherit=False)
    pictures: list[Picture] = []
    notes: list[str] = []
    for one, other in _PAIRS.items():
        if one in group and other in group:
            pictures.append(_draw_pair(opened, group, path, one, other, notes))
    if "predicted_response" in group:
        pictures += _draw_rates(opened, group, path, notes)
    pictures += _draw_matrices(opened, group, path, notes)
    blocks: list[Block] = []
    if pictures:
        blocks.append(FigureGroup(pictures, f"{path.strip('/')}: what it predicts."))
    if "synthesised_image" in group:
        blocks.append(_show_images(opened, group, path, notes))
    if not blocks:
        return [Text("This group holds nothing that can be drawn; see its contents below.")]
    return [*blocks, describe_sample("; ".join(notes))]


def _sample(
    opened: Opened, variable: xr.DataArray, notes: list[str], limits: dict[str, int]
) -> Sample:
    """Read a part, of the first seed where there are seeds."""
    first = str(variable.dims[0])
    n_rows = 1 if first in ("seed", "edited_seed") else limits.get(first, _N_ITEMS)
    sample = sample_variable(variable.variable, opened.path, n_rows, limits)
    notes.append(f"{variable.name}: {sample.note}")
    return sample


def _draw_pair(
    opened: Opened, group: xr.Dataset, path: str, one: str, other: str, notes: list[str]
) -> Picture:
    item = str(group[one].dims[1])
    limits = {item: _N_ITEMS}
    stimulus = _sample(opened, group[one], notes, limits).values[0]
    response = _sample(opened, group[other], notes, limits).values[0]
    cosine = _normalise(response) @ _normalise(stimulus).T
    figure = draw_excerpt(cosine, f"response to {item}", item, "cosine", "embeddings")
    own, rest = np.diag(cosine), cosine[~np.eye(len(cosine), dtype=bool)]
    mean = f"{np.nanmean(own):.2f}" + (f" against {np.nanmean(rest):.2f}" if rest.size else "")
    alt = (
        f"Cosine between the embeddings of {len(cosine)} responses and stimuli: mean {mean} "
        "between pairs that belong together and others."
    )
    return encode_figure(figure, make_slug("embeddings", path, one), alt)


def _normalise(values: NDArray) -> NDArray[np.float64]:
    values = np.asarray(values, dtype=np.float64)
    length = np.linalg.norm(values, axis=1, keepdims=True)
    return values / np.where(length > 0, length, 1.0)


def _draw_rates(opened: Opened, group: xr.Dataset, path: str, notes: list[str]) -> list[Picture]:
    predicted_variable = group["predicted_response"]
    place = str(predicted_variable.dims[1])
    limits = {place: _N_FRAMES, "unit": _N_LINES, "repeat": _N_REPEATS}
    predicted = _sample(opened, predicted_variable, notes, limits).values[0]
    recorded = np.full_like(predicted, np.nan)
    if "recorded_response" in group:
        # Repeats come first, and the mean needs all of them.
        sample = _sample(opened, group["recorded_response"], notes, limits)
        recorded = np.asarray(sample.values, dtype=float).mean(axis=0)
    time = np.arange(len(predicted), dtype=float)
    pictures = []
    for unit in range(predicted.shape[1]):
        name = str(group["unit"].values[unit]) if "unit" in group.coords else f"unit {unit}"
        lines = {"recorded": recorded[:, unit], "predicted": predicted[:, unit]}
        figure = draw_lines(time, lines, place, "rate", name)
        both = np.isfinite(recorded[:, unit]) & np.isfinite(predicted[:, unit])
        alt = f"Predicted and recorded rate of {name} over {both.sum()} places with both."
        pictures.append(encode_figure(figure, make_slug("rate", path, name), alt))
    return pictures


def _draw_matrices(opened: Opened, group: xr.Dataset, path: str, notes: list[str]) -> list[Picture]:
    """Draw other arrays as colours, whatever they are."""
    pictures: list[Picture] = []
    for name, variable in group.data_vars.items():
        kind = variable.dtype.kind
        if name in _SHOWN_ELSEWHERE or kind not in "fbiu" or variable.ndim < 2:
            continue
        if len(pictures) == _MOST_MATRICES:
            break
        limits = {str(axis): _N_COLUMNS for axis in variable.dims}
        for axis in variable.dims[1:-2]:
            limits[str(axis)] = 1
        values = _sample(opened, variable, notes, limits).values
        while values.ndim > 2:
            values = values[0]
        if 0 in values.shape:
            continue
        rows, columns = (str(axis).replace("_", " ") for axis in variable.dims[-2:])
        figure = draw_excerpt(values, rows, columns, "value", str(name).replace("_", " "))
        finite = values[np.isfinite(values)]
        span = f"from {finite.min():.3g} to {finite.max():.3g}" if finite.size else "none finite"
        alt = f"{name} as colours, {values.shape[0]} {rows} by {values.shape[1]} {columns}, {span}."
        pictures.append(encode_figure(figure, make_slug("matrix", path, str(name)), alt))
    return pictures


def _show_images(opened: Opened, group: xr.Dataset, path: str, notes: list[str]) -> Thumbnails:
    variable = group["synthesised_image"]
    axes = [str(axis) for axis in variable.dims[1:-3]]
    sample = _sample(opened, variable, notes, dict(zip(axes, (2, 4, 4), strict=False)))
    images = sample.values[0]
    pictures, labels = [], []
    for corner in itertools.product(*(range(length) for length in images.shape[:-3])):
        parts = []
        for axis, place in zip(axes, corner, strict=True):
            value = group[axis].values[place] if axis in group.coords else place
            text = f"{value:.3g}" if isinstance(value, float) else str(value)
            parts.append(f"{axis} {text}")
        labels.append(", ".join(parts))
        name = make_slug("synthesised", path, *map(str, corner))
        alt = f"Synthesised image: {labels[-1]}"
        pictures.append(encode_image(images[corner], name, alt, _THUMBNAIL))
    return Thumbnails(pictures, labels, f"{path.strip('/')}: synthesised images.")
