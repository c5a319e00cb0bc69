"""What all methods share, whatever they align; imports no torch."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from brainalign.errors import InputError
from brainalign.methods.requirements import Requirements
from brainalign.methods.weights import Weights
from brainalign.options import Options


class Method(ABC):
    """A model with options and weights; what it learns from and predicts is up to its kind.

    Parameters
    ----------
    options : Options, optional
        Options of the method; its defaults where None.

    Attributes
    ----------
    name : str
        Name in the registry.
    requirements : Requirements
        What the method needs and yields.
    Options : type
        Model of the options.
    """

    name: ClassVar[str]
    requirements: ClassVar[Requirements]
    Options: ClassVar[type[Options]]
    # Each method knows its own model of options; the base reads none of them.
    options: Any

    def __init__(self, options: Any = None) -> None:
        self.options = options if options is not None else self.Options()

    @abstractmethod
    def get_weights(self) -> Weights:
        """All that was learned.

        Returns
        -------
        weights : dict of str to array
            Numeric arrays by flat name; all that predicting needs beside the options.
        """

    @abstractmethod
    def set_weights(self, weights: Weights) -> None:
        """Take up what another fit has learned.

        Parameters
        ----------
        weights : dict of str to array
            As from `get_weights` of a method with the same options.

        Raises
        ------
        InputError
            A name is missing or not expected, or a width is another one.
        """

    def _refuse_unfitted(self) -> InputError:
        return InputError("the method is not fitted", where=self.name, remedy="Call fit first.")
