"""Local clock times to UTC and back, each row in its own time zone, daylight saving included."""

import polars as pl

from schemas.airports import ZONES


def minutes_of(hhmm: pl.Expr) -> pl.Expr:
    """Return the minutes since midnight of a clock time written HHMM; 2400 is the midnight that follows."""
    return hhmm // 100 * 60 + hhmm % 100


def to_utc(local: pl.Expr, zone: pl.Expr) -> pl.Expr:
    """Return the UTC timestamp of a local time without zone.

    If an hour occurs twice, the first one counts. An hour that no clock showed is null.
    """
    return pl.coalesce(
        pl.when(zone == name).then(
            local.dt.replace_time_zone(name, ambiguous="earliest", non_existent="null").dt.convert_time_zone(
                "UTC"
            )
        )
        for name in ZONES
    )


def to_local(timestamp: pl.Expr, zone: pl.Expr) -> pl.Expr:
    """Return the local time, without zone, of a UTC timestamp."""
    return pl.coalesce(
        pl.when(zone == name).then(timestamp.dt.convert_time_zone(name).dt.replace_time_zone(None))
        for name in ZONES
    )
