"""Generated columns, and how a step computed them is compared with another implementation.

The numbers are multiples of an eighth in a column of 32, a power of two: then the sums of scikit-learn are exact too. On other
columns its sums depend on the order of the rows, and ours do not: see `test_statistics`.
"""

import numpy as np
import polars as pl
from hypothesis import strategies as st

from featurestore.preprocessing.fit import apply, fit
from featurestore.preprocessing.state import FittedStep

# LAW_DEPTH=200, as in `make laws`: 1,000 columns of each kind.
COLUMNS = 5
ROWS = 32


def columns_of(cells):
    """Return a strategy of columns."""
    return st.lists(cells, min_size=ROWS, max_size=ROWS)


EIGHTHS = st.integers(-(2**20), 2**20).map(lambda number: number / 8)
NUMBERS = columns_of(EIGHTHS) | columns_of(st.integers(-3, 3).map(float))
GAPS = columns_of(st.none() | EIGHTHS).filter(lambda values: any(v is not None for v in values))
WORDS = st.text("abcdeé", min_size=1, max_size=2)
CATEGORIES = columns_of(WORDS)


def state_of(step, values, label=None, dtype=None):
    """Fit a step to a column `x`; returns what it learned."""
    rows = pl.DataFrame({"x": pl.Series(values, dtype=dtype)})
    steps = fit([step], rows, None if label is None else pl.Series(label), where="service").steps
    return steps[0].columns["x"]


def applied(state, values, dtype=None):
    """Apply what was learned to values of `x`."""
    rows = pl.LazyFrame({"x": pl.Series(values, dtype=dtype)})
    return apply(rows, [FittedStep(step="step", columns={"x": state})]).collect()


def fitted(step, values, served=None, label=None, dtype=None):
    """Fit a step to a column `x`, and apply it to other values, or to the same."""
    return applied(state_of(step, values, label, dtype), values if served is None else served, dtype)


def column(values):
    """Return values as the matrix of one column that scikit-learn takes; None is NaN."""
    return np.array([np.nan if value is None else value for value in values], dtype=float).reshape(-1, 1)


def assert_within_one_ulp(actual, expected):
    """Compare floats; NaN equals null."""
    actual = np.array([np.nan if value is None else value for value in np.ravel(actual)], dtype=float)
    expected = np.array([np.nan if value is None else value for value in np.ravel(expected)], dtype=float)
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    known = ~np.isnan(expected)
    distance = np.abs(actual[known] - expected[known])
    limit = np.spacing(np.maximum(np.abs(actual[known]), np.abs(expected[known])))
    assert (distance <= limit).all(), (actual, expected)
