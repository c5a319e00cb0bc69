from __future__ import annotations

import zipfile
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.config.load import load_config
from brainalign.errors import BrainalignError, CorruptDataError, InputError
from brainalign.raw.majajhong2015 import MajajHong2015
from brainalign.raw.options import MajajHong2015Options
from brainalign.raw.registry import open_raw_dataset
from brainalign.responses.registry import get_response_builder
from brainalign.stimuli.build import build_image_stimuli
from brainio_files import ARCHIVE, ASSEMBLY, SITES, TABLE, PublishedFiles

PROJECT = Path(__file__).parents[3]


def _options(folder: Path, **changes: object) -> MajajHong2015Options:
    return MajajHong2015Options.model_validate(
        {"kind": "majajhong2015", "folder": str(folder), **changes}
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return PublishedFiles().write(tmp_path / "majajhong2015")


def test_animals_are_subjects_and_only_sites_of_the_area_are_read(folder: Path) -> None:
    dataset = MajajHong2015(_options(folder))
    assert dataset.list_subjects() == ["Chabo", "Tito"]
    (session,) = dataset.read_sessions("Chabo")
    assert session.units.index.tolist() == ["Chabo_L_M_5_9", "Chabo_L_M_6_9"]
    assert set(session.units["area"]) == {"IT"}


def test_responses_are_those_of_the_file(folder: Path) -> None:
    published = PublishedFiles().make_responses()[..., 0]
    dataset = MajajHong2015(_options(folder, areas=None))
    for subject in ("Chabo", "Tito"):
        (session,) = dataset.read_sessions(subject)
        rows = [SITES.index(name) for name in session.units.index]
        np.testing.assert_array_equal(session.response, published[rows].T.astype(np.float32))


def test_dimensions_may_stand_in_another_order(folder: Path) -> None:
    (before,) = MajajHong2015(_options(folder)).read_sessions("Tito")
    with h5py.File(folder / ASSEMBLY, "a") as file:
        values = file["data"][...]
        del file["data"]
        turned = file.create_dataset("responses", data=values.transpose(1, 0, 2))
        for axis, name in enumerate(("presentation", "neuroid", "time_bin")):
            turned.dims[axis].attach_scale(file[name])
    (after,) = MajajHong2015(_options(folder)).read_sessions("Tito")
    np.testing.assert_array_equal(after.response, before.response)


def test_images_come_with_category_object_and_placement(folder: Path) -> None:
    collection = MajajHong2015(_options(folder)).read_stimuli()
    stimuli = build_image_stimuli(collection, _options(folder).stimuli)
    assert stimuli["image"].shape == (12, 8, 8, 3)
    assert set(stimuli["category"].values.tolist()) == {"Faces", "Cars"}
    assert {"rxy_semantic", "ty", "s"} <= set(stimuli["factor_name"].values.tolist())
    names = stimuli["stimulus"].values.tolist()
    fourth = names.index(PublishedFiles().list_stimuli()[4])
    assert np.all(stimuli["image"].values[fourth] == 40)


def test_an_unpacked_archive_gives_the_same_pixels(folder: Path) -> None:
    packed = MajajHong2015(_options(folder)).read_stimuli()
    with zipfile.ZipFile(folder / ARCHIVE) as archive:
        archive.extractall(folder / "images")
    unpacked = MajajHong2015(_options(folder, images="images")).read_stimuli()
    for name in packed.table.index:
        np.testing.assert_array_equal(packed.read_image(name), unpacked.read_image(name))


def test_reliability_comes_out_of_the_published_repeats(folder: Path) -> None:
    options = _options(folder, responses={"min_repeated_stimuli": 3})
    build = get_response_builder(options.modality, options.design)
    responses: xr.Dataset = build(open_raw_dataset(options), "Chabo", options.responses, None)
    assert responses["response"].shape == (48, 2)
    assert responses["repeat"].values.max() == 3
    assert responses["reliability"].values.min() > 0.8


def test_the_configuration_of_the_published_files_is_valid(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRAINALIGN_DATA", str(folder.parent))
    config = load_config([PROJECT / "workflow/datasets/majajhong2015.yaml"])
    dataset = open_raw_dataset(config.datasets["majajhong2015"])
    assert dataset.find_problems() == []


def _drop_a_row(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[1:]


@pytest.mark.parametrize(
    ("published", "changes", "message"),
    [
        (PublishedFiles(window_ms=((70, 90), (90, 110))), {}, "averaged over one window"),
        (PublishedFiles(), {"responses": {"window_ms": [50.0, 150.0]}}, "cannot be counted"),
        (PublishedFiles(), {"responses": {"baseline_ms": [-50.0, 0.0]}}, "cannot be counted"),
        (PublishedFiles(), {"areas": ["V3"]}, "no site has the region 'V3'"),
        (PublishedFiles(), {"subjects": ["Tita"]}, "Tito"),
        (PublishedFiles(table_change=_drop_a_row), {}, "not in the stimulus set"),
        (PublishedFiles(left_out_image=3), {}, "not in the archive"),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, published: PublishedFiles, changes: dict[str, object], message: str
) -> None:
    folder = published.write(tmp_path)
    with pytest.raises(InputError, match=message):
        MajajHong2015(_options(folder, **changes)).read_stimuli()


def test_a_missing_file_says_where_it_comes_from(folder: Path) -> None:
    (folder / TABLE).unlink()
    with pytest.raises(InputError, match="Brain-Score"):
        MajajHong2015(_options(folder))


@pytest.mark.parametrize("name", [ASSEMBLY, ARCHIVE])
def test_a_file_cut_short_is_damaged(folder: Path, name: str) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(BrainalignError) as caught:
        MajajHong2015(_options(folder)).read_stimuli()
    assert isinstance(caught.value, CorruptDataError)
