from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from brainalign.errors import InputError
from brainalign.raw.recording import StimulusCollection
from brainalign.raw.stimulus_table import open_stimulus_table, read_stimulus_table
from brainalign.stimuli.build import build_image_stimuli
from brainalign.stimuli.options import SplitOptions, StimuliOptions
from brainalign.stimuli.read import read_splits
from brainalign.stores.write import write_store
from nwb_files import STIMULI, make_pixels, write_images

SPLIT = SplitOptions(test_share=0.25, validation_share=0.2)
OPTIONS = StimuliOptions(split=SPLIT)


def _collect(same: tuple[str, str] | None = None, **columns: list[str]) -> StimulusCollection:
    images = {name: make_pixels(seed) for seed, name in enumerate(STIMULI)}
    if same:
        images[same[1]] = images[same[0]]
    table = pd.DataFrame(columns, index=pd.Index(STIMULI, name="stimulus"))
    return StimulusCollection(table, (), images.__getitem__)


GIVEN = ["train"] * 8 + ["validation"] * 2 + ["test"] * 2


def test_the_same_picture_in_two_splits_is_refused() -> None:
    with pytest.raises(InputError, match="stands in train as '001' and in test as '011'"):
        build_image_stimuli(_collect(("001", "011"), split=GIVEN), OPTIONS)


def test_the_same_picture_within_a_split_is_allowed() -> None:
    stimuli = build_image_stimuli(_collect(("001", "002"), split=GIVEN), OPTIONS)
    assert stimuli.sizes["stimulus"] == len(STIMULI)


def test_duplicates_across_splits_can_be_allowed() -> None:
    options = StimuliOptions(split=SPLIT, duplicates="allow")
    build_image_stimuli(_collect(("001", "011"), split=GIVEN), options)


def test_the_same_picture_in_two_folds_is_refused() -> None:
    options = StimuliOptions(split=SplitOptions(n_folds=3))
    fold = build_image_stimuli(_collect(), options)["fold"].values
    twin = next(name for name, k in zip(STIMULI, fold, strict=True) if k != fold[0])
    with pytest.raises(InputError, match=f"the same picture stands in fold {fold[0]} as '000'"):
        build_image_stimuli(_collect(("000", twin)), options)


def test_images_stand_under_their_own_id() -> None:
    collection = _collect()
    shuffled = StimulusCollection(collection.table.iloc[::-1], (), collection.read_image)
    stimuli = build_image_stimuli(shuffled, OPTIONS)
    assert stimuli["stimulus"].values.tolist() == STIMULI
    for seed in range(len(STIMULI)):
        np.testing.assert_array_equal(stimuli["image"].values[seed], make_pixels(seed))


def test_labels_are_a_table_of_classes() -> None:
    labels = ["cat;dog", "", "dog", *["bird"] * 9]
    stimuli = build_image_stimuli(_collect(labels=labels), OPTIONS)
    assert stimuli["class"].values.tolist() == ["bird", "cat", "dog"]
    np.testing.assert_array_equal(stimuli["label"].values[:3], [[0, 1, 1], [0, 0, 0], [0, 0, 1]])


def test_other_columns_of_the_table_are_factors(tmp_path: Path) -> None:
    size = ["0.5", "n/a", *["1"] * 10]
    table = write_images(tmp_path, size=size, category=["x"] * 12)
    stimuli = build_image_stimuli(open_stimulus_table(table, 10_000), OPTIONS)
    assert stimuli["factor_name"].values.tolist() == ["size"]
    np.testing.assert_array_equal(stimuli["factor"].values[:3, 0], [0.5, np.nan, 1])


def test_a_factor_must_be_a_number(tmp_path: Path) -> None:
    table = write_images(tmp_path, mood=["good"] * 12)
    with pytest.raises(InputError, match="column 'mood' is no known text column and no number"):
        read_stimulus_table(table)


def test_ids_of_the_table_stay_text(tmp_path: Path) -> None:
    ids = ["001", "1", "1.0", "nan", "NA", "null", "TRUE", "1e3"]
    table = read_stimulus_table(write_images(tmp_path, stimuli=ids))
    assert table.index.tolist() == ids


@pytest.mark.parametrize("column", ["stimulus", "file"])
def test_a_missing_column_is_named(column: str, tmp_path: Path) -> None:
    path = write_images(tmp_path)
    path.write_text(path.read_text().replace(column, column + "s", 1))
    with pytest.raises(InputError, match=f"no column '{column}'. Did you mean '{column}s'"):
        read_stimulus_table(path)


def test_an_unknown_split_names_its_line(tmp_path: Path) -> None:
    path = write_images(tmp_path, split=["train", "training", *["test"] * 10])
    with pytest.raises(InputError, match=r"line 3: unknown split 'training'. Did you mean 'train'"):
        read_stimulus_table(path)


def test_splits_are_read_back_as_they_were_published(tmp_path: Path) -> None:
    options = StimuliOptions(split=SplitOptions(n_folds=3))
    stimuli = build_image_stimuli(_collect(), options)
    write_store(tmp_path / "stimuli.zarr", stimuli, "stimuli")
    splits = read_splits(tmp_path / "stimuli.zarr")
    assert splits.n_folds == 3
    np.testing.assert_array_equal(splits.split, stimuli["split_by_fold"].values)
    tested = [set(splits.list_stimuli(fold, "test").tolist()) for fold in range(3)]
    assert set.union(*tested) == set(STIMULI)


def test_one_split_is_read_as_one_fold(tmp_path: Path) -> None:
    stimuli = build_image_stimuli(_collect(split=GIVEN), OPTIONS)
    write_store(tmp_path / "stimuli.zarr", stimuli, "stimuli")
    splits = read_splits(tmp_path / "stimuli.zarr")
    assert (splits.n_folds, splits.list_stimuli(0, "test").tolist()) == (1, STIMULI[10:])
