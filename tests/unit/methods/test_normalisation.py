from __future__ import annotations

import numpy as np
import pytest

from brainalign.errors import InputError
from brainalign.methods.normalisation import fit_standardisation


def make_rows(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(5, 3, (40, 6)).astype(np.float32)


def test_training_rows_get_mean_zero_and_deviation_one():
    rows = make_rows()
    standardised = fit_standardisation(rows, where="units").apply(rows, where="units")
    np.testing.assert_allclose(standardised.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(standardised.std(0), 1, atol=1e-6)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e8])
def test_constant_columns_are_dropped(constant: float):
    rows = make_rows()
    rows[:, 2] = constant
    standardisation = fit_standardisation(rows, where="units")
    assert standardisation.kept.tolist() == [True, True, False, True, True, True]
    assert standardisation.n_dropped == 1
    assert standardisation.apply(rows, where="units").shape == (40, 5)


@pytest.mark.parametrize("unit", [1e-12, 1e12])
def test_the_unit_of_measure_does_not_decide_what_is_dropped(unit: float):
    rows = (make_rows() * np.float32(unit)).astype(np.float32)
    assert fit_standardisation(rows, where="units").n_dropped == 0


@pytest.mark.parametrize("exponent", [-30, -1, 7])
def test_units_that_are_powers_of_two_give_bitwise_the_same(exponent: int):
    rows = make_rows()
    scaled = np.ldexp(rows, exponent)
    np.testing.assert_array_equal(
        fit_standardisation(rows, where="units").apply(rows, where="units"),
        fit_standardisation(scaled, where="units").apply(scaled, where="units"),
    )


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_refused_by_default(bad: float):
    rows = make_rows()
    rows[3, 1] = bad
    with pytest.raises(InputError, match=r"1 of 6 columns.*nan_policy: drop_units"):
        fit_standardisation(rows, where="units")


def test_columns_that_are_not_finite_are_dropped_on_request():
    rows = make_rows()
    rows[3, 1] = np.nan
    standardisation = fit_standardisation(rows, where="units", nan_policy="drop_units")
    assert standardisation.n_dropped == 1
    others = np.delete(rows, 1, axis=1)
    np.testing.assert_array_equal(
        standardisation.apply(rows, where="units"),
        fit_standardisation(others, where="units").apply(others, where="units"),
    )


def test_nan_in_a_kept_column_of_later_rows_is_refused():
    standardisation = fit_standardisation(make_rows(), where="units")
    rows = make_rows(1)
    rows[0, 0] = np.nan
    with pytest.raises(InputError, match="1 values"):
        standardisation.apply(rows, where="units")


def test_nothing_left_is_an_error():
    with pytest.raises(InputError, match="no column varies"):
        fit_standardisation(np.ones((10, 3)), where="units")


def test_another_width_is_refused_with_both_widths():
    standardisation = fit_standardisation(make_rows(), where="units")
    with pytest.raises(InputError, match=r"expected 6 columns.*\(3, 5\)"):
        standardisation.apply(np.ones((3, 5)), where="units")
