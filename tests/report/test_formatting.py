"""How numbers read."""

import pytest

from featurestore.report.words import breakable, number, share, short


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
def test_numbers_have_the_digits_that_tell_something(value, text):
    """A year has no comma, a count of rows does."""
    assert number(value) == text


@pytest.mark.parametrize(
    ("part", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.00001, "<0.01 %"),
        (0.99999, ">99.99 %"),
        (0.0123, "1.23 %"),
        (0.123, "12.3 %"),
        (0.9995, "99.95 %"),
    ],
)
def test_a_share_is_none_or_all_only_where_it_is(part, text):
    """One row in a million is not 0 %."""
    assert share(part) == text


def test_long_words_are_cut_and_may_be_parted():
    """Names break where their parts end, and stay text."""
    assert short("x" * 50) == "x" * 39 + "…"
    assert breakable("dep_delay.in_range(<1)") == "dep_<wbr>delay.<wbr>in_<wbr>range(&lt;1)"
