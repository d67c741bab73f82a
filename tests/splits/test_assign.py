"""Rows are assigned to train, validation and test by rules that further rows cannot change."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import examples

from featurestore import random_split, time_split
from featurestore.errors import ContractError, DefinitionError
from featurestore.splits.assign import assign
from featurestore.splits.measure import (
    EntityOverlap,
    SplitError,
    SplitPart,
    overlap_of_entities,
    overlap_of_time,
    require_every_split,
    warnings_of,
)

START = datetime(2024, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
KEY = ("customer", "event_timestamp")


def rows_of(count: int, customers: int = 1_000_000) -> pl.DataFrame:
    """Make one row a minute, of customers in turn; one in ten is late."""
    number = pl.int_range(count, eager=True)
    return pl.DataFrame(
        {
            "customer": number % customers,
            "event_timestamp": START + number * timedelta(minutes=1),
            "late": number % 10 == 0,
        },
        schema_overrides={"event_timestamp": pl.Datetime("us", "UTC")},
    )


def shares(rows: pl.DataFrame) -> dict[str, float]:
    """Return the share of the rows of each split."""
    return {name: count / rows.height for name, count in rows.group_by("split").len().sort("split").rows()}


@given(st.integers(0, 2**40), st.floats(0.05, 0.45), st.floats(0.05, 0.45), st.integers(0, 400))
@examples(20)
def test_further_rows_move_no_row(seed, validation, test, start):
    """A row is in the same split without the others, in another order, and under another share of validation."""
    strategy = random_split(validation=validation, test=test, seed=seed)
    every = assign(rows_of(500), [strategy], KEY)
    part = assign(rows_of(500)[start:].reverse(), [strategy], KEY)
    assert part.reverse().equals(every[start:])
    fewer = assign(rows_of(500), [random_split(validation=validation / 2, test=test, seed=seed)], KEY)
    assert fewer.filter(split="test").equals(every.filter(split="test"))


def test_shares_hold_within_chance_also_in_each_class():
    """Each share is within four standard deviations, in all rows and in each class."""
    rows = assign(rows_of(20_000), [random_split(validation=0.1, test=0.2, seed=5)], KEY)
    for part in (rows, rows.filter("late"), rows.filter(~pl.col("late"))):
        for name, share in (("train", 0.7), ("validation", 0.1), ("test", 0.2)):
            assert abs(shares(part)[name] - share) < 4 * (share * (1 - share) / part.height) ** 0.5


@given(st.integers(), st.lists(st.integers(0, 9) | st.none(), min_size=1, max_size=60))
@examples(20)
def test_a_group_is_in_one_split(seed, customers):
    """All rows of a customer are in one split, those without a customer included."""
    rows = rows_of(len(customers)).with_columns(customer=pl.Series(customers, dtype=pl.Int64))
    assigned = assign(rows, [random_split(test=0.5, seed=seed, by="customer")], KEY)
    assert assigned.group_by("customer").agg(pl.col("split").n_unique())["split"].to_list() == [1] * len(
        set(customers)
    )


def test_time_decides_and_a_gap_is_left_out():
    """Train ends a gap before validation, and validation a gap before test; the edges are exact."""
    rows = rows_of(6).with_columns(event_timestamp=START + pl.Series([0, 1, 2, 3, 4, 5]) * DAY)
    strategy = time_split(validation_from="2024-01-03T00:00:00Z", test_from=START + 4 * DAY, gap="2d")
    assert assign(rows, [strategy], KEY)["split"].to_list() == [
        *("train", "gap", "validation", "gap", "test", "test")
    ]
    without = time_split(validation_from=START + 2 * DAY, test_from=START + 4 * DAY)
    assert assign(rows, [without], KEY)["split"].to_list() == [
        *("train", "train", "validation", "validation", "test", "test")
    ]
    before = rows.with_columns(pl.col("event_timestamp") - timedelta(microseconds=1))
    assert assign(before, [strategy], KEY)["split"].to_list()[:3] == ["train", "gap", "gap"]


def test_a_label_must_be_known_before_a_later_split_begins():
    """Without a gap, a row whose label is known too late, or never, is left out."""
    rows = rows_of(5).with_columns(
        event_timestamp=START + pl.Series([0, 1, 2, 3, 4]) * DAY,
        known=START + pl.Series([3, 4, None, 3, None]) * DAY,
    )
    strategy = time_split(test_from=START + 3 * DAY)
    expected = ["train", "gap", "gap", "test", "test"]
    assert assign(rows, [strategy], KEY, pl.col("known").dt.epoch("us"))["split"].to_list() == expected
    matured = assign(rows, [strategy], KEY, (pl.col("event_timestamp") + 2 * DAY).dt.epoch("us"))
    assert matured["split"].to_list() == ["train", "train", "gap", "test", "test"]


def test_strategies_must_agree():
    """By time and by customer: test has later rows of customers that train does not know; the rest is left out."""
    strategies = [
        time_split(test_from=START + timedelta(minutes=500)),
        random_split(test=0.3, seed=1, by="customer"),
    ]
    rows = assign(rows_of(1_000, customers=50), strategies, KEY)
    test, train = rows.filter(split="test"), rows.filter(split="train")
    assert set(test["customer"]) & set(train["customer"]) == set()
    assert test["event_timestamp"].min() > train["event_timestamp"].max()
    assert rows.filter(split="crossing").height == 1_000 - test.height - train.height > 0


def test_overlap_is_measured():
    """The share of rows with a known entity, and of train rows that are not earlier; a missing key names no entity."""
    rows = rows_of(5).with_columns(
        customer=pl.Series([1, 2, 1, None, 3]),
        split=pl.Series(["train", "test", "test", "test", "train"]),
    )
    assert overlap_of_entities(rows, "test", ("customer",)) == EntityOverlap(("customer",), 0.5)
    assert overlap_of_time(rows, "test") == 0.5
    assert overlap_of_time(rows.with_columns(event_timestamp=START), "test") == 0.0


def test_shares_far_from_the_declared_ones_are_a_warning():
    """One group with most rows makes a split larger or smaller; rows without groups, and sampled rows, do not warn."""

    def part(rows: int) -> SplitPart:
        return SplitPart(rows=rows, labels={}, digest="", first=START, last=START)

    grouped = random_split(test=0.2, seed=1, by="customer")
    far = {"train": part(95), "test": part(5)}
    [warning] = warnings_of(far, [grouped])
    assert warning == (
        "test has 5.0% of the rows, and its declared share is 20.0%: the groups of customer differ in size; another seed, "
        "or smaller groups, come nearer"
    )
    assert not list(warnings_of({"train": part(85), "test": part(15)}, [grouped]))
    assert not list(warnings_of(far, [random_split(test=0.2, seed=1)]))
    assert not list(warnings_of(far, [grouped], train_rows=20))


def test_a_split_must_have_every_class():
    """A split without rows, without a class of the label or without a stratum is refused, with the values as fields."""
    split = random_split(validation=0.1, test=0.2, seed=1, stratify="city")
    rows = rows_of(6).with_columns(split=pl.Series(["train", "validation", "test"] * 2), city=pl.lit("Rome"))
    require_every_split(rows.with_columns(late=pl.int_range(6) < 3), [split], "late", where="x")
    with pytest.raises(SplitError, match="split 'validation' lacks 1 value of 'late': True;") as caught:
        require_every_split(rows, [split], "late", where="x")
    assert isinstance(caught.value, ContractError)
    assert (caught.value.split, caught.value.column, caught.value.missing) == (
        "validation",
        "late",
        ("True",),
    )
    with pytest.raises(SplitError, match="'test' has no rows; rows by split: train 2, validation 2, test 0"):
        require_every_split(rows.filter(pl.col("split") != "test"), [split], "late", where="x")
    cities = rows.with_columns(
        late=pl.lit(1.5), city=pl.Series(["Rome", "Rome", "Rome", "Oslo", "Oslo", "Rome"])
    )
    with pytest.raises(SplitError, match="'test' lacks 1 value of 'city': Oslo"):
        require_every_split(cities, [split], "late", where="x")
    with pytest.raises(SplitError, match=r"lacks 1 value of 'city': \(personal\)"):
        require_every_split(cities, [split], "late", where="x", personal=["city"])


@pytest.mark.parametrize(
    ("declare", "message"),
    [
        (lambda: random_split(seed=1), "0 of the rows together"),
        (lambda: random_split(test=1.0, seed=1), "test is 1.0; expected a share"),
        (lambda: random_split(test=float("nan"), seed=1), "test is nan"),
        (lambda: random_split(test=-0.1, seed=1), "test is -0.1"),
        (lambda: random_split(test=True, seed=1), "test is True; expected a number"),
        (lambda: random_split(test=0.5, validation=0.5, seed=1), "1 of the rows together"),
        (lambda: random_split(train=0.8, test=0.3, seed=1), "add up to 1.1; expected 1"),
        (lambda: random_split(test=0.3, seed="a"), "seed is 'a'"),
        (lambda: random_split(test=0.3, seed=1, by=3), "by is 3; expected names"),
        (lambda: random_split(test=0.3, seed=1, by=[]), "by: no columns are named"),
        (lambda: random_split(test=0.3, seed=1, stratify=["a", "a"]), "stratify: 'a' is named twice"),
        (time_split, "neither"),
        (lambda: time_split(test_from="soon"), "'soon' is not a timestamp"),
        (lambda: time_split(test_from="2024-01-01T00:00:00"), "has no time zone"),
        (lambda: time_split(test_from=START, validation_from=START), "validation begins at"),
        (lambda: time_split(test_from=START, gap="a day"), "gap is 'a day'"),
        (lambda: time_split(test_from=START, gap="-1d"), "gap is '-1d'"),
        (lambda: time_split(test_from=START, gap=timedelta(-1)), "gap is"),
        (lambda: time_split(test_from=START, gap=f"{10**12}d"), "gap is"),
    ],
)
def test_a_split_that_cannot_be(declare, message):
    """Shares, seeds and times that say nothing are refused where they are declared."""
    with pytest.raises(DefinitionError, match=message):
        declare()
