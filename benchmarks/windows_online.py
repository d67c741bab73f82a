"""Windows online: one key with a million events and five windows, read in process from the embedded store.

Run: python benchmarks/windows_online.py [--small]
"""

from __future__ import annotations

import argparse
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from featurestore import windows
from featurestore.adapters.lmdb import LmdbStore
from featurestore.definitions.feature_service import feature_service
from featurestore.storage.files import write_parquet
from featurestore.storage.layout import Layout
from featurestore.storage.made_by import metadata_of
from featurestore.storage.online import advance_to
from featurestore.storage.views import log_rows
from featurestore.testing.strategies import START
from featurestore.testing.window_histories import WindowHistory
from featurestore.timing.known_at import Timing
from featurestore.values.codec import HEADER, encode_keys, seal
from featurestore.values.event_codec import decode_head, encode_head
from featurestore.vectors.reader import VectorReader
from featurestore.windows.blocks import KeyEvents
from featurestore.windows.measures import Measures
from featurestore.windows.stored_columns import StoredColumns

YEAR = timedelta(days=365)
WINDOWS = {
    "count_1h": windows.count(over="1h"),
    "sum_1d": windows.sum("x", over="1d"),
    "mean_7d": windows.mean("x", over="7d"),
    "max_30d": windows.max("x", over="30d"),
    "variance_lifetime": windows.variance("x", over="lifetime"),
}
KEY = {"k": "busy", "n": 0}


def events_of_a_year(count: int, history: WindowHistory) -> pl.DataFrame:
    """Return events of one key at random timestamps of a year, in order."""
    random = np.random.default_rng(0)
    timestamps = np.sort(random.integers(0, YEAR // timedelta(microseconds=1), count))
    frame = pl.DataFrame(
        {
            "k": ["busy"],
            "n": [0],
            "event_timestamp": [START],
            "created_timestamp": [None],
            "id": [0],
            "x": [0.0],
            "i": [0],
            "s": ["p"],
            "b": [True],
        },
        schema=history.event_schema,
    )
    return (
        frame.select(
            pl.all().exclude("event_timestamp", "x").repeat_by(count).explode(),
        )
        .with_columns(
            (pl.lit(START) + pl.Series(timestamps).cast(pl.Duration("us")))
            .cast(history.event_schema["event_timestamp"])
            .alias("event_timestamp"),
            pl.Series("x", random.lognormal(3, 1, count).round(2)),
        )
        .select(list(history.event_schema))
    )


def microseconds_each(work: list) -> np.ndarray:
    """Run each piece of work; return the time of the processor that each took: other programs do not count."""
    times = []
    for run in work:
        start = time.thread_time_ns()
        run()
        times.append(time.thread_time_ns() - start)
    return np.asarray(times) / 1_000


def row(name: str, times: np.ndarray) -> str:
    """Format a row of the table."""
    return f"{name:<44}{np.percentile(times, 50):>12,.0f}{np.percentile(times, 99):>12,.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="tiny data, to see that it runs")
    small = parser.parse_args().small
    count, reads = (3_000, 20) if small else (1_000_000, 5_000)
    history = WindowHistory(Timing(created=True), (), WINDOWS, [], [], [])
    view = history.view
    with tempfile.TemporaryDirectory() as folder:
        layout, store = Layout(Path(folder)), LmdbStore(Path(folder) / "store.lmdb", create=True)
        events = events_of_a_year(count, history)
        write_parquet(events, layout.features(view.name), metadata=metadata_of(view))
        until = START + YEAR
        start = time.perf_counter()
        advance_to(until, view, layout, store)
        seconds = time.perf_counter() - start
        reader = VectorReader(feature_service("served", (view,), owner="benchmarks"), store)
        random = np.random.default_rng(1)
        later = [
            until + timedelta(microseconds=int(n)) for n in random.integers(0, 3 * 86_400_000_000, reads)
        ]
        read = microseconds_each([lambda now=now: reader.read([KEY], as_of=now) for now in later])
        [key] = encode_keys(pl.DataFrame([KEY], schema=view.key_schema), view.keys)
        [(_, [stored])] = store.read([(view.name, [key])])
        measures = Measures(WINDOWS, StoredColumns.of(WINDOWS), view.contract.schema)
        heads = [decode_head(stored)]

        def append() -> None:
            row = seal(key, bytes(HEADER.size) + encode_head(heads[-1]))
            rewriting = KeyEvents(decode_head(row), measures, lambda _: [])
            rewriting.append([[heads[-1].events[-1][0] + 1, 1.5]])
            heads[-1] = rewriting.head()
            encode_head(heads[-1])

        applied = microseconds_each([append] * reads)

        pushed = []
        for number in range(3 if small else 10):
            timestamp = until + timedelta(seconds=number + 1)
            event = events.tail(1).with_columns(
                pl.lit(timestamp).cast(events.schema["event_timestamp"]).alias("event_timestamp")
            )
            log_rows(view, event, layout)
            pushed.append(lambda timestamp=timestamp: advance_to(timestamp, view, layout, store))
        advanced = microseconds_each(pushed)
    print(f"{count:,} events of one key, {len(WINDOWS)} windows; written in {seconds:,.1f} s")
    print(f"{'microseconds':<44}{'p50':>12}{'p99':>12}")
    print(row("read", read))
    print(row("apply a new event to the stored row", applied))
    print(row("advance the store by a logged event", advanced))


if __name__ == "__main__":
    main()
