from __future__ import annotations

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.methods.arrays import PairedEmbedding, PairedResponses, SubjectResponses


def make_subject(subject: str = "a", stimulus: tuple[str, ...] = ("s1", "s0", "s1")):
    return SubjectResponses(subject, np.ones((len(stimulus), 2)), np.array(stimulus))


def test_presentations_of_unknown_stimuli_are_refused_by_name():
    with pytest.raises(InputError, match="s9"):
        PairedResponses(np.array(["s0", "s1"]), np.ones((2, 4)), (make_subject(stimulus=("s9",)),))


def test_a_stimulus_that_comes_twice_is_refused():
    with pytest.raises(InputError, match="s1"):
        PairedResponses(np.array(["s1", "s0", "s1"]), np.ones((3, 4)), (make_subject(),))


def test_a_subject_that_comes_twice_is_refused():
    with pytest.raises(InputError, match="subject id"):
        PairedResponses(np.array(["s0", "s1"]), np.ones((2, 4)), (make_subject(), make_subject()))


@pytest.mark.parametrize("shape", [(2,), (0, 4), (2, 0), (3, 4)])
def test_features_need_one_row_per_stimulus(shape: tuple[int, ...]):
    with pytest.raises(InputError):
        PairedResponses(np.array(["s0", "s1"]), np.ones(shape), (make_subject(),))


def test_responses_need_a_stimulus_each():
    with pytest.raises(InputError, match="3 ids"):
        SubjectResponses("a", np.ones((3, 2)), np.array(["s0", "s1"]))


def test_matrices_are_held_in_float32():
    assert make_subject().response.dtype == np.float32


def test_embeddings_of_different_width_are_refused():
    with pytest.raises(InputError, match=r"expected 3 dimensions.*found 4"):
        PairedEmbedding(np.ones((2, 3)), np.ones((2, 4)), "cosine")


def test_a_bias_must_fit_its_side():
    with pytest.raises(InputError, match="bias"):
        PairedEmbedding(np.ones((2, 3)), np.ones((5, 3)), "cosine", response_bias=np.ones(2))
