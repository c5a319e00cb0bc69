from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brainalign.errors import InputError
from brainalign.stimuli.options import SplitOptions
from brainalign.stimuli.splits import assign_splits, split_stimuli

IDS = np.array([f"image-{number}" for number in range(60)])


@settings(max_examples=60, deadline=None)
@given(
    n_stimuli=st.integers(12, 80),
    test_share=st.floats(0.1, 0.5),
    seed=st.integers(0, 2**31),
    order=st.randoms(use_true_random=False),
)
def test_splits_depend_on_ids_and_seed_and_not_on_order(
    n_stimuli: int, test_share: float, seed: int, order
) -> None:
    ids = [f"{number:04d}" for number in range(n_stimuli)]
    shuffled = order.sample(ids, len(ids))
    options = SplitOptions(test_share=test_share, validation_share=0.2, seed=seed)
    split = dict(zip(ids, split_stimuli(np.array(ids), None, options)[0], strict=True))
    again = dict(zip(shuffled, split_stimuli(np.array(shuffled), None, options)[0], strict=True))
    assert split == again


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_shares_are_kept(share: float) -> None:
    split, fold = split_stimuli(IDS, None, SplitOptions(test_share=share, validation_share=0.25))
    assert fold is None
    assert (split == "test").sum() == round(60 * share)
    assert (split == "validation").sum() == round(0.25 * (60 - round(60 * share)))


def test_another_seed_gives_another_split() -> None:
    splits = [split_stimuli(IDS, None, SplitOptions(seed=seed))[0].tolist() for seed in range(3)]
    assert splits[0] != splits[1] != splits[2] != splits[0]


@pytest.mark.parametrize("n_folds", [2, 5, 7, 60])
def test_folds_test_every_stimulus_exactly_once(n_folds: int) -> None:
    options = SplitOptions(n_folds=n_folds)
    _, fold = split_stimuli(IDS, None, options)
    assert fold is not None
    tested = np.stack([assign_splits(IDS, fold, k, options) == "test" for k in range(n_folds)])
    np.testing.assert_array_equal(tested.sum(axis=0), 1)
    sizes = tested.sum(axis=1)
    assert sizes.max() - sizes.min() <= 1


def test_no_split_of_any_fold_is_empty() -> None:
    options = SplitOptions(n_folds=5)
    _, fold = split_stimuli(IDS, None, options)
    assert fold is not None
    for tested in range(5):
        split = assign_splits(IDS, fold, tested, options)
        assert {"train", "validation", "test"} == set(split.tolist())


def test_the_split_of_folds_is_that_of_the_first() -> None:
    options = SplitOptions(n_folds=4)
    split, fold = split_stimuli(IDS, None, options)
    assert fold is not None
    np.testing.assert_array_equal(split, assign_splits(IDS, fold, 0, options))


def test_folds_do_not_depend_on_order() -> None:
    options = SplitOptions(n_folds=5)
    order = np.random.default_rng(3).permutation(60)
    _, straight = split_stimuli(IDS, None, options)
    _, shuffled = split_stimuli(IDS[order], None, options)
    assert straight is not None
    np.testing.assert_array_equal(shuffled, straight[order])


def test_given_splits_are_taken_as_they_are() -> None:
    given = np.array(["train"] * 40 + ["validation"] * 5 + ["test"] * 15)
    for source in ("auto", "given"):
        options = SplitOptions.model_validate({"source": source})
        np.testing.assert_array_equal(split_stimuli(IDS, given, options)[0], given)
    random = split_stimuli(IDS, given, SplitOptions(source="random"))[0]
    assert random.tolist() != given.tolist()


def test_splits_that_are_asked_for_must_be_given() -> None:
    with pytest.raises(InputError, match="the data set states no split"):
        split_stimuli(IDS, None, SplitOptions(source="given"))


@pytest.mark.parametrize("name", ["train", "validation", "test"])
def test_an_empty_given_split_is_refused(name: str) -> None:
    rest = [other for other in ("train", "validation", "test") if other != name]
    with pytest.raises(InputError, match=f"the given split: no stimulus in the {name} split"):
        split_stimuli(IDS, np.array(rest * 30), SplitOptions())


def test_too_few_stimuli_for_a_split_are_refused() -> None:
    with pytest.raises(InputError, match="no stimulus in the validation split"):
        split_stimuli(IDS[:4], None, SplitOptions())


def test_more_folds_than_stimuli_are_refused() -> None:
    with pytest.raises(InputError, match="more folds than stimuli"):
        split_stimuli(IDS[:4], None, SplitOptions(n_folds=5))


def test_one_fold_is_no_option() -> None:
    with pytest.raises(ValueError, match="n_folds is 0"):
        SplitOptions(n_folds=1)
