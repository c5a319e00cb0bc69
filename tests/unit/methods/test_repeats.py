from __future__ import annotations

import numpy as np

from brainalign.methods.arrays import PairedResponses, SubjectResponses
from brainalign.methods.repeats import group_repeats

STIMULUS = np.array(["s2", "s0", "s2", "s3", "s2"])
RESPONSE = np.array([[1.0], [10.0], [2.0], [20.0], [6.0]])


def make_table():
    subject = SubjectResponses("a", RESPONSE, STIMULUS)
    return group_repeats(
        PairedResponses(np.array(["s0", "s1", "s2", "s3"]), np.eye(4), (subject,)), "a"
    )


def test_repeats_are_averaged_per_stimulus_that_was_shown():
    table = make_table()
    assert table.stimulus_row.tolist() == [0, 2, 3]
    assert table.average(RESPONSE)[:, 0].tolist() == [10.0, 3.0, 20.0]


def test_each_repeat_of_a_stimulus_is_drawn_equally_often():
    table, generator = make_table(), np.random.default_rng(0)
    draws = np.array([table.draw_presentations(generator) for _ in range(3000)])
    assert set(draws[:, 0]) == {1}
    assert set(draws[:, 2]) == {3}
    presentations, counts = np.unique(draws[:, 1], return_counts=True)
    assert presentations.tolist() == [0, 2, 4]
    assert counts.min() > 900


def test_the_order_of_presentations_does_not_change_the_means():
    order = np.array([4, 1, 0, 3, 2])
    subject = SubjectResponses("a", RESPONSE[order], STIMULUS[order])
    stimuli = np.array(["s0", "s1", "s2", "s3"])
    table = group_repeats(PairedResponses(stimuli, np.eye(4), (subject,)), "a")
    np.testing.assert_array_equal(table.average(RESPONSE[order]), make_table().average(RESPONSE))
