"""Load configurations from files, merge them and report every problem with its line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from brainalign.config.models import Config
from brainalign.config.strict_yaml import (
    ConfigError,
    Place,
    read_given_values,
    read_strict_yaml,
)

_COMMAND_LINE = "--config"


def load_config(paths: Sequence[Path], overrides: Mapping[str, Any] | None = None) -> Config:
    """Load, merge and check configuration files.

    Parameters
    ----------
    paths : sequence of Path
        YAML files; later ones win. Mappings are merged key by key, lists are replaced whole, as
        Snakemake does with ``--configfile``.
    overrides : mapping, optional
        Values that win over all files (Snakemake's ``--config``); see
        :func:`brainalign.config.strict_yaml.read_given_values` for texts among them.

    Returns
    -------
    config : Config
        Checked, with defaults filled in.

    Raises
    ------
    ConfigError
        With every problem that the files have, each with file, line and nearest known key; what
        YAML readers disagree about is listed first, since the rest depends on it.
    InputError
        If a file is missing or no YAML.
    """
    merged: dict[str, Any] = {}
    places: dict[Place, str] = {}
    ambiguous: list[str] = []
    for path in paths:
        try:
            content, lines = read_strict_yaml(path)
        except ConfigError as error:
            ambiguous += error.problems
            _merge(merged, error.content, places, {}, path, ())
        else:
            _merge(merged, content, places, lines, path, ())
    if ambiguous:
        raise ConfigError(ambiguous, merged)
    if overrides:
        _merge(merged, read_given_values(dict(overrides)), places, {}, Path(_COMMAND_LINE), ())
    try:
        return Config.model_validate(merged)
    except ValidationError as error:
        problems = [_describe(problem, places) for problem in error.errors()]
        raise ConfigError(problems, merged) from None


def _merge(
    base: dict[str, Any],
    content: Mapping[str, Any],
    places: dict[Place, str],
    lines: Mapping[Place, int],
    path: Path,
    prefix: Place,
) -> None:
    for key, value in content.items():
        place = (*prefix, key)
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _merge(base[key], value, places, lines, path, place)
            continue
        base[key] = value
        for known in [known for known in places if known[: len(place)] == place]:
            del places[known]
        for inner, line in lines.items():
            if inner[: len(place)] == place:
                places[inner] = f"{path} line {line}"
        places.setdefault(place, str(path))


def _describe(problem: Any, places: Mapping[Place, str]) -> str:
    """Put one of pydantic's problems into one line with its file and line."""
    known: list[str | int] = []
    for part in problem["loc"]:
        # Union tags stand in pydantic's location but not in the file.
        if (*known, part) in places:
            known.append(part)
    shown = list(known)
    if problem["type"] == "missing":
        shown = [*known, problem["loc"][-1]]
    option = ".".join(str(part) for part in shown) or "the top level"
    file = places.get(tuple(known), next(iter(places.values()), "configuration"))
    return f"{file}: {option}: {_explain(problem, file)}"


def _explain(problem: Any, file: str) -> str:
    message = str(problem["msg"]).removeprefix("Value error, ")
    found = problem.get("input")
    if problem["type"] == "string_type" and isinstance(found, int | float):
        # A shell and Snakemake take a pair of quotes each.
        written = f"\"'{found}'\"" if file == _COMMAND_LINE else f'"{found}"'
        return f"ids and names are text, found the number {found}. Put it in quotes: {written}."
    if problem["type"] in ("unknown_option", "value_error", "missing"):
        return message
    if problem["type"] == "union_tag_invalid":
        tag = problem["ctx"]["discriminator"].strip("'")
        return f"unknown {tag} '{problem['ctx']['tag']}'. Known: {problem['ctx']['expected_tags']}."
    if problem["type"] == "union_tag_not_found":
        return f"the key {problem['ctx']['discriminator']} is missing."
    return f"{message}, found {found!r}"
