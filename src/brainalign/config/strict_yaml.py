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
        If the file is missing, is no mapping, repeats a key, has a key that is no text, or holds
        a value that YAML readers disagree about.
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
        raise InputError(f"no valid YAML: {problem}", where=f"{path}{line}") from error
    if node is None:
        return {}, {}
    if not isinstance(node, yaml.MappingNode):
        raise InputError("the top level is no mapping of keys to values", where=path)
    lines: dict[Place, int] = {}
    return _build(node, (), path, lines), lines


def _build(node: yaml.Node, place: Place, path: Path, lines: dict[Place, int]) -> Any:
    lines.setdefault(place, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _build_mapping(node, place, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [
            _build(item, (*place, position), path, lines)
            for position, item in enumerate(node.value)
        ]
    _refuse_ambiguous(node, path)
    return _StrictLoader("").construct_object(node)


def _build_mapping(
    node: yaml.MappingNode, place: Place, path: Path, lines: dict[Place, int]
) -> dict[str, Any]:
    content: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        _refuse_ambiguous(key_node, path)
        if key_node.tag != "tag:yaml.org,2002:str":
            raise InputError(
                f"key {key_node.value} is read as a number or truth value, not as text",
                where=f"{path} line {line}",
                remedy=f'Put it in quotes: "{key_node.value}".',
            )
        key = str(key_node.value)
        if key in content:
            raise InputError(
                f"key '{key}' stands twice; the first is on line {lines[(*place, key)]}",
                where=f"{path} line {line}",
                remedy="Keep one of them.",
            )
        lines[(*place, key)] = line
        content[key] = _build(value_node, (*place, key), path, lines)
    return content


def _refuse_ambiguous(node: yaml.Node, path: Path) -> None:
    # Quoted scalars say what they are; only plain ones are guessed at.
    if not isinstance(node, yaml.ScalarNode) or node.style is not None:
        return
    if _SAFE_FLOAT.fullmatch(node.value):
        return
    for pattern, what, remedy in _AMBIGUOUS:
        if pattern.fullmatch(node.value):
            raise InputError(
                f"{node.value} {what}",
                where=f"{path} line {node.start_mark.line + 1}",
                remedy=remedy,
            )
