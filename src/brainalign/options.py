"""The base of every options model: typed, closed and immutable."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    ModelWrapValidatorHandler,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError


class Options(BaseModel):
    """Options of one part of an experiment.

    Unknown keys are refused and values are not coerced between kinds (``"1"`` is no number),
    because a silently ignored or converted option changes science.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="wrap")
    @classmethod
    def _name_unknown_keys(cls, content: Any, check: ModelWrapValidatorHandler[Self]) -> Self:
        """Refuse unknown keys with the nearest known one, beside all other problems."""
        try:
            return check(content)
        except ValidationError as error:
            raise ValidationError.from_exception_data(
                cls.__name__, [cls._rewrite(problem) for problem in error.errors()]
            ) from None

    @classmethod
    def _rewrite(cls, problem: ErrorDetails) -> InitErrorDetails:
        kind, context = problem["type"], problem.get("ctx", {})
        if kind == "extra_forbidden" and len(problem["loc"]) == 1:
            key = str(problem["loc"][0])
            kind = "unknown_option"
            context = {"key": key, "suggestion": suggest_name(key, cls.model_fields)}
        if kind == "unknown_option":
            return {
                "type": PydanticCustomError(
                    "unknown_option", "unknown option '{key}'. {suggestion}", context
                ),
                "loc": problem["loc"],
                "input": problem["input"],
            }
        return {
            "type": kind,
            "loc": problem["loc"],
            "input": problem["input"],
            "ctx": context,
        }


def suggest_name(unknown: str, known: Iterable[str]) -> str:
    """Say which names are known and which of them is nearest to an unknown one.

    Parameters
    ----------
    unknown : str
        The name that was asked for.
    known : iterable of str
        The names that exist.

    Returns
    -------
    suggestion : str
        A sentence such as ``Did you mean 'pixels'? Known: clip, pixels.``
    """
    names = sorted(known)
    nearest = difflib.get_close_matches(unknown, names, n=1, cutoff=0.5)
    hint = f"Did you mean '{nearest[0]}'? " if nearest else ""
    return f"{hint}Known: {', '.join(names) if names else 'none'}."
