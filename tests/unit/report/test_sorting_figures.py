"""Figures of sorted units hold what laboratories have: single units, empty and many sessions."""

from __future__ import annotations

import itertools

import numpy as np

from brainalign.report.figures.sorting import draw_reliability_by_session


def find_labels(figure) -> list:
    figure.draw_without_rendering()
    return figure.axes[0].get_xticklabels()


def test_a_session_with_one_unit_or_none_is_drawn() -> None:
    figure = draw_reliability_by_session({"a": np.array([0.5]), "b": np.array([])}, "monkey")
    assert [label.get_text() for label in find_labels(figure)] == ["a (1)", "b (0)"]


def test_every_unit_lies_within_the_axes() -> None:
    by_session = {"a": np.array([-0.31, 1.0]), "b": np.array([0.2])}
    low, high = draw_reliability_by_session(by_session, "monkey").axes[0].get_ylim()
    assert low < -0.31
    assert high >= 1.0


def test_names_of_many_sessions_do_not_overlap() -> None:
    by_session = {f"2009-{month:02d}-11": np.array([0.1, 0.2]) for month in range(1, 11)}
    labels = find_labels(draw_reliability_by_session(by_session, "monkey"))
    boxes = [label.get_window_extent() for label in labels]
    assert all(first.x1 <= second.x0 for first, second in itertools.pairwise(boxes))
