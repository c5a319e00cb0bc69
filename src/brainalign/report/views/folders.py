"""Page of a folder in a field's own formats: raw data, sorted units, listings, volumes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Any

import nibabel
import numpy as np
import pandas as pd
from PIL import Image

from brainalign.errors import BrainalignError
from brainalign.raw.nwb import open_nwb
from brainalign.report.blocks import Block, Details, FigureGroup, Section, Text, Thumbnails
from brainalign.report.figures.excerpt import draw_excerpt
from brainalign.report.names import make_slug, write_count
from brainalign.report.pictures import encode_figure, encode_image
from brainalign.report.sections.retrieval import pick_evenly
from brainalign.report.sections.sorting import compose_sorting
from brainalign.report.views.parts import (
    Opened,
    compose_files,
    flatten,
    list_sections,
    tabulate_frame,
    tabulate_pairs,
)

_N_PICTURES, _N_TABLES, _N_OTHERS = 12, 4, 2
_THUMBNAIL = 132  # CSS pixels
_MOST_BYTES = 20 << 20
_MOST_OPTIONS = 60
_N_TRIALS = 8


def compose_view(opened: Opened) -> list[Section]:
    """Show a sample of each kind of file, and all files."""
    sorting = compose_sorting(opened.run) if opened.manifest.kind == "sorted" else None
    return list_sections(
        sorting,
        Section("sample", "Sample of the files", _show_samples(opened)),
        compose_files(opened),
    )


def _show_samples(opened: Opened) -> list[Block]:
    blocks = _show_pictures(opened)
    for endings, n_shown, show in _SHOWN:
        names = [name for name in sorted(opened.manifest.files) if name.endswith(endings)]
        for place in pick_evenly(len(names), n_shown) if names else []:
            blocks += _show_file(opened.path, names[place], show)
    return blocks


def _show_file(folder: Path, name: str, show: Callable[[Path, str], list[Block]]) -> list[Block]:
    """Show one file; raw files come from elsewhere, so one that is odd must not hide the rest."""
    try:
        return show(folder / name, name)
    except (OSError, ValueError, KeyError, BrainalignError) as error:
        return [Text(f"{name} could not be shown: {' '.join(str(error).split())[:200]}")]


def _show_pictures(opened: Opened) -> list[Block]:
    names = [
        name
        for name in sorted(opened.manifest.files)
        if name.lower().endswith((".png", ".jpg", ".jpeg"))
    ]
    if not names:
        return []
    picked = [names[place] for place in pick_evenly(len(names), _N_PICTURES)]
    pictures = []
    for name in picked:
        with Image.open(opened.path / name) as image:
            pixels = np.asarray(image.convert("RGB"))
        pictures.append(encode_image(pixels, make_slug("file", name), f"Image {name}", _THUMBNAIL))
    caption = f"{len(picked)} of {write_count(len(names), 'image')}, evenly spaced by name."
    return [Thumbnails(pictures, [PurePosixPath(name).name for name in picked], caption)]


def _show_table(path: Path, name: str) -> list[Block]:
    separator = "\t" if name.endswith(".tsv") else ","
    # Text only: an id such as 001 stays what it is. The first rows are all that is read.
    frame = pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, nrows=12)
    with path.open("rb") as stream:
        n_rows = sum(block.count(b"\n") for block in iter(lambda: stream.read(1 << 20), b"")) - 1
    caption = f"{name}: the first {len(frame)} of about {max(n_rows, len(frame)):,} rows."
    return [tabulate_frame(frame, caption)]


def _show_json(path: Path, name: str) -> list[Block]:
    if path.stat().st_size > _MOST_BYTES:
        return [Text(f"{name} is too large to be shown.")]
    content = json.loads(path.read_text(encoding="utf-8"))
    pairs = dict(flatten(content)) if isinstance(content, dict) else {"content": str(content)}
    shown = dict(list(pairs.items())[:_MOST_OPTIONS])
    return [Details(name, [tabulate_pairs(f"{name}.", shown)])]


def _show_volume(path: Path, name: str) -> list[Block]:
    # nibabel's types leave open what kind of image a file is.
    image: Any = nibabel.load(path)
    shape = image.shape
    if len(shape) < 3:
        return [Text(f"{name}: an image of shape {shape}.")]
    middle = shape[2] // 2
    # Only one slice of one volume is read.
    place = (slice(None), slice(None), middle, *(0 for _ in shape[3:]))
    values = np.asarray(image.dataobj[place], dtype=np.float64).T[::-1]
    size = " x ".join(map(str, shape))
    zooms = " x ".join(f"{zoom:.3g}" for zoom in image.header.get_zooms())
    figure = draw_excerpt(values, "voxel", "voxel", "value", f"slice {middle} of {shape[2]}")
    alt = f"Middle slice of {name}, an image of {size} voxels."
    caption = f"{name}: {size}, steps {zooms} (mm, then s). The first volume's middle slice."
    return [FigureGroup([encode_figure(figure, make_slug("slice", name), alt)], caption)]


def _show_nwb(path: Path, name: str) -> list[Block]:
    with open_nwb(path) as nwb:
        facts = {
            "identifier": nwb.identifier,
            "session": nwb.session_description,
            "started": nwb.session_start_time,
            "subject": getattr(nwb.subject, "subject_id", "not given"),
            "species": getattr(nwb.subject, "species", None) or "not given",
            "units": 0 if nwb.units is None else len(nwb.units),
            "trials": 0 if nwb.trials is None else len(nwb.trials),
            "acquisition": ", ".join(nwb.acquisition) or "none",
            "stimuli": ", ".join([*nwb.stimulus, *nwb.stimulus_template]) or "none",
            "processing": ", ".join(nwb.processing) or "none",
        }
        blocks: list[Block] = [tabulate_pairs(f"{name}: what the NWB file holds.", facts)]
        if nwb.trials is not None and len(nwb.trials):
            columns = {
                column: [str(value) for value in nwb.trials[column].data[:_N_TRIALS]]
                for column in nwb.trials.colnames
            }
            table = tabulate_frame(pd.DataFrame(columns), f"{name}: the first trials.")
            blocks.append(Details("Trials", [table]))
    return blocks


def _show_array(path: Path, name: str) -> list[Block]:
    array = np.load(path, mmap_mode="r", allow_pickle=False)
    shape = " x ".join(map(str, array.shape))
    return [Text(f"{name}: an array of {shape} {array.dtype}.")]


def _show_archive(path: Path, name: str) -> list[Block]:
    with np.load(path, allow_pickle=False) as archive:
        # Loading one member at a time; members are small summaries such as planted truths.
        pairs = {
            key: f"{' x '.join(map(str, archive[key].shape))} {archive[key].dtype}"
            for key in archive.files
        }
    return [tabulate_pairs(f"{name}: arrays.", pairs)]


_SHOWN: tuple[tuple[tuple[str, ...], int, Callable[[Path, str], list[Block]]], ...] = (
    ((".tsv", ".csv"), _N_TABLES, _show_table),
    ((".nwb",), _N_OTHERS, _show_nwb),
    ((".nii", ".nii.gz"), _N_OTHERS, _show_volume),
    ((".npy",), _N_OTHERS, _show_array),
    ((".npz",), _N_OTHERS, _show_archive),
    ((".json",), _N_TABLES, _show_json),
)
