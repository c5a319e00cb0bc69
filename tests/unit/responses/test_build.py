from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from brainalign.errors import InputError
from brainalign.raw.recording import SpikeSession
from brainalign.responses.build import build_image_responses, normalise_responses
from brainalign.responses.options import SpikeResponseOptions
from brainalign.stimuli.read import StimulusSplits

OPTIONS = SpikeResponseOptions(window_ms=[0.0, 500.0], min_repeated_stimuli=3, n_half_splits=2)
STIMULI = [f"s{number}" for number in range(8)]
SPLITS = StimulusSplits(
    np.array(STIMULI),
    np.array(
        [
            ["train"] * 5 + ["validation"] + ["test"] * 2,
            ["test"] * 2 + ["validation"] + ["train"] * 5,
        ]
    ),
)


def _record(session: str, units: list[str], seed: int, shown: list[str] = STIMULI) -> SpikeSession:
    """Each stimulus four times, one per second."""
    generator = np.random.default_rng(seed)
    stimulus = np.array(shown * 4)
    spikes = [np.sort(generator.uniform(0, len(stimulus), 300)) for _ in units]
    return SpikeSession(
        session=session,
        units=pd.DataFrame({"area": "IT"}, index=pd.Index(units, name="unit")),
        spike_times=spikes,
        presentations=pd.DataFrame(
            {"stimulus": stimulus, "onset_s": np.arange(len(stimulus), dtype=float)}
        ),
        source="test",
    )


@pytest.fixture
def responses() -> xr.Dataset:
    sessions = [_record("b", ["u1", "u2"], 0), _record("a", ["u3", "u1"], 1)]
    return build_image_responses(sessions, OPTIONS, SPLITS)


def test_a_unit_of_two_sessions_is_one_unit(responses: xr.Dataset) -> None:
    assert responses["unit"].values.tolist() == ["u1", "u2", "u3"]
    assert responses["recorded_in"].values.tolist() == ["b;a", "b", "a"]


def test_units_are_missing_in_sessions_without_them(responses: xr.Dataset) -> None:
    missing = np.isnan(responses["response"].values)
    in_b = responses["session"].values == "b"
    np.testing.assert_array_equal(missing, np.stack([0 * in_b, ~in_b, in_b], axis=1) > 0)


def test_the_response_is_the_count_itself() -> None:
    session = _record("a", ["u1"], 3)
    responses = build_image_responses([session], OPTIONS, SPLITS)
    onset = session.presentations["onset_s"].to_numpy()
    expected = [
        ((t <= session.spike_times[0]) & (session.spike_times[0] < t + 0.5)).sum() for t in onset
    ]
    assert responses["response"].values[:, 0].tolist() == expected


def test_noise_in_place_of_test_stimuli_changes_no_statistic() -> None:
    session = _record("a", ["u1", "u2"], 3)
    onset = session.presentations["onset_s"].to_numpy()
    is_training = np.isin(session.presentations["stimulus"], STIMULI[:5])
    kept = np.concatenate([np.arange(start, start + 1, 0.013) for start in onset[~is_training]])
    noisy = [
        np.sort(np.concatenate([times[is_training[times.astype(int)]], kept]))
        for times in session.spike_times
    ]
    splits = StimulusSplits(SPLITS.stimulus, SPLITS.split[:1])
    plain = build_image_responses([session], OPTIONS, splits)
    changed = SpikeSession("a", session.units, noisy, session.presentations, "test")
    noise = build_image_responses([changed], OPTIONS, splits)
    assert not np.array_equal(plain["response"], noise["response"])
    for name in ("training_mean", "training_sd"):
        assert plain[name].values.tobytes() == noise[name].values.tobytes()


def test_each_fold_has_its_own_training_statistics(responses: xr.Dataset) -> None:
    for fold in range(2):
        training = np.isin(responses["stimulus"], SPLITS.list_stimuli(fold, "train"))
        rows = training & (responses["session"].values == "b")
        row = responses["session_name"].values.tolist().index("b")
        np.testing.assert_allclose(
            responses["training_mean"].values[fold, row, :2],
            responses["response"].values[rows][:, :2].mean(axis=0),
            rtol=1e-6,
        )


def test_methods_see_zscores_of_the_training_stimuli(responses: xr.Dataset) -> None:
    zscored = normalise_responses(responses, 0, "session_zscore")
    training = np.isin(responses["stimulus"], SPLITS.list_stimuli(0, "train"))
    for session, unit in (("b", 0), ("b", 1), ("a", 0), ("a", 2)):
        chosen = zscored[training & (responses["session"].values == session), unit]
        assert chosen.mean() == pytest.approx(0, abs=1e-6)
        assert chosen.std(ddof=1) == pytest.approx(1, rel=1e-5)


def test_without_normalisation_methods_see_counts(responses: xr.Dataset) -> None:
    np.testing.assert_array_equal(
        normalise_responses(responses, 0, "none"), responses["response"].values
    )


def test_repeats_are_numbered_over_all_sessions(responses: xr.Dataset) -> None:
    of_first = responses["repeat"].values[responses["stimulus"].values == "s0"]
    assert of_first.tolist() == list(range(8))


def test_a_stimulus_without_a_split_is_refused() -> None:
    session = _record("a", ["u1"], 0, shown=[*STIMULI, "new"])
    with pytest.raises(InputError, match="1 presented stimuli are not in the stimulus store"):
        build_image_responses([session], OPTIONS, SPLITS)


def test_without_stimuli_every_presentation_is_training() -> None:
    responses = build_image_responses([_record("a", ["u1"], 0)], OPTIONS, None)
    np.testing.assert_allclose(
        responses["training_mean"].values[0, 0], responses["response"].values.mean(axis=0)
    )


def test_nothing_to_count_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no session with a unit"):
        build_image_responses([], OPTIONS, None)
    with pytest.raises(InputError, match="no session with a unit"):
        build_image_responses([_record("a", [], 0)], OPTIONS, None)


def test_a_session_without_presentations_is_an_input_error() -> None:
    with pytest.raises(InputError, match="no presentation"):
        build_image_responses([_record("a", ["u1"], 0, shown=[])], OPTIONS, None)


def test_a_silent_unit_has_no_reliability() -> None:
    session = _record("a", ["u1", "u2"], 0)
    session.spike_times[1] = np.array([])
    responses = build_image_responses([session], OPTIONS, SPLITS)
    assert responses["unit_status"].values[1] != "ok"
    assert np.isnan(responses["reliability"].values[1])
    np.testing.assert_array_equal(normalise_responses(responses, 0, "session_zscore")[:, 1], 0)
