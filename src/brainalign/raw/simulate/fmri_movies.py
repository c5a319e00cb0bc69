"""Movies of minutes for the simulated scanner: shots of the world's objects, latents, captions."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from pydantic import ValidationError

from brainalign.errors import CorruptDataError, InputError

from .backgrounds import BACKGROUNDS
from .captions import write_object_captions
from .categories import build_object, draw_objects
from .exemplar import Exemplar
from .factors import ObjectStimulus
from .fmri_movie_options import SimulatedFMRIMovieOptions
from .latents import compute_stimulus_latents, make_category_code
from .movies import Movie, ObjectShot, Shot, draw_object_shot, render_movie
from .options import WorldOptions
from .streams import derive_generator


@dataclass(frozen=True)
class PlannedMovie:
    """One movie before it is rendered.

    Parameters
    ----------
    movie : Movie
        Shots.
    split : str
        Of the whole movie.
    latent : array of shape (n_frames, 13)
        Latents of the world at every frame.
    caption : array of shape (n_frames,) of str
        What the shot shows, in the words of the world's grammar.
    shot : array of shape (n_frames,), int
        Number of the shot of each frame.
    """

    movie: Movie
    split: str
    latent: np.ndarray
    caption: np.ndarray
    shot: np.ndarray


def read_world_options(world_folder: Path) -> WorldOptions:
    """Read the options that a world was made with.

    Raises
    ------
    InputError
        If the folder holds no truth.
    CorruptDataError
        If the truth is damaged.
    """
    path = world_folder / "truth.json"
    try:
        return WorldOptions.model_validate(json.loads(path.read_bytes())["options"])
    except FileNotFoundError:
        raise InputError(
            "the world's truth is missing", where=path, remedy="Simulate it again."
        ) from None
    except (ValueError, KeyError, ValidationError) as error:
        raise CorruptDataError("the world's truth is damaged", where=path, found=error) from error


def plan_movies(options: SimulatedFMRIMovieOptions, world: WorldOptions) -> list[PlannedMovie]:
    """Draw the shots, latents and captions of all movies.

    Parameters
    ----------
    options : SimulatedFMRIMovieOptions
        Numbers, lengths and seed.
    world : WorldOptions
        Objects and ranges of their factors.

    Returns
    -------
    planned : list of PlannedMovie
        In the order of their names. Every border of shots is a cut: another object, place and
        light. Within a shot the object moves and turns evenly.
    """
    exemplars = draw_objects(world.seed, world.exemplars_per_category)
    code = make_category_code(world.seed, exemplars)
    row_of = {exemplar.name: row for row, exemplar in enumerate(exemplars)}
    # Objects of a category follow each other: equal steps take as many of each.
    step = max(1, len(exemplars) // options.n_objects)
    shown = exemplars[::step][: options.n_objects]
    places = list(BACKGROUNDS)[: options.n_places]
    n_frames = round(options.movie_trs * options.tr_s * options.frame_rate_hz)
    planned = []
    for name, split in options.list_movies().items():
        generator = derive_generator(options.seed, "fmri-movie", name)
        shots = [
            _restrict(generator, draw_object_shot(generator, world, shown, cut), places)
            for cut in _cut(generator, options, n_frames, split)
        ]
        number = np.repeat(np.arange(len(shots)), [shot.n_frames for shot in shots])
        captions = [_describe(world, shot, f"{name}-{place}") for place, shot in enumerate(shots)]
        latent = [
            compute_stimulus_latents(
                world, code, row_of, [(shots[place].exemplar, shots[place].get_view(frame))]
            )
            for frame, place in enumerate(number.tolist())
        ]
        planned.append(
            PlannedMovie(
                Movie(name, "object", n_frames, shots),
                split,
                np.stack(latent),
                np.array(captions)[number],
                number,
            )
        )
    return planned


def _restrict(generator: np.random.Generator, shot: ObjectShot, places: list[str]) -> ObjectShot:
    """Move a shot to one of few places."""
    return replace(shot, background=places[int(generator.integers(len(places)))])


def _cut(
    generator: np.random.Generator, options: SimulatedFMRIMovieOptions, n_frames: int, split: str
) -> list[Shot]:
    shots, first = [], 0
    shortest = options.shortest_shot_s * options.frame_rate_hz
    while first < n_frames:
        seconds = generator.uniform(options.shortest_shot_s, options.longest_shot_s)
        length = max(1, round(seconds * options.frame_rate_hz))
        # What would be left is too short for a shot of its own: it stays with this one.
        if n_frames - first - length < shortest:
            length = n_frames - first
        shots.append(Shot(first, length, split))
        first += length
    return shots


def _describe(world: WorldOptions, shot: ObjectShot, name: str) -> str:
    middle = shot.get_view(shot.first_frame + shot.n_frames // 2)
    item = ObjectStimulus(name, shot.exemplar, middle, shot.lighting, shot.background, shot.split)
    return write_object_captions(world, item)[0]


def render_planned(
    options: SimulatedFMRIMovieOptions, world: WorldOptions, planned: list[PlannedMovie]
) -> list[np.ndarray]:
    """Render all movies.

    Returns
    -------
    frames : list of array of shape (n_frames, frame_size, frame_size, 3), uint8
        sRGB, one per movie.
    """
    movies = world.movies.model_copy(
        update={"frame_size": options.frame_size, "frame_rate_hz": options.frame_rate_hz}
    )
    scaled = world.model_copy(update={"movies": movies})
    shown: dict[str, Exemplar] = {
        shot.exemplar.name: shot.exemplar
        for one in planned
        for shot in one.movie.shots
        if isinstance(shot, ObjectShot)
    }
    meshes = {name: build_object(exemplar) for name, exemplar in shown.items()}
    return [np.stack(list(render_movie(scaled, one.movie, meshes))) for one in planned]


def remember(latent: np.ndarray, frame_rate_hz: float, memory_s: float) -> np.ndarray:
    """Average what was seen, with exponentially fading memory.

    Parameters
    ----------
    latent : array of shape (n_frames, n_latents)
        Of one movie.
    frame_rate_hz : float
        Frames per second.
    memory_s : float
        Time constant in s; 0: no memory.

    Returns
    -------
    averaged : array of shape (n_frames, n_latents)
        Starts at the first frame, as if that had been seen before.
    """
    if memory_s == 0:
        return latent
    kept = np.exp(-1 / (frame_rate_hz * memory_s))
    averaged = np.empty_like(latent)
    averaged[0] = latent[0]
    for frame in range(1, len(latent)):
        averaged[frame] = kept * averaged[frame - 1] + (1 - kept) * latent[frame]
    return averaged
