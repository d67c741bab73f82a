"""Windows online: one key with a million events and five windows, read from the embedded store.

In process and over HTTP; an event that is pushed, late or on time, is applied to the stored rows of the key.

Run: python benchmarks/windows_online.py [--small]
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from http_load import cpu_seconds, post
from serving import free_port, our_command, server

import featurestore
from featurestore.operations.init.init import init
from featurestore.storage.files import write_parquet
from featurestore.storage.made_by import metadata_of
from featurestore.storage.online import advance_to
from featurestore.storage.views import log_rows
from featurestore.values.codec import HEADER, encode_key, seal, values_of
from featurestore.values.event_codec import block_keys, decode_head, encode_head
from featurestore.vectors.reader import VectorReader
from featurestore.windows.blocks import KeyEvents
from featurestore.windows.measures import Measures
from featurestore.windows.stored_columns import StoredColumns

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from featurestore.project import Project

YEAR, HOUR = timedelta(days=365), timedelta(hours=1)
SCHEMAS = """
from typing import Annotated
import pandera.polars as pa
import polars as pl
Timestamp = Annotated[pl.Datetime, "us", "UTC"]

class Raw(pa.DataFrameModel):
    key: pl.Int64 = pa.Field(description="who")

class Event(pa.DataFrameModel):
    key: pl.Int64 = pa.Field(description="who")
    event_timestamp: Timestamp = pa.Field(description="when")
    x: pl.Float64 = pa.Field(description="a number", metadata={"unit": "1"})

class Features(pa.DataFrameModel):
    key: pl.Int64 = pa.Field(description="who")
    count_1h: pl.Int64 = pa.Field(description="events", metadata={"unit": "1"})
    sum_1d: pl.Float64 = pa.Field(description="sum", metadata={"unit": "1"})
    mean_7d: pl.Float64 = pa.Field(nullable=True, description="mean", metadata={"unit": "1"})
    max_30d: pl.Float64 = pa.Field(nullable=True, description="max", metadata={"unit": "1"})
    variance: pl.Float64 = pa.Field(nullable=True, description="variance", metadata={"unit": "1"})
"""
DEFINITIONS = '''
from featurestore import Entity, Frame, feature_service, feature_view, source, windows
from schemas.bench import Event, Features, Raw

raw = source("raw", Raw, "data/raw.csv", owner="bench")
key = Entity("key", ("key",), "who")

@feature_view(entity=key, owner="bench", schema=Features, windows={
    "count_1h": windows.count(over="1h"),
    "sum_1d": windows.sum("x", over="1d"),
    "mean_7d": windows.mean("x", over="7d"),
    "max_30d": windows.max("x", over="30d"),
    "variance": windows.variance("x", over="lifetime"),
})
def busy(raw: Frame[Raw]) -> Frame[Event]:
    """Events of one key."""
    return raw

served = feature_service("served", (busy,), owner="bench")
'''


def project_with_events(folder: Path, count: int, until: datetime) -> Project:
    """Make a project with one view of events of one key, at random timestamps of a year."""
    root = folder / "project"
    init(root)
    (root / "schemas/bench.py").write_text(SCHEMAS)
    (root / "feature_repo/bench.py").write_text(DEFINITIONS)
    project = featurestore.open(root)
    random = np.random.default_rng(0)
    ages = np.sort(random.integers(0, YEAR // timedelta(microseconds=1), count))[::-1]
    view = project.catalog.view("busy")
    events = pl.DataFrame({"key": np.ones(count, dtype=np.int64), "age": ages}).select(
        "key",
        event_timestamp=(pl.lit(until) - pl.duration(microseconds="age")).cast(
            view.contract.schema["event_timestamp"]
        ),
        x=pl.Series(random.lognormal(3, 1, count).round(2)),
    )
    write_parquet(events, project.layout.features("busy"), metadata=metadata_of(view))
    return project


def microseconds_each(work: Sequence[Callable[[], object]]) -> np.ndarray:
    """Run each piece of work; return the time of the processor that each took."""
    times = []
    for run in work:
        start = time.thread_time_ns()
        run()
        times.append(time.thread_time_ns() - start)
    return np.asarray(times) / 1_000


def fixed_work() -> int:
    """Take about 60 microseconds on a processor that does nothing else: other programs make it slower, as all work."""
    return sum(number * number for number in range(1_000))


def measure_reads(project: Project, until: datetime, reads: int) -> dict[str, np.ndarray]:
    """Read at random timestamps of the hour after the last event: blocks are in memory, or are read from the store."""
    random = np.random.default_rng(1)
    later = [
        until + timedelta(microseconds=int(n))
        for n in random.integers(0, HOUR // timedelta(microseconds=1), reads)
    ]
    service, store, row = project.catalog.service("served"), project.store(), {"key": 1}
    reader = VectorReader(service, store)

    def read_all() -> np.ndarray:
        return microseconds_each([lambda now=now: reader.read([row], as_of=now) for now in later])

    read_all()
    repeated = [read_all() for _ in range(5)]
    first = [VectorReader(service, store) for _ in later[: reads // 10]]
    return {
        "read": np.concatenate(repeated),
        "read, the best of five": np.min(repeated, axis=0),
        "read, a millisecond after the last one": microseconds_each(
            [
                lambda now=until + HOUR + timedelta(milliseconds=n): reader.read([row], as_of=now)
                for n in range(reads)
            ]
        ),
        "read, no block in memory": microseconds_each(
            [
                lambda new=new, now=now: new.read([row], as_of=now)
                for new, now in zip(first, later, strict=False)
            ]
        ),
        "fixed work, to compare": microseconds_each([fixed_work] * reads),
    }


def measure_http(project: Project, seconds: float) -> tuple[np.ndarray, float]:
    """Send requests over one connection; return the microseconds of each on the wall, and of the server's processors."""
    port, body = free_port(), json.dumps({"rows": [{"key": 1}]}).encode()
    with server(our_command(project, port), port) as process:
        post(port, "/v1/vectors/served", body)
        connection = http.client.HTTPConnection("127.0.0.1", port)
        headers = {"Host": f"localhost:{port}", "Content-Type": "application/json"}
        times, cpu, end = [], cpu_seconds(process), time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter_ns()
            connection.request("POST", "/v1/vectors/served", body, headers)
            answer = connection.getresponse()
            answer.read()
            times.append(time.perf_counter_ns() - start)
            if answer.status != HTTPStatus.OK:
                raise RuntimeError(f"the server answered {answer.status}")
        spent = cpu_seconds(process) - cpu
        connection.close()
    return np.asarray(times) / 1_000, 1e6 * spent / len(times)


