"""The simulated fMRI recording: valid files, planted truth that is found again."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.errors import InputError
from brainalign.raw.bids.dataset import BIDSFolder
from brainalign.raw.fmri_options import BIDSDataset, LightPreprocessing, NoPreprocessing
from brainalign.raw.preprocessing.light import preprocess_lightly
from brainalign.raw.rigid import MOTION_COLUMNS
from brainalign.raw.simulate.fmri_options import (
    EARLY_ROIS,
    ROI_SHARES,
    SimulatedFMRIOptions,
    TrialNoiseOptions,
)
from brainalign.raw.simulate.fmri_recording import write_fmri_recording
from brainalign.raw.simulate.fmri_session import divide_fmri_stimuli, plan_runs
from brainalign.raw.simulate.options import MovieOptions, WorldOptions
from brainalign.raw.simulate.world import write_world
from brainalign.raw.simulate.world_tables import read_table
from brainalign.responses.fmri_build import build_fmri_responses
from brainalign.responses.fmri_options import FMRIResponseOptions, RegionOptions

OPTIONS = SimulatedFMRIOptions(
    subjects={"01": 120, "02": 150, "03": 180},
    n_runs=4,
    test_repeats=5,
    scene_repeats=3,
    shared_objects=20,
    own_objects=10,
    volume_shape=[14, 14, 10],
    noise=TrialNoiseOptions(trial_share=0.6, shared_trial_share=0.5),
)
ATLAS = "derivatives/rois/sub-{subject}/func/sub-{subject}_desc-visual_dseg.nii.gz"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fmri_world")
    movies = MovieOptions(n_object_movies=0, n_texture_movies=0)
    options = WorldOptions(
        image_size=48, exemplars_per_category=2, views_per_exemplar=6, n_scenes=24, movies=movies
    )
    write_world(folder, options)
    return folder


@pytest.fixture(scope="module")
def recording(world: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fmri_recording")
    write_fmri_recording(folder, world, OPTIONS)
    return folder


def _open(recording: Path) -> BIDSFolder:
    ways = NoPreprocessing(kind="none", derivatives="derivatives/motion")
    return BIDSFolder(BIDSDataset(kind="bids", folder=str(recording), preprocessing=ways))


@pytest.fixture(scope="module")
def responses(recording: Path) -> dict[str, xr.Dataset]:
    options = FMRIResponseOptions(regions=RegionOptions(atlas=ATLAS), n_half_splits=5)
    folder = _open(recording)
    return {s: build_fmri_responses(folder, s, options, None) for s in folder.list_subjects()}


def _read_truth(recording: Path, subject: str, responses: xr.Dataset) -> dict[str, np.ndarray]:
    """Planted arrays per unit, in the order of the store."""
    with np.load(recording / "sourcedata" / "truth" / f"sub-{subject}_truth.npz") as truth:
        row = {tuple(index): number for number, index in enumerate(truth["voxel_index"].tolist())}
        rows = [row[tuple(index)] for index in responses["voxel_index"].values.tolist()]
        return {
            name: truth[name][rows]
            for name in ("roi", "noise_ceiling", "signal_sd", "single_trial_ceiling")
        } | {"drive": truth["drive"][:, rows], "stimulus": truth["stimulus"]}


def test_files_have_what_bids_requires(recording: Path) -> None:
    description = json.loads((recording / "dataset_description.json").read_text())
    assert {"Name", "BIDSVersion", "DatasetType"} <= set(description)
    participants = pd.read_csv(recording / "participants.tsv", sep="\t", dtype=str)
    assert participants["participant_id"].tolist() == ["sub-01", "sub-02", "sub-03"]
    sidecar = json.loads((recording / "task-viewing_bold.json").read_text())
    assert sidecar["RepetitionTime"] == OPTIONS.tr_s
    assert sidecar["TaskName"] == "viewing"
    for bold in recording.glob("sub-*/func/*_bold.nii.gz"):
        image = nib.load(bold)
        assert image.header.get_zooms()[3] == OPTIONS.tr_s
        assert image.header.get_xyzt_units() == ("mm", "sec")
        events = pd.read_csv(str(bold).replace("bold.nii.gz", "events.tsv"), sep="\t")
        assert events.columns[:2].tolist() == ["onset", "duration"]
        assert events["onset"].max() < image.shape[3] * OPTIONS.tr_s
        assert all((recording / "stimuli" / name).is_file() for name in events["stim_file"])


def test_equal_options_give_equal_files(world: Path, recording: Path, tmp_path: Path) -> None:
    write_fmri_recording(tmp_path, world, OPTIONS)
    for path in sorted(recording.rglob("sub-02*")):
        if path.is_file() and path.suffix != ".npz":
            assert path.read_bytes() == (tmp_path / path.relative_to(recording)).read_bytes()


def test_a_folder_that_is_not_empty_is_refused(world: Path, recording: Path) -> None:
    with pytest.raises(InputError, match="is no empty folder"):
        write_fmri_recording(recording, world, OPTIONS)


def test_tests_are_shared_and_other_pictures_are_seen_by_one_or_all(world: Path) -> None:
    stimuli = read_table(world, "stimuli")
    repeats = divide_fmri_stimuli(stimuli, OPTIONS)
    tests = set(stimuli["stimulus"][stimuli["split"] == "test"])
    seen = pd.Series([name for shown in repeats.values() for name in shown]).value_counts()
    assert set(seen) == {1, len(OPTIONS.subjects)}
    assert set(seen[list(tests)]) == {len(OPTIONS.subjects)}
    scenes = set(stimuli["stimulus"][stimuli["kind"] == "scene"])
    assert {count for name, count in seen.items() if name in scenes} == {1, 3}


def test_repeats_fall_into_different_runs(world: Path) -> None:
    repeats = divide_fmri_stimuli(read_table(world, "stimuli"), OPTIONS)["01"]
    plans = plan_runs(OPTIONS, "01", {name: min(count, 4) for name, count in repeats.items()})
    assert all(len(set(plan.stimulus.tolist())) == len(plan.stimulus) for plan in plans)
    assert sum(len(plan.stimulus) for plan in plans) == sum(min(n, 4) for n in repeats.values())


def test_subjects_differ_in_number_and_place_of_voxels(responses: dict[str, xr.Dataset]) -> None:
    assert [one.sizes["unit"] for one in responses.values()] == [120, 150, 180]
    places = [set(map(str, one["unit"].values)) for one in responses.values()]
    assert places[0] - places[1]
    assert places[1] - places[2]
    for one in responses.values():
        assert set(map(str, one["area"].values)) == set(ROI_SHARES)


def test_noise_ceilings_lie_within_a_tenth_of_the_planted(
    recording: Path, responses: dict[str, xr.Dataset]
) -> None:
    for subject, one in responses.items():
        planted = _read_truth(recording, subject, one)["noise_ceiling"]
        assert np.nanmean(one["noise_ceiling"].values) == pytest.approx(planted.mean(), rel=0.1)


def test_voxels_with_a_higher_planted_ceiling_have_a_higher_one(
    recording: Path, responses: dict[str, xr.Dataset]
) -> None:
    for subject, one in responses.items():
        planted = _read_truth(recording, subject, one)["noise_ceiling"]
        assert np.corrcoef(planted, one["noise_ceiling"].values)[0, 1] > 0.6


def test_responses_follow_the_planted_drive(
    recording: Path, responses: dict[str, xr.Dataset]
) -> None:
    one = responses["01"]
    truth = _read_truth(recording, "01", one)
    row = {str(name): number for number, name in enumerate(truth["stimulus"])}
    drive = truth["drive"][[row[str(name)] for name in one["stimulus"].values]]
    expected = np.sqrt(truth["single_trial_ceiling"])
    found = [np.corrcoef(drive[:, u], one["response"].values[:, u])[0, 1] for u in range(120)]
    assert np.mean(found) == pytest.approx(expected.mean(), rel=0.1)


@pytest.mark.parametrize("subject", ["01", "02", "03"])
def test_noise_moves_voxels_together_as_stimuli_do_in_the_planted_share(
    recording: Path, responses: dict[str, xr.Dataset], subject: str
) -> None:
    """Between voxels, noise covaries as drives do, times variance of noise times its share."""
    one = responses[subject]
    truth = _read_truth(recording, subject, one)
    response = pd.DataFrame(one["response"].values / truth["signal_sd"])
    stimulus = one["stimulus"].values.astype(str)
    repeats = response.groupby(stimulus).transform("size").to_numpy()
    noise = response[repeats > 1] - response[repeats > 1].groupby(stimulus[repeats > 1]).transform(
        "mean"
    )
    n_free = len(noise) - len(np.unique(stimulus[repeats > 1]))
    pairs = np.triu_indices(len(truth["roi"]), k=1)
    found = (noise.to_numpy().T @ noise.to_numpy() / n_free)[pairs]
    expected = np.cov(truth["drive"], rowvar=False, ddof=0)[pairs]
    slope = np.sum(found * expected) / np.sum(expected**2)
    planted = OPTIONS.noise.trial_share**2 * OPTIONS.noise.shared_trial_share
    assert slope == pytest.approx(planted, rel=0.25)


def test_late_regions_carry_the_categories_and_early_ones_do_not(
    world: Path, responses: dict[str, xr.Dataset]
) -> None:
    """Share of the variance over pictures of one object that lies between categories."""
    category = read_table(world, "stimuli").set_index("stimulus")["category"]
    for one in responses.values():
        labels = category.reindex([str(name) for name in one["stimulus"].values]).to_numpy()
        chosen = pd.notna(labels)
        values = pd.DataFrame(one["response"].values[chosen]).groupby(labels[chosen])
        between = values.mean().var().to_numpy()
        within = values.var().mean().to_numpy()
        share = between / (between + within)
        is_early = np.isin([str(name) for name in one["area"].values], EARLY_ROIS)
        assert share[~is_early].mean() > 2 * share[is_early].mean()


def test_light_preprocessing_finds_the_planted_motion(recording: Path, tmp_path: Path) -> None:
    options = BIDSDataset(kind="bids", folder=str(recording), runs=["01"])
    preprocess_lightly(BIDSFolder(options), "01", LightPreprocessing(), tmp_path)
    name = "sub-01/func/sub-01_task-viewing_run-01_desc-confounds_timeseries.tsv"
    found = pd.read_csv(tmp_path / name, sep="\t")[list(MOTION_COLUMNS)].to_numpy()
    with np.load(recording / "sourcedata" / "truth" / "sub-01_truth.npz") as truth:
        planted = truth["motion_run-01"]
    apart = (found - found.mean(axis=0)) - (planted - planted.mean(axis=0))
    # In mm; a rotation moves the surface of a head of 50 mm.
    assert (apart * [1, 1, 1, 50, 50, 50]).std(axis=0).max() < 0.08
    assert apart[:, :3].std(axis=0).max() < 0.03


def test_realignment_steadies_the_volumes(recording: Path, tmp_path: Path) -> None:
    options = BIDSDataset(kind="bids", folder=str(recording), runs=["01"])
    preprocess_lightly(BIDSFolder(options), "01", LightPreprocessing(), tmp_path)
    home, stem = tmp_path / "sub-01" / "func", "sub-01_task-viewing_run-01"
    after = nib.load(home / f"{stem}_desc-preproc_bold.nii.gz").get_fdata()
    before = nib.load(recording / "sub-01" / "func" / f"{stem}_bold.nii.gz").get_fdata()
    brain = nib.load(home / f"{stem}_desc-brain_mask.nii.gz").get_fdata() > 0
    assert 0.1 < brain.mean() < 0.8
    assert after[brain].std(axis=1).mean() < 0.9 * before[brain].std(axis=1).mean()
