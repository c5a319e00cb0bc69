"""Latent groups of responses and the images that were edited along them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

from brainalign.evaluation.edit_selectivity import (
    list_edits,
    locate_attributes,
    measure_changes,
)
from brainalign.evaluation.table import read_score_table
from brainalign.evaluation.variants import iterate_variants
from brainalign.report.artifacts import Fit, Run, read_values
from brainalign.report.blocks import (
    Block,
    Bullets,
    Cell,
    Details,
    FigureGroup,
    Heading,
    Row,
    Section,
    Table,
    Text,
)
from brainalign.report.figures.edit_grid import draw_edit_grid
from brainalign.report.figures.selectivity import draw_selectivity
from brainalign.report.names import make_slug, write_metric, write_name, write_score
from brainalign.report.pictures import encode_figure
from brainalign.report.sections.latent_readouts import show_readouts
from brainalign.stores.read import open_store, read_labels

_IN_TABLE = ("label_information", "reconstruction")
_LEAST_QUALITY = 0.2
# More rows show nothing new at the size at which a person sees a change.
_SHOWN_REFERENCES = 8
_NO_IMAGES = (
    "No images were made, since the method names no image prior: what groups hold is read from "
    "latents only."
)
_EXPLANATION = (
    "Rows are references, columns the moved group and how far it was sent (for swaps 1 is the "
    "latents of the target at the right). The second column is the reference through the model and "
    "back without guidance: what differs there is the model's loss and no effect."
)


def compose_mig_vis(run: Run) -> Section | None:
    """Show what latent groups tell and what edits change.

    Parameters
    ----------
    run : Run
        Its published folders.
    """
    blocks: list[Block] = []
    for fit, artifact in run.predictions.items():
        predictions = open_store(artifact.path, "predictions")
        if not any("group_latent" in node.data_vars for node in predictions.subtree):
            continue
        blocks.append(Heading(f"{fit.dataset}, {write_name(fit.method)}"))
        scores = _read_scores(run, fit)
        if scores is not None:
            blocks += show_readouts(scores, fit)
            blocks += _tabulate_others(scores)
        blocks += _show_edits(run, fit, predictions, scores)
    if not blocks:
        return None
    return Section("latent-groups", "Latent groups and edited images", blocks)


def _read_scores(run: Run, fit: Fit) -> pd.DataFrame | None:
    if run.scores is None:
        return None
    table = read_score_table(open_store(run.scores.path, "scores"))
    own = table[
        (table["method"] == fit.method)
        & (table["dataset"] == fit.dataset)
        & (table["backbone"] == fit.backbone)
    ]
    return own if len(own) else None


def _tabulate_others(scores: pd.DataFrame) -> list[Block]:
    """List what read-outs have no place for: pooled scores, else those of each seed."""
    is_pooled = scores["seed"] == "all"
    has_pooled = scores["task"].isin(scores.loc[is_pooled, "task"])
    others = scores[(is_pooled | ~has_pooled) & ~scores["task"].isin(_IN_TABLE)]
    if not len(others):
        return []
    rows = [
        Row(
            (
                Cell(row["subject"], note="" if row["area"] == "all" else row["area"]),
                Cell(write_name(row["matching"])),
                Cell(row["response"]),
                Cell(write_name(row["task"])),
                Cell(
                    write_metric(row["metric"]),
                    note="" if row["seed"] == "all" else f"seed {row['seed']}",
                ),
                Cell(
                    write_score(row["value"], row["metric"]),
                    details=(
                        f"[{write_score(row['ci_low'], '')}, {write_score(row['ci_high'], '')}]",
                    ),
                    sort=float(row["value"]) if np.isfinite(row["value"]) else None,
                ),
                Cell(write_score(row["chance"], "")),
            )
        )
        for row in others.to_dict(orient="records")
    ]
    caption = (
        "What edits change beside their controls, how well attributes are read from images, how "
        "much groups share, and how alike those of different seeds are; mean over seeds where no "
        "seed is named, in brackets the interval."
    )
    columns = ["subject", "variant", "group", "task", "metric", "score", "chance"]
    table = Table(caption, columns, rows, n_headings=5)
    return [Details(f"All other scores ({len(rows)} rows)", [table])]


def _show_edits(
    run: Run, fit: Fit, predictions: xr.DataTree, scores: pd.DataFrame | None
) -> list[Block]:
    blocks: list[Block] = []
    for (subject, area, variant), group in iterate_variants(predictions, "synthesised_image"):
        shown: list[Block] = [_draw_grid(run, fit, (subject, area, variant), group)]
        if scores is not None:
            shown += _draw_selectivity(run, fit, (subject, area, variant), group, scores)
        title = f"{write_name(variant)}, subject {subject}" + ("" if area == "all" else f", {area}")
        if variant == "mig_vis":
            blocks += [Heading(title), *shown]
        else:
            blocks.append(Details(title, shown))
    if not blocks:
        return [Text(_NO_IMAGES)]
    return blocks


def _draw_grid(run: Run, fit: Fit, place: tuple[str, str, str], group: xr.Dataset) -> FigureGroup:
    path = run.predictions[fit].path
    groups = read_labels(group, "group").tolist()
    edited = read_values(group["synthesised_image"].isel(edited_seed=0).variable, path)
    control = read_values(
        group["control_image"].isel(edited_seed=0, control=0, group=0).variable, path
    )
    target = None
    if group.attrs.get("move") == "swap":
        target = read_values(group["target_image"].variable, path)
    n_references = len(edited)
    shown = slice(_SHOWN_REFERENCES)
    figure = draw_edit_grid(
        read_values(group["reference_image"].variable, path)[shown],
        edited[shown],
        control[shown],
        None if target is None else target[shown],
        groups,
        [float(strength) for strength in group["strength"].values],
    )
    off = float(group["off_support"].values.mean())
    alt = (
        f"Edits of {len(edited[shown])} test images of subject {place[0]} by {place[2]}, along "
        f"{len(groups)} groups of latents, first seed."
    )
    name = make_slug("edits", fit.dataset, fit.method, *place)
    caption = (
        f"{_EXPLANATION} First seed, {len(edited[shown])} of {n_references} references; "
        f"{off:.0%} of the moved latents lie off the support."
    )
    return FigureGroup([encode_figure(figure, name, alt, file_format="png")], caption)


def _draw_selectivity(
    run: Run, fit: Fit, place: tuple[str, str, str], group: xr.Dataset, scores: pd.DataFrame
) -> list[Block]:
    subject, area, variant = place
    own = scores[
        (scores["task"] == "edit_selectivity")
        & (scores["seed"] == "all")
        & (scores["subject"] == subject)
        & (scores["area"] == area)
        & (scores["matching"] == variant)
    ]
    if not len(own) or run.scores is None:
        return []
    # Controls are measured anew from the readings: the collected table holds no details.
    edits = list_edits(group.load(), measure_changes(group))
    attributes = list(locate_attributes(group))
    quantity = "transfer" if group.attrs.get("move") == "swap" else "shift"
    figure = draw_selectivity(own, edits, attributes, quantity)
    meaning = (
        "share of the way from reference to target that the reading of the edit goes"
        if quantity == "transfer"
        else "distance between readings of edit and reference; 1 is that of two random stimuli"
    )
    name = make_slug("selectivity", fit.dataset, fit.method, *place)
    alt = f"How far {', '.join(attributes)} move with each group, beside controls."
    picture = encode_figure(figure, name, alt)
    caption = (
        f"What edits at the last strength change, read by predictors that know no responses: "
        f"{meaning}. Filled: edits with the 95 % interval over references, mean over seeds; open: "
        "controls. An effect lies right of all its controls."
    )
    verdicts = judge_selectivity(own, read_labels(group, "group").tolist(), quantity)
    kept = count_kept_categories(group)
    return [FigureGroup([picture], caption), Bullets([*verdicts, *kept, *_judge_readers(group)])]


def judge_selectivity(scores: pd.DataFrame, groups: list[str], quantity: str) -> list[str]:
    """Say of every labelled group whether it moves its own attribute beyond all controls.

    Parameters
    ----------
    scores : pandas.DataFrame
        Pooled rows of one subject and variant.
    groups : list of str
        Names of the groups: number and label.
    quantity : {"shift", "transfer"}
        Which margin is judged.
    """
    lines = []
    for name in groups:
        label = name.partition("-")[2]
        found = scores[
            (scores["response"] == name) & (scores["metric"] == f"{label}_{quantity}_margin")
        ]
        if not len(found):
            continue
        row = found.iloc[0]
        low, high = float(row["ci_low"]), float(row["ci_high"])
        verdict = "beyond all controls" if low > 0 else "not beyond its strongest control"
        lines.append(
            f"Group {name} moves {label} {verdict}: difference {float(row['value']):.2f} "
            f"[{low:.2f}, {high:.2f}]."
        )
    return lines


def count_kept_categories(group: xr.Dataset) -> list[str]:
    """Say how many references are read as the same category after a round trip without guidance.

    Parameters
    ----------
    group : xarray.Dataset
        One group of a prediction store with readings.
    """
    columns = read_labels(group, "attribute") == "category"
    if not columns.any():
        return []
    before = group["reference_reading"].values[:, columns].argmax(axis=1)
    unguided = group["control_reading"].sel(control="no_guidance").isel(edited_seed=0, group=0)
    kept = unguided.values[:, columns].argmax(axis=1) == before
    return [f"Without guidance {kept.sum()} of {len(kept)} references keep their category."]


def _judge_readers(group: xr.Dataset) -> list[str]:
    attribute = read_labels(group, "attribute")
    quality = group["reading_quality"].values
    lines = []
    for name in dict.fromkeys(attribute.tolist()):
        value = float(np.mean(quality[attribute == name]))
        kind = "accuracy" if name == "category" else "R²"
        line = f"Predictor of {name} on test images: {kind} {value:.2f}"
        if not value >= _LEAST_QUALITY:
            line += ", so that changes of this attribute cannot be judged here"
        lines.append(line + ".")
    return lines
