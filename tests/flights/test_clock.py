"""Local times become UTC by the airport's time zone, worked out by hand."""

from datetime import datetime

import polars as pl
import pytest

from feature_repo.clock import minutes_of, to_local, to_utc
from tests.flights.times import utc


@pytest.mark.parametrize(
    ("zone", "local", "expected"),
    [
        ("America/New_York", "01-01 05:15", "01-01 10:15"),
        ("America/New_York", "07-01 05:15", "07-01 09:15"),
        # Clocks go forward on March 10th at 02:00: no clock showed 02:30.
        ("America/New_York", "03-10 01:59", "03-10 06:59"),
        ("America/New_York", "03-10 02:30", None),
        ("America/New_York", "03-10 03:00", "03-10 07:00"),
        # They go back on November 3rd at 02:00: 01:30 occurs twice, and the first is taken.
        ("America/New_York", "11-03 00:59", "11-03 04:59"),
        ("America/New_York", "11-03 01:30", "11-03 05:30"),
        ("America/New_York", "11-03 02:00", "11-03 07:00"),
        # No daylight saving in Arizona, Hawaii and Puerto Rico.
        ("America/Phoenix", "07-01 12:00", "07-01 19:00"),
        ("America/Phoenix", "12-01 12:00", "12-01 19:00"),
        ("Pacific/Honolulu", "07-01 12:00", "07-01 22:00"),
        ("America/Puerto_Rico", "07-01 12:00", "07-01 16:00"),
        ("Nowhere/Land", "07-01 12:00", None),
    ],
)
def test_local_to_utc(zone, local, expected):
    """Daylight saving is that of the place and the day."""
    frame = pl.DataFrame({"local": [datetime.strptime(f"2013-{local}", "%Y-%m-%d %H:%M")], "zone": [zone]})  # noqa: DTZ007
    [timestamp] = frame.select(to_utc(pl.col("local"), pl.col("zone"))).to_series()
    assert timestamp == (utc(expected) if expected else None)


def test_there_and_back():
    """Every timestamp of the year returns from local time, but in the hour that occurs twice."""
    timestamps = pl.datetime_range(utc("01-01 00:00"), utc("12-31 23:00"), "1h", time_unit="us", eager=True)
    frame = pl.DataFrame({"timestamp": timestamps, "zone": ["America/New_York"] * len(timestamps)})
    local = to_local(pl.col("timestamp"), pl.col("zone"))
    differs = frame.filter(to_utc(local, pl.col("zone")) != pl.col("timestamp"))
    assert differs["timestamp"].to_list() == [utc("11-03 06:00")]


def test_clock_times():
    """HHMM counts minutes since midnight, and 2400 is the midnight that follows."""
    clock = pl.DataFrame({"hhmm": [1, 59, 100, 1545, 2359, 2400, None]})
    assert clock.select(minutes_of(pl.col("hhmm"))).to_series().to_list() == [
        1,
        59,
        60,
        945,
        1439,
        1440,
        None,
    ]
