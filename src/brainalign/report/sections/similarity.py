"""Similarity matrices: how all test stimuli fit all responses, for each method."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from brainalign.report.artifacts import Fit, Run
from brainalign.report.blocks import Block, FigureGroup, Heading, Section
from brainalign.report.figures.similarity import draw_similarity
from brainalign.report.galleries import Gallery, choose_matching, cut_galleries
from brainalign.report.names import make_slug, write_count, write_name
from brainalign.report.pictures import Picture, encode_figure
from brainalign.report.sections.retrieval import choose_fit, pick_evenly
from brainalign.stores.read import open_store, read_labels

_MAX_STIMULI_DRAWN = 240
_MAX_CATEGORIES_NAMED = 16


def compose_similarity(run: Run, floors: Sequence[str]) -> Section | None:
    """Show one matrix per method, for the backbone that the retrieval figure shows.

    Parameters
    ----------
    run : Run
        Its published folders.
    floors : sequence of str
        Backbones of pixels; another one is shown where there is one.
    """
    blocks: list[Block] = []
    for dataset in run.list_datasets():
        fits = [fit for fit in run.predictions if fit.dataset == dataset]
        if not fits:
            continue
        backbone = choose_fit(fits, floors).backbone
        figures = _show_similarity(run, [fit for fit in fits if fit.backbone == backbone])
        if figures is not None:
            blocks += [Heading(dataset), figures]
    return Section("similarity", "Similarity matrices", blocks) if blocks else None


def _read_categories(run: Run, dataset: str) -> dict[str, str] | None:
    if dataset not in run.stimuli:
        return None
    stimuli = open_store(run.stimuli[dataset].path, "stimuli")
    if "category" not in stimuli.variables or "stimulus" not in stimuli.variables:
        return None
    names = read_labels(stimuli, "stimulus").tolist()
    return dict(zip(names, read_labels(stimuli, "category").tolist(), strict=True))


def _show_similarity(run: Run, fits: list[Fit]) -> FigureGroup | None:
    categories = _read_categories(run, fits[0].dataset)
    pictures = []
    subject, n_drawn, n_folds = "", 0, 1
    for fit in fits:
        artifact = run.predictions[fit]
        predictions = open_store(artifact.path, "predictions")
        subject = min(map(str, predictions.children), default="")
        matching = choose_matching(predictions, subject)
        if matching is None:
            continue
        galleries = cut_galleries(predictions, subject, matching, artifact.path)
        picture, n_drawn = _draw_similarity(fit, subject, matching, galleries, categories)
        pictures.append(picture)
        n_folds = len(galleries)
    if not pictures:
        return None
    order = "category, then id" if categories is not None else "id"
    folds = (
        f" Each of the {n_folds} folds has a model of its own; what was never compared is grey."
        if n_folds > 1
        else ""
    )
    caption = (
        f"Compatibility of {write_count(n_drawn, 'test stimulus', 'test stimuli')} (rows) with "
        f"the mean responses of subject {subject} to the same stimuli (columns), backbone "
        f"{write_name(fits[0].backbone)}, first seed, ordered by {order}: right pairs lie on the "
        f"diagonal. Every column is scaled to mean 0 and SD 1, which changes no decoding rank."
        f"{folds}"
    )
    return FigureGroup(pictures, caption)


def _draw_similarity(
    fit: Fit,
    subject: str,
    matching: str,
    galleries: list[Gallery],
    categories: dict[str, str] | None,
) -> tuple[Picture, int]:
    joined, names = join_galleries(galleries, categories)
    chosen = pick_evenly(len(names), _MAX_STIMULI_DRAWN)
    joined, names = joined[np.ix_(chosen, chosen)], [names[place] for place in chosen]
    labels = None
    if categories is not None and len(galleries) == 1:
        labels = [categories[name] for name in names]
        if len(set(labels)) > _MAX_CATEGORIES_NAMED:
            labels = None
    alt = (
        f"Similarity matrix of {write_name(fit.method)}, {write_name(matching)} matching, subject "
        f"{subject}: {len(names)} stimuli by {len(names)} responses, right pairs on the diagonal."
    )
    title = f"{write_name(fit.method)} · {write_name(matching)}"
    return (
        encode_figure(
            draw_similarity(joined, title, labels),
            make_slug("similarity", fit.dataset, fit.method, fit.backbone, subject),
            alt,
            file_format="png",
        ),
        len(names),
    )


def join_galleries(
    galleries: Sequence[Gallery], categories: dict[str, str] | None
) -> tuple[NDArray[np.float64], list[str]]:
    """Put the galleries of all folds along the diagonal of one matrix.

    Parameters
    ----------
    galleries : sequence of Gallery
        One per fold.
    categories : dict of str to str, optional
        Category of each stimulus; equal ones stand together within a fold.

    Returns
    -------
    joined : array of shape (n_stimuli, n_stimuli)
        NaN where stimulus and response are of different folds.
    names : list of str
        Ids of rows and columns.
    """
    n_stimuli = sum(len(gallery.stimulus) for gallery in galleries)
    joined = np.full((n_stimuli, n_stimuli), np.nan)
    names: list[str] = []
    for gallery in galleries:
        ids = gallery.stimulus.tolist()
        order = sorted(
            range(len(ids)), key=lambda row: ((categories or {}).get(ids[row], ""), ids[row])
        )
        block = slice(len(names), len(names) + len(ids))
        joined[block, block] = gallery.compatibility[np.ix_(order, order)]
        names += [ids[row] for row in order]
    return joined, names
