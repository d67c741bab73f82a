"""Quantiles and numbers of different values: exact and within a bound, joined offline and read online.

Run: python benchmarks/windows_approximate.py [--small]

Offline, five windows over the events of ``benchmarks/windows.py`` are joined to entity rows, beside a range join in DuckDB. Online,
five windows are read over one key with many events. It prints seconds and microseconds of the processor, the KiB that are
stored of the key, and how far the results are from the exact ones, in percent.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from peers import runnable
from windows import HOURS, TIMING, make_data
from windows_online import microseconds_each, row

from featurestore import windows
from featurestore.timing.join import AS_OF
from featurestore.values.codec import HEADER, seal
from featurestore.values.event_codec import EMPTY_HEAD, decode_block, decode_head, encode_head
from featurestore.windows.blocks import KeyEvents
from featurestore.windows.join import windows_at
from featurestore.windows.measures import Measures
from featurestore.windows.one_key import KeyWindows
from featurestore.windows.open_head import OpenHead
from featurestore.windows.stored_columns import StoredColumns

if TYPE_CHECKING:
    from featurestore.windows.aggregation import Aggregation

SECOND = 1_000_000
YEAR = 365 * 86_400 * SECOND
LENGTHS = {name: {"over": name} for name in HOURS}
DECLARED = {
    "distinct": lambda over: windows.distinct("user", **over),
    "approximate_distinct, 0.1": lambda over: windows.approximate_distinct("user", error=0.1, **over),
    "approximate_distinct, 0.02": lambda over: windows.approximate_distinct("user", error=0.02, **over),
    "quantile": lambda over: windows.quantile("amount", 0.95, **over),
    "approximate_quantile, 0.01": lambda over: windows.approximate_quantile(
        "amount", 0.95, error=0.01, **over
    ),
    "approximate_quantile, 0.001": lambda over: windows.approximate_quantile(
        "amount", 0.95, error=0.001, **over
    ),
}
IN_DUCKDB = {
    "approx_count_distinct": "approx_count_distinct(e.user)",
    "quantile_disc": "quantile_disc(e.amount, 0.95)",
}


def cpu(work) -> tuple[float, pl.DataFrame]:  # noqa: ANN001 - any function of no arguments
    """Return the seconds of the processor that work takes, and its result."""
    start = time.process_time()
    result = work()
    return time.process_time() - start, result


def offline(events: pl.DataFrame, entity_rows: pl.DataFrame) -> None:
    """Print the times of the joins, and how far the results are from the exact ones."""
    questions = entity_rows.with_row_index("row").sort("customer", "event_timestamp")
    questions = questions.rename({"event_timestamp": AS_OF})
    print(f"{'offline':<44}{'CPU, s':>12}{'mean, %':>12}{'max, %':>12}")
    for name, declare in DECLARED.items():
        declared = {length: declare(over) for length, over in LENGTHS.items()}
        seconds, joined = cpu(
            lambda declared=declared: windows_at(
                questions, events, declared, keys=["customer"], timing=TIMING
            )
        )
        if "," not in name:
            exact = joined
        cells, right = (
            pl.concat([frame[length].cast(pl.Float64) for length in LENGTHS]) for frame in (joined, exact)
        )
        errors = pl.DataFrame({"a": cells, "b": right}).filter(pl.col("b") > 0)
        shares = errors.select(((pl.col("a") / pl.col("b") - 1).abs() * 100).alias("share"))["share"]
        print(f"{name:<44}{seconds:>12,.2f}{shares.mean():>12,.2f}{shares.max():>12,.2f}")
    if not runnable("duckdb", ("duckdb",)):
        return
    import duckdb  # noqa: PLC0415 - a peer

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("q", entity_rows.with_row_index("row").to_arrow())
        connection.register("e", events.to_arrow())
        for name, aggregate in IN_DUCKDB.items():
            queries = [
                f"""SELECT q.row, {aggregate} FROM q LEFT JOIN e ON e.customer = q.customer
                    AND e.event_timestamp <= q.event_timestamp AND e.created_timestamp <= q.event_timestamp
                    AND e.event_timestamp > q.event_timestamp - INTERVAL {hours} HOUR GROUP BY q.row"""
                for hours in HOURS.values()
            ]
            seconds, _ = cpu(
                lambda queries=queries: [connection.sql(sql).to_arrow_table() for sql in queries][-1]
            )
            print(f"{f'DuckDB range join, {name}':<44}{seconds:>12,.2f}")


class Key:
    """The row and the blocks of a key, as an online store holds them."""

    def __init__(self, declared: dict[str, Aggregation], events: pl.DataFrame) -> None:
        columns = StoredColumns.of(declared)
        self.measures = Measures(declared, columns, events.schema)
        self.windows = KeyWindows(declared, list(declared), columns, events.schema)
        self.blocks: dict[int, bytes] = {}
        self.row = seal(b"", bytes(HEADER.size) + encode_head(EMPTY_HEAD))
        self.rows = events.select("timestamp", *columns.values(events.schema)).rows()

    def append(self, events: list[tuple]) -> None:
        """Write events."""
        key = KeyEvents(decode_head(self.row), self.measures, self.fetch)
        key.append(events)
        self.row = seal(b"", bytes(HEADER.size) + encode_head(key.head()))
        self.blocks |= key.written

    def fetch(self, wanted: list[tuple[int, int]]) -> list[bytes]:
        """Read blocks."""
        return [self.blocks[number] for number, _ in wanted]

    def opened(self) -> OpenHead:
        """Decode the row."""
        return OpenHead(decode_head(self.row))

    def read(self, now: int, opened: OpenHead | None = None) -> list:
        """Compute the windows: from the stored bytes, or from what reads of the opened row have left."""
        values, started = self.windows.start(opened or self.opened(), now)
        for asking in started:
            try:
                wanted = next(asking)
                while True:
                    (number, *_), is_leaf = wanted
                    wanted = asking.send(decode_block(self.blocks[number], is_leaf=is_leaf))
            except StopIteration:
                continue
        return values


def online(count: int, reads: int) -> None:
    """Print the size of the row of a key, and the times of reads and of new events."""
    random = np.random.default_rng(0)
    events = pl.DataFrame(
        {
            "timestamp": np.sort(random.integers(0, YEAR, count + reads)),
            "amount": random.lognormal(3, 1, count + reads).round(2),
            "user": random.integers(0, count, count + reads),
        }
    )
    print(f"\n{'online, us (a key with ' + format(count, ',') + ' events)':<44}{'p50':>12}{'p99':>12}")
    for name, declare in DECLARED.items():
        if "," not in name:
            continue
        lengths = {**LENGTHS, "lifetime": {"over": "lifetime"}}
        key = Key({length: declare(over) for length, over in lengths.items() if length != "6h"}, events)
        key.append(key.rows[:count])
        size = (len(key.row) + sum(map(len, key.blocks.values()))) / 1024
        timestamps = (YEAR + random.integers(0, 3 * 86_400_000_000, reads)).tolist()
        print(row(f"{name}: read", microseconds_each([partial(key.read, now) for now in timestamps])))
        print(row(f"{name}: the next read, 0.1 s later", next_reads(key, reads)))
        new = [partial(key.append, [event]) for event in key.rows[count:]]
        print(row(f"{name}: new event", microseconds_each(new)))
        print(f"{name + ': stored of the key, KiB':<44}{size:>12,.0f}")


def next_reads(key: Key, reads: int) -> np.ndarray:
    """Read again and again, as time goes on."""
    opened = key.opened()
    key.read(YEAR, opened)
    return microseconds_each(
        [partial(key.read, YEAR + number * SECOND // 10, opened) for number in range(1, reads)]
    )


def exact(count: int, reads: int) -> None:
    """Print how long windows take that read each of their events."""
    random = np.random.default_rng(0)
    events = pl.DataFrame(
        {
            "timestamp": np.sort(random.integers(0, YEAR, count)),
            "amount": random.lognormal(3, 1, count),
            "user": random.integers(0, count, count),
        }
    )
    for name in ("distinct", "quantile"):
        for days in (10, 70, 300):
            key = Key({name: DECLARED[name]({"over": f"{days}d"})}, events)
            key.append(key.rows)
            number = events.filter(pl.col("timestamp") > YEAR - days * 86_400 * SECOND).height
            first = microseconds_each([partial(key.read, YEAR)] * reads)
            print(row(f"{name} of {number:,} events: read", first))
            print(row(f"{name} of {number:,} events: the next read", next_reads(key, 1_000)))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="tiny data, to see that it runs")
    small = parser.parse_args().small
    with TemporaryDirectory() as folder:
        make_data(Path(folder), *((2_000, 200) if small else (200_000, 40_000)))
        events = pl.read_parquet(Path(folder) / "events.parquet")
        entity_rows = pl.read_parquet(Path(folder) / "entity_rows.parquet")
    user = (pl.int_range(pl.len()).hash(9) % 100_000).cast(pl.String)
    offline(events.with_columns(user=user), entity_rows)
    online(*((2_000, 20) if small else (100_000, 500)))
    exact(*((2_000, 2) if small else (100_000, 10)))


if __name__ == "__main__":
    main()
