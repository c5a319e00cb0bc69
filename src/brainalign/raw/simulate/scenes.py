"""Scenes: two to four objects of different categories in one place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .backgrounds import BACKGROUNDS
from .categories import CATEGORIES
from .exemplar import Exemplar
from .factors import assign_splits, scale_lighting
from .mesh import Mesh
from .options import WorldOptions
from .render import Lighting, View, draw_object
from .streams import derive_generator

FEWEST_OBJECTS, MOST_OBJECTS = 2, 4
_FEWEST_SCENES_TO_SPLIT = 3


@dataclass(frozen=True)
class SceneObject:
    """One object of a scene and how it is seen."""

    exemplar: Exemplar
    view: View


@dataclass(frozen=True)
class SceneStimulus:
    """One picture of several objects.

    Parameters
    ----------
    stimulus : str
        Id such as ``scene-0012``.
    objects : tuple of SceneObject
        From the farthest to the nearest.
    lighting : Lighting
        The lamp, shared by the objects.
    background : str
        Key of ``BACKGROUNDS``.
    split : str
        One of ``factors.SPLITS``.
    """

    stimulus: str
    objects: tuple[SceneObject, ...]
    lighting: Lighting
    background: str
    split: str

    @property
    def labels(self) -> list[str]:
        """Categories that the scene holds, in alphabetical order."""
        return sorted({item.exemplar.category for item in self.objects})


def draw_scenes(options: WorldOptions, exemplars: list[Exemplar]) -> list[SceneStimulus]:
    """Draw all scenes of a world.

    Parameters
    ----------
    options : WorldOptions
        Number of scenes, ranges and seed.
    exemplars : list of Exemplar
        Objects to choose from.

    Returns
    -------
    scenes : list of SceneStimulus
        Categories are dealt from shuffled decks, so that all occur about equally often.
    """
    generator = derive_generator(options.seed, "scenes")
    by_category: dict[str, list[Exemplar]] = {name: [] for name in CATEGORIES}
    for exemplar in exemplars:
        by_category[exemplar.category].append(exemplar)
    if options.n_scenes >= _FEWEST_SCENES_TO_SPLIT:
        splits = assign_splits(
            generator, options.n_scenes, options.validation_share, options.test_share
        )
    else:
        splits = ["train"] * options.n_scenes
    scenes = []
    deck: list[str] = []
    for index in range(options.n_scenes):
        n_objects = int(generator.integers(FEWEST_OBJECTS, MOST_OBJECTS + 1))
        if len(deck) < n_objects:
            deck = [str(name) for name in generator.permutation(list(CATEGORIES))]
        chosen, deck = deck[:n_objects], deck[n_objects:]
        scenes.append(
            SceneStimulus(
                stimulus=f"scene-{index + 1:04d}",
                objects=_place_objects(generator, options, [by_category[name] for name in chosen]),
                lighting=scale_lighting(generator.random(), generator.random()),
                background=str(generator.choice(list(BACKGROUNDS))),
                split=splits[index],
            )
        )
    return scenes


def _place_objects(
    generator: np.random.Generator, options: WorldOptions, choices: list[list[Exemplar]]
) -> tuple[SceneObject, ...]:
    """Give each object a column of the picture; nearer ones are larger and lower."""
    n_objects = len(choices)
    columns = (generator.permutation(n_objects) + 0.5) / n_objects - 0.5
    largest = {2: 0.56, 3: 0.47, 4: 0.42}[n_objects]
    objects = []
    for column, exemplars in zip(columns, choices, strict=True):
        nearness = generator.random()
        view = View(
            yaw=round(float(generator.uniform(-1, 1) * options.max_yaw_deg), 2),
            pitch=round(float(generator.uniform(0, 1) * options.max_pitch_deg), 2),
            roll=0.0,
            x=round(float(0.8 * column + generator.uniform(-0.03, 0.03)), 4),
            y=round(float(0.13 - 0.26 * nearness + generator.uniform(-0.04, 0.04)), 4),
            size=round(float(largest * (0.78 + 0.22 * nearness)), 4),
        )
        exemplar = exemplars[int(generator.integers(len(exemplars)))]
        objects.append(SceneObject(exemplar, view))
    return tuple(sorted(objects, key=lambda item: item.view.size))


def draw_scene(
    background: np.ndarray, scene: SceneStimulus, meshes: Mapping[str, Mesh]
) -> np.ndarray:
    """Paint a scene's objects over its background, the farthest first.

    Parameters
    ----------
    background : array of shape (y, x, 3)
        Linear light.
    scene : SceneStimulus
        What to paint.
    meshes : mapping of str to Mesh
        Mesh of each exemplar by name.

    Returns
    -------
    picture : array of shape (y, x, 3)
        Linear light.
    """
    picture = background
    for item in scene.objects:
        picture = draw_object(picture, meshes[item.exemplar.name], item.view, scene.lighting)
    return picture
