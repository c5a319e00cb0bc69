"""One picture of the whole world: objects, scenes and movie frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from .world_tables import read_table

N_COLUMNS = 12
FRAME_STEP = 14
N_PALETTE_COLOURS = 256  # keeps the sheet in the documentation below 300 KB


def draw_contact_sheet(world_folder: Path, path: Path, tile_size: int = 64) -> None:
    """Draw an overview of a world.

    Parameters
    ----------
    world_folder : Path
        As written by ``write_world``.
    path : Path
        PNG file to write.
    tile_size : int
        Height and width of each picture in the sheet, in pixels.

    Raises
    ------
    InputError
        If the folder holds no world.

    Notes
    -----
    Rows: two categories side by side, one view of each of six objects; a row of scenes; then six
    successive frames of each movie, ``FRAME_STEP`` apart.
    """
    stimuli = read_table(world_folder, "stimuli")
    tiles = _choose_objects(stimuli) + _choose_scenes(stimuli)
    tiles += _choose_frames(read_table(world_folder, "movie_frames"))
    n_rows = -(-len(tiles) // N_COLUMNS)
    sheet = np.full((n_rows * tile_size, N_COLUMNS * tile_size, 3), 255, dtype=np.uint8)
    for index, file in enumerate(tiles):
        if file is None:
            continue
        row, column = (tile_size * place for place in divmod(index, N_COLUMNS))
        with Image.open(world_folder / file) as image:
            small = image.convert("RGB").resize((tile_size, tile_size), Image.Resampling.LANCZOS)
        sheet[row : row + tile_size, column : column + tile_size] = np.asarray(small)
    quantised = Image.fromarray(sheet).quantize(
        N_PALETTE_COLOURS, kmeans=8, dither=Image.Dither.FLOYDSTEINBERG
    )
    quantised.save(path, format="PNG", optimize=True)


def _pad(files: list[str], length: int) -> list[str | None]:
    return [*files[:length], *[None] * (length - len(files))]


def _choose_objects(stimuli: pd.DataFrame) -> list[str | None]:
    objects = stimuli[stimuli["kind"] == "object"]
    tiles: list[str | None] = []
    for _, of_category in objects.groupby("category"):
        # A different view of each object, so that the sheet shows the range of the factors.
        files = [
            group["file"].iloc[3 * index % len(group)]
            for index, (_, group) in enumerate(of_category.groupby("exemplar"))
        ]
        tiles += _pad(files, N_COLUMNS // 2)
    return tiles


def _choose_scenes(stimuli: pd.DataFrame) -> list[str | None]:
    scenes = list(stimuli.loc[stimuli["kind"] == "scene", "file"])
    return _pad(scenes, N_COLUMNS) if scenes else []


def _choose_frames(frames: pd.DataFrame) -> list[str | None]:
    tiles: list[str | None] = []
    for _, of_movie in frames.groupby("movie"):
        tiles += _pad(list(of_movie["file"].iloc[::FRAME_STEP]), N_COLUMNS // 2)
    return tiles
