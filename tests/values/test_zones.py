"""Timestamps in named time zones are the same instants in Polars, in Python and in JSON, in any year and zone."""

from datetime import UTC, datetime, timedelta
from zoneinfo import available_timezones

import msgspec
import polars as pl
import pytest

from featurestore.timing.epoch import microseconds
from featurestore.values.codec import decode_rows, encode_rows, open_row
from featurestore.values.plain import from_stored, in_utc_zone

# Not zones: a placeholder, and the zone of the machine.
ZONES = sorted(available_timezones() - {"Factory", "localtime"})
INSTANTS = [
    datetime(1850, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
    datetime(1883, 11, 18, 17, 1, tzinfo=UTC),
    datetime(1900, 1, 1, tzinfo=UTC),
    datetime(1941, 6, 1, 12, 30, tzinfo=UTC),
    datetime(1955, 1, 1, 0, 0, 0, 123_456, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
    # The hours around a gap and a fold: of Europe, of the United States, of Lord Howe (half an hour).
    *(datetime(2024, 3, 31, 1, tzinfo=UTC) + step * timedelta(minutes=30) for step in range(-2, 3)),
    *(datetime(2024, 10, 27, 1, tzinfo=UTC) + step * timedelta(minutes=30) for step in range(-2, 3)),
    *(datetime(2024, 11, 3, 6, tzinfo=UTC) + step * timedelta(minutes=30) for step in range(-2, 3)),
    *(datetime(2024, 4, 6, 15, tzinfo=UTC) + step * timedelta(minutes=15) for step in range(-2, 3)),
    datetime(2100, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
]


@pytest.mark.parametrize("unit", ["us", "ms"])
def test_every_zone_keeps_every_instant(unit):
    """Stored, read as a frame, read as Python values, and sent as JSON, an instant is the same in every zone."""
    ticks = [microseconds(instant) // {"us": 1, "ms": 1_000}[unit] for instant in INSTANTS]
    expected = [pl.Series([tick]).cast(pl.Datetime(unit, "UTC")).item() for tick in ticks]
    for zone in ZONES:
        dtype = pl.Datetime(unit, zone)
        frame = pl.DataFrame({"k": range(len(ticks)), "t": pl.Series(ticks).cast(dtype)}).with_columns(
            event_timestamp=pl.lit(INSTANTS[0], pl.Datetime("us", "UTC"))
        )
        stored = list(encode_rows(frame, ["k"], pl.Schema({"t": dtype})))
        rows = [row for _, row in stored]
        assert decode_rows(rows, pl.Schema({"t": dtype}))["t"].to_physical().to_list() == ticks, zone
        convert = from_stored(dtype)
        values = [convert(open_row(key, row)[1][0]) for key, row in stored]
        assert values == in_utc_zone(frame)["t"].to_list() == expected, zone
        assert msgspec.json.decode(msgspec.json.encode(values), type=list[datetime]) == expected, zone
        # And back: a value that was read is the same instant as an input of an on-demand view.
        assert pl.DataFrame({"t": values}, schema={"t": dtype})["t"].to_physical().to_list() == ticks, zone


def test_lists_of_timestamps_are_read_in_utc():
    """Timestamps in lists and arrays are the same instants too."""
    zoned = pl.Datetime("us", "Africa/Bamako")
    frame = pl.DataFrame(
        {"l": [[INSTANTS[4], None]], "a": [[INSTANTS[0], INSTANTS[4]]]},
        schema={"l": pl.List(zoned), "a": pl.Array(zoned, 2)},
    )
    assert in_utc_zone(frame).rows() == [([INSTANTS[4], None], [INSTANTS[0], INSTANTS[4]])]
