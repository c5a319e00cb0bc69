"""What all methods share, whatever they align; imports no torch."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

from pydantic import ValidationError

from brainalign.errors import CorruptDataError, InputError
from brainalign.methods.requirements import Requirements
from brainalign.methods.weights import Weights, read_weights, write_weights
from brainalign.options import Options
from brainalign.stores.manifest import MANIFEST_NAME, find_damage, read_manifest
from brainalign.stores.publish import publish_folder


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

    def save(self, folder: Path | str) -> None:
        """Write weights and options into a folder that appears whole or not at all.

        Parameters
        ----------
        folder : path
            Gets ``weights.safetensors``, ``options.json`` and a manifest with their checksums. An
            earlier fit of the same method is replaced in one step.

        Raises
        ------
        InputError
            The method is not fitted, or the folder holds something else.
        ResourceError
            The disk is full or not writable; what was there before is still there.
        """
        weights = self.get_weights()
        # A draft is written beside the folder, so its own name must be known.
        path = Path(folder).absolute()
        _refuse_other_content(path, self.name)
        description = {"method": self.name, "options": self.options.model_dump(mode="json")}
        with publish_folder(path, "method", {"method": self.name}) as draft:
            write_weights(draft, weights, description)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read a fitted method from a folder; it predicts what it did before, bit for bit.

        Parameters
        ----------
        folder : path
            As written by `save`. :func:`brainalign.load_method` reads folders of any method, and
            those of a finished run.

        Returns
        -------
        method : Method
            Ready to predict.

        Raises
        ------
        InputError
            The folder holds another method, or options and weights do not fit together.
        CorruptDataError
            A file is damaged.
        """
        path = Path(folder)
        weights, description = read_weights(path)
        if description.get("method") != cls.name:
            raise InputError(
                "the folder holds another method",
                where=folder,
                expected=cls.name,
                found=description.get("method"),
                remedy="Load it with the class of that method, or with brainalign.load_method.",
            )
        if "seeds" in description:
            raise InputError(
                "the folder holds all fits of a finished run",
                where=folder,
                remedy="Choose one with brainalign.load_method.",
            )
        method = cls.restore(description.get("options"), weights, where=str(folder))
        check_published(path)
        return method

    @classmethod
    def restore(cls, options: Any, weights: Weights, *, where: str) -> Self:
        """Make a fitted method of options, as JSON holds them, and weights.

        Parameters
        ----------
        options : dict
            All options of the fit.
        weights : dict of str to array
            As from `get_weights`.
        where : str
            Where they were read, for the error.

        Raises
        ------
        InputError
            Options or weights do not fit the method.
        """
        try:
            # Strict models take lists for tuples from JSON text only.
            checked = cls.Options.model_validate_json(json.dumps(options))
        except ValidationError as error:
            raise InputError(
                f"options.json does not fit the method ({error.error_count()} problems)",
                where=where,
                found=str(error.errors()[0]["msg"]),
            ) from error
        method = cls(checked)
        method.set_weights(weights)
        return method

    @classmethod
    def choose_part_options(cls, options: dict[str, Any], part: Mapping[str, str]) -> Any:
        """Give the options of one fit of a run: those of all, unless a method fits variants.

        Parameters
        ----------
        options : dict
            Options in the folder of the run, as JSON holds them.
        part : mapping of str to str
            Which fit: ``seed``, ``fold``, ``variant`` …
        """
        return options

    def _refuse_unfitted(self) -> InputError:
        return InputError("the method is not fitted", where=self.name, remedy="Call fit first.")


def check_published(folder: Path) -> None:
    """Refuse a folder whose files are not those that were published.

    Raises
    ------
    CorruptDataError
        There is no manifest, or a file is missing or has changed.
    """
    damage = find_damage(folder)
    if damage:
        raise CorruptDataError(
            "; ".join(damage), where=folder, remedy="Delete the folder and fit again."
        )


def _refuse_other_content(folder: Path, name: str) -> None:
    """Replace nothing but an earlier fit of the same method."""
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    found = "other files"
    if (folder / MANIFEST_NAME).is_file() and read_manifest(folder).kind == "method":
        found = str(read_manifest(folder).provenance.get("method"))
    if found != name:
        raise InputError(
            "the folder is in use and would be overwritten",
            where=folder,
            expected=f"a new folder, or an earlier fit of {name}",
            found=found,
            remedy="Save into another folder.",
        )
