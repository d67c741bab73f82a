"""A profile is exact where it says so, and the same for every partition of the rows."""

import math
import re
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import msgspec
import numpy as np
import pandera.polars as pa
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore.cli.about import profile_text
from featurestore.definitions.contract import contract_of
from featurestore.errors import ContractError
from featurestore.quality.profile.column_profile import MAX_DAYS, MAX_VALUES, edge, middle, signed
from featurestore.quality.profile.partial_sum import ExactSum, binned, bits, total
from featurestore.quality.profile.profile import Profile, Profiler, profile
from featurestore.quality.profile.sample import MAX_SAMPLED
from featurestore.report.columns import quantile

NOON = datetime(2024, 2, 29, 12, tzinfo=UTC)
FRAME = pl.DataFrame(
    {
        "amount": [1.5, 2.5, None, 0.0, float("nan")],
        "count": [1, 2, 3, 2, 2],
        "word": ["a", "b", "a", None, "é"],
        "at": [NOON, NOON + timedelta(days=1), NOON, None, NOON],
        "sure": [True, False, None, True, True],
        "tags": [["x"], [], ["x", "y"], None, ["x"]],
    }
)


def of(frame, **options):
    return profile(frame, dataset="sales", **options)


def test_the_profile_of_each_kind_of_column():
    """A profile has counts, extremes, means, days and values."""
    sales = of(FRAME)
    amount, count, word, at, sure, tags = sales.columns.values()
    assert sales.rows == 5
    assert (amount.nulls, amount.non_finite, amount.zeros, amount.min, amount.max) == (1, 1, 1, 0.0, 2.5)
    assert amount.mean == pytest.approx(4 / 3)
    assert (count.mean, count.deviation, count.quantile(0.5)) == (2.0, pytest.approx(math.sqrt(0.4)), 2.0)
    assert count.values.top(1) == [(2, 3)]
    assert (word.nulls, word.min, word.max, word.values.distinct) == (1, 1, 1, 3)
    assert (at.min, at.days) == ("2024-02-29T12:00:00+00:00", {"2024-02-29": 3, "2024-03-01": 1})
    assert (sure.kind, sure.zeros) == ("boolean", 1)
    assert (tags.kind, tags.max) == ("list", 2)


def test_quantiles_of_durations_of_non_finite_and_of_personal_numbers():
    """Durations are in microseconds.

    NaN does not count; a personal column has bins and no values.
    """
    frame = pl.DataFrame({"span": [timedelta(seconds=s) for s in (1, 2, 3)], "nan": [1.0, float("nan"), 3.0]})
    columns = of(frame).columns
    assert columns["span"].quantile(0.5) == 2_000_000
    assert columns["span"].number_type == "duration"
    assert columns["nan"].distribution() == [(1.0, 1), (3.0, 1)]

    class People(pa.DataFrameModel):
        """People."""

        age: pl.Int64 = pa.Field(metadata={"personal": True})

    ages = of(pl.DataFrame({"age": [30, 40, 50]}), contract=contract_of(People)).columns["age"]
    assert (ages.min, ages.max) == (None, None)
    assert ages.quantile(0.5) == pytest.approx(40, rel=1 / 32)


floats = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(floats, min_size=1, max_size=50), st.sampled_from([47, 52]))
@examples(100)
def test_sums_are_exact(numbers, upper):
    """A sum of floats equals the sum of the same numbers as fractions."""
    sum_ = total(binned(np.array(numbers), upper).rows(), upper)
    assert Fraction(int(sum_.digits)) * Fraction(2) ** sum_.exponent == sum(map(Fraction, numbers))


@given(floats, floats)
def test_bins_keep_the_order_of_numbers(left, right):
    """A larger number is never in a lower bin, and the width of a bin is at most a 32nd of its numbers."""
    a, b = (signed(word >> 47) for word in bits(np.array([left, right])).tolist())
    assert (a <= b) if left <= right else (a >= b)
    assert abs(edge(a)) <= abs(left)
    if abs(left) > 1e-300:
        assert abs(middle(a) - left) <= abs(left) / 32


rows = st.lists(
    st.tuples(
        st.none() | st.integers(-5, 5),
        st.none() | st.floats(width=32),
        st.none() | st.sampled_from(["a", "b", "", "é"]),
        st.none() | st.datetimes(datetime(2013, 1, 1), datetime(2013, 1, 9)),  # noqa: DTZ001 - the column has a zone
    ),
    max_size=12,
)
SCHEMA = {"i": pl.Int32, "f": pl.Float64, "s": pl.String, "t": pl.Datetime("us", "UTC")}


@given(rows, rows)
@examples(30)
def test_the_profile_of_two_parts_is_that_of_both(first, second):
    """The sum of two profiles equals the profile of all rows bit for bit, also after JSON."""
    parts = [pl.DataFrame(part, schema=SCHEMA, orient="row") for part in (first, second)]
    both = of(pl.concat(parts))
    assert of(parts[0]) + of(parts[1]) == both
    assert of(pl.concat(parts).lazy()) == both
    assert msgspec.json.decode(msgspec.json.encode(both), type=Profile) == both


def test_the_order_and_the_size_of_parts_do_not_matter():
    """Parts may come in any order, also where rows repeat, where zero has two signs, and where categories have another order."""
    frame = pl.select(
        f=pl.int_range(6_000) % 700 / 7 * -1.0,
        n=pl.int_range(6_000) % 350,
        c=pl.format("c{}", pl.int_range(6_000) % 700 % 7).cast(pl.Categorical),
    )
    profiled = of(frame)
    assert len(profiled.sample.hashes) == MAX_SAMPLED
    for size in (400, 5_999):
        profiler = Profiler(frame.schema, dataset="sales")
        for start in reversed(range(0, frame.height, size)):
            profiler.add(frame[start : start + size])
        assert profiler.profile() == profiled
    assert str(of(pl.DataFrame({"x": [-0.0, 0.0]}))) == str(of(pl.DataFrame({"x": [0.0, -0.0]})))


