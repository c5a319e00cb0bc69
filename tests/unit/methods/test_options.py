from __future__ import annotations

import pytest
from pydantic import ValidationError

from brainalign.methods.direct.options import NonlinearEncodingOptions
from brainalign.methods.vna.options import VNAOptions


def test_the_default_is_the_preset_small():
    assert VNAOptions() == VNAOptions(preset="small")
    assert VNAOptions().embedding_dimension == 64


def test_a_given_value_wins_over_the_preset():
    options = VNAOptions.model_validate({"preset": "paper_like", "epochs": 100})
    assert (options.epochs, options.hidden_width, options.patience) == (100, 512, 20)


def test_a_given_null_wins_over_the_preset():
    assert VNAOptions.model_validate({"preset": "paper_like", "patience": None}).patience is None


@pytest.mark.parametrize("preset", ["small", "paper_like"])
@pytest.mark.parametrize("model", [VNAOptions, NonlinearEncodingOptions])
def test_options_survive_json(model: type, preset: str):
    options = model(preset=preset, weight_decay=0.5)
    assert model.model_validate_json(options.model_dump_json()) == options


def test_every_value_of_a_preset_is_an_option():
    for values in VNAOptions.presets.values():
        assert set(values) <= set(VNAOptions.model_fields)


def test_an_unknown_preset_lists_the_known_ones():
    with pytest.raises(ValidationError, match="'small' or 'paper_like'"):
        VNAOptions(preset="large")


def test_an_unknown_option_is_refused():
    with pytest.raises(ValidationError, match="epoch"):
        VNAOptions.model_validate({"epoch": 3})


@pytest.mark.parametrize(("n_units", "width"), [(149, 128), (150, 256), (4000, 256), (4001, 512)])
def test_large_towers_take_their_width_from_the_number_of_units(n_units: int, width: int):
    assert VNAOptions(preset="paper_like").choose_embedding_dimension(n_units) == width
