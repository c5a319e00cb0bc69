from __future__ import annotations

from pathlib import Path

import pytest
from snakemake.cli import parse_config

from brainalign.config.load import ConfigError, load_config
from brainalign.config.plan import Plan


@pytest.fixture
def write(tmp_path: Path):
    def write_file(text: str, name: str = "config.yaml") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_file


def _list_problems(*paths: Path, **overrides: object) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_config(paths, overrides)
    return caught.value.problems


@pytest.mark.parametrize(
    ("text", "place", "nearest"),
    [
        ("dataset: {}", "line 1: dataset", "datasets"),
        ("datasets: {a: {kind: simulated_it, simulaton: {}}}", "line 1: datasets.a", "simulation"),
        ("\nmethods:\n  vna: {epoch: 3}", "line 3: methods.vna.epoch", "epochs"),
        ("evaluation:\n  n_boot: 3", "line 2: evaluation.n_boot", "n_bootstrap"),
        ("backbones: {p: {kind: pixels, grd: 3}}", "line 1: backbones.p.grd", "grid"),
    ],
)
def test_an_unknown_key_names_the_nearest_and_its_line(
    text: str, place: str, nearest: str, write
) -> None:
    [problem] = _list_problems(write(text))
    assert f"config.yaml {place}" in problem
    assert f"Did you mean '{nearest}'?" in problem


def test_all_problems_are_found_at_once(write) -> None:
    path = write(
        "seedz: [1]\ndataset: {}\ndevice: gpu\nworld: {seed: -1, imagesize: 3}\n"
        "datasets: {x: {kind: nbw}}\n"
    )
    lines = sorted(problem.split("line ")[1][0] for problem in _list_problems(path))
    assert lines == ["1", "2", "3", "4", "4", "5"]


def test_all_undefined_names_are_found_with_their_lines(write) -> None:
    path = write(
        "backbones: {pixels: {kind: pixels}}\nexperiments:\n  - datasets: [no, none]\n"
        "    backbones: [pixls]\n",
    )
    path.write_text(path.read_text().replace("no,", '"no",'))
    problems = _list_problems(path)
    assert [problem.split(": ")[0].split()[-1] for problem in problems] == ["3", "3", "4"]
    assert "'pixls' is not defined under backbones. Did you mean 'pixels'?" in problems[2]


def test_in_merged_files_the_guilty_one_is_named(write) -> None:
    base = write("seeds: [0]\nworld: {seed: 1}\n", "base.yaml")
    over = write("\n\nworld:\n  image_size: 3\n", "over.yaml")
    [problem] = _list_problems(base, over)
    assert "over.yaml line 4: world.image_size" in problem


def test_a_wrong_value_that_a_later_file_replaces_is_no_problem(write) -> None:
    base = write("seeds: [-1]\n", "base.yaml")
    over = write("seeds: [3]\n", "over.yaml")
    assert load_config([base, over]).seeds == [3]


def test_mappings_are_merged_and_lists_replaced(write) -> None:
    base = write("seeds: [0, 1]\nworld: {seed: 1, n_scenes: 5}\n", "base.yaml")
    over = write("seeds: [7]\nworld: {seed: 2}\n", "over.yaml")
    config = load_config([base, over])
    assert (config.seeds, config.world.seed, config.world.n_scenes) == ([7], 2, 5)


def test_overrides_win_over_files_and_are_named(write) -> None:
    path = write("seeds: [0]\n")
    assert load_config([path], {"seeds": [5]}).seeds == [5]
    [problem] = _list_problems(path, seedz=[5])
    assert problem.startswith("--config: seedz: unknown option")


@pytest.mark.parametrize(
    ("entry", "seeds"), [("seeds=[5]", [5]), ("seeds=[0, 3]", [0, 3]), ("seeds=['7']", [7])]
)
def test_numbers_in_lists_of_the_command_line_are_read(entry: str, seeds, write) -> None:
    # Snakemake gives everything inside a list as text.
    assert load_config([write("seeds: [1]\n")], parse_config([entry])).seeds == seeds


def test_options_deep_in_the_command_line_are_read(write) -> None:
    entry = "world={exemplars_per_category: 3, movies: {n_object_movies: 0}}"
    world = load_config([write("seeds: [1]\n")], parse_config([entry])).world
    assert (world.exemplars_per_category, world.movies.n_object_movies) == (3, 0)


def test_ids_of_the_command_line_stay_text_in_quotes_of_their_own(write) -> None:
    path = write("datasets: {x: {kind: nwb, folder: f}}")

    def give(subjects: str) -> dict:
        return parse_config([f"datasets={{x: {{subjects: {subjects}}}}}"])

    assert load_config([path], give("""["'12'", "01"]""")).datasets["x"].subjects == ["12", "01"]
    [problem] = _list_problems(path, **give('["12"]'))
    assert problem.endswith("""found the number 12. Put it in quotes: "'12'".""")


def test_ambiguous_values_of_all_files_are_listed(write) -> None:
    problems = _list_problems(write("a: 1e-3", "a.yaml"), write("b: yes", "b.yaml"))
    assert ["a.yaml line 1" in problems[0], "b.yaml line 1" in problems[1]] == [True, True]


@pytest.mark.parametrize("value", ['"1"', "1.0", "true"])
def test_values_are_not_converted_between_kinds(value: str, write) -> None:
    [problem] = _list_problems(write(f"seeds: [{value}]"))
    assert "line 1: seeds" in problem


def test_an_id_that_is_a_number_asks_for_quotes(write) -> None:
    [problem] = _list_problems(write("datasets: {x: {kind: nbw}}".replace("nbw", "nwb")))
    assert "datasets.x.folder: Field required" in problem
    [problem] = _list_problems(write("datasets: {x: {kind: nwb, folder: f, subjects: [12]}}"))
    assert 'ids and names are text, found the number 12. Put it in quotes: "12".' in problem


def test_quoted_ids_stay_text_down_to_the_result_path(write) -> None:
    config = load_config(
        [
            write(
                'datasets: {"010": {kind: simulated_it, simulation: {subjects: {"001": 3}}}}\n'
                'experiments: [{datasets: ["010"]}]\n'
            )
        ]
    )
    assert Plan(config).list_response_stores() == ["results/responses/010/001.zarr"]


def test_a_method_entry_takes_its_own_name(write) -> None:
    config = load_config([write("methods: {vna: {epochs: 3}, second: {method: vna}}")])
    assert {name: entry.method for name, entry in config.methods.items()} == {
        "vna": "vna",
        "second": "vna",
    }


def test_an_unknown_method_lists_the_known_ones(write) -> None:
    [problem] = _list_problems(write("methods: {a: {method: vnaa}}"))
    assert "unknown method 'vnaa'" in problem
    assert "'vna'" in problem


def test_methods_without_a_backbone_are_refused(write) -> None:
    path = write(
        "datasets: {a: {kind: simulated_it}}\nmethods: {vna: {}}\n"
        "experiments:\n  - datasets: [a]\n    methods: [vna]\n"
    )
    [problem] = _list_problems(path)
    assert "line 4: experiments.0: has methods but no backbones" in problem


def test_a_repeated_seed_is_refused(write) -> None:
    [problem] = _list_problems(write("seeds: [0, 1, 0]"))
    assert "a seed stands twice" in problem
