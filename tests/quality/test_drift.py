"""Drift is measured by effect size, for any number of rows, and is never due to chance."""

import math
import random
from datetime import UTC, datetime, timedelta

import numpy as np
import pandera.polars as pa
import polars as pl
import pytest
import scipy.stats
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from laws import examples

from featurestore.definitions.contract import contract_of
from featurestore.errors import DefinitionError
from featurestore.quality.change.binning import MISSING, RARE, categories, grouped, points_of
from featurestore.quality.change.drift import drift
from featurestore.quality.change.thresholds import KNOWN, THRESHOLDS, check_thresholds
from featurestore.quality.profile.column_profile import MAX_VALUES
from featurestore.quality.profile.profile import profile

NOON = datetime(2024, 1, 10, 12, tzinfo=UTC)


def of(values, dtype=None):
    return profile(pl.DataFrame({"x": pl.Series(values, dtype=dtype)}), dataset="sales")


def compare(before, after, *, dtype=None, **field):
    """The drift of one column, given as lists or frames; `field` is what its schema says."""
    columns = ()
    if field:

        class Sales(pa.DataFrameModel):
            """Sales."""

            x: pl.Int64 = pa.Field(**field)

        columns = contract_of(Sales).columns
    [column] = drift(of(before, dtype), of(after, dtype), columns).columns
    return column


def both(before, after, dtype=None):
    return (p.columns["x"] for p in (of(before, dtype), of(after, dtype)))


def test_equal_columns_do_not_drift():
    """Every measure is 0, and the ratio of distinct values is 1."""
    for values in ([1, 2, 3, None], ["a", "b", None], [True, False], [NOON], [[1], [2, 3]]):
        comparison = compare(values, values)
        assert set(comparison.measures.values()) <= {0.0, 1.0}
        assert (comparison.severity, comparison.reasons) == ("none", ())


def test_the_reason_names_the_value_whose_share_changed():
    """The reason for major drift names the value that grew from 50% to 75% of the rows."""
    comparison = compare(["a", "b"] * 500, ["a", "a", "a", "b"] * 250)
    assert comparison.measures["l_infinity"] == 0.25
    assert comparison.measures["psi"] == pytest.approx(
        0.25 * math.log(0.75 / 0.5) - 0.25 * math.log(0.25 / 0.5), rel=1e-2
    )
    assert comparison.measures["distinct"] == 1.0
    assert comparison.severity == "major"
    assert "l_infinity 0.25 (major from 0.2): 'a' 75.0%, was 50.0%" in comparison.reasons


def test_personal_values_are_not_named():
    """The reasons for drift in a personal column contain no value."""
    text = ["ann"] * 500, ["bob"] * 500

    class People(pa.DataFrameModel):
        """People."""

        x: pl.String = pa.Field(metadata={"personal": True})

    contract = contract_of(People)
    sides = [profile(pl.DataFrame({"x": t}), dataset="people", contract=contract) for t in text]
    [comparison] = drift(*sides, contract.columns).columns
    assert comparison.measures["l_infinity"] == 1.0
    assert not any(name in reason for reason in comparison.reasons for name in ("ann", "bob", "None"))


def test_missing_values_are_a_category_of_their_own():
    """Missing values have a bin of their own, and `null_rate` has a sign."""
    comparison = compare([1, 2, 3, 4] * 250, [1, None, 3, None] * 250)
    assert comparison.measures["null_rate"] == 0.5
    assert comparison.severity == "major"
    assert compare([None] * 500, [1] * 500, dtype=pl.Int64).measures == {"null_rate": -1.0}
    histogram = categories(*both(["a", None] * 10, ["a"] * 10), same_hashes=True)
    assert (histogram.names, histogram.before, histogram.after) == (
        ("'a'", MISSING),
        (10.0, 10.0),
        (10.0, 0.0),
    )


def test_numbers_are_grouped_into_ten_equal_parts_of_before_and_two_bins_beyond():
    """A value is never divided between two bins."""
    before, after = both(list(range(1, 101)), [0, 1, 50, 500])
    histogram = grouped(points_of(before, after, same_hashes=True), before, after)
    assert histogram.names == ("below", *map(str, range(10)), "above")
    assert histogram.before == (0.0, *[10.0] * 10, 0.0)
    assert histogram.after == (1.0, 1.0, 0, 0, 0, 1.0, 0, 0, 0, 0, 0, 1.0)
    constant, varied = both([7] * 100, [7, 8] * 50)
    assert grouped(points_of(constant, varied, same_hashes=True), constant, varied).before == (100.0, 0.0)


