"""Sorting without SpikeInterface: events, clocks, Phy folders, channels, metrics, curation."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.errors import CorruptDataError, InputError, ResourceError
from brainalign.sorting.channels import estimate_noise, judge_channels
from brainalign.sorting.clock import check_clock
from brainalign.sorting.curation import curate
from brainalign.sorting.electrode_plan import drop_impossible_spikes
from brainalign.sorting.environment import build_environment, locate_environment
from brainalign.sorting.events import check_known_stimuli, read_events, read_frame_triggers
from brainalign.sorting.metrics import (
    compute_isi_violation_share,
    compute_presence_ratio,
    compute_snr,
)
from brainalign.sorting.options import CurationOptions, PreprocessingOptions
from brainalign.sorting.phy_folder import read_phy_folder
from brainalign.sorting.units import FoundUnits
from sorting_labs import RATE_HZ, draw_noise, draw_trains, write_events, write_phy


def make_found(trains, labels=None, **words) -> FoundUnits:
    names = [str(index) for index in range(len(trains))]
    labels = labels or ["unsorted"] * len(trains)
    return FoundUnits(names, trains, labels, 30.0, RATE_HZ, **words)


def test_events_in_samples_become_seconds_in_order(tmp_path):
    path = write_events(tmp_path / "events.tsv", ["b", "a"])
    path.write_text("onset\tstimulus\n40000\tb\n20000\ta\n")
    events = read_events(path, "onset", "stimulus", sampling_rate_hz=20_000)
    assert events["start_time"].tolist() == [1.0, 2.0]
    assert events["stimulus"].tolist() == ["a", "b"]


def test_ids_of_stimuli_stay_text(tmp_path):
    events = read_events(write_events(tmp_path / "e.tsv", ["001"]), "onset", "stimulus")
    assert events["stimulus"].tolist() == ["001"]


def test_further_columns_of_events_are_kept_with_their_type(tmp_path):
    path = write_events(tmp_path / "e.tsv", ["a", "b"], reward=[0.5, 1.0], block=["x", "y"])
    events = read_events(path, "onset", "stimulus")
    assert events["reward"].tolist() == [0.5, 1.0]
    assert events["block"].tolist() == ["x", "y"]


def test_an_onset_that_is_no_number_is_named_by_its_line(tmp_path):
    path = tmp_path / "e.tsv"
    path.write_text("onset\tstimulus\n1.0\ta\nlate\tb\n")
    with pytest.raises(CorruptDataError, match=r"line 3.*'late'"):
        read_events(path, "onset", "stimulus")


def test_a_missing_column_lists_what_is_there(tmp_path):
    with pytest.raises(InputError, match=r"no column 'onset_s'.*onset"):
        read_events(write_events(tmp_path / "e.tsv"), "onset_s", "stimulus")


def test_labels_of_unknown_stimuli_are_refused_or_dropped(tmp_path):
    path = write_events(tmp_path / "e.tsv", ["000", "nobody"])
    events = read_events(path, "onset", "stimulus")
    with pytest.raises(InputError, match=r"1 labels of events .*nobody"):
        check_known_stimuli(events, "stimulus", {"000"}, "refuse", path)
    kept = check_known_stimuli(events, "stimulus", {"000"}, "drop", path)
    assert kept["stimulus"].tolist() == ["000"]


def test_frame_triggers_are_sorted_seconds(tmp_path):
    path = tmp_path / "t.tsv"
    path.write_text("time\n4000\n2000\n")
    assert read_frame_triggers(path, 20_000).tolist() == [0.1, 0.2]


def test_milliseconds_declared_as_seconds_are_refused_by_their_intervals():
    trains = [1000 * times for times in draw_trains()]
    with pytest.raises(CorruptDataError, match="spike_time_unit: ms"):
        check_clock(trains, ["0", "1", "2"], None, np.array([1.0]), "sort")


def test_milliseconds_of_bursting_cells_are_refused_by_their_reach():
    # Two spikes within half a millisecond hide the unit of time from the intervals.
    bursts = np.sort(np.concatenate([1000 * draw_trains(1)[0], [5000.0, 5000.4]]))
    with pytest.raises(CorruptDataError, match=r"far beyond the last event.*spike_time_unit: ms"):
        check_clock([bursts], ["0"], None, np.array([1.0, 28.0]), "sort")


def test_an_impossible_rate_is_refused():
    with pytest.raises(CorruptDataError, match="firing rate is impossible"):
        check_clock([draw_trains(1)[0] / 1000], ["0"], None, np.array([1.0]), "sort")


def test_spikes_beyond_the_recording_are_refused():
    with pytest.raises(CorruptDataError, match="spikes lie beyond the recording"):
        check_clock(draw_trains(), ["0", "1", "2"], 10.0, np.array([1.0]), "sort")


def test_events_beyond_the_recording_are_refused():
    with pytest.raises(CorruptDataError, match="1 events lie beyond"):
        check_clock([np.array([1.0])], ["0"], 10.0, np.array([1.0, 11.0]), "sort")


def test_a_possible_clock_passes():
    check_clock(draw_trains(), ["0", "1", "2"], 60.0, np.array([1.0]), "sort")


def test_phy_waveforms_are_the_mean_of_templates(tmp_path):
    folder = write_phy(tmp_path / "phy")
    phy = read_phy_folder(folder)
    templates = np.load(folder / "templates.npy")
    assert phy.waveform["1"] == pytest.approx(templates[1], rel=0.05)
    assert phy.sampling_rate_hz == RATE_HZ


def test_params_of_phy_are_read_and_never_run(tmp_path):
    folder = write_phy(tmp_path / "phy")
    with (folder / "params.py").open("a") as stream:
        stream.write(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    read_phy_folder(folder)
    assert not (tmp_path / "ran").exists()


def test_dead_saturated_and_noisy_channels_are_told_apart():
    raw = np.concatenate([draw_noise(), draw_noise() * 1.1], axis=1)
    raw[:, 1] = 0
    raw[:, 2] = np.clip(raw[:, 2] * 3000, -32768, 32767)
    raw[:, 3] *= 20
    verdict = judge_channels(raw.astype(np.int16), PreprocessingOptions())
    assert verdict.tolist() == ["ok", "dead", "saturated", "noisy", *["ok"] * 4]


def test_noise_is_the_standard_deviation_of_normal_noise():
    noise = estimate_noise(np.random.default_rng(0).normal(0, 3, (50_000, 2)))
    assert noise == pytest.approx([3, 3], rel=0.03)


def test_presence_is_the_share_of_bins_with_spikes():
    assert compute_presence_ratio(np.array([0.5, 1.5, 1.6]), 10.0, 60.0) == pytest.approx(0.2)


def test_violations_are_the_share_of_short_intervals():
    assert compute_isi_violation_share(np.array([0, 0.001, 0.1, 0.2]), 1.5) == pytest.approx(1 / 3)


def test_snr_is_the_peak_over_the_noise_of_the_main_channel():
    waveform = np.zeros((1, 5, 2))
    waveform[0, 2] = [-1, -8]
    assert compute_snr(waveform, np.array([1.0, 2.0])) == pytest.approx([4.0])


def test_clusters_without_spikes_are_left_out_and_named():
    table = curate(make_found([draw_trains(1)[0], np.empty(0)]), 30.0, CurationOptions())
    assert table["kept"].tolist() == [True, False]
    assert table["reason"].tolist() == ["", "no spikes"]


def test_multi_unit_is_kept_by_default_and_left_out_on_demand():
    found = make_found([draw_trains(1)[0]], ["mua"])
    assert curate(found, 30.0, CurationOptions())["kept"].all()
    table = curate(found, 30.0, CurationOptions(keep_multi_unit=False))
    assert table["reason"].tolist() == ["multi-unit"]


def test_labelled_noise_is_left_out_unless_labels_are_not_trusted():
    found = make_found([draw_trains(1)[0]], ["noise"])
    assert not curate(found, 30.0, CurationOptions())["kept"].any()
    assert curate(found, 30.0, CurationOptions(trust_labels=False))["kept"].all()


def test_an_unknown_metric_excludes_nothing():
    table = curate(make_found(draw_trains()), 30.0, CurationOptions(min_snr=100))
    assert table["snr"].isna().all()
    assert table["kept"].all()


def test_planted_spikes_keep_the_refractory_period():
    kept = drop_impossible_spikes(np.array([0.0, 0.001, 0.0025, 0.01]))
    assert kept.tolist() == [0.0, 0.0025, 0.01]


def test_other_pins_are_another_environment(tmp_path):
    (tmp_path / "a.txt").write_text("numpy==1\n")
    (tmp_path / "b.txt").write_text("# newer\nnumpy==2\n")
    one, other = (locate_environment(tmp_path / name, "results") for name in ("a.txt", "b.txt"))
    assert one != other


def test_without_packages_the_environment_says_which_is_missing(tmp_path, monkeypatch):
    (tmp_path / "pins.txt").write_text("no-such-package-of-anyone==9.9\n")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ResourceError, match=r"no-such-package-of-anyone.*pip download"):
        build_environment(tmp_path / "pins.txt", tmp_path / "environment")
    assert not (tmp_path / "environment" / "environment.json").exists()
