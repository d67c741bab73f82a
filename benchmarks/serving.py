"""Lookup over HTTP, side by side: featurestore's server over each store, Feast's own server over SQLite, an empty endpoint.

``make bench-online`` asks each for the same 30 features of three views over 8 connections, one worker, and checks that the
values agree. Redis and PostgreSQL are started for it, if they are installed.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import uvloop
from offline import VIEWS, feast_store, features, featurestore_project, make_data
from online import END, FIRST, ROWS, SIZES

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from servers import PostgresServer, RedisServer, free_port, run_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from featurestore.project import Project

CONNECTIONS = 8
TICKS = os.sysconf("SC_CLK_TCK")
REFERENCES = [f"{view}:{name}" for view in VIEWS for name in features(view)]


class Asking(asyncio.Protocol):
    """One connection: the next request leaves when the answer is there."""

    def __init__(self, request: bytes, until: float, times: list[float]) -> None:
        self._request, self._until, self._times = request, until, times
        self._answer = b""
        self.ended = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        """Ask for the first time."""
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Take an answer, or a part of one; then ask again."""
        self._answer += data
        head, found, body = self._answer.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        now = time.perf_counter()
        self._times.append(now - self._asked)
        if not head.startswith(b"HTTP/1.1 200"):
            self.ended.set_exception(RuntimeError(self._answer[:500]))
        elif now < self._until:
            self._ask()
        else:
            self._transport.close()
            self.ended.set_result(None)

    def _ask(self) -> None:
        self._answer, self._asked = b"", time.perf_counter()
        self._transport.write(self._request)


async def load(port: int, path: str, body: bytes, seconds: float) -> list[float]:
    """Ask over some connections for some seconds; returns how long each answer took."""
    head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    loop, times, until = asyncio.get_running_loop(), [], time.perf_counter() + seconds
    made = [
        await loop.create_connection(lambda: Asking(head.encode() + body, until, times), "127.0.0.1", port)
        for _ in range(CONNECTIONS)
    ]
    await asyncio.gather(*(protocol.ended for _, protocol in made))
    return times


def cpu(process: int) -> float:
    """Return the CPU seconds that a process and its children have used."""
    seconds = 0.0
    for task in (process, *children(process)):
        fields = Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()
        seconds += (int(fields[11]) + int(fields[12])) / TICKS
    return seconds


def children(process: int) -> list[int]:
    """Return the processes that a process has started."""
    return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


@contextmanager
def server(command: list[str], port: int) -> Iterator[int]:
    """Run a server until it answers; gives its process."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.1)
        try:
            yield process.pid
        finally:
            process.terminate()


def keys(size: int) -> list[int]:
    """Return the keys asked for."""
    return [37 * i % (ROWS // 50) for i in range(size)]


def vectors_body(size: int) -> bytes:
    """Ask as ``/v1/vectors`` is asked."""
    return json.dumps({"rows": [{"customer": key} for key in keys(size)]}).encode()


def feast_body(size: int) -> bytes:
    """Ask as Feast's server is asked."""
    return json.dumps({"features": REFERENCES, "entities": {"customer": keys(size)}}).encode()


