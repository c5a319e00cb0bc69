"""A laboratory's movies through the verbs of all stages up to the report."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
import yaml

from brainalign.cli import main
from movie_lab import N_FRAMES, make_options, write_movie_files, write_movie_nwb


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lab")
    write_movie_files(folder / "movies", size=16)
    write_movie_nwb(folder / "nwb" / "sub-1_ses-1.nwb")
    lab = make_options(
        folder,
        stimuli={"split": {"guard_s": 0.1}},
        responses={"receptive_fields": {"n_lags": 5}},
    )
    config = {
        "results": str(folder / "results"),
        "datasets": {"lab": lab.model_dump(mode="json", exclude_unset=True)},
        "backbones": {"pixels": {"kind": "pixels"}},
        "experiments": [{"datasets": ["lab"], "backbones": ["pixels"]}],
    }
    path, home = folder / "lab.yaml", folder / "results"
    path.write_text(yaml.safe_dump(config))
    stimuli, responses = home / "stimuli/lab.zarr", home / "responses/lab/1.zarr"
    features = home / "features/lab/pixels.zarr"
    data, config_words = ["--dataset", "lab"], ["--config", str(path)]
    given = ["--stimuli", str(stimuli)]
    stores = [str(stimuli), str(responses), str(features)]
    for words in (
        ["stimuli", *data, *config_words, "--output", stores[0]],
        ["responses", *data, "--subject", "1", *given, *config_words, "--output", stores[1]],
        ["features", *data, "--backbone", "pixels", *given, *config_words, "--output", stores[2]],
        ["report", "--results", str(home), "--output", str(home / "report"), "--inputs", *stores],
        ["validate", str(path)],
    ):
        assert main(words) == 0, words
    return home


def test_features_have_a_row_per_frame_of_the_stimulus_store(results: Path) -> None:
    stimuli = xr.open_zarr(results / "stimuli" / "lab.zarr")
    features = xr.open_datatree(results / "features" / "lab" / "pixels.zarr", engine="zarr")
    assert features["grid/feature"]["feature"].shape[0] == 2 * N_FRAMES
    for name in ("movie", "frame_number", "time"):
        np.testing.assert_array_equal(features[name].values, stimuli[name].values)


def test_bins_of_responses_are_frames_of_their_movie(results: Path) -> None:
    responses = xr.open_zarr(results / "responses" / "lab" / "1.zarr")
    assert responses.sizes["time"] == N_FRAMES
    np.testing.assert_allclose(responses["time"].values, np.arange(N_FRAMES) / 20)


def test_report_draws_rasters_and_receptive_fields(results: Path) -> None:
    page = (results / "report" / "index.html").read_text(encoding="utf-8")
    assert ">Movies: 1<" in page
    assert "Raster of 2 trials of movie first" in page
    files = {path.name.split("-")[0] for path in (results / "report" / "figures").iterdir()}
    assert {"raster", "receptive", "time", "units"} <= files


@pytest.mark.parametrize("store", ["stimuli/lab.zarr", "responses/lab/1.zarr"])
def test_stores_are_whole_and_can_be_inspected(
    results: Path, store: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", str(results / store)]) == 0
    assert main(["inspect", str(results / store)]) == 0
    assert "movie" in capsys.readouterr().out
