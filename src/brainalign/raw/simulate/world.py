"""Write the simulated world: images, movies, tables and the truth behind them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from brainalign.errors import InputError

from .backgrounds import BACKGROUNDS, draw_background
from .captions import write_object_captions, write_scene_captions
from .categories import CATEGORIES, build_object, draw_objects
from .exemplar import Exemplar
from .factors import ObjectStimulus, draw_object_stimuli
from .latents import LATENT_GROUPS, compute_stimulus_latents, make_category_code
from .mesh import Mesh
from .movies import Movie, ObjectShot, draw_movies, render_movie
from .options import WorldOptions
from .render import Lighting, View, draw_object, to_uint8
from .scenes import SceneStimulus, draw_scene, draw_scenes
from .truth import describe_factors
from .world_tables import write_table

VIEW_COLUMNS = ["yaw_deg", "pitch_deg", "roll_deg", "x", "y", "size"]
LIGHT_COLUMNS = ["light_azimuth_deg", "light_elevation_deg"]
STIMULUS_COLUMNS = [
    "stimulus",
    "kind",
    "split",
    "file",
    "sha256",
    "category",
    "exemplar",
    *VIEW_COLUMNS,
    *LIGHT_COLUMNS,
    "background",
    "labels",
    "caption",
]
Progress = Callable[[str], None]


def write_world(folder: Path, options: WorldOptions, progress: Progress | None = None) -> None:
    """Write the stimuli of a simulated world and their truth.

    Parameters
    ----------
    folder : Path
        An existing, empty folder.
    options : WorldOptions
        What to make; the same options give the same bytes.
    progress : callable, optional
        Called with a sentence after each part.

    Raises
    ------
    InputError
        If the folder is missing or not empty.

    Notes
    -----
    ``docs/simulated_world.md`` describes every file. Publishing the folder whole is the
    caller's task.
    """
    _check_folder(folder)
    report = progress or _ignore
    exemplars = draw_objects(options.seed, options.exemplars_per_category)
    meshes = {exemplar.name: build_object(exemplar) for exemplar in exemplars}
    objects = [item for one in exemplars for item in draw_object_stimuli(options, one)]
    scenes = draw_scenes(options, exemplars)
    _write_images(folder, options, objects, scenes, meshes)
    report(f"rendered {len(objects)} objects and {len(scenes)} scenes")
    _write_scene_objects(folder, scenes)
    _write_captions(folder, options, objects, scenes)
    _write_exemplars(folder, exemplars)
    _write_backgrounds(folder)
    movies = draw_movies(options, exemplars)
    _write_movies(folder, options, movies, meshes)
    report(f"rendered {len(movies)} movies")
    _write_truth(folder, options, exemplars, objects, scenes)
    report("wrote the truth")


def _ignore(_: str) -> None:
    """Swallow a progress report."""


def _check_folder(folder: Path) -> None:
    if not folder.is_dir():
        raise InputError("no such folder", where=folder, remedy="Create it, or fix the path.")
    if any(folder.iterdir()):
        raise InputError(
            "the folder is not empty", where=folder, remedy="Give an empty folder to write into."
        )


def _write_images(
    folder: Path,
    options: WorldOptions,
    objects: list[ObjectStimulus],
    scenes: list[SceneStimulus],
    meshes: dict[str, Mesh],
) -> None:
    (folder / "stimuli").mkdir()
    places = {name: draw_background(options.seed, name, options.image_size) for name in BACKGROUNDS}
    number_of = {name: number for number, name in enumerate(BACKGROUNDS)}
    rows = []
    for item in objects:
        picture = draw_object(
            places[item.background], meshes[item.exemplar.name], item.view, item.lighting
        )
        rows.append(
            _save_stimulus(folder, item.stimulus, picture)
            | {
                "kind": "object",
                "split": item.split,
                "category": item.exemplar.category,
                "exemplar": item.exemplar.name,
                "background": number_of[item.background],
                "labels": item.exemplar.category,
                "caption": write_object_captions(options, item)[0],
            }
            | _tabulate_view(item.view)
            | _tabulate_lighting(item.lighting)
        )
    for scene in scenes:
        picture = draw_scene(places[scene.background], scene, meshes)
        rows.append(
            _save_stimulus(folder, scene.stimulus, picture)
            | {
                "kind": "scene",
                "split": scene.split,
                "background": number_of[scene.background],
                "labels": ";".join(scene.labels),
                "caption": write_scene_captions(options, scene)[0],
            }
            | _tabulate_lighting(scene.lighting)
        )
    write_table(folder, "stimuli", rows, STIMULUS_COLUMNS)


def _save_stimulus(folder: Path, stimulus: str, picture: np.ndarray) -> dict[str, Any]:
    file = f"stimuli/{stimulus}.png"
    return {
        "stimulus": stimulus,
        "file": file,
        "sha256": save_png(folder / file, to_uint8(picture)),
    }


def save_png(path: Path, image: np.ndarray) -> str:
    """Save a picture and return the SHA-256 of the file.

    Parameters
    ----------
    path : Path
        File to write.
    image : array of shape (y, x, 3), uint8
        sRGB.

    Returns
    -------
    sha256 : str
        64 hexadecimal digits.
    """
    Image.fromarray(image).save(path, format="PNG", compress_level=6)
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _tabulate_view(view: View) -> dict[str, float]:
    values = (view.yaw, view.pitch, view.roll, view.x, view.y, view.size)
    return dict(zip(VIEW_COLUMNS, values, strict=True))


def _tabulate_lighting(lighting: Lighting) -> dict[str, float]:
    return dict(zip(LIGHT_COLUMNS, (lighting.azimuth, lighting.elevation), strict=True))


def _write_scene_objects(folder: Path, scenes: list[SceneStimulus]) -> None:
    rows = [
        {
            "stimulus": scene.stimulus,
            "order": order,
            "category": item.exemplar.category,
            "exemplar": item.exemplar.name,
        }
        | _tabulate_view(item.view)
        for scene in scenes
        for order, item in enumerate(scene.objects)
    ]
    columns = ["stimulus", "order", "category", "exemplar", *VIEW_COLUMNS]
    write_table(folder, "scene_objects", rows, columns)


def _write_captions(
    folder: Path,
    options: WorldOptions,
    objects: list[ObjectStimulus],
    scenes: list[SceneStimulus],
) -> None:
    captions = [(item.stimulus, write_object_captions(options, item)) for item in objects]
    captions += [(scene.stimulus, write_scene_captions(options, scene)) for scene in scenes]
    rows = [
        {"stimulus": stimulus, "number": number, "caption": caption}
        for stimulus, texts in captions
        for number, caption in enumerate(texts)
    ]
    write_table(folder, "captions", rows, ["stimulus", "number", "caption"])


def _write_exemplars(folder: Path, exemplars: list[Exemplar]) -> None:
    rows = [
        {
            "exemplar": exemplar.name,
            "category": exemplar.category,
            "style": exemplar.style,
            "colour": exemplar.colour,
            "second_colour": exemplar.second_colour,
        }
        for exemplar in exemplars
    ]
    write_table(folder, "exemplars", rows, list(rows[0]))


def _write_backgrounds(folder: Path) -> None:
    rows = [
        {"background": number, "name": place.name, "phrase": place.phrase}
        for number, place in enumerate(BACKGROUNDS.values())
    ]
    write_table(folder, "backgrounds", rows, list(rows[0]))


def _write_movies(
    folder: Path, options: WorldOptions, movies: list[Movie], meshes: dict[str, Mesh]
) -> None:
    rate, size = options.movies.frame_rate_hz, options.movies.frame_size
    movie_rows, shot_rows, frame_rows = [], [], []
    for movie in movies:
        home = Path("movies") / movie.name
        (folder / home).mkdir(parents=True)
        movie_rows.append(
            {
                "movie": movie.name,
                "kind": movie.kind,
                "folder": home.as_posix(),
                "n_frames": movie.n_frames,
                "frame_rate_hz": rate,
                "height": size,
                "width": size,
            }
        )
        for index, shot in enumerate(movie.shots):
            shot_rows.append({"movie": movie.name, "shot": index} | _tabulate_shot(shot))
        shots = [
            (index, shot) for index, shot in enumerate(movie.shots) for _ in range(shot.n_frames)
        ]
        for frame, picture in enumerate(render_movie(options, movie, meshes)):
            index, shot = shots[frame]
            file = (home / f"frame_{frame:05d}.png").as_posix()
            row = {
                "movie": movie.name,
                "frame": frame,
                "time_s": round(frame / rate, 6),
                "shot": index,
                "split": shot.split,
                "file": file,
                "sha256": save_png(folder / file, picture),
            }
            if isinstance(shot, ObjectShot):
                row |= {"category": shot.exemplar.category, "exemplar": shot.exemplar.name}
                row |= _tabulate_view(shot.get_view(frame))
            frame_rows.append(row)
    _write_movie_tables(folder, movie_rows, shot_rows, frame_rows)


def _tabulate_shot(shot: Any) -> dict[str, Any]:
    row = {"first_frame": shot.first_frame, "n_frames": shot.n_frames, "split": shot.split}
    if isinstance(shot, ObjectShot):
        row |= {"category": shot.exemplar.category, "exemplar": shot.exemplar.name}
        row |= {"background": list(BACKGROUNDS).index(shot.background)} | _tabulate_lighting(
            shot.lighting
        )
        return row
    return row | {
        "drift_right_px_s": shot.drift_right_px_s,
        "drift_down_px_s": shot.drift_down_px_s,
    }


def _write_movie_tables(
    folder: Path,
    movie_rows: list[dict[str, Any]],
    shot_rows: list[dict[str, Any]],
    frame_rows: list[dict[str, Any]],
) -> None:
    write_table(
        folder,
        "movies",
        movie_rows,
        ["movie", "kind", "folder", "n_frames", "frame_rate_hz", "height", "width"],
    )
    what = ["category", "exemplar"]
    shot_columns = ["movie", "shot", "first_frame", "n_frames", "split", *what, "background"]
    shot_columns += [*LIGHT_COLUMNS, "drift_right_px_s", "drift_down_px_s"]
    write_table(folder, "movie_shots", shot_rows, shot_columns)
    frame_columns = ["movie", "frame", "time_s", "shot", "split", "file", "sha256"]
    write_table(folder, "movie_frames", frame_rows, [*frame_columns, *what, *VIEW_COLUMNS])


def _write_truth(
    folder: Path,
    options: WorldOptions,
    exemplars: list[Exemplar],
    objects: list[ObjectStimulus],
    scenes: list[SceneStimulus],
) -> None:
    code = make_category_code(options.seed, exemplars)
    row_of = {exemplar.name: row for row, exemplar in enumerate(exemplars)}
    shown = [(item.stimulus, [(item.exemplar, item.view)]) for item in objects]
    shown += [
        (scene.stimulus, [(item.exemplar, item.view) for item in scene.objects]) for scene in scenes
    ]
    latents = [compute_stimulus_latents(options, code, row_of, items) for _, items in shown]
    np.savez(
        folder / "truth.npz",
        stimulus=np.array([stimulus for stimulus, _ in shown]),
        latent=np.stack(latents),
        latent_group=np.repeat(list(LATENT_GROUPS), list(LATENT_GROUPS.values())),
        category=np.array(list(CATEGORIES)),
        category_code=code.category,
        exemplar=np.array([exemplar.name for exemplar in exemplars]),
        exemplar_code=code.exemplar,
    )
    truth = {
        "options": options.model_dump(mode="json"),
        "categories": list(CATEGORIES),
        "latent_groups": LATENT_GROUPS,
        "factors": describe_factors(options),
    }
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
