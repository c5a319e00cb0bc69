"""The eight categories: how each is built, how it is turned at rotation zero, what it is called."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .exemplar import Exemplar, draw_exemplars
from .mesh import Mesh, rotate
from .palette import OBJECT_COLOURS
from .shapes_household import build_chair, build_house, build_mug
from .shapes_living import build_face, build_fish, build_tree
from .shapes_vehicles import build_car, build_plane


@dataclass(frozen=True)
class Category:
    """One kind of object.

    Parameters
    ----------
    name : str
        Label.
    build : callable
        From the traits of an exemplar to its mesh.
    canonical_yaw, canonical_pitch : float
        Degrees that are added before the planted rotation, so that rotation zero is a good view.
    colours : tuple of str
        Main colours that the category may have.
    """

    name: str
    build: Callable[[Exemplar], Mesh]
    canonical_yaw: float = 0.0
    canonical_pitch: float = 0.0
    colours: tuple[str, ...] = OBJECT_COLOURS


CATEGORIES: dict[str, Category] = {
    category.name: category
    for category in (
        Category("car", build_car, canonical_yaw=-25, canonical_pitch=5),
        Category("chair", build_chair, canonical_yaw=-20, canonical_pitch=8),
        Category("face", build_face, canonical_pitch=-8),
        Category("fish", build_fish, canonical_pitch=-5),
        Category("house", build_house, canonical_yaw=-22, canonical_pitch=8),
        Category("mug", build_mug, canonical_pitch=12),
        Category("plane", build_plane, canonical_yaw=-32, canonical_pitch=26),
        Category(
            "tree", build_tree, colours=("green", "olive", "orange", "lime", "golden", "forest")
        ),
    )
}


def draw_objects(seed: int, exemplars_per_category: int) -> list[Exemplar]:
    """Draw the objects of all categories, in the order of ``CATEGORIES``."""
    return [
        exemplar
        for category in CATEGORIES.values()
        for exemplar in draw_exemplars(
            seed, category.name, exemplars_per_category, category.colours
        )
    ]


def build_object(exemplar: Exemplar) -> Mesh:
    """Build the mesh of an exemplar, of radius 1, standing in its canonical view."""
    category = CATEGORIES[exemplar.category]
    mesh = category.build(exemplar)
    turn = rotate(category.canonical_yaw, category.canonical_pitch)
    return mesh.place(rotation=turn).normalise()
