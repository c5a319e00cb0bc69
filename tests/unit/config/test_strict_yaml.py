from __future__ import annotations

from pathlib import Path

import pytest

from brainalign.config.strict_yaml import ConfigError, read_strict_yaml
from brainalign.errors import InputError


def _read(tmp_path: Path, text: str) -> dict[str, object]:
    path = tmp_path / "config.yaml"
    path.write_text(text, encoding="utf-8")
    return read_strict_yaml(path)[0]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("1e-3", "read as text"),
        ("1E5", "read as text"),
        (".5e3", "read as text"),
        ("010", "octal number"),
        ("001", "octal number"),
        ("-07", "octal number"),
        ("yes", "truth value"),
        ("No", "truth value"),
        ("on", "truth value"),
        ("OFF", "truth value"),
        ("1:30", "base 60"),
        ("190:20:30.15", "base 60"),
        ("2024-01-01", "a date"),
        ("2024-1-1T10:00:00", "a date"),
        ("1_000", "underscores"),
    ],
)
@pytest.mark.parametrize("place", ["value", "list", "key"])
def test_what_yaml_readers_disagree_about_is_refused(
    place: str, value: str, reason: str, tmp_path: Path
) -> None:
    text = {"value": f"a: {value}", "list": f"a: [1, {value}]", "key": f"{value}: 1"}[place]
    with pytest.raises(ConfigError, match=reason) as caught:
        _read(tmp_path, "first: 1\n" + text)
    assert f"config.yaml line 2: {value} " in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1.0e-3", 0.001),
        ("1.5e+2", 150.0),
        ("0", 0),
        ("0.5", 0.5),
        ("-3", -3),
        ("true", True),
        ("null", None),
        ("~", None),
        ('"001"', "001"),
        ("'no'", "no"),
        ('"1e-3"', "1e-3"),
        ("a-b", "a-b"),
        ("sub-001", "sub-001"),
        ("1.2.3", "1.2.3"),
        ("notes", "notes"),
    ],
)
def test_what_is_clear_is_kept(text: str, value: object, tmp_path: Path) -> None:
    content = _read(tmp_path, f"key: {text}")
    assert content == {"key": value}
    assert type(content["key"]) is type(value)


def test_a_repeated_key_names_both_lines(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _read(tmp_path, "a:\n  b: 1\n  c: 2\n  b: 3\n")
    assert "line 4: key 'b' stands twice; the first is on line 2" in str(caught.value)


@pytest.mark.parametrize("key", ["1", "1.5", "true", "null"])
def test_keys_that_are_no_text_are_refused(key: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=f"key {key} is read as a number or truth value"):
        _read(tmp_path, f"subjects: {{{key}: 58}}")


def test_all_problems_are_listed(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        _read(tmp_path, "a: 1e-3\nb: {c: yes, 1: 2}\na: 010\n")
    lines = [problem.split(": ")[0].split()[-1] for problem in caught.value.problems]
    assert lines == ["1", "2", "2", "3"]


@pytest.mark.parametrize("text", ["- 1\n- 2\n", "word\n", "3\n"])
def test_the_top_level_must_be_a_mapping(text: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="top level is no mapping"):
        _read(tmp_path, text)


def test_broken_yaml_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config.yaml line 3: no valid YAML"):
        _read(tmp_path, "a: 1\nb: [1, 2\nc: 3\n")


def test_an_empty_file_is_an_empty_configuration(tmp_path: Path) -> None:
    assert _read(tmp_path, "# only a comment\n") == {}


def test_a_missing_file_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such configuration file"):
        read_strict_yaml(tmp_path / "absent.yaml")


def test_no_python_object_is_built(tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    content = _read(tmp_path, f'a: !!python/object/apply:os.mkdir ["{marker}"]\n')
    assert not marker.exists()
    assert content == {"a": [str(marker)]}