def test_a_mean_that_moves_by_half_a_standard_deviation():
    """It is major drift by the index, by Wasserstein and by Kolmogorov-Smirnov, in any unit."""
    generator = np.random.default_rng(0)
    normal = generator.normal(size=20_000)
    for scale in (1e-9, 1.0, 1e9):
        comparison = compare(normal * scale, (generator.normal(size=20_000) + 0.5) * scale)
        assert comparison.measures["wasserstein_scaled"] == pytest.approx(0.5, rel=0.1)
        assert comparison.measures["wasserstein"] == pytest.approx(0.5 * scale, rel=0.1)
        assert comparison.measures["psi"] == pytest.approx(0.25, rel=0.2)
        assert comparison.measures["ks"] == pytest.approx(0.2, rel=0.1)
        assert comparison.severity == "major"
        assert compare(normal * scale, generator.normal(size=20_000) * scale).severity == "none"


def test_numbers_of_one_magnitude_are_distinguished():
    """Seconds since 1970 of two days share a bin.

    The values that both profiles kept distinguish them.
    """
    before, after = (
        [1_700_000_000 + day * 86_400 + second for second in range(0, 86_400, 9)] for day in (0, 1)
    )
    comparison = compare(before, after)
    assert comparison.measures["ks"] == 1.0
    assert comparison.severity == "major"
    assert compare(before[::2], before[1::2]).severity == "none"


def test_the_effect_does_not_grow_with_the_rows():
    """A difference of 0.2 percentage points is not drift, even if it is significant."""
    comparison = compare([0] * 500_000 + [1] * 500_000, [0] * 498_000 + [1] * 502_000)
    assert scipy.stats.chi2_contingency([[500_000, 500_000], [498_000, 502_000]]).pvalue < 0.01
    assert comparison.severity == "none"


def test_few_rows_are_noise():
    """One head in five coins and then four heads in five is not drift.

    The same shares of 500 coins are drift.
    """
    before, after = [True, False, False, False, False], [True, True, True, True, False]
    assert compare(before, after).severity == "none"
    assert compare(before * 100, after * 100).severity == "major"
    assert compare([1], [2]).severity == "none"


def test_without_rows_nothing_is_compared():
    """The reason says that there are no rows."""
    comparison = compare([], [1], dtype=pl.Int64)
    assert (comparison.measures, comparison.severity, comparison.reasons) == ({}, "none", ("no rows before",))


def test_a_change_of_kind_is_major_drift():
    """A number that becomes text drifted; an Int32 that becomes an Int64 did not."""
    [comparison] = drift(of([1]), of(["1"])).columns
    assert (comparison.severity, comparison.reasons) == ("major", ("it is String, and was Int64",))
    [comparison] = drift(of([1, 2], pl.Int32), of([1, 2], pl.Int64)).columns
    assert comparison.measures["ks"] == 0.0


def test_columns_of_one_side_are_named():
    """Columns that only one side has are listed and not compared."""
    before, after = (profile(pl.DataFrame({name: [1], "x": [1]}), dataset=name) for name in "ab")
    comparison = drift(before, after)
    assert (comparison.before, comparison.after, comparison.rows) == ("a", "b", (1, 1))
    assert (comparison.only_before, comparison.only_after) == (("a",), ("b",))
    assert [column.column for column in comparison.columns] == ["x"]


def test_timestamps_and_unique_columns_differ_between_any_two_datasets():
    """Timestamps and unique columns count only if their field sets a threshold."""
    days = [[NOON + timedelta(days=d)] * 500 for d in (0, 1)]
    comparison = compare(*days)
    assert (comparison.measures["l_infinity"], comparison.severity) == (1.0, "none")
    assert compare(*days, metadata={"drift": {"l_infinity": 0.5}}).severity == "major"
    numbers = list(range(1000)), list(range(1000, 2000))
    assert compare(*numbers).severity == "major"
    assert compare(*numbers, unique=True).severity == "none"


def test_distinct_values_are_compared_in_equally_many_rows():
    """Twice the rows with twice the order numbers is not drift.

    As many rows of a quarter of the customers is drift.
    """
    orders = list(range(2_000))
    assert compare(orders, list(range(4_000)), metadata={"drift": {"ks": None}}).measures[
        "distinct"
    ] == pytest.approx(1.0, rel=0.1)
    customers = [n % 800 for n in range(8_000)], [n % 200 for n in range(8_000)]
    comparison = compare(*customers, metadata={"drift": dict.fromkeys(THRESHOLDS) | {"distinct": 2}})
    assert comparison.reasons == ("distinct 0.25 (major from 2)",)


