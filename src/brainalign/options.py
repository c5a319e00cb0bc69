"""The base of every options model: typed, closed and immutable."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError


class Options(BaseModel):
    """Options of one part of an experiment.

    Unknown keys are refused and values are not coerced between kinds (``"1"`` is no number),
    because a silently ignored or converted option changes science.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    @model_validator(mode="before")
    @classmethod
    def _name_unknown_keys(cls, content: Any) -> Any:
        """Refuse unknown keys with the nearest known one, which pydantic alone does not name."""
        if isinstance(content, dict):
            for key in content:
                if key not in cls.model_fields:
                    raise PydanticCustomError(
                        "unknown_option",
                        "unknown option '{key}'. {suggestion}",
                        {"key": str(key), "suggestion": suggest_name(str(key), cls.model_fields)},
                    )
        return content


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
