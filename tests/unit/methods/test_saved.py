"""Saving and loading, for every registered method and for the folders of a run."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from brainalign.errors import CorruptDataError, InputError
from brainalign.evaluation.similarity import compute_compatibility
from brainalign.methods.arrays import PairedEmbedding
from brainalign.methods.registry import METHODS, get_method
from brainalign.methods.saved import LAYOUTS, list_parts, load_method
from brainalign.methods.weights import prefix_weights, write_weights
from brainalign.stores.publish import publish_folder
from tiny_methods import fit_tiny

fit = cache(fit_tiny)
RIDGE = "direct_encoding_ridge"


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_loaded_method_predicts_bit_for_bit_what_it_did_before(name: str, tmp_path: Path):
    method, predict = fit(name)
    method.save(tmp_path / "model")
    expected = predict(method)
    assert expected
    for loaded in (type(method).load(tmp_path / "model"), load_method(tmp_path / "model")):
        assert type(loaded) is get_method(name)
        assert loaded.options == method.options
        for found, before in zip(predict(loaded), expected, strict=True):
            np.testing.assert_array_equal(found, before)


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_method_that_is_not_fitted_is_not_saved(name: str, tmp_path: Path):
    with pytest.raises(InputError, match="not fitted"):
        get_method(name)().save(tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_saving_replaces_an_earlier_fit_of_the_same_method_only(tmp_path: Path):
    method = fit(RIDGE)[0]
    method.save(tmp_path / "model")
    method.save(tmp_path / "model")
    with pytest.raises(InputError, match=f"would be overwritten.*found {RIDGE}"):
        fit("mean_rate")[0].save(tmp_path / "model")
    load_method(tmp_path / "model")


def test_a_folder_of_other_files_is_never_overwritten(tmp_path: Path):
    (tmp_path / "thesis.tex").write_text("all of it")
    with pytest.raises(InputError, match="found other files"):
        fit(RIDGE)[0].save(tmp_path)
    assert (tmp_path / "thesis.tex").read_text() == "all of it"


def test_an_interrupted_save_leaves_the_earlier_fit(tmp_path: Path, monkeypatch):
    method, predict = fit(RIDGE)
    method.save(tmp_path / "model")

    def write_half(folder: Path, *_: object) -> None:
        (folder / "weights.safetensors").write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr("brainalign.methods.method.write_weights", write_half)
    with pytest.raises(KeyboardInterrupt):
        method.save(tmp_path / "model")
    np.testing.assert_array_equal(predict(load_method(tmp_path / "model"))[0], predict(method)[0])
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_changed_option_is_noticed(tmp_path: Path):
    fit("vna")[0].save(tmp_path / "model")
    path = tmp_path / "model" / "options.json"
    path.write_text(path.read_text().replace("0.5", "0.4"))
    with pytest.raises(CorruptDataError, match=r"options\.json has another checksum"):
        load_method(tmp_path / "model")


def test_a_description_without_a_method_is_refused(tmp_path: Path):
    write_weights(tmp_path, {"weight": np.zeros(2)}, {"options": {}})
    with pytest.raises(InputError, match="names no method"):
        load_method(tmp_path)


def test_a_method_that_is_gone_names_the_known_ones(tmp_path: Path):
    write_weights(tmp_path, {"weight": np.zeros(2)}, {"method": "vnaa", "options": {}})
    with pytest.raises(InputError, match="Did you mean 'vna'"):
        load_method(tmp_path)


def publish_run(folder: Path, name: str, parts: list[str], seeds: list[int]) -> None:
    """Publish a model folder of a run, the same fit in every part."""
    method = fit(name)[0]
    weights = {
        key: value
        for part in parts
        for key, value in prefix_weights(method.get_weights(), part).items()
    }
    options = method.options.model_dump(mode="json")
    with publish_folder(folder, "model", {}) as draft:
        write_weights(draft, weights, {"method": name, "options": options, "seeds": seeds})


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_fit_of_a_run_is_loaded_and_predicts_bit_for_bit(name: str, tmp_path: Path):
    layout = LAYOUTS[METHODS[name].experiment]
    wanted = {"subject": "a", "area": "IT", "seed": "1", "fold": "0"}
    wanted |= {"protocol": "within", "variant": "full"}
    first = layout.format_map(wanted)
    second = layout.format_map(wanted | {"seed": "0", "subject": "b", "area": "all"})
    publish_run(tmp_path / "model", name, [first, second], [0, 1])
    method, predict = fit(name)
    assert list(list_parts(name, dict.fromkeys([f"{first}x", f"{second}y"], None))) == [
        first,
        second,
    ]
    given = {key: wanted[key] for key in ("subject", "area") if f"{{{key}}}" in layout}
    loaded = load_method(tmp_path / "model", seed=1, **given)
    for found, before in zip(predict(loaded), predict(method), strict=True):
        np.testing.assert_array_equal(found, before)


def test_what_is_not_chosen_is_the_first_seed_and_all_areas(tmp_path: Path):
    parts = [f"area-{area}/seed-{seed}/fold-0/" for area in ("IT", "all") for seed in (10, 9)]
    publish_run(tmp_path / "model", RIDGE, parts, [9, 10])
    load_method(tmp_path / "model")
    load_method(tmp_path / "model", area="IT", seed=10)
    with pytest.raises(InputError, match=r"no fit with area 'V4'.*Known: IT, all"):
        load_method(tmp_path / "model", area="V4")
    with pytest.raises(InputError, match="do not differ in protocol"):
        load_method(tmp_path / "model", protocol="within")


def test_a_subject_must_be_chosen_where_each_has_its_own_fit(tmp_path: Path):
    parts = [f"part-{subject}/seed-0/fold-0/tuned/" for subject in ("a", "b")]
    publish_run(tmp_path / "own", "label_ridge", parts, [0, 1])
    with pytest.raises(InputError, match=r"several kinds of subject; found a, b.*subject=…"):
        load_method(tmp_path / "own")
    # The fit of seed 0 stands for all seeds of a method without randomness.
    load_method(tmp_path / "own", subject="b", seed=1)
    publish_run(tmp_path / "joint", "clip_mused", ["part-all/seed-0/fold-0/tuned/"], [0])
    load_method(tmp_path / "joint", subject="b")


def test_a_run_folder_is_no_single_method(tmp_path: Path):
    publish_run(tmp_path / "model", RIDGE, ["area-all/seed-0/fold-0/"], [0])
    with pytest.raises(InputError, match="all fits of a finished run"):
        get_method(RIDGE).load(tmp_path / "model")


def test_a_single_method_leaves_nothing_to_choose(tmp_path: Path):
    fit(RIDGE)[0].save(tmp_path / "model")
    with pytest.raises(InputError, match=r"single fit.*seed=0"):
        load_method(tmp_path / "model", seed=0)


def test_layouts_are_those_of_the_experiments():
    from brainalign.methods import image_alignment
    from brainalign.methods.clips import experiment as clips
    from brainalign.methods.labels import experiment as labels
    from brainalign.methods.movies import experiment as movies

    assert set(LAYOUTS) == {entry.experiment for entry in METHODS.values()}
    values = {"subject": "s", "area": "a", "seed": 1, "fold": 2, "protocol": "p", "variant": "v"}
    expected = {
        image_alignment.__name__: image_alignment.name_part("a", 1, 2),
        labels.__name__: labels.name_part("s", 1, 2) + "v/",
        movies.__name__: movies.name_part("s", "p", 2, 1),
        clips.__name__: clips.name_part("s", 1),
    }
    for module, prefix in expected.items():
        assert LAYOUTS[module].format_map(values) == prefix


@pytest.mark.parametrize("similarity", ["cosine", "pearson", "negative_half_squared_distance"])
def test_compatibility_is_that_of_the_evaluation(similarity: str):
    generator = np.random.default_rng(0)
    u, v = generator.normal(size=(5, 3)), generator.normal(size=(4, 3))
    pair = PairedEmbedding(u, v, similarity, np.arange(5.0), np.arange(4.0))
    np.testing.assert_allclose(
        pair.compute_compatibility(),
        compute_compatibility(u, v, similarity, np.arange(5.0), np.arange(4.0)),
    )


def test_options_of_a_saved_method_are_readable(tmp_path: Path):
    fit("vna")[0].save(tmp_path / "model")
    description = json.loads((tmp_path / "model" / "options.json").read_text())
    assert description["method"] == "vna"
    assert description["options"]["epochs"] == 2