def test_a_field_sets_its_own_thresholds():
    """A number is the threshold of major drift, and minor drift keeps its proportion.

    None switches a measure off.
    """
    moved = [0, 1] * 500, [0, 1, 1, 1] * 250
    only = dict.fromkeys(THRESHOLDS)
    assert compare(*moved, metadata={"drift": None}).severity == "none"
    assert compare(*moved, metadata={"drift": only}).severity == "none"
    assert compare(*moved, metadata={"drift": only | {"ks": 0.2}}).reasons == ("ks 0.25 (major from 0.2)",)
    assert compare(*moved, metadata={"drift": only | {"ks": 0.3}}).reasons == ("ks 0.25 (minor from 0.15)",)
    assert compare(*moved, metadata={"drift": only | {"ks": 0.6}}).severity == "none"
    assert compare(*moved, metadata={"drift": only | {"wasserstein": 0.2}}).severity == "major"


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"pis": 0.2}, "unknown measure 'pis'"),
        ({"chi_square": 0.2}, "measure 'chi_square' does not apply to a number column"),
        ({"psi": "high"}, "psi is 'high'; expected a number above 0, or None"),
        ({"psi": True}, "psi is True; expected a number above 0, or None"),
        ({"psi": -0.1}, "psi is -0.1; expected a number above 0, or None"),
        ({"psi": float("nan")}, "psi is nan; expected a number above 0, or None"),
        ({"distinct": 0.5}, "distinct is 0.5; expected a ratio above 1"),
        (0.2, "expected a dictionary of thresholds or None, got 0.2"),
    ],
)
def test_invalid_thresholds_are_refused(bounds, message):
    """The message names the schema and the column, what is wrong and what was expected."""

    class Sales(pa.DataFrameModel):
        """Sales."""

        x: pl.Int64 = pa.Field(metadata={"drift": bounds})

    with pytest.raises(DefinitionError, match=f"schema Sales, column 'x', drift: {message}"):
        check_thresholds(contract_of(Sales))


def test_valid_thresholds_are_accepted():
    """A measure may be None, and so may the whole table."""

    class Sales(pa.DataFrameModel):
        """Sales."""

        x: pl.Int64 = pa.Field(metadata={"drift": {"psi": 0.2, "ks": None, "distinct": 3}})
        y: pl.String = pa.Field(metadata={"drift": None})

    check_thresholds(contract_of(Sales))
    assert set(THRESHOLDS) < set(KNOWN)


def test_sampled_values_are_compared_below_the_smaller_limit():
    """Columns with equal values do not differ, even if one profile is sampled."""
    names = [f"customer {n}" for n in range(5_000)]
    large, small = names * 20, names[:1_000] * 100
    assert len(of(large).columns["x"].values.counts) == MAX_VALUES
    assert compare(large, large[::-1]).measures["l_infinity"] == 0.0
    histogram = categories(*both(large, small), same_hashes=True)
    assert set(histogram.before) == {20.0}
    assert set(histogram.after) == {0.0, 100.0}
    assert compare(large, small).severity == "major"


def test_rare_values_share_one_bin():
    """Identifiers that each occur once do not drift."""
    comparison = compare([f"a{n}" for n in range(900)], [f"b{n}" for n in range(900)])
    assert comparison.measures["psi"] == 0.0
    histogram = categories(*both(["a"] * 20 + ["b"], ["a"] * 20 + ["c"]), same_hashes=True)
    assert sorted(histogram.names) == ["'a'", RARE]


columns = st.sampled_from(
    [
        st.integers(0, 5),
        st.none() | st.integers(0, 1_000_000),
        st.sampled_from([0.0, 0.0, 0.0, 1.5, 1e9]),
        st.none() | st.sampled_from("abcdefgh"),
        st.booleans(),
        st.lists(st.just(1), max_size=4),
    ]
).flatmap(lambda values: st.lists(values, min_size=2, max_size=120))


@given(columns, st.integers(0, 9))
@settings(examples(100), derandomize=True)
def test_two_halves_of_one_sample_do_not_drift(values, seed):
    """Two random halves of any sample show no drift, however small the sample is."""
    random.Random(seed).shuffle(values)  # noqa: S311 - any order will do
    half = len(values) // 2
    assume(any(value is not None for value in values))
    dtype = pl.Series(values).dtype
    comparison = compare(values[:half], values[half:], dtype=dtype)
    assert (comparison.severity, comparison.reasons) == ("none", ())


UNEQUAL = {
    "many floats, one row": ([i / 7 for i in range(20_000)], [1.0]),
    "one row, many floats": ([1.0], [i / 7 for i in range(20_000)]),
    "many texts, one row": ([f"t{i}" for i in range(20_000)], ["t1"]),
    "huge floats": ([1e308, -1e308, 1e300], [-1e308, 1e308] * 9),
    "many numbers, one null": (list(range(5_000)), [None]),
    "lists, one row": ([[i] * (i % 40) for i in range(3_000)], [[1]]),
}


@pytest.mark.parametrize(("before", "after"), UNEQUAL.values(), ids=UNEQUAL)
def test_sides_of_very_unequal_sizes_are_compared(before, after):
    """One row says little, and the comparison does not fail."""
    profiles = [profile(pl.DataFrame({"x": side}, strict=False), dataset="sales") for side in (before, after)]
    [column] = drift(*profiles).columns
    assert not any(math.isnan(value) for value in column.measures.values())
    if len(after) == 1 and after != [None]:
        assert "distinct" not in "; ".join(column.reasons)