def measure(command: list[str], port: int, asked: list[tuple[str, str, Any]], seconds: float) -> dict:
    """Measure one server with each kind and size of request."""
    measured = {}
    with server(command, port) as process:
        for label, path, body_of in asked:
            for size in SIZES:
                uvloop.run(load(port, path, body_of(size), 0.5))
                before = cpu(process)
                start = time.perf_counter()
                times = sorted(uvloop.run(load(port, path, body_of(size), seconds)))
                took = time.perf_counter() - start
                measured[label, size] = (
                    len(times) / took,
                    1000 * times[len(times) // 2],
                    1000 * times[len(times) * 99 // 100],
                    1e6 * (cpu(process) - before) / len(times),
                )
                rate, p50, p99, used = measured[label, size]
                print(f"{label:34}{size:5}{rate:10,.0f}{p50:9.2f}{p99:9.2f}{used:11,.0f}", flush=True)
    return measured


def values(port: int, path: str, body: bytes) -> dict:
    """Ask once."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}{path}", body, {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        return json.load(answer)


def ours(project: Project, port: int) -> list[str]:
    """Return the command of our server."""
    root = str(project.settings.root)
    return [sys.executable, "-m", "featurestore.cli", "serve", "--project", root, "--port", str(port)]


def on_server(folder: Path, kind: str, url: str) -> Project:
    """Make the project with its online store on a server."""
    project = featurestore_project(folder)
    path = project.settings.feast_repo / "feature_store.yaml"
    text = path.read_text().replace("LmdbOnlineStore", kind)
    path.write_text(text.replace("path: ../data/online/store.lmdb", f"url: {url}"))
    import featurestore  # noqa: PLC0415

    return featurestore.open(project.settings.root)


def feast_server(folder: Path, port: int) -> None:
    """Run Feast's own feature server over SQLite."""
    import uvicorn  # noqa: PLC0415
    from feast.feature_server import get_app  # noqa: PLC0415

    warnings.simplefilter("ignore")
    store = feast_store(folder, "dask")
    store.materialize(FIRST, END, disable_event_timestamp=False)
    uvicorn.run(get_app(store), port=port, log_level="critical", access_log=False)


def empty_server(port: int) -> None:
    """Run the same HTTP server and framework with an endpoint that does nothing: the limit."""
    import uvicorn  # noqa: PLC0415
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.responses import Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    async def nothing(request: Any) -> Response:
        await request.body()
        return Response(b"{}", media_type="application/json")

    app = Starlette(routes=[Route("/{path:path}", nothing, methods=["POST"])])
    uvicorn.run(app, port=port, log_level="critical", access_log=False)


def main() -> None:
    """Measure all, and check that the values agree."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--serve", choices=["feast", "empty"])
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seconds", type=float, default=4.0)
    given = parser.parse_args()
    folder = Path(f"data/bench/{ROWS}")
    if given.serve == "feast":
        return feast_server(folder, given.port)
    if given.serve == "empty":
        return empty_server(given.port)
    make_data(folder, ROWS)
    own = [sys.executable, __file__]
    lean, wire = ("/v1/vectors/joined", vectors_body), ("/get-online-features", feast_body)
    print(f"30 features of 3 views, {CONNECTIONS} connections, 1 worker")
    print(f"{'':34}{'rows':>5}{'answers/s':>10}{'p50, ms':>9}{'p99, ms':>9}{'CPU, us':>11}")
    port = free_port()
    results = measure(
        [*own, "--serve", "empty", "--port", str(port)],
        port,
        [("empty endpoint", *lean)],
        given.seconds,
    )
    project = featurestore_project(folder)
    project.materialize(until=END)
    port = free_port()
    asked = [("ours, LMDB, /v1/vectors", *lean), ("ours, LMDB, Feast's wire", *wire)]
    results |= measure(ours(project, port), port, asked, given.seconds)
    for kind, name, label in (
        (RedisServer, "RedisOnlineStore", "ours, Redis, /v1/vectors"),
        (PostgresServer, "PostgresOnlineStore", "ours, PostgreSQL, /v1/vectors"),
    ):
        with run_server(kind) as store:
            remote = on_server(folder, name, store.url)
            remote.materialize(until=END)
            port = free_port()
            results |= measure(ours(remote, port), port, [(label, *lean)], given.seconds)
    port = free_port()
    theirs = [*own, "--serve", "feast", "--port", str(port)]
    results |= measure(theirs, port, [("Feast's server, SQLite", *wire)], given.seconds)

    one, other = free_port(), free_port()
    theirs[-1] = str(other)
    with server(ours(project, one), one), server(theirs, other):
        found = [values(port, wire[0], feast_body(100)) for port in (one, other)]
    columns = [
        dict(zip(a["metadata"]["feature_names"], (r["values"] for r in a["results"]), strict=True))
        for a in found
    ]
    print(f"the values {'agree' if columns[0] == columns[1] else 'DIFFER'}")
    for size in SIZES:
        rate = {
            label: results[label, size][0]
            for label in ("empty endpoint", asked[0][0], asked[1][0], "Feast's server, SQLite")
        }
        empty, lean_rate, wire_rate, feast_rate = rate.values()
        print(
            f"{size:3} rows: on the same wire {wire_rate / feast_rate:.0f}x Feast's server; /v1/vectors "
            f"{lean_rate / feast_rate:.0f}x, and {lean_rate / empty:.2f} of an empty endpoint"
        )
    return None


if __name__ == "__main__":
    main()
