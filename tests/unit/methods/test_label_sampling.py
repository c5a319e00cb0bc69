from __future__ import annotations

import numpy as np
import pytest

from brainalign.methods.labels.sampling import draw_pooled_batches

SUBJECT = np.repeat([0, 1, 2], [60, 30, 10])
STIMULUS = np.concatenate([np.arange(60), np.arange(30), np.arange(10)])


def draw(sampling: str, batch_size: int = 15, seed: int = 0) -> list[np.ndarray]:
    generator = np.random.default_rng(seed)
    return list(draw_pooled_batches(sampling, SUBJECT, STIMULUS, batch_size, generator))


def test_balanced_batches_hold_all_subjects_equally():
    for rows in draw("subject_balanced"):
        assert np.bincount(SUBJECT[rows], minlength=3).tolist() == [5, 5, 5]


def test_balanced_epochs_show_every_sample_of_the_largest_subject_once():
    rows = np.concatenate(draw("subject_balanced"))
    assert sorted(rows[SUBJECT[rows] == 0].tolist()) == list(range(60))


def test_paired_batches_hold_all_subjects_who_saw_a_stimulus():
    for rows in draw("stimulus_paired"):
        for stimulus in np.unique(STIMULUS[rows]):
            assert set(np.flatnonzero(stimulus == STIMULUS)) <= set(rows.tolist())


@pytest.mark.parametrize("sampling", ["pooled", "stimulus_paired"])
def test_no_sample_comes_twice_in_an_epoch(sampling: str):
    rows = np.concatenate(draw(sampling))
    assert len(np.unique(rows)) == len(rows) > 85


def test_equal_generators_draw_equal_batches():
    for sampling in ("pooled", "subject_balanced", "stimulus_paired"):
        for first, second in zip(draw(sampling), draw(sampling), strict=True):
            np.testing.assert_array_equal(first, second)
