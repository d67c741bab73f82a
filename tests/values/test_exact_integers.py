"""Exact sums of whole columns: the float nearest to the true sum, mean and sum of squares."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.values.exact_integers import as_integers, exact_column, rounded

FLOATS = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from(
    [-0.0, 5e-324, 1e16, -1e16, 0.6, 2.0**53]
)
INTEGERS = st.integers(-(2**63), 2**63 - 1)


def digits_of(column):
    return np.array([digit.sum() for digit in column.digits()]).reshape(-1, 1)


def nearest(exact):
    try:
        return float(exact)
    except OverflowError:
        return math.inf if exact > 0 else -math.inf


@given(st.lists(FLOATS, min_size=1, max_size=8), st.integers(1, 2**31 - 1))
@examples(300)
def test_sum_and_quotient_are_the_nearest_floats(numbers, divisor):
    column = exact_column(np.array(numbers))
    total = sum(map(Fraction, numbers), Fraction())
    [sums] = rounded(digits_of(column), column.exponent)
    [quotients] = rounded(digits_of(column), column.exponent, np.array([divisor]))
    assert (sums, quotients) == (nearest(total), nearest(total / divisor))
    assert math.copysign(1, sums) == (-1 if total < 0 else 1)


@given(st.lists(INTEGERS, min_size=1, max_size=8))
@examples(100)
def test_integers_of_64_bits_are_exact(numbers):
    column = exact_column(np.array(numbers, dtype=np.int64))
    [total] = as_integers(digits_of(column)) << column.exponent
    assert total == sum(numbers)


@given(st.lists(FLOATS, min_size=1, max_size=8))
@examples(100)
def test_squares_are_exact(numbers):
    parts = exact_column(np.array(numbers)).squares()
    total = sum(as_integers(digits_of(part))[0] * Fraction(2) ** part.exponent for part in parts)
    assert total == sum(Fraction(number) ** 2 for number in numbers)


def test_one_huge_number_takes_no_bit_of_a_small_one():
    column = exact_column(np.array([1e16, 0.6, -1e16]))
    assert rounded(digits_of(column), column.exponent).tolist() == [0.6]


def test_numbers_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="not finite"):
        exact_column(np.array([1.0, math.inf]))
