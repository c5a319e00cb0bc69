"""The world's files: the same bytes for the same options, and tables that tell the truth."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from brainalign.errors import InputError
from brainalign.raw.simulate.categories import CATEGORIES, draw_objects
from brainalign.raw.simulate.contact_sheet import draw_contact_sheet
from brainalign.raw.simulate.factors import draw_object_stimuli
from brainalign.raw.simulate.options import WorldOptions
from brainalign.raw.simulate.scenes import draw_scenes
from brainalign.raw.simulate.world import write_world
from brainalign.raw.simulate.world_tables import read_table

WRITE_AGAIN = """
import sys
from pathlib import Path
from brainalign.raw.simulate.options import WorldOptions
from brainalign.raw.simulate.world import write_world
write_world(Path(sys.argv[1]), WorldOptions.model_validate_json(sys.argv[2]))
"""


def hash_files(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_options_give_the_same_bytes_under_another_hash_seed(
    world_folder, world_options, tmp_path
):
    subprocess.run(
        [sys.executable, "-c", WRITE_AGAIN, str(tmp_path), world_options.model_dump_json()],
        env=os.environ | {"PYTHONHASHSEED": "4711"},
        check=True,
    )
    assert hash_files(tmp_path) == hash_files(world_folder)


def test_another_seed_gives_other_views():
    exemplar = draw_objects(0, 1)[0]
    first = draw_object_stimuli(WorldOptions(seed=0), exemplar)
    second = draw_object_stimuli(WorldOptions(seed=1), exemplar)
    assert [item.view for item in first] != [item.view for item in second]


@pytest.mark.parametrize("table", ["stimuli", "movie_frames"])
def test_checksums_are_those_of_the_files(world_folder, table):
    rows = read_table(world_folder, table)
    for file, sha256 in zip(rows["file"], rows["sha256"], strict=True):
        assert hashlib.sha256((world_folder / file).read_bytes()).hexdigest() == sha256


def test_every_picture_file_is_named_in_a_table(world_folder):
    named = set(read_table(world_folder, "stimuli")["file"])
    named |= set(read_table(world_folder, "movie_frames")["file"])
    assert {name for name in hash_files(world_folder) if name.endswith(".png")} == named


def test_pictures_are_rgb_of_the_size_that_was_asked_for(world_folder):
    for file in read_table(world_folder, "stimuli")["file"]:
        with Image.open(world_folder / file) as image:
            assert (image.mode, image.size) == ("RGB", (48, 48))


def test_no_two_stimuli_are_the_same_picture(world_folder):
    assert read_table(world_folder, "stimuli")["sha256"].is_unique


def test_default_world_has_eight_categories_of_six_objects_and_960_views():
    options = WorldOptions()
    exemplars = draw_objects(options.seed, options.exemplars_per_category)
    per_category = dict.fromkeys(CATEGORIES, 0)
    for exemplar in exemplars:
        per_category[exemplar.category] += len(draw_object_stimuli(options, exemplar))
    assert per_category == dict.fromkeys(CATEGORIES, 120)
    assert len(CATEGORIES) == 8
    assert options.image_size >= 96


def test_every_object_is_split_16_2_2_by_default():
    options = WorldOptions()
    for exemplar in draw_objects(options.seed, 6):
        splits = [item.split for item in draw_object_stimuli(options, exemplar)]
        counts = tuple(splits.count(name) for name in ("train", "validation", "test"))
        assert counts == (16, 2, 2)


def test_every_object_of_a_small_world_is_in_every_split(world_folder):
    stimuli = read_table(world_folder, "stimuli")
    per_object = stimuli[stimuli["kind"] == "object"].groupby("exemplar")["split"].nunique()
    assert (per_object == 3).all()


def test_scenes_are_in_every_split(world_folder):
    stimuli = read_table(world_folder, "stimuli")
    assert set(stimuli.loc[stimuli["kind"] == "scene", "split"]) == {"train", "validation", "test"}


def test_factors_are_uniform_and_independent_of_each_other_and_of_the_category():
    options = WorldOptions()
    items = [item for one in draw_objects(0, 6) for item in draw_object_stimuli(options, one)]
    factors = np.array([list(vars(item.view).values()) for item in items])
    scaled = (factors - factors.mean(0)) / factors.std(0)
    correlation = np.corrcoef(scaled.T) - np.eye(6)
    assert np.abs(correlation).max() < 0.13  # 4 standard errors of 960 samples
    assert np.abs(scaled.reshape(8, 120, 6).mean(axis=1)).max() < 0.05
    assert np.abs((scaled**4).mean(0) - 1.8).max() < 0.1  # kurtosis of a uniform distribution


def test_labels_of_scenes_are_the_categories_of_their_objects(world_folder):
    stimuli = read_table(world_folder, "stimuli").set_index("stimulus")
    objects = read_table(world_folder, "scene_objects")
    for stimulus, rows in objects.groupby("stimulus"):
        assert stimuli.at[stimulus, "labels"].split(";") == sorted(rows["category"])
        assert 2 <= len(rows) <= 4


def test_categories_occur_equally_often_in_scenes():
    scenes = draw_scenes(WorldOptions(), draw_objects(0, 6))
    counts = [sum(name in scene.labels for scene in scenes) for name in CATEGORIES]
    assert max(counts) < 1.6 * min(counts)


def test_captions_name_every_label_of_their_stimulus(world_folder):
    stimuli = read_table(world_folder, "stimuli").set_index("stimulus")
    captions = read_table(world_folder, "captions")
    assert set(captions["stimulus"]) == set(stimuli.index)
    for stimulus, caption in zip(captions["stimulus"], captions["caption"], strict=True):
        words = caption.lower().replace(",", " ").replace(".", " ").split()
        for label in stimuli.at[stimulus, "labels"].split(";"):
            assert label in words


def test_scene_captions_are_right_about_left_and_right(world_folder):
    stimuli = read_table(world_folder, "stimuli").set_index("stimulus")
    for stimulus, rows in read_table(world_folder, "scene_objects").groupby("stimulus"):
        relation = stimuli.at[stimulus, "caption"].rstrip(".").split("; ")[1]
        left, right = relation.removeprefix("the ").split(" is left of the ")
        x = rows.set_index("category")["x"]
        assert x[left] < x[right]


def test_the_truth_describes_every_numeric_factor_of_the_table(world_folder):
    stimuli = read_table(world_folder, "stimuli")
    described = json.loads((world_folder / "truth.json").read_text())["factors"]
    assert set(described) == set(stimuli.select_dtypes("number").columns)
    objects = stimuli[stimuli["kind"] == "object"]
    for name, factor in described.items():
        if "range" in factor:
            assert objects[name].between(*factor["range"]).all()


def test_the_truth_is_read_without_pickle_and_follows_the_table(world_folder):
    with np.load(world_folder / "truth.npz", allow_pickle=False) as truth:
        stimuli = read_table(world_folder, "stimuli")
        assert list(truth["stimulus"]) == list(stimuli["stimulus"])
        yaw = truth["latent"][:, list(truth["latent_group"]).index("pose")]
        objects = (stimuli["kind"] == "object").to_numpy()
        assert np.allclose(yaw[objects], np.sqrt(3) * stimuli["yaw_deg"][objects] / 60)


def test_writing_into_a_folder_with_files_is_refused(tmp_path):
    (tmp_path / "old.txt").write_text("keep me")
    with pytest.raises(InputError, match="not empty"):
        write_world(tmp_path, WorldOptions())


def test_a_missing_table_is_named_in_the_error(tmp_path):
    with pytest.raises(InputError, match=r"stimuli\.tsv"):
        read_table(tmp_path, "stimuli")


def test_the_contact_sheet_shows_the_world(world_folder, tmp_path):
    draw_contact_sheet(world_folder, tmp_path / "sheet.png", tile_size=16)
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.size == (12 * 16, 6 * 16)


@pytest.mark.parametrize(
    "wrong",
    [
        {"views_per_exemplar": 2},
        {"smallest_size": 0.8, "largest_size": 0.5},
        {"validation_share": 0.5},
        {"image_size": "96"},
        {"categories": 9},
        {"movies": {"shortest_shot_s": 3.0, "longest_shot_s": 2.0}},
        {"movies": {"shortest_shot_s": 0.001}},
        {"movies": {"train_share": 0.9, "validation_share": 0.2}},
    ],
)
def test_impossible_worlds_are_refused(wrong):
    with pytest.raises(ValueError):
        WorldOptions.model_validate(wrong)
