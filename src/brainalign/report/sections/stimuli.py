"""Example stimuli of each data set."""

from __future__ import annotations

import numpy as np
import xarray as xr

from brainalign.report.artifacts import Artifact, Run, read_values
from brainalign.report.blocks import Block, Heading, Section, Thumbnails
from brainalign.report.names import make_slug, write_count
from brainalign.report.pictures import encode_image
from brainalign.report.sections.retrieval import pick_evenly
from brainalign.stores.read import open_store, read_labels

_N_EXAMPLES = 12
_WIDTH = 132  # CSS pixels


def compose_stimuli(run: Run) -> Section | None:
    """Show some stimuli of each data set with their captions; None without images.

    Parameters
    ----------
    run : Run
        Its published folders.
    """
    blocks: list[Block] = []
    for dataset, artifact in run.stimuli.items():
        store = open_store(artifact.path, "stimuli")
        examples = _show_examples(store, dataset, artifact)
        if examples is not None:
            blocks += [Heading(dataset), examples]
    return Section("stimuli", "Stimuli", blocks) if blocks else None


def _show_examples(store: xr.DataTree, dataset: str, artifact: Artifact) -> Thumbnails | None:
    noun = "image" if "image" in store.variables else "frame"
    if noun not in store.variables:
        return None
    n_images = int(store.variables[noun].shape[0])
    places = pick_evenly(n_images, _N_EXAMPLES)
    axis = str(store.variables[noun].dims[0])
    images = read_values(store.variables[noun].isel({axis: places}), artifact.path)
    ids, labels = _write_labels(store, places)
    split = read_labels(store, "split")[places]
    pictures = [
        encode_image(image, make_slug("stimulus", dataset, name), f"{label} ({name})", _WIDTH)
        for image, name, label in zip(images, ids, labels, strict=True)
    ]
    has_captions = "caption" in store.variables
    folds = "" if "split_by_fold" in store.variables else " and split"
    notes = [f"{name}, {part}" if folds else name for name, part in zip(ids, split, strict=True)]
    texts = [
        f"{label} ({note})" if has_captions else note
        for label, note in zip(labels, notes, strict=True)
    ]
    described = "caption, id" if has_captions else "id"
    caption = (
        f"{dataset}: {len(places)} of {write_count(n_images, noun)}, evenly spaced in the order of "
        f"the store, with {described}{folds}."
    )
    return Thumbnails(pictures, texts, caption)


def _write_labels(store: xr.DataTree, places: list[int]) -> tuple[list[str], list[str]]:
    """Give ids, and captions or what comes nearest to them."""
    if "stimulus" in store.variables:
        ids = [str(name) for name in read_labels(store, "stimulus")[places]]
    else:
        movies = read_labels(store, "movie") if "movie" in store.variables else None
        time = np.asarray(store.variables["time"].values) if "time" in store.variables else None
        ids = [_name_frame(place, movies, time) for place in places]
    for name in ("caption", "category"):
        if name in store.variables:
            return ids, [str(text) for text in read_labels(store, name)[places]]
    return ids, ["stimulus"] * len(places)


def _name_frame(place: int, movies: np.ndarray | None, time: np.ndarray | None) -> str:
    name = f"frame {place}" if movies is None else str(movies[place])
    return name if time is None else f"{name} at {time[place]:.2f} s"