def test_rows_are_profiled_as_they_pass():
    """A profile of rows that pass a query is the profile of its result, and the rows do not change."""
    profiler = Profiler(FRAME.schema, dataset="sales")
    assert profiler.passed(FRAME.lazy()).collect(engine="streaming").equals(FRAME)
    assert profiler.profile() == of(FRAME)


def test_rows_of_many_parts_have_one_profile_on_all_threads(monkeypatch):
    """A frame and a query that are read in many parts have the profile of all their rows."""
    frame = pl.select(n=pl.int_range(6_000) % 700, f=pl.int_range(6_000) / 7)
    expected = of(frame)
    monkeypatch.setattr("featurestore.quality.profile.profile.ROWS_AT_ONCE", 100)
    assert of(frame) == expected
    assert of(frame.lazy()) == expected


def test_a_query_that_fails_is_not_half_a_profile(monkeypatch):
    """The error of a query that fails after some parts reaches the caller."""
    monkeypatch.setattr("featurestore.quality.profile.profile.ROWS_AT_ONCE", 100)
    texts = pl.LazyFrame({"x": ["1"] * 5_999 + ["one"]})
    with pytest.raises(pl.exceptions.InvalidOperationError, match="one"):
        of(texts.select(pl.col("x").cast(pl.Int64)))


def test_many_values_are_sampled_fairly_and_added_exactly():
    """A profile keeps the same values with exact counts, for every partition of the rows."""
    frame = pl.select(n=pl.int_range(30_000) % 10_000, f=pl.int_range(30_000) / 7)
    profiled = of(frame)
    assert of(frame[:1000]) + of(frame[1000:25_000]) + of(frame[25_000:]) == profiled
    values = profiled.columns["n"].values
    assert len(values.counts) == MAX_VALUES
    assert {count for _, _, count in values.counts} == {3}
    assert values.distinct == pytest.approx(10_000, rel=0.1)
    for share in (0.01, 0.5, 0.99):
        exact = frame["f"].quantile(share)
        assert profiled.columns["f"].quantile(share) == pytest.approx(exact, rel=1 / 32)


MANY = pl.int_range(1, 5_001, eager=True)
# The most frequent value is the median; 5,000 others are too many to be listed.
MEDIANS = {
    "ones": (pl.concat([pl.repeat(1, 6_000, dtype=pl.Int64, eager=True), MANY]), 1, True),
    "minus ones": (pl.concat([pl.repeat(-1, 6_000, dtype=pl.Int64, eager=True), -MANY]), -1, True),
    "63": (pl.concat([pl.repeat(63, 6_000, dtype=pl.Int64, eager=True), MANY]), 63, True),
    "zeros among whole numbers": (pl.concat([pl.repeat(0, 6_000, dtype=pl.Int64, eager=True), MANY]), 0, True),
    "zeros among floats": (pl.concat([pl.repeat(0, 6_000, dtype=pl.Float64, eager=True), MANY / 7]), 0, True),
    "ones among floats": (pl.concat([pl.repeat(1.0, 6_000, eager=True), MANY / 7]), 1, False),
    "large whole numbers": (MANY + 10_000, 12_500, False),
    "few values": (pl.Series([1.0, 2.0, 2.5, 7.25]), 2, True),
}  # fmt: skip


@pytest.mark.parametrize(("values", "median", "exact"), MEDIANS.values(), ids=MEDIANS)
def test_a_median_is_exact_or_marked(values, median, exact):
    """The middle of a bin never passes for a value: 1.016 is not the median of ones."""
    profiled = of(values.rename("x").to_frame())
    column = profiled.columns["x"]
    assert column.is_exact(0.5) == exact
    assert column.quantile(0.5) == (median if exact else pytest.approx(median, rel=1 / 32))
    shown = quantile(column, 0.5)
    assert shown.startswith("≈ ") == (not exact)
    head, line = (re.split(" {2,}", text) for text in profile_text(profiled).splitlines()[1:3])
    assert line[head.index("median")].startswith("≈ ") == (not exact)


def test_days_become_months_where_there_are_many():
    """Many days are counted by month, for every partition of the rows."""
    days = pl.select(at=pl.datetime_range(datetime(1990, 1, 1), datetime(2010, 1, 1), "1d", time_zone="UTC"))  # noqa: DTZ001
    assert days.height > MAX_DAYS
    profiled = of(days)
    assert profiled.columns["at"].days["2000-02"] == 29
    assert of(days[:50]) + of(days[50:]) == profiled


def test_rank_correlations():
    """The correlation of two columns uses the rows in which both have values."""
    frame = pl.DataFrame({"a": [1.0, 2.0, 3.0, None], "b": [1.0, 8.0, 27.0, 5.0], "c": [3.0, 2.0, None, 1.0]})
    assert of(frame).correlations() == {("a", "b"): 1.0, ("a", "c"): -1.0, ("b", "c"): pytest.approx(-0.5)}


def test_profiles_of_different_datasets_do_not_add_up():
    """Profiles made with different hashes do not add up either."""
    of_another_version = msgspec.structs.replace(of(FRAME), engine="polars 1")
    with pytest.raises(ContractError, match="do not add up"):
        of(FRAME) + of_another_version


def test_the_hash_is_the_one_that_kept_profiles_were_made_with():
    """This test fails if a new version of Polars changes its hash."""
    assert of(pl.DataFrame({"a": ["x"]})).columns["a"].values.counts == ((15126531041306915455, "x", 1),)
    assert ExactSum.of(12) == ExactSum("3", 2)
