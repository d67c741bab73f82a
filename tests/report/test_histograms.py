"""The bars of a plot are few, of equal width, and the same before and now."""

from datetime import date, timedelta

import polars as pl
import pytest

from featurestore.quality.profile.profile import profile
from featurestore.report.histograms import Bar, day_histogram, days_without_rows, number_histogram


def column(*values, dtype=None):
    return profile(pl.DataFrame({"x": pl.Series(values, dtype=dtype)}), dataset="d").columns["x"]


def test_few_whole_numbers_have_a_bar_each():
    """A whole number between them that does not occur has an empty bar."""
    before, now = column(1, 1, 2, 2), column(1, 2, 2, 4)
    assert number_histogram(before, now) == (
        Bar("1", 0.5, 0.25),
        Bar("2", 0.5, 0.5),
        Bar("3", 0.0, 0.0),
        Bar("4", 0.0, 0.25),
    )


def test_bars_end_at_round_numbers():
    """The width of a bar is 1, 2, 2.5 or 5 times a power of ten."""
    bars = number_histogram(None, column(*(i / 1000 for i in range(1000))))
    assert [bar.label for bar in bars[:3]] == ["0 to 0.05", "0.05 to 0.1", "0.1 to 0.15"]
    assert [round(bar.now, 3) for bar in bars] == [0.05] * 20


def test_sampled_values_are_spread_evenly_over_their_bins():
    """Fixed bins that are wider than the bars do not give a comb of full and empty bars."""
    bars = number_histogram(None, column(*(1000 + i / 10 for i in range(5000))))
    assert len(bars) == 25
    assert all(bar.now == pytest.approx(0.04, abs=0.002) for bar in bars)


def test_an_outlier_does_not_flatten_the_other_bars():
    """The last bar covers all values far out, and its label says so."""
    bars = number_histogram(None, column(*(n % 20 for n in range(400)), 10_000_000))
    assert len(bars) == 20
    assert bars[-1].label == "19 and above"
    assert sum(bar.now for bar in bars) == pytest.approx(1)


def test_below_zero():
    """Bars of negative numbers come first."""
    bars = number_histogram(None, column(-3.0, -2.5, 0.0, 3.0))
    assert bars[0].label == "-3 to -2.8"
    assert bars[-1] == Bar("2.8 to 3", None, 0.25)
    assert sum(bar.now for bar in bars) == 1


def test_one_value_and_no_value():
    """One value is one bar; a column without values has none."""
    assert number_histogram(None, column(7, 7)) == (Bar("7", None, 1.0),)
    assert number_histogram(None, column(dtype=pl.Int64)) == ()
    assert day_histogram(None, column(dtype=pl.Date)) == ()


def test_days_without_rows_are_bars_too():
    """Every day from the first to the last has a bar."""
    now = column(date(2024, 1, 1), date(2024, 1, 1), date(2024, 1, 4))
    assert day_histogram(column(date(2024, 1, 2)), now) == (
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
def test_many_days_are_grouped(days, first, bars):
    """Many days are counted by week, month or year, so that a phone can show the bars."""
    histogram = day_histogram(None, column(*(date(2024, 1, 1) + timedelta(days=n) for n in range(days))))
    assert (histogram[0].label, len(histogram)) == (first, bars)
    assert sum(bar.now for bar in histogram) == days