def measure_writes(project: Project, writes: int) -> dict[str, np.ndarray]:
    """Apply events to the stored rows of the key, one at a time: each is decoded, changed and encoded."""
    view, store = project.catalog.view("busy"), project.store()
    key = encode_key((1,))
    [(_, [row])] = store.read([("busy", [key])])
    measures = Measures(view.windows, StoredColumns.of(view.windows), view.contract.schema)
    rows, written, name = [row], {}, block_keys(key)

    def fetch(blocks: Sequence[tuple[int, int]]) -> list[bytes]:
        return [
            written.get(number) or values_of(store.read([("busy", [name(number)])])[0][1][0])
            for number, _ in blocks
        ]

    def apply(late: timedelta) -> None:
        stored = KeyEvents(decode_head(rows[-1]), measures, fetch)
        if late:
            timestamp = stored.newest - late // timedelta(microseconds=1) - len(rows)
            stored.change([(timestamp, [(timestamp, 1.5)])])
        else:
            stored.append([(stored.newest + 1, 1.5)])
        head = stored.head()
        written.update(stored.written)
        rows[-1] = seal(key, bytes(HEADER.size) + encode_head(head))

    return {
        "apply a new event": microseconds_each([lambda: apply(timedelta(0))] * writes),
        "apply an event that is 30 days late": microseconds_each(
            [lambda: apply(30 * 24 * HOUR)] * (writes // 10)
        ),
    }


def measure_advances(project: Project, until: datetime, pushes: int) -> dict[str, np.ndarray]:
    """Advance the store by one event of the log at a time."""
    view, store, layout = project.catalog.view("busy"), project.store(), project.layout
    now, times = until + HOUR, {}
    for name, late in (
        ("advance the store by a logged event", timedelta(0)),
        ("the same, 30 days late", 30 * 24 * HOUR),
    ):
        taken = []
        for _ in range(pushes):
            now += timedelta(seconds=1)
            event = {"key": [1], "event_timestamp": [now - late], "x": [1.5]}
            log_rows(view, pl.DataFrame(event, schema=view.contract.schema), layout)
            taken.append(microseconds_each([lambda now=now: advance_to(now, view, layout, store)])[0])
        times[name] = np.asarray(taken)
    return times


def row(name: str, times: np.ndarray) -> str:
    """Format a row of the table."""
    return f"{name:<44}{np.percentile(times, 50):>12,.0f}{np.percentile(times, 99):>12,.0f}"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="tiny data, to see that it runs")
    small = parser.parse_args().small
    count, repeats = (3_000, 50) if small else (1_000_000, 5_000)
    with tempfile.TemporaryDirectory() as folder:
        until = datetime.now(UTC)
        project = project_with_events(Path(folder), count, until)
        start = time.perf_counter()
        project.materialize(until=until)
        print(f"{count:,} events of one key, 5 windows; written in {time.perf_counter() - start:,.1f} s")
        print(f"{'microseconds':<44}{'p50':>12}{'p99':>12}")
        for name, times in measure_reads(project, until, repeats).items():
            print(row(name, times))
        times, cpu = measure_http(project, 0.1 if small else 5)
        print(row("read over HTTP, one connection, wall", times))
        print(row("read over HTTP, the server, mean", np.array([cpu])))
        for name, times in measure_writes(project, repeats).items():
            print(row(name, times))
        for name, times in measure_advances(project, until, 3 if small else 20).items():
            print(row(name, times))


if __name__ == "__main__":
    main()
