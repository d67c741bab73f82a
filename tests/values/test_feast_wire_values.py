"""Feast's wire has whole seconds and decimals as text, the same in its JSON and its protobuf messages."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import polars as pl
import pytest

from featurestore.errors import ContractError
from featurestore.values.feast_wire import from_seconds, from_wire, to_wire

SECOND = datetime(1969, 12, 31, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        (pl.Datetime("us", "UTC"), SECOND, -1),
        (pl.List(pl.Datetime("us", "UTC")), [SECOND, None], [-1, None]),
        (pl.Date(), date(1970, 1, 2), 86_400),
        (pl.List(pl.Date), [None, date(1970, 1, 2)], [None, 86_400]),
        (pl.List(pl.Decimal(10, 2)), [Decimal("1.50"), None], ["1.50", None]),
        (pl.List(pl.UInt64), [2**64 - 1, None], ["18446744073709551615", None]),
        (pl.Array(pl.UInt64, 2), [None, 1], [None, "1"]),
        (pl.Decimal(20, 10), Decimal("0E-10"), "0.0000000000"),
        (pl.UInt64(), 2**64 - 1, "18446744073709551615"),
    ],
)
def test_a_value_becomes_its_wire_value(dtype, value, expected):
    """Timestamps are seconds before and after 1970, and no decimal has an exponent."""
    convert = to_wire("f", dtype)
    assert convert is not None
    assert convert(value) == expected


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        (pl.Date(), 86_400, "1970-01-02"),
        (pl.List(pl.Date), [None, -86_400], [None, "1969-12-31"]),
        (pl.UInt64(), "18446744073709551615", 2**64 - 1),
        (pl.Array(pl.UInt64, 2), [None, "1"], [None, 1]),
    ],
)
def test_a_wire_value_becomes_what_other_json_has(dtype, value, expected):
    """Dates are ISO 8601 text there, and integers are numbers."""
    convert = from_wire(dtype)
    assert convert is not None
    assert convert(value) == expected


def test_other_values_are_what_they_are():
    """No function is called for most features."""
    assert to_wire("f", pl.Float64()) is None
    assert to_wire("f", pl.List(pl.String)) is None


def test_a_fraction_of_a_second_is_refused():
    """Nothing is cut off silently; the message names the feature."""
    convert = to_wire("at", pl.Datetime("us", "UTC"))
    assert convert is not None
    with pytest.raises(ContractError, match=r"feature 'at': .* whole seconds"):
        convert(SECOND + timedelta(microseconds=1))


def test_seconds_become_a_timestamp_in_utc():
    """The way back, which fails for years that Python does not have."""
    assert from_seconds(-1) == SECOND
    with pytest.raises(OverflowError):
        from_seconds(2**62)
