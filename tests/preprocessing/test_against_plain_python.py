"""Steps without a transformer in scikit-learn compute what plain Python and NumPy compute, within one unit in the last place."""

import hashlib
import math
from collections import Counter
from datetime import UTC, datetime

import numpy as np
import polars as pl
from hypothesis import assume, given
from hypothesis import strategies as st

from featurestore import preprocessing
from tests.laws import examples
from tests.preprocessing.generated_columns import (
    COLUMNS,
    GAPS,
    WORDS,
    applied,
    assert_within_one_ulp,
    column,
    columns_of,
    fitted,
    state_of,
)

CATEGORIES = columns_of(st.none() | WORDS).filter(any)
TIMES = columns_of(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
)
_64_BITS = 2**64 - 1


@examples(COLUMNS)
@given(GAPS, GAPS, st.sampled_from([(0.0, 1.0), (0.01, 0.99), (0.25, 0.5)]))
def test_clip_to_quantiles(values, served, shares):
    """Values beyond a quantile of the fitted rows become this quantile; a null stays."""
    low, high = np.nanquantile(column(values), shares)

    actual = fitted(preprocessing.clip(columns="x", quantiles=shares), values, served, dtype=pl.Float64)

    assert_within_one_ulp(actual["x"], np.clip(column(served), low, high))


@examples(COLUMNS)
@given(GAPS, st.tuples(st.none() | st.integers(-100, 0), st.none() | st.integers(1, 100)))
def test_clip(values, bounds):
    """Values beyond a declared bound become it."""
    low, high = bounds
    assume(low is not None or high is not None)

    actual = fitted(preprocessing.clip(columns="x", min=low, max=high), values, dtype=pl.Float64)

    assert_within_one_ulp(actual["x"], np.clip(column(values), low, high))


@examples(COLUMNS)
@given(TIMES, st.sampled_from(["hour", "day", "week", "year"]))
def test_cycle(values, period):
    """The place in the hour, the day and the week is what a calendar says; a year is a mean one that began in 1970."""
    seconds = {"hour": 3_600, "day": 86_400, "week": 604_800, "year": 31_556_952}[period]

    actual = fitted(preprocessing.cycle(period, columns="x"), values, dtype=pl.Datetime("us", "UTC"))

    angles = [_microseconds(value, period) * (math.tau / (seconds * 1_000_000)) for value in values]
    assert_within_one_ulp(actual[f"x_{period}_sin"], list(map(math.sin, angles)))
    assert_within_one_ulp(actual[f"x_{period}_cos"], list(map(math.cos, angles)))


def _microseconds(value, period):
    if period == "year":
        since = value - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400_000_000 + since.seconds * 1_000_000 + since.microseconds) % (
            31_556_952 * 1_000_000
        )
    hours = {"hour": 0, "day": value.hour, "week": value.weekday() * 24 + value.hour}[period]
    return ((hours * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond


@examples(COLUMNS)
@given(CATEGORIES, CATEGORIES)
def test_frequency(values, served):
    """The share of the fitted rows with the value, also of nulls; 0 for one that was never seen."""
    counts = Counter(values)

    actual = fitted(preprocessing.frequency("x"), values, served, dtype=pl.String)

    assert_within_one_ulp(actual["x"], [counts[value] / len(values) for value in served])


@examples(COLUMNS)
@given(columns_of(st.none() | st.integers(-(2**63), 2**63 - 1)) | CATEGORIES, st.integers(2, 40))
def test_hashing(values, buckets):
    """The bucket that the pinned hash names; a null is in none. Collisions are counted."""
    dtype = pl.String if any(isinstance(value, str) for value in values) else pl.Int64

    state = state_of(preprocessing.hashing("x", buckets=buckets), values, dtype=dtype)

    places = {value: _bucket(value, buckets) for value in values if value is not None}
    expected = [[float(value is not None and places[value] == n) for n in range(buckets)] for value in values]
    np.testing.assert_array_equal(applied(state, values, dtype).to_numpy(), expected)
    shared = Counter(places.values())
    collisions = sum(shared[place] > 1 for place in places.values())
    assert state.collisions == collisions


def _bucket(value, buckets):
    """Hash as `values.stable_hash` says, in Python's own integers."""
    own = (
        _of_bytes(b"\xff" + value.encode())
        if isinstance(value, str)
        else _mixed((value + 0x9E3779B97F4A7C15) & _64_BITS)
    )
    return _mixed(((_of_bytes(b"seed 0") ^ own) + 0x9E3779B97F4A7C15) & _64_BITS) % buckets


def _of_bytes(data):
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def _mixed(number):
    number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9 & _64_BITS
    number = (number ^ (number >> 27)) * 0x94D049BB133111EB & _64_BITS
    return number ^ (number >> 31)
