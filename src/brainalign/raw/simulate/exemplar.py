"""What makes one object of a category differ from another of the same category."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .palette import OBJECT_COLOURS, get_colour
from .streams import derive_generator, draw_stratified

N_PROPORTIONS = 6


@dataclass(frozen=True)
class Exemplar:
    """Traits of one object, from which its category's builder makes the mesh.

    Parameters
    ----------
    category : str
        Name of the category.
    number : int
        1, 2, … within the category.
    style : int
        Picks between discrete forms, such as sedan or van; builders take it modulo their number
        of forms.
    colour, second_colour : str
        Names in ``palette``.
    proportion : tuple of N_PROPORTIONS floats
        Continuous traits in [0, 1), spread evenly over the exemplars of a category.
    """

    category: str
    number: int
    style: int
    colour: str
    second_colour: str
    proportion: tuple[float, ...]

    @property
    def name(self) -> str:
        """Id such as ``car-03``."""
        return f"{self.category}-{self.number:02d}"

    @property
    def paint(self) -> np.ndarray:
        """Linear RGB of the main colour, shape (3,)."""
        return get_colour(self.colour)

    @property
    def second_paint(self) -> np.ndarray:
        """Linear RGB of the second colour, shape (3,)."""
        return get_colour(self.second_colour)

    def between(self, trait: int, low: float, high: float) -> float:
        """Map one proportion to a range."""
        return low + (high - low) * self.proportion[trait]


def draw_exemplars(
    seed: int, category: str, n_exemplars: int, colours: tuple[str, ...] = OBJECT_COLOURS
) -> list[Exemplar]:
    """Draw the objects of one category.

    Parameters
    ----------
    seed : int
        Seed of the world.
    category : str
        Name of the category.
    n_exemplars : int
        Number of objects.
    colours : tuple of str
        Main colours that the category may have.

    Returns
    -------
    exemplars : list of Exemplar
        Styles cycle, and no main colour is used twice before all were used once.
    """
    generator = derive_generator(seed, "exemplars", category)
    proportions = draw_stratified(generator, n_exemplars, N_PROPORTIONS)
    main = [str(name) for name in generator.permutation(colours)]
    exemplars = []
    for index in range(n_exemplars):
        colour = main[index % len(main)]
        others = [name for name in OBJECT_COLOURS if name != colour]
        exemplars.append(
            Exemplar(
                category=category,
                number=index + 1,
                style=index,
                colour=colour,
                second_colour=str(generator.choice(others)),
                proportion=tuple(float(value) for value in proportions[index]),
            )
        )
    return exemplars
