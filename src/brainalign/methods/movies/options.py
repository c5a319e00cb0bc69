"""Options that all methods with movie design share; imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from brainalign.options import Options


class MovieOptions(Options):
    """How movies are divided and which tokens are read."""

    protocols: list[Literal["within_movie", "cross_movie"]] = Field(
        default=["within_movie"],
        min_length=1,
        description=(
            "Which splits are fitted and tested, each a variant of its own: parts of every movie "
            "(within_movie), or other movies (cross_movie, one fit per fold)."
        ),
    )
    token_path: str | None = Field(
        default=None,
        description=(
            "Path of the tokens in the feature store, such as layer_1/token; null: the layer "
            "that alignment methods read by default."
        ),
    )
