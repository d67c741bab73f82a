"""The real flights: equal distributions do not drift, and moved ones do."""

from pathlib import Path

import polars as pl
import pytest
from corruptions import Raw

from featurestore.quality.change.drift import drift
from featurestore.quality.profile.profile import profile


@pytest.fixture(scope="module")
def months():
    """The halves of each month, by the schedule, and their contract."""
    rows, contract = Raw(Path(__file__).parents[2])["raw_flights"]
    flights = rows.with_columns(pl.col("month", "day", "distance").cast(pl.Int64))
    parts = {
        (month, late): flights.filter(month=month).filter((pl.col("day") > 15) == late)
        for month in range(1, 13)
        for late in (False, True)
    }
    return parts, contract


def severity(before, after, contract, name="distance"):
    sides = [profile(frame.select(name), dataset="flights", contract=None) for frame in (before, after)]
    [column] = drift(*sides, contract.columns).columns
    return column.severity


@pytest.mark.parametrize("month", range(1, 13))
def test_the_halves_of_a_month_do_not_differ_in_distance(months, month):
    """They do not differ in the airports of departure either."""
    parts, contract = months
    halves = parts[month, False], parts[month, True]
    assert severity(*halves, contract) == "none"
    assert severity(*halves, contract, "origin") == "none"


@pytest.mark.parametrize("month", [1, 7])
def test_a_mean_that_moves_by_half_a_deviation_is_strong_drift(months, month):
    """This holds for any shape of the distribution."""
    parts, contract = months
    before, after = parts[month, False], parts[month, True]
    deviation = before["distance"].std()
    assert (
        severity(before, after.with_columns(pl.col("distance") + round(deviation / 2)), contract) == "major"
    )


def test_an_airport_that_closes_is_strong_drift(months):
    """All of its flights leave from another one."""
    parts, contract = months
    closed = parts[1, True].with_columns(pl.col("origin").replace("LGA", "JFK"))
    assert severity(parts[1, False], closed, contract, "origin") == "major"
