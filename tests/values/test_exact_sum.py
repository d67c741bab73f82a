"""Exact sums and means are those of fractions, rounded once, wherever an expression may be used."""

import math
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore import exact_mean, exact_sum

X = pl.col("x")
numbers = st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=30)


def nearest(fraction):
    """The float nearest to a fraction."""
    try:
        return float(fraction)
    except OverflowError:
        return math.inf if fraction > 0 else -math.inf


@given(numbers, st.randoms(use_true_random=False))
@examples(100)
def test_sum_and_mean_are_those_of_fractions_in_any_order(values, luck):
    """The true sum and mean, rounded once; another order of the rows changes no bit."""
    luck.shuffle(values)
    total = sum(map(Fraction, values))
    result = pl.DataFrame({"x": values}).select(sum=exact_sum(X), mean=exact_mean(X)).row(0)
    assert result == (nearest(total), nearest(total / len(values)))


def test_sums_in_groups_windows_and_over():
    """The plain sum of these numbers is 0 in one order and 1 in another; the exact sum is 1 everywhere."""
    frame = pl.DataFrame({"k": [1, 1, 1, 2], "t": [1, 2, 3, 4], "x": [1e100, 1.0, -1e100, None]})
    assert frame.group_by("k").agg(exact_sum(X)).sort("k").rows() == [(1, 1.0), (2, 0.0)]
    assert frame.group_by("k").agg(exact_mean(X)).sort("k").rows() == [(1, 1 / 3), (2, None)]
    assert frame.select(exact_sum(X).over("k"))["x"].to_list() == [1.0, 1.0, 1.0, 0.0]
    rolled = frame.rolling("t", period="3i").agg(exact_sum(X))
    assert rolled["x"].to_list() == [1e100, 1e100, 1.0, -1e100]
    assert frame.clear().select(sum=exact_sum(X), mean=exact_mean(X)).row(0) == (0.0, None)


def test_integers_are_exact_and_other_types_are_refused():
    """Integers above 2**53 are added as integers; text is refused, with what to do."""
    integers = pl.DataFrame({"x": [2**53, 1, 1, -(2**53)]})
    assert integers.select(exact_sum(X)).item() == 2.0
    with pytest.raises(pl.exceptions.PolarsError, match="expected floats or integers"):
        pl.DataFrame({"x": ["a"]}).select(exact_sum(X))


def test_infinities_and_nan_give_the_same_in_any_order():
    """One infinity wins, two opposite ones and NaN give NaN; a sum above the largest float is infinite."""
    values = [1e308, math.inf, 1.0, 1e308]
    assert pl.DataFrame({"x": values}).select(exact_sum(X)).item() == math.inf
    assert pl.DataFrame({"x": [1e308, 1e308, -math.inf]}).select(exact_sum(X)).item() == -math.inf
    assert math.isnan(pl.DataFrame({"x": [math.inf, -math.inf]}).select(exact_sum(X)).item())
    assert math.isnan(pl.DataFrame({"x": [math.nan, 1.0]}).select(exact_mean(X)).item())
    assert pl.DataFrame({"x": [1e308, 1e308]}).select(exact_sum(X)).item() == math.inf
    assert pl.DataFrame({"x": [1e308, 1e308, -1e308]}).select(exact_sum(X)).item() == 1e308
    assert pl.DataFrame({"x": [1e308, 1e308]}).select(exact_mean(X)).item() == 1e308
