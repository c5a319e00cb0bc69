"""Movies of moving, rotating objects and of drifting natural-like textures, with scene cuts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from .backgrounds import BACKGROUNDS, draw_background
from .exemplar import Exemplar
from .factors import SPLITS, scale_lighting
from .mesh import Mesh
from .options import WorldOptions
from .render import Lighting, View, draw_object, to_uint8
from .streams import derive_generator
from .textures import DriftingTexture, make_natural_texture

TEXTURE_PERIOD = 2  # frame widths after which a drifting texture repeats itself
TEXTURE_MEAN, TEXTURE_CONTRAST = 0.5, 0.17  # of the displayed range; clips about 0.3 % of pixels
MAX_TINT = 0.06


@dataclass(frozen=True)
class Shot:
    """A part of a movie between two cuts.

    Parameters
    ----------
    first_frame, n_frames : int
        Place in the movie.
    split : str
        One of ``factors.SPLITS``: whole shots, in the order of time.
    """

    first_frame: int
    n_frames: int
    split: str


@dataclass(frozen=True)
class ObjectShot(Shot):
    """One object moves and turns evenly from a first to a last view."""

    exemplar: Exemplar
    first_view: View
    last_view: View
    lighting: Lighting
    background: str

    def get_view(self, frame: int) -> View:
        """View of the object in a frame of the movie, rounded as in the table."""
        share = (frame - self.first_frame) / max(self.n_frames - 1, 1)
        first, last = vars(self.first_view), vars(self.last_view)
        return View(
            **{name: round((1 - share) * first[name] + share * last[name], 4) for name in first}
        )


@dataclass(frozen=True)
class TextureShot(Shot):
    """One texture drifts at a constant velocity."""

    number: int
    drift_right_px_s: float
    drift_down_px_s: float
    tint: tuple[float, float, float]


@dataclass(frozen=True)
class Movie:
    """A row of shots.

    Parameters
    ----------
    name : str
        Id such as ``object-movie-01``.
    kind : str
        ``object`` or ``texture``.
    n_frames : int
        Length.
    shots : list of Shot
        They follow each other without gaps.
    """

    name: str
    kind: str
    n_frames: int
    shots: list[ObjectShot] | list[TextureShot]


def draw_movies(options: WorldOptions, exemplars: list[Exemplar]) -> list[Movie]:
    """Draw the plan of all movies of a world.

    Parameters
    ----------
    options : WorldOptions
        Numbers, durations and seed.
    exemplars : list of Exemplar
        Objects that may occur.

    Returns
    -------
    movies : list of Movie
        Object movies first.
    """
    movies = options.movies
    n_frames = max(1, round(movies.duration_s * movies.frame_rate_hz))
    plans = []
    for kind, count in (("object", movies.n_object_movies), ("texture", movies.n_texture_movies)):
        for number in range(1, count + 1):
            name = f"{kind}-movie-{number:02d}"
            generator = derive_generator(options.seed, "movie", name)
            cuts = _draw_shots(generator, options, n_frames)
            shots: list[ObjectShot] | list[TextureShot]
            if kind == "object":
                shots = [draw_object_shot(generator, options, exemplars, cut) for cut in cuts]
            else:
                shots = [
                    _draw_texture_shot(generator, options, cut, index)
                    for index, cut in enumerate(cuts)
                ]
            plans.append(Movie(name, kind, n_frames, shots))
    return plans


def _draw_shots(generator: np.random.Generator, options: WorldOptions, n_frames: int) -> list[Shot]:
    """Cut a movie into shots; the borders of the splits are cuts as well."""
    movies = options.movies
    shares = np.cumsum([0, movies.train_share, movies.validation_share])
    borders = [*np.round(shares * n_frames).astype(int).tolist(), n_frames]
    shots = []
    for split, first, end in zip(SPLITS, borders[:-1], borders[1:], strict=True):
        while first < end:
            seconds = generator.uniform(movies.shortest_shot_s, movies.longest_shot_s)
            length = max(1, round(seconds * movies.frame_rate_hz))
            # What would be left is too short for a shot of its own: it stays with this one.
            if end - first - length < movies.shortest_shot_s * movies.frame_rate_hz:
                length = end - first
            shots.append(Shot(first, length, split))
            first += length
    return shots


def draw_object_shot(
    generator: np.random.Generator, options: WorldOptions, exemplars: list[Exemplar], cut: Shot
) -> ObjectShot:
    """Draw what one shot of an object movie shows.

    Parameters
    ----------
    generator : numpy.random.Generator
        Stream of the movie.
    options : WorldOptions
        Ranges of the factors.
    exemplars : list of Exemplar
        Objects that may occur.
    cut : Shot
        Place in the movie.
    """

    def draw_view() -> View:
        yaw, pitch, roll, x, y = generator.uniform(-1, 1, 5)
        return View(
            yaw=options.max_yaw_deg * yaw,
            pitch=options.max_pitch_deg * pitch,
            roll=options.max_roll_deg * roll,
            x=1.3 * options.max_shift * x,
            y=options.max_shift * y,
            size=generator.uniform(options.smallest_size, options.largest_size),
        )

    return ObjectShot(
        **vars(cut),
        exemplar=exemplars[int(generator.integers(len(exemplars)))],
        first_view=draw_view(),
        last_view=draw_view(),
        lighting=scale_lighting(generator.random(), generator.random()),
        background=str(generator.choice(list(BACKGROUNDS))),
    )


def _draw_texture_shot(
    generator: np.random.Generator, options: WorldOptions, cut: Shot, number: int
) -> TextureShot:
    right, down = generator.uniform(-1, 1, 2) * options.movies.max_drift_px_s
    tint = generator.uniform(-MAX_TINT, MAX_TINT, 3)
    tint -= tint.mean()
    return TextureShot(
        **vars(cut),
        number=number,
        drift_right_px_s=round(float(right), 3),
        drift_down_px_s=round(float(down), 3),
        tint=(round(float(tint[0]), 4), round(float(tint[1]), 4), round(float(tint[2]), 4)),
    )


def render_movie(
    options: WorldOptions, movie: Movie, meshes: Mapping[str, Mesh]
) -> Iterator[np.ndarray]:
    """Render the frames of a movie, one after the other.

    Parameters
    ----------
    options : WorldOptions
        Frame size, frame rate and seed.
    movie : Movie
        What to render.
    meshes : mapping of str to Mesh
        Mesh of each exemplar by name.

    Yields
    ------
    frame : array of shape (frame_size, frame_size, 3), uint8
        sRGB.
    """
    for shot in movie.shots:
        if isinstance(shot, ObjectShot):
            yield from _render_object_shot(options, shot, meshes[shot.exemplar.name])
        else:
            yield from _render_texture_shot(options, movie.name, shot)


def _render_object_shot(
    options: WorldOptions, shot: ObjectShot, mesh: Mesh
) -> Iterator[np.ndarray]:
    background = draw_background(options.seed, shot.background, options.movies.frame_size)
    for frame in range(shot.first_frame, shot.first_frame + shot.n_frames):
        yield to_uint8(draw_object(background, mesh, shot.get_view(frame), shot.lighting))


def _render_texture_shot(
    options: WorldOptions, name: str, shot: TextureShot
) -> Iterator[np.ndarray]:
    size = options.movies.frame_size
    generator = derive_generator(options.seed, "texture", name, shot.number)
    period = TEXTURE_PERIOD * size
    drifting = DriftingTexture(make_natural_texture(generator, period, period))
    for index in range(shot.n_frames):
        seconds = index / options.movies.frame_rate_hz
        moved = drifting.shift(shot.drift_right_px_s * seconds, shot.drift_down_px_s * seconds)
        grey = TEXTURE_MEAN + TEXTURE_CONTRAST * moved[:size, :size]
        colour = grey[..., None] + np.asarray(shot.tint)
        yield np.round(255 * np.clip(colour, 0, 1)).astype(np.uint8)
