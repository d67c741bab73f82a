"""Means and deviations are the true ones, rounded once: no order of the rows changes a bit."""

import math
from fractions import Fraction

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from featurestore import preprocessing
from featurestore.preprocessing.fit import fit
from featurestore.preprocessing.statistics import mean_and_variance, median, quantiles
from tests.laws import examples

FLOATS = st.floats(-1e150, 1e150, allow_subnormal=True)
COLUMNS = st.lists(FLOATS, min_size=1, max_size=40)


@examples(25)
@given(COLUMNS)
def test_mean_and_variance_are_rounded_once(values):
    """The oracle computes with fractions."""
    exact = [Fraction(value) for value in values]
    mean = sum(exact, Fraction()) / len(exact)
    variance = sum(((value - mean) ** 2 for value in exact), Fraction()) / len(exact)

    result = mean_and_variance(pl.Series(values, dtype=pl.Float64))

    assert (result.mean, result.variance) == (float(mean), float(variance))


@examples(15)
@given(COLUMNS)
def test_the_median_is_rounded_once(values):
    """Half of the rows are on each side."""
    ordered = sorted(map(Fraction, values))
    middle = (ordered[(len(ordered) - 1) // 2] + ordered[len(ordered) // 2]) / 2

    assert median(pl.Series(values, dtype=pl.Float64)) == float(middle)


@examples(10)
@given(st.data())
def test_no_order_of_the_rows_changes_a_bit(data):
    """Every step over numbers and categories gives the same state for shuffled rows."""
    values = data.draw(
        st.lists(st.tuples(FLOATS, st.sampled_from("abc"), st.floats(0, 1)), min_size=2, max_size=30)
    )
    steps = [
        preprocessing.clip(columns="x", quantiles=(0.1, 0.9)),
        preprocessing.impute("mean", columns="x"),
        preprocessing.discretize("quantile", columns="y", bins=3),
        preprocessing.frequency("c"),
    ]

    def states(rows):
        frame = pl.DataFrame(rows, schema={"x": pl.Float64, "c": pl.String, "y": pl.Float64}, orient="row")
        return fit(steps, frame, None, where="service").steps

    assert states(values) == states(data.draw(st.permutations(values)))


def test_quantiles_are_on_the_line_between_two_numbers():
    """As NumPy's `linear`."""
    assert quantiles(pl.Series([4.0, 1.0, 2.0]), [0.0, 0.25, 0.5, 1.0]) == [1.0, 1.5, 2.0, 4.0]


def test_a_column_that_does_not_vary_is_not_stretched():
    """As scikit-learn: its deviation counts as 1."""
    state = fit([preprocessing.scale(columns="x")], pl.DataFrame({"x": [0.1] * 3}), None, where="s").steps[0]

    assert state.columns["x"].factor == 1.0
    assert math.isclose(state.columns["x"].center, 0.1)
