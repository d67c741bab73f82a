"""Bodies that are small on the wire and large in memory, or that never end."""

from __future__ import annotations

import io
import json
import socket
import threading
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from shop import ORDERS
from uploading import head

from attacks.target import TIMEOUT, VALIDATE, BrokenPromiseError, Case, Target, require
from featurestore.adapters.bodies import ARROW_FILE, ARROW_STREAM, CSV, JSON_LINES, PARQUET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MIB = 1 << 20
# The server's own, that of its validating processes, and what they may take for one body.
MEMORY = 4096 * MIB
GOOD = ORDERS.rsplit("7,0,", 1)[0]
NAMES = ORDERS.split("\n", 1)[0].split(",")


def _csv_of_commas() -> Iterator[bytes]:
    for _ in range(200):
        yield b"," * MIB


def _dictionary(rows: int, length: int) -> pa.Table:
    columns = {name: pa.nulls(rows, pa.int64()) for name in NAMES}
    text = pa.DictionaryArray.from_arrays(pa.array([0] * rows, pa.int32()), ["x" * length])
    return pa.table({**columns, "coupon": text})


def _ipc(data: pa.Table, *, stream: bool = True) -> bytes:
    out = io.BytesIO()
    new = pa.ipc.new_stream if stream else pa.ipc.new_file
    with new(out, data.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(data)
    return out.getvalue()


def _parquet(data: pa.Table) -> bytes:
    out = io.BytesIO()
    pq.write_table(data, out, compression="zstd")
    return out.getvalue()


def _lines(rows: Iterator[dict[str, int]]) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


BOMBS: dict[str, tuple[str, Callable[[], bytes | Iterator[bytes]]]] = {
    "CSV of one line of 200 MB": (CSV, _csv_of_commas),
    "CSV of quotes": (CSV, lambda: b'"' * (20 * MIB)),
    "CSV of 100,000 columns": (CSV, lambda: b",".join(b"a%d" % i for i in range(100_000)) + b"\n1\n"),
    "JSON lines with a new key in each": (JSON_LINES, lambda: _lines({f"k{i}": 1} for i in range(20_000))),
    "JSON nested 100,000 deep": (JSON_LINES, lambda: b'{"order":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "Arrow, 3.7 GB of one text": (ARROW_STREAM, lambda: _ipc(_dictionary(37_000, 100_000))),
    "Arrow, 2 billion nulls a column": (
        ARROW_STREAM,
        lambda: _ipc(pa.table({name: pa.nulls(2**31 - 1) for name in NAMES})),
    ),
    "Arrow file of 20,000 columns": (
        ARROW_FILE,
        lambda: _ipc(pa.table({f"c{i}": [1] for i in range(20_000)}), stream=False),
    ),
    "Parquet, 3.7 GB of one text": (PARQUET, lambda: _parquet(_dictionary(37_000, 100_000))),
    "Parquet of 20,000 columns": (PARQUET, lambda: _parquet(pa.table({f"c{i}": [1] for i in range(20_000)}))),
}
# One of each format, in a small run.
SMALL_BOMBS = ("CSV of quotes", "JSON lines with a new key in each", "Parquet, 3.7 GB of one text")


class Watch:
    """Looks up a row again and again, and measures the memory of the server, until it is ended."""

    def __init__(self, target: Target, values: list[Any]) -> None:
        self.failures: list[str] = []
        self.slowest, self.peak = 0.0, 0
        self._target, self._values = target, values
        self._stopping = threading.Event()
        self._threads = [threading.Thread(target=work) for work in (self._look, self._measure)]
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        """End."""
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        while not self._stopping.is_set():
            start = time.perf_counter()
            try:
                require(self._target.lookup() == self._values, "a lookup got other values")
            except (BrokenPromiseError, OSError) as error:
                self.failures.append(str(error))
            self.slowest = max(self.slowest, time.perf_counter() - start)

    def _measure(self) -> None:
        while not self._stopping.wait(0.05):
            self.peak = max(self.peak, self._target.memory())


def _bomb(name: str) -> Callable[[Target], str]:
    media, body = BOMBS[name]

    def attack(target: Target) -> str:
        if target.small and name not in SMALL_BOMBS:
            return "not in a small run"
        before, content = target.lookup(), body()
        watch = Watch(target, before)
        start = time.perf_counter()
        try:
            answer = target.ask(
                "POST", VALIDATE, key="all", data=content, headers={"content-type": media}
            ).status_code
        except OSError:
            answer = 0  # the server closed the connection before it read everything
        finally:
            seconds = time.perf_counter() - start
            watch.end()
        require(not watch.failures, f"lookups failed: {watch.failures[:1]}")
        require(answer in (0, 413, 422), f"the answer is {answer}")
        require(watch.peak < MEMORY, f"{watch.peak / MIB:,.0f} MiB of memory")
        good = target.ask("POST", VALIDATE, data=GOOD, headers={"content-type": CSV})
        require(good.status_code == 200, f"a good body got {good.status_code} afterwards")
        sent = "streamed" if not isinstance(content, bytes) else f"{len(content) / 1024:,.0f} KiB"
        return (
            f"{sent}: {answer or 'closed'} in {seconds:.1f} s, peak {watch.peak / MIB:,.0f} MiB, "
            f"slowest lookup {1000 * watch.slowest:,.0f} ms"
        )

    return attack


def idle_connections(target: Target) -> str:
    """Open far more connections than there are places, silent or with half a head: a new caller is answered."""
    count = 200 if target.small else 3_000
    with ExitStack() as stack:
        for place in range(count):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", target.port), timeout=30))
            connection.sendall((b"", b"POST /push HTTP/1.1\r\nHost: loc")[place % 2])
        start = time.perf_counter()
        target.lookup()
        return f"{count:,} connections, then a lookup in {1000 * (time.perf_counter() - start):,.0f} ms"


def slow_uploads(target: Target) -> str:
    """Begin more uploads than there are places, and send a byte now and then: a good one gets a place."""
    if target.small:
        return "takes the time of a pause: not in a small run"
    secret = target.keys["all"]
    begin = head(100).replace(b"\r\n\r\n", f"\r\nAuthorization: Bearer {secret}\r\n\r\n".encode())
    with ExitStack() as stack:
        for _ in range(64):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", target.port), timeout=30))
            connection.sendall(begin + b"order")
        start = time.perf_counter()
        deadline = start + 3 * TIMEOUT
        while (
            status := target.ask("POST", VALIDATE, data=GOOD, headers={"content-type": CSV}).status_code
        ) == 503:
            require(time.perf_counter() < deadline, "slow uploads hold all places")
            time.sleep(0.2)
        require(status == 200, f"a good upload got {status}")
        return f"a good upload after {time.perf_counter() - start:.1f} s"


def compressed(target: Target) -> str:
    """Send a compressed body: nothing unpacks it."""
    for encoding in ("gzip", "zstd", "br", "deflate, gzip"):
        headers = {"content-type": CSV, "content-encoding": encoding}
        status = target.ask("POST", VALIDATE, data=b"\x1f\x8b" * 50, headers=headers).status_code
        require(status == 415, f"{encoding}: {status}")
    return "415"


def many_features(target: Target) -> str:
    """Ask for one feature 10^5 times in one request: it is refused, or answered in bounded time."""
    start = time.perf_counter()
    body = {"features": ["last_order:amount"] * 60_000, "entities": {"customer": [3]}}
    status = target.ask("POST", "/get-online-features", json=body).status_code
    require(status < 500, f"the answer is {status}")
    seconds = time.perf_counter() - start
    require(seconds < 10, f"{seconds:.1f} s")
    return f"{status} in {seconds:.2f} s"


def pushed_values(target: Target) -> str:
    """Push values beyond every bound: each is refused and nothing is logged."""
    columns = {"customer": [7], "amount": [1.0], "coupon": [None], "ordered_at": ["2024-01-09T00:00:00Z"]}
    columns["event_timestamp"] = columns["ordered_at"]
    wrong = {
        "customer": ["x", None, 2**70, -(2**70), 1.5, [1], "a" * 100_000],
        "event_timestamp": [10**30, "9999-12-31T23:59:59-14:00", "", None, True],
        "amount": ["x", 10**400, [], {}],
    }
    before = len(list(target.project.layout.pushed("last_order").glob("*.parquet")))
    count = 0
    for name, values in wrong.items():
        for value in values:
            body = {"push_source_name": "last_order", "df": {**columns, name: [value]}}
            status = target.ask("POST", "/push", data=json.dumps(body)).status_code
            require(400 <= status < 500, f"{name} = {value!r:.60}: {status}")
            count += 1
    after = len(list(target.project.layout.pushed("last_order").glob("*.parquet")))
    require(before == after, "a refused push is in the log")
    return f"{count} pushes, all refused, none logged"


CASES = (
    *(Case(name, "HTTP, datasets", _bomb(name)) for name in BOMBS),
    Case("compressed bodies", "HTTP, datasets", compressed),
    Case("60,000 features in one request", "HTTP, lookups", many_features),
    Case("values beyond every bound", "HTTP, pushes", pushed_values),
    Case("idle connections and half a head", "HTTP, connections", idle_connections),
    Case("uploads that never end", "HTTP, connections", slow_uploads),
)
