"""Single-row pushes: what each costs as the log grows, and how fast the log is read beside one push of the same rows.

``make bench-pushes`` pushes 100,000 rows, one at a time, to a view of 20,000 customers over LMDB, and
prints the CPU time of a push by its number. It then joins entity rows to both logs, before and after
`materialize` merges the first one, and checks that the values agree.

At last several callers push to one view over HTTP at the same time, each its next row when the last one is
acknowledged. It prints how long an acknowledgement took and how many were refused, and checks that every row that was
acknowledged is served.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.client import HTTPConnection
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import polars as pl

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from serving import serve_process
from shop import build_shop, write_files

if TYPE_CHECKING:
    import featurestore

CUSTOMERS = 20_000
WINDOWS = 10
REPEATS = 15
ENTITY_ROWS = (3, 1_000, 100_000)
SMALL_ENTITY_ROWS = (3, 1_000)
CALLERS = 8
VIEW = "last_order"
START = datetime.now(UTC) - timedelta(days=2)


def make_project(folder: Path) -> featurestore.Project:
    """Make the shop, under the clock of the machine."""
    path = write_files(folder) / "feature_repo/feature_store.yaml"
    path.write_text(path.read_text().replace('  as_of: "2024-01-10T00:00:00Z"\n', ""))
    project = build_shop(folder)
    project.materialize()
    return project


def orders(numbers: range) -> pl.DataFrame:
    """Return orders by their number: each of a later event than the one before."""
    number = pl.Series("number", numbers, dtype=pl.Int64)
    event = pl.lit(START, dtype=pl.Datetime("us", "UTC")) + pl.duration(seconds=pl.col("number"))
    return pl.select(number).select(
        customer=pl.col("number") * 7_919 % CUSTOMERS + 1,
        event_timestamp=event,
        amount=pl.col("number").cast(pl.Float64),
        coupon=pl.lit("N"),
        ordered_at=event,
    )


def push_each(project: featurestore.Project, count: int) -> None:
    """Push rows one at a time, and print the mean CPU time of each window."""
    window = count // WINDOWS
    print(f"{'pushes':>10}  {'CPU ms':>7}  {'files':>6}")
    means = []
    for start in range(0, window * WINDOWS, window):
        frames = [orders(range(number, number + 1)) for number in range(start, start + window)]
        begun = time.process_time()
        for frame in frames:
            project.push(VIEW, frame)
        means.append((time.process_time() - begun) / window * 1_000)
        files = len(list(project.layout.pushed(VIEW).glob("*.parquet")))
        print(f"{start + window:>10,}  {means[-1]:>7.1f}  {files:>6,}", flush=True)
    print(f"the last window costs {means[-1] / means[0]:.2f} times the first")


def compare_reads(
    single: featurestore.Project, batch: featurestore.Project, title: str, *, small: bool
) -> None:
    """Join entity rows to both logs, and exit with 1 if the values differ."""
    now = datetime.now(UTC)
    print(f"{title:>20}  {'each, ms':>9}  {'at once, ms':>11}  {'ratio':>5}")
    for count in SMALL_ENTITY_ROWS if small else ENTITY_ROWS:
        entity_rows = pl.DataFrame({"customer": [i * 37 % CUSTOMERS + 1 for i in range(count)]})
        entity_rows = entity_rows.with_columns(event_timestamp=pl.lit(now))
        times: tuple[list[float], list[float]] = ([], [])
        answers = []
        for _ in range(1 if small else REPEATS):
            for project, seconds in zip((single, batch), times, strict=True):
                begun = time.perf_counter()
                answers.append(project.historical(entity_rows, [VIEW], statuses=True))
                seconds.append(time.perf_counter() - begun)
        if not all(answer.equals(answers[0]) for answer in answers):
            sys.exit("WRONG: the values of the two logs differ")
        each, at_once = (statistics.median(seconds) * 1_000 for seconds in times)
        print(f"{count:>20,}  {each:>9.1f}  {at_once:>11.1f}  {each / at_once:>5.2f}")


def push_at_once(project: featurestore.Project, callers: int, each: int, *options: str) -> None:
    """Push rows from several callers over HTTP, each one after the other, and print how long they took."""
    rows = (
        orders(range(callers * each)).with_columns(pl.selectors.temporal().dt.strftime("%FT%TZ")).to_dicts()
    )
    with serve_process(project.settings.root, "--no-log-requests", *options) as server:
        port = int(server.url.rpartition(":")[2])

        def call(caller: int) -> list[tuple[int, float]]:
            answers = []
            connection = HTTPConnection("localhost", port)
            for row in rows[caller::callers]:
                pushed = {"push_source_name": VIEW, "df": {name: [value] for name, value in row.items()}}
                begun = time.perf_counter()
                status, text = _post(connection, "/push", pushed)
                answers.append((status, time.perf_counter() - begun))
                if status == HTTPStatus.OK:
                    entity = {"customer": row["customer"], "basket": 1.0}
                    _, text = _post(connection, "/v1/vectors/buying", {"rows": [entity]})
                    if row["amount"] not in json.loads(text)["values"][0]:
                        sys.exit(f"WRONG: {row} was acknowledged and is not served: {text}")
            return answers

        begun, cpu = time.perf_counter(), _cpu_seconds(server.process.pid)
        with ThreadPoolExecutor(callers) as pool:
            answers = [answer for of_caller in pool.map(call, range(callers)) for answer in of_caller]
        seconds, cpu = time.perf_counter() - begun, _cpu_seconds(server.process.pid) - cpu
    statuses = Counter(status for status, _ in answers)
    taken = sorted(seconds * 1_000 for status, seconds in answers if status == HTTPStatus.OK)
    if project.audit().mismatches:
        sys.exit("WRONG: training and serving differ")
    print(
        f"{callers} callers x {each:,} pushes: median {statistics.median(taken):.0f} ms, 99th percentile "
        f"{taken[len(taken) * 99 // 100]:.0f} ms, {len(taken) / seconds:.0f} a second, "
        f"{cpu / len(taken) * 1_000:.1f} ms of CPU each; {statuses.total() - len(taken):,} refused"
    )


def _post(connection: HTTPConnection, path: str, body: object) -> tuple[int, bytes]:
    connection.request("POST", path, json.dumps(body), {"content-type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


def _cpu_seconds(process: int) -> float:
    times = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(times[11]) + int(times[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="a few pushes")
    parser.add_argument("--pushes", type=int, default=100_000, help="how many rows are pushed one at a time")
    parser.add_argument(
        "--each", type=int, default=200, help="how many rows each of the callers pushes over HTTP"
    )
    parser.add_argument(
        "--timeout", default="5", help="seconds of a request over HTTP, as of featurestore serve"
    )
    options = parser.parse_args()
    count = 40 if options.small else options.pushes
    with TemporaryDirectory() as folder:
        single, batch = (make_project(Path(folder, name)) for name in ("single", "batch"))
        push_each(single, count)
        batch.push(VIEW, orders(range(count)))
        compare_reads(single, batch, "entity rows", small=options.small)
        single.materialize()
        compare_reads(single, batch, "after materialize", small=options.small)
        each = 2 if options.small else options.each
        push_at_once(make_project(Path(folder, "callers")), CALLERS, each, "--timeout", options.timeout)
    print("the values agree")


if __name__ == "__main__":
    main()
