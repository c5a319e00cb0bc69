"""A YAML reader that refuses what YAML 1.1 silently turns into something else.

Plain YAML reads ``1e-3`` as text, ``010`` as 8, ``no`` as false, ``1:30`` as 90, keeps the last
of duplicate keys, and turns subject ``001`` into 1. Each of these changes an experiment without
a word, so each is an error here, with file and line.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

from brainalign.errors import InputError

Place = tuple[str | int, ...]

_AMBIGUOUS = (
    (
        re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+|[-+]?\.\d+[eE]\d+"),
        "would be read as text",
        "Write it with a point and a signed exponent, such as 1.0e-3.",
    ),
    (
        re.compile(r"[-+]?0\d+"),
        "would be read as an octal number or lose its zeros",
        'Put ids in quotes ("010") and write numbers without leading zeros.',
    ),
    (
        re.compile(r"[-+]?\d+(:[0-5]?\d)+(\.\d*)?"),
        "would be read in base 60",
        "Put it in quotes.",
    ),
    (re.compile(r"\d+(_\d+)+"), "would be read without its underscores", "Put it in quotes."),
    (re.compile(r"\d{4}-\d\d?-\d\d?.*"), "would be read as a date", "Put it in quotes."),
    (
        re.compile(r"(?i)yes|no|on|off"),
        "is a truth value in some YAML readers and text in others",
        "Write true or false, or put it in quotes.",
    ),
)
# Exactly the plain scalars that are safe: PyYAML reads them as floats already.
_SAFE_FLOAT = re.compile(r"[-+]?\d+\.\d*[eE][-+]\d+")


class _StrictLoader(yaml.SafeLoader):
    """Builds plain Python values and remembers the line of each of them."""


class ConfigError(InputError):
    """A configuration with one or more problems.

    Parameters
    ----------
    problems : list of str
        All of them, each with its file and line.
    content : dict, optional
        What could be read all the same: a part of it may still be checked.
    """

    def __init__(self, problems: list[str], content: dict[str, Any] | None = None) -> None:
        self.problems = problems
        self.content = content or {}
        more = len(problems) - 1
        rest = f" ({more} more; brainalign validate lists them all)" if more else ""
        super().__init__(problems[0] + rest)


def read_strict_yaml(path: Path) -> tuple[dict[str, Any], dict[Place, int]]:
    """Read a YAML mapping and the line on which each of its values stands.

    Parameters
    ----------
    path : Path
        A YAML file whose top level is a mapping.

    Returns
    -------
    content : dict
        Its values.
    lines : dict of tuple to int
        Line number, from 1, by the path of keys and list positions.

    Raises
    ------
    InputError
        If the file is missing, no YAML or no mapping.
    ConfigError
        With all repeated keys, keys that are no text, and values that YAML readers disagree
        about.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError("no such configuration file", where=path) from None
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("cannot be read as UTF-8 text", where=path, found=str(error)) from error
    try:
        node = yaml.compose(text, Loader=_StrictLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" line {mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        # PyYAML speaks of tokens; what is meant is that YAML knows no tabs.
        remedy = "Indent with spaces, not with tabs." if "\\t" in problem else None
        raise InputError(
            f"no valid YAML: {problem}", where=f"{path}{line}", remedy=remedy
        ) from error
    if node is None:
        return {}, {}
    if not isinstance(node, yaml.MappingNode):
        raise InputError("the top level is no mapping of keys to values", where=path)
    builder = _Builder(path)
    content = builder.build(node, ())
    if builder.problems:
        raise ConfigError(builder.problems, content)
    return content, builder.lines


def read_given_values(value: Any) -> Any:
    """Read the texts among values of a command line as a file's plain scalars would be read.

    Parameters
    ----------
    value : object
        A value as Snakemake's ``--config`` gives it. Numbers and truth values inside lists and
        mappings arrive as text there, with quotes gone: ``seeds=[0]`` as ``['0']``.

    Returns
    -------
    read : object
        The same with numbers, truth values and null for texts that say so without a doubt. What
        YAML readers disagree about (``01``, ``1e-3``, ``no``) stays text, and so does text in
        quotes of its own: ``subjects=["'1'"]``.
    """
    if isinstance(value, dict):
        return {key: read_given_values(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [read_given_values(inner) for inner in value]
    if not isinstance(value, str) or not value:
        return value
    try:
        node = yaml.compose(value, Loader=_StrictLoader)
    except yaml.YAMLError:
        return value
    if not isinstance(node, yaml.ScalarNode) or _find_doubt(node) is not None:
        return value
    return _StrictLoader("").construct_object(node)


def _find_doubt(node: yaml.Node) -> tuple[str, str] | None:
    """Give what readers make of a scalar and the remedy; None where they agree."""
    # Quoted scalars say what they are; only plain ones are guessed at.
    if not isinstance(node, yaml.ScalarNode) or node.style is not None:
        return None
    if _SAFE_FLOAT.fullmatch(node.value):
        return None
    for pattern, what, remedy in _AMBIGUOUS:
        if pattern.fullmatch(node.value):
            return what, remedy
    return None


class _Builder:
    """Builds plain values out of YAML nodes and collects problems and line numbers."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.lines: dict[Place, int] = {}
        self.problems: list[str] = []

    def build(self, node: yaml.Node, place: Place) -> Any:
        self.lines.setdefault(place, node.start_mark.line + 1)
        if isinstance(node, yaml.MappingNode):
            return self._build_mapping(node, place)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(item, (*place, row)) for row, item in enumerate(node.value)]
        if self._is_ambiguous(node):
            return None
        return _StrictLoader("").construct_object(node)

    def _build_mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, Any]:
        content: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if self._is_ambiguous(key_node):
                continue
            key = str(key_node.value)
            if key_node.tag != "tag:yaml.org,2002:str":
                self._add(
                    key_node,
                    f"key {key} is read as a number or truth value, not as text",
                    f'Put it in quotes: "{key}".',
                )
            elif key in content:
                first = self.lines[(*place, key)]
                self._add(
                    key_node,
                    f"key '{key}' stands twice; the first is on line {first}",
                    "Keep one of them.",
                )
            else:
                self.lines[(*place, key)] = key_node.start_mark.line + 1
                content[key] = self.build(value_node, (*place, key))
        return content

    def _is_ambiguous(self, node: yaml.Node) -> bool:
        doubt = _find_doubt(node)
        if doubt is None:
            return False
        what, remedy = doubt
        self._add(node, f"{node.value} {what}", remedy)
        return True

    def _add(self, node: yaml.Node, what: str, remedy: str) -> None:
        where = f"{self._path} line {node.start_mark.line + 1}"
        self.problems.append(str(InputError(what, where=where, remedy=remedy)))
