"""The bars of a plot: few, of one width, the same for then and now."""

from datetime import date, timedelta

import polars as pl
import pytest

from featurestore.quality.profile.profile import profile
from featurestore.report.bars import Bar, day_bars, days_without_rows, number_bars


def column(*values, dtype=None):
    return profile(pl.DataFrame({"x": pl.Series(values, dtype=dtype)}), dataset="d").columns["x"]


def test_whole_numbers_that_are_few_have_a_bar_each():
    """Between them, where there is none, too."""
    then, now = column(1, 1, 2, 2), column(1, 2, 2, 4)
    assert number_bars(then, now) == (
        Bar("1", 0.5, 0.25),
        Bar("2", 0.5, 0.5),
        Bar("3", 0.0, 0.0),
        Bar("4", 0.0, 0.25),
    )


def test_bounds_are_numbers_that_people_count_in():
    """A step is 1, 2, 2.5 or 5 times a power of ten; a thousand values give at most some 30 bars."""
    bars = number_bars(None, column(*(i / 1000 for i in range(1000))))
    assert [bar.label for bar in bars[:3]] == ["0 to 0.05", "0.05 to 0.1", "0.1 to 0.15"]
    assert [round(bar.now, 3) for bar in bars] == [0.05] * 20


def test_values_that_are_too_many_to_list_lie_evenly_in_their_bins():
    """The fixed bins are wider than the bars here, and leave no comb of full and empty ones."""
    bars = number_bars(None, column(*(1000 + i / 10 for i in range(5000))))
    assert len(bars) == 25
    assert all(bar.now == pytest.approx(0.04, abs=0.002) for bar in bars)


def test_an_outlier_does_not_flatten_the_others():
    """What lies far out is gathered in the last bar, which says so."""
    bars = number_bars(None, column(*(n % 20 for n in range(400)), 10_000_000))
    assert len(bars) == 20
    assert bars[-1].label == "19 and above"
    assert sum(bar.now for bar in bars) == pytest.approx(1)


def test_below_zero():
    """Negative numbers lie left of the others."""
    bars = number_bars(None, column(-3.0, -2.5, 0.0, 3.0))
    assert bars[0].label == "-3 to -2.8"
    assert bars[-1] == Bar("2.8 to 3", None, 0.25)
    assert sum(bar.now for bar in bars) == 1


def test_one_value_and_none():
    """One value is one bar; a column without values has none."""
    assert number_bars(None, column(7, 7)) == (Bar("7", None, 1.0),)
    assert number_bars(None, column(dtype=pl.Int64)) == ()
    assert day_bars(None, column(dtype=pl.Date)) == ()


def test_days_without_rows_are_bars_too():
    """From the first day to the last."""
    now = column(date(2024, 1, 1), date(2024, 1, 1), date(2024, 1, 4))
    assert day_bars(column(date(2024, 1, 2)), now) == (
        Bar("2024-01-01", 0, 2),
        Bar("2024-01-02", 1, 0),
        Bar("2024-01-03", 0, 0),
        Bar("2024-01-04", 0, 1),
    )
    assert days_without_rows(now) == (4, 2)


@pytest.mark.parametrize(
    ("days", "first", "bars"),
    [(62, "2024-01-01", 62), (364, "week of 2024-01-01", 52), (1000, "2024-01", 33), (3000, "2024", 9)],
)
def test_many_days_are_counted_together(days, first, bars):
    """By week, month or year, so that a phone shows them."""
    made = day_bars(None, column(*(date(2024, 1, 1) + timedelta(days=n) for n in range(days))))
    assert (made[0].label, len(made)) == (first, bars)
    assert sum(bar.now for bar in made) == days
