"""Numbers, shares and names as text on a page."""

from datetime import timedelta

import pytest

from featurestore.report.formatting import breakable, count, measured, number, share, short


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\u2013"),
        (2013, "2013"),
        (336776, "336,776"),
        (336776.0, "336,776"),
        (-9999, "-9999"),
        (1039.9126, "1040"),
        (123456.7, "123,457"),
        (12.63907, "12.64"),
        (0.000012345, "1.234e-05"),
        (10**20, "1.000e+20"),
        (1.5e300, "1.5e+300"),
    ],
)
def test_numbers_have_about_four_digits(value, text):
    """A value below 10,000 has no separator, because it may be a year."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0, "0%"),
        (1, "100%"),
        (0.00001, "<0.01%"),
        (0.99999, ">99.99%"),
        (0.0123, "1.23%"),
        (0.123, "12.3%"),
        (0.9995, "99.95%"),
    ],
)
def test_a_share_is_0_or_100_percent_only_where_that_is_exact(part, text):
    """One row in a million is not 0%."""
    assert share(part) == text


def test_counts_have_separators():
    """A count is never a year."""
    assert [count(n) for n in (7, 2013, 336776)] == ["7", "2,013", "336,776"]


def test_long_names_are_cut_or_broken():
    """A name may break between its parts, and its characters are escaped."""
    assert short("x" * 50) == "x" * 39 + "…"
    assert breakable("dep_delay.in_range(<1)") == "dep_<wbr>delay.<wbr>in_<wbr>range(&lt;1)"


def test_a_measured_duration_is_written_in_words():
    """A number has its digits; a duration has its units."""
    assert (measured(timedelta(hours=25)), measured(0.5)) == ("1 day 1 hour", "0.5")
