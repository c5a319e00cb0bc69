"""Which stimuli the responses of each subject retrieve."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from brainalign.report.artifacts import Artifact, Fit, Run, read_values
from brainalign.report.blocks import Block, FigureGroup, Heading, Section, Text
from brainalign.report.figures.retrieval import RetrievedRow, draw_retrieval
from brainalign.report.galleries import Gallery, choose_matching, cut_galleries
from brainalign.report.names import make_slug, sort_ids, write_count, write_name
from brainalign.report.pictures import Picture, encode_figure
from brainalign.stores.read import open_store, read_labels

_N_QUERIES = 6
_N_RETRIEVED = 5


def compose_retrieval(run: Run, floors: Sequence[str]) -> Section | None:
    """Show retrieved stimuli of every data set with predictions and images.

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
        if not fits or dataset not in run.stimuli:
            continue
        stimuli = open_store(run.stimuli[dataset].path, "stimuli")
        if "image" not in stimuli.variables:
            continue
        blocks.append(Heading(dataset))
        blocks += _show_retrieval(run, choose_fit(fits, floors), stimuli)
    if not blocks:
        return None
    return Section("retrieval", "Retrieval", blocks)


def choose_fit(fits: Sequence[Fit], floors: Sequence[str]) -> Fit:
    """Choose the fit to show by a rule that looks at no score.

    Parameters
    ----------
    fits : sequence of Fit
        Of one data set, in the order of the plan.
    floors : sequence of str
        Backbones of pixels.

    Returns
    -------
    fit : Fit
        VNA if it was run, else the first method, on the first backbone that is no floor.
    """
    method = "vna" if any(fit.method == "vna" for fit in fits) else fits[0].method
    own = [fit for fit in fits if fit.method == method]
    return next((fit for fit in own if fit.backbone not in floors), own[0])


def _show_retrieval(run: Run, fit: Fit, stimuli: xr.DataTree) -> list[Block]:
    artifact = run.predictions[fit]
    predictions = open_store(artifact.path, "predictions")
    pictures = []
    matching = None
    for subject in predictions.children:
        variant = choose_matching(predictions, str(subject))
        if variant is None:
            continue
        matching = variant
        galleries = cut_galleries(predictions, str(subject), variant, artifact.path)
        pictures.append(_draw_retrieval(run, fit, str(subject), galleries, stimuli))
    if matching is None:
        return [Text("The predictions hold no embeddings, so nothing can be retrieved.")]
    caption = (
        f"Decoding examples, {write_name(fit.method)} with {write_name(matching)} matching on "
        f"{write_name(fit.backbone)}, first seed, one panel per subject. Left: the stimulus that "
        f"was shown. Right: the {_N_RETRIEVED} test stimuli that fit the mean response best; "
        "the correct one has a thick green frame, and its rank among all candidates of its fold "
        "stands at the end. The stimuli were picked without looking at any score: evenly spaced "
        "in the sorted list of test ids. Method and backbone follow a rule, too: VNA if it was "
        "run, else the first method; the first backbone that is not pixels, if there is one."
    )
    return [FigureGroup(pictures, caption)]


def _draw_retrieval(
    run: Run, fit: Fit, subject: str, galleries: list[Gallery], stimuli: xr.DataTree
) -> Picture:
    ids = sort_ids(name for gallery in galleries for name in gallery.stimulus)
    picked = [ids[place] for place in pick_evenly(len(ids), _N_QUERIES)]
    found = [retrieve(galleries, name) for name in picked]
    needed = sort_ids({name for names, _, _ in found for name in names} | set(picked))
    images = _read_images(stimuli, needed, run.stimuli[fit.dataset])
    rows = [
        RetrievedRow(
            shown=images[name],
            retrieved=[images[other] for other in names],
            correct=names.index(name) if name in names else None,
            rank=rank,
            n_candidates=n_candidates,
        )
        for name, (names, rank, n_candidates) in zip(picked, found, strict=True)
    ]
    n_first = sum(row.rank == 1 for row in rows)
    ranks = "; ".join(
        f"{name}: rank {row.rank} of {row.n_candidates}"
        for name, row in zip(picked, rows, strict=True)
    )
    alt = (
        f"Stimuli retrieved from mean responses of subject {subject}. The correct one comes first "
        f"for {n_first} of {write_count(len(rows), 'example')}. {ranks}."
    )
    figure = draw_retrieval(rows)
    figure.suptitle(
        f"subject {subject}", x=0.01, ha="left", size=9, weight="bold", parse_math=False
    )
    return encode_figure(
        figure, make_slug("retrieval", fit.dataset, subject), alt, file_format="png"
    )


def pick_evenly(length: int, count: int) -> list[int]:
    """Pick places that are evenly spaced, the first and the last included, each once."""
    return sorted({int(place) for place in np.linspace(0, length - 1, min(count, length)).round()})


def retrieve(galleries: Sequence[Gallery], stimulus: str) -> tuple[list[str], int, int]:
    """Rank the candidates of one response.

    Parameters
    ----------
    galleries : sequence of Gallery
        One of them tests the stimulus.
    stimulus : str
        Whose mean response is the query.

    Returns
    -------
    retrieved : list of str
        The best candidates, best first.
    rank : int
        Rank of the right one; of tied candidates it comes last.
    n_candidates : int
        Size of the gallery.
    """
    gallery = next(one for one in galleries if stimulus in one.stimulus)
    column = int(np.flatnonzero(gallery.stimulus == stimulus)[0])
    scores = gallery.compatibility[:, column]
    # The pictures must agree with the rank: of tied candidates the right one comes last.
    is_target = np.arange(len(scores)) == column
    order = np.lexsort((gallery.stimulus, is_target, -scores))
    rank = int(np.flatnonzero(order == column)[0]) + 1
    return [str(name) for name in gallery.stimulus[order[:_N_RETRIEVED]]], rank, len(scores)


def _read_images(
    stimuli: xr.DataTree, names: list[str], artifact: Artifact
) -> dict[str, NDArray[np.uint8]]:
    place = {name: row for row, name in enumerate(read_labels(stimuli, "stimulus").tolist())}
    rows = [place[name] for name in names]
    images = read_values(stimuli.variables["image"].isel(stimulus=rows), artifact.path)
    return dict(zip(names, images, strict=True))
