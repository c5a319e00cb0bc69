"""Stores are paired by id, fold by fold and area by area."""

from __future__ import annotations

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.methods.pairs import ALL_AREAS, ImageExperiment, RecordedSubject
from brainalign.stimuli.read import StimulusSplits

STIMULI = np.array(["a", "b", "c", "d"])
SPLIT = np.array([["train", "train", "validation", "test"], ["test", "train", "train", "train"]])


def make_subject(name: str, areas: list[str]) -> RecordedSubject:
    shown = np.array(["d", "a", "b", "a", "c"])
    n_units = len(areas)
    response = np.arange(2 * len(shown) * n_units, dtype=np.float32)
    return RecordedSubject(
        subject=name,
        unit=np.array([f"{name}-{unit}" for unit in range(n_units)]),
        area=np.array(areas),
        stimulus=shown,
        repeat=np.array([0, 0, 0, 1, 0]),
        response=response.reshape(2, len(shown), n_units),
    )


def make_experiment(*subjects: RecordedSubject) -> ImageExperiment:
    # Features are stored in another order than splits.
    stored = STIMULI[::-1]
    feature = np.array([[ord(name)] for name in stored], dtype=np.float32)
    return ImageExperiment(StimulusSplits(STIMULI, SPLIT), stored, feature, subjects)


def test_features_are_found_by_id_and_not_by_order():
    training = make_experiment(make_subject("s", ["V1"])).take_split(0, "train")
    assert training.stimulus.tolist() == ["a", "b"]
    assert training.feature[:, 0].tolist() == [ord("a"), ord("b")]


def test_a_split_holds_only_presentations_of_its_stimuli():
    subject = make_subject("s", ["V1"])
    training = make_experiment(subject).take_split(0, "train").subjects[0]
    assert training.stimulus.tolist() == ["a", "b", "a"]
    np.testing.assert_array_equal(training.response, subject.response[0][[1, 2, 3]])


def test_each_fold_has_its_own_normalised_responses():
    subject = make_subject("s", ["V1"])
    testing = make_experiment(subject).take_split(1, "test").subjects[0]
    np.testing.assert_array_equal(testing.response, subject.response[1][[1, 3]])


def test_a_subject_without_stimuli_of_a_split_is_an_error():
    subject = make_subject("s", ["V1"])
    blind = RecordedSubject(
        subject.subject,
        subject.unit,
        subject.area,
        subject.stimulus[:1],
        subject.repeat[:1],
        subject.response[:, :1],
    )
    with pytest.raises(InputError, match="'s' saw no stimulus of the train split"):
        make_experiment(blind).take_split(0, "train")


def test_one_area_is_not_fitted_twice():
    experiment = make_experiment(make_subject("s", ["IT", "IT"]))
    assert list(experiment.divide_by_area()) == [ALL_AREAS]


def test_areas_hold_their_own_units_and_only_subjects_that_have_some():
    both = make_subject("s", ["V4", "IT", "V4"])
    experiment = make_experiment(both, make_subject("t", ["IT"]))
    parts = experiment.divide_by_area()
    assert list(parts) == [ALL_AREAS, "IT", "V4"]
    assert [subject.subject for subject in parts["V4"].subjects] == ["s"]
    v4 = parts["V4"].subjects[0]
    assert v4.unit.tolist() == ["s-0", "s-2"]
    np.testing.assert_array_equal(v4.response, both.response[:, :, [0, 2]])
