from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import jsonschema
import pytest
import yaml

from brainalign.config.models import METHOD_CHOICES, Config
from brainalign.config.schema import (
    DOCUMENTATION_FILE,
    build_schema,
    compose_documentation,
    list_generated_files,
    write_generated_files,
)
from brainalign.errors import InputError
from brainalign.options import Options

PROJECT = Path(__file__).resolve().parents[3]


def _list_models(annotation: Any) -> Iterator[type[Options]]:
    """Every options model that an annotation leads to."""
    if isinstance(annotation, type) and issubclass(annotation, Options):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _list_models(field.annotation)
    elif get_origin(annotation) in (Annotated, Union, UnionType, list, dict, tuple):
        for part in get_args(annotation):
            yield from _list_models(part)


DATASETS = (PROJECT / "workflow" / "datasets").glob("*.yaml")
MODELS = {model.__name__: model for model in _list_models(Config)}


@pytest.mark.parametrize("name", sorted(list_generated_files()))
def test_generated_files_are_up_to_date(name: str) -> None:
    assert (PROJECT / name).read_text(encoding="utf-8") == list_generated_files()[name], (
        f"{name} is old; run python -m brainalign.config.schema"
    )


def test_every_part_of_the_configuration_is_looked_at() -> None:
    wanted = {"Config", "WorldOptions", "NWBDataset", "PretrainedOptions", "SplitOptions"}
    assert wanted <= set(MODELS)
    assert {choice.__name__ for choice in METHOD_CHOICES.values()} <= set(MODELS)


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_option_is_documented(name: str) -> None:
    missing = [
        field for field, content in MODELS[name].model_fields.items() if not content.description
    ]
    assert not missing, f"{name}: no description of {missing}"


@pytest.mark.parametrize("name", sorted(MODELS))
def test_every_option_stands_on_the_page(name: str) -> None:
    page = compose_documentation()
    for field, content in MODELS[name].model_fields.items():
        nested = list(_list_models(content.annotation))
        wanted = f"## `{field}`" if name == "Config" and nested else f"{field}"
        assert wanted in page, f"{name}.{field}"
        if not nested:
            assert str(content.description).replace("|", "\\|") in page


def test_presets_stand_side_by_side() -> None:
    section = compose_documentation().split("### methods: `vna`")[1].split("###")[0]
    assert "| option | type | `small` | `paper_like` | meaning |" in section
    [row] = [line for line in section.splitlines() if line.startswith("| `batch_size`")]
    presets = METHOD_CHOICES["vna"].presets
    default = METHOD_CHOICES["vna"].model_fields["batch_size"].default
    assert f"| `{default}` | `{presets['paper_like']['batch_size']}` |" in row


@pytest.mark.parametrize(
    "name",
    [
        "config.yaml",
        *sorted(
            f"workflow/datasets/{p.name}" for p in (PROJECT / "workflow/datasets").glob("*.yaml")
        ),
    ],
)
def test_shipped_configurations_fit_the_schema(name: str) -> None:
    content = yaml.safe_load((PROJECT / name).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(build_schema()).validate(content)


@pytest.mark.parametrize(
    "content",
    [
        {"seedz": []},
        {"seeds": ["0"]},
        {"datasets": {"a": {"kind": "nbw"}}},
        {"methods": {"vna": {"epochz": 1}}},
        {"methods": {"second": {"epochs": 1}}},
        {"experiments": [{"datasets": []}]},
    ],
)
def test_the_schema_refuses_what_the_code_refuses(content: dict[str, Any]) -> None:
    assert list(jsonschema.Draft202012Validator(build_schema()).iter_errors(content))
    with pytest.raises(ValueError):
        Config.model_validate(content)


def test_files_are_written_below_the_root(tmp_path: Path) -> None:
    (tmp_path / "workflow").mkdir()
    write_generated_files(tmp_path)
    assert (tmp_path / DOCUMENTATION_FILE).read_text() == compose_documentation()


def test_a_folder_that_is_no_checkout_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is no checkout"):
        write_generated_files(tmp_path)
