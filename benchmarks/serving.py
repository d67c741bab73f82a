"""Lookup over HTTP: our server over each store beside Feast's over SQLite and an empty endpoint.

``make bench-online`` requests the same 30 features of three views from each over 8 connections, one
worker, and checks that the values agree. It starts Redis and PostgreSQL, if they are installed.
"""

from __future__ import annotations

import argparse
import json
import socket
import subprocess
import sys
import time
import warnings
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
import uvloop
from http_load import CONNECTIONS, cpu_seconds, load, post
from online import END, FIRST, REFERENCES, ROWS, SIZES
from peers import print_skipped
from workload import SMALL_ROWS, feast_store, featurestore_project, key_count, make_data

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from servers import PostgresServer, RedisServer, free_port, run_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from featurestore.project import Project

EMPTY, LEAN, WIRE, FEAST = (
    "empty endpoint",
    "ours, LMDB, /v1/vectors",
    "ours, LMDB, Feast's wire",
    "Feast's server, SQLite",
)
VECTORS_PATH = "/v1/vectors/joined"
COMPUTED = "ours, LMDB, 5 on-demand features"
COMPUTED_PATH = "/v1/vectors/computed"
FEAST_PATH = "/get-online-features"


class Figures(NamedTuple):
    """What was measured of one kind and size of request."""

    answers_per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float


class Request(NamedTuple):
    """A kind of request."""

    label: str
    path: str
    body: Callable[[int], bytes]


@dataclass
class Run:
    """One run of the benchmark: its data, its time, its results."""

    folder: Path
    rows: int
    seconds: float
    figures: dict[tuple[str, int], Figures] = field(default_factory=dict)
    answers: dict[str, dict[str, list[Any]]] = field(default_factory=dict)

    def keys(self, size: int) -> list[int]:
        """Return the keys of a request."""
        return [37 * i % key_count(self.rows) for i in range(size)]

    def vectors_body(self, size: int) -> bytes:
        """Write the body of a request to ``/v1/vectors``."""
        return json.dumps({"rows": [{"customer": key} for key in self.keys(size)]}).encode()

    def computed_body(self, size: int) -> bytes:
        """Write the body of a request for stored and on-demand features."""
        values = {"asked_at": "2026-11-26T12:30:00Z", "bearing": 244.73}
        return json.dumps({"rows": [{"customer": key, **values} for key in self.keys(size)]}).encode()

    def feast_body(self, size: int) -> bytes:
        """Write the body of a request to Feast's server, and to ours on the same path."""
        return json.dumps({"features": REFERENCES, "entities": {"customer": self.keys(size)}}).encode()

    def measure(self, command: list[str], port: int, *requests: Request) -> None:
        """Run a server, measure each kind and size of request, and print a line of each."""
        with server(command, port) as process:
            for request in requests:
                for size in SIZES:
                    figures = self._measure(process, port, request, size)
                    self.figures[request.label, size] = figures
                    rate, p50, p99, cpu = figures
                    print(
                        f"{request.label:34}{size:5}{rate:10,.0f}{p50:9.2f}{p99:9.2f}{cpu:11,.0f}", flush=True
                    )
                if request.path == FEAST_PATH:
                    answer = post(port, request.path, request.body(max(SIZES)))
                    names = answer["metadata"]["feature_names"]
                    values = [result["values"] for result in answer["results"]]
                    self.answers[request.label] = dict(zip(names, values, strict=True))

    def _measure(self, process: int, port: int, request: Request, size: int) -> Figures:
        send = partial(load, port, request.path, request.body(size))
        uvloop.run(send(self.seconds / 8))
        cpu_before = cpu_seconds(process)
        start = time.perf_counter()
        latencies = sorted(uvloop.run(send(self.seconds)))
        duration = time.perf_counter() - start
        count = len(latencies)
        return Figures(
            answers_per_second=count / duration,
            p50_ms=1000 * latencies[count // 2],
            p99_ms=1000 * latencies[count * 99 // 100],
            cpu_us=1e6 * (cpu_seconds(process) - cpu_before) / count,
        )


@contextmanager
def server(command: list[str], port: int) -> Iterator[int]:
    """Run a server, wait until it accepts connections, and yield the id of its process.

    Raises
    ------
    RuntimeError
        If the process ends before it accepts connections.
    """
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            while not accepts_connections(port):
                if process.poll() is not None:
                    raise RuntimeError(f"the server ended with {process.returncode}: {' '.join(command)}")
                time.sleep(0.05)
            yield process.pid
        finally:
            process.terminate()


def accepts_connections(port: int) -> bool:
    """Say whether a server listens on a port of this machine."""
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def our_command(project: Project, port: int) -> list[str]:
    """Return the command that runs our server."""
    root = str(project.settings.root)
    return [sys.executable, "-m", "featurestore.cli", "serve", "--project", root, "--port", str(port)]


def project_on_server(folder: Path, store_type: str, url: str) -> Project:
    """Make the project with its online store on a server."""
    project = featurestore_project(folder)
    path = project.settings.feast_repo / "feature_store.yaml"
    text = path.read_text().replace("LmdbOnlineStore", store_type)
    path.write_text(text.replace("path: ../data/online/store.lmdb", f"url: {url}"))
    import featurestore  # noqa: PLC0415 - each subject imports its own

    return featurestore.open(project.settings.root)


def serve_feast(folder: Path, port: int) -> None:
    """Run Feast's own feature server over SQLite."""
    import uvicorn  # noqa: PLC0415
    from feast.feature_server import get_app  # noqa: PLC0415

    warnings.simplefilter("ignore")
    store = feast_store(folder, "dask")
    store.materialize(FIRST, END, disable_event_timestamp=False)
    uvicorn.run(get_app(store), port=port, log_level="critical", access_log=False)


def serve_empty(port: int) -> None:
    """Run an endpoint that does nothing, by the same HTTP server and framework: the upper limit."""
    import uvicorn  # noqa: PLC0415
    from starlette.applications import Starlette  # noqa: PLC0415
    from starlette.responses import Response  # noqa: PLC0415
    from starlette.routing import Route  # noqa: PLC0415

    async def nothing(request: Any) -> Response:
        await request.body()
        return Response(b"{}", media_type="application/json")

    app = Starlette(routes=[Route("/{path:path}", nothing, methods=["POST"])])
    uvicorn.run(app, port=port, log_level="critical", access_log=False)


def measure_ours(run: Run) -> None:
    """Measure our server over each store."""
    project = featurestore_project(run.folder)
    project.materialize(until=END)
    port = free_port()
    run.measure(
        our_command(project, port),
        port,
        Request(LEAN, VECTORS_PATH, run.vectors_body),
        Request(COMPUTED, COMPUTED_PATH, run.computed_body),
        Request(WIRE, FEAST_PATH, run.feast_body),
    )
    for kind, store_type, label in (
        (RedisServer, "RedisOnlineStore", "ours, Redis, /v1/vectors"),
        (PostgresServer, "PostgresOnlineStore", "ours, PostgreSQL, /v1/vectors"),
    ):
        try:
            with run_server(kind) as store:
                remote = project_on_server(run.folder, store_type, store.url)
                remote.materialize(until=END)
                port = free_port()
                run.measure(our_command(remote, port), port, Request(label, VECTORS_PATH, run.vectors_body))
        except pytest.skip.Exception as reason:
            print_skipped(label, str(reason))


def compare(run: Run) -> None:
    """Measure all servers, print the table and the ratios, and exit with 1 if values differ."""
    make_data(run.folder, run.rows)
    own = [sys.executable, __file__, "--folder", str(run.folder)]
    print(f"30 features of 3 views, {CONNECTIONS} connections, 1 worker")
    print(f"{'':34}{'rows':>5}{'answers/s':>10}{'p50, ms':>9}{'p99, ms':>9}{'CPU, us':>11}")
    port = free_port()
    run.measure(
        [*own, "--serve", "empty", "--port", str(port)],
        port,
        Request(EMPTY, VECTORS_PATH, run.vectors_body),
    )
    measure_ours(run)
    port = free_port()
    run.measure(
        [*own, "--serve", "feast", "--port", str(port)],
        port,
        Request(FEAST, FEAST_PATH, run.feast_body),
    )
    agree = run.answers[WIRE] == run.answers[FEAST]
    print(f"the values {'agree' if agree else 'DIFFER'}")
    for size in SIZES:
        empty, lean, computed, wire, feast = (
            run.figures[label, size].answers_per_second for label in (EMPTY, LEAN, COMPUTED, WIRE, FEAST)
        )
        print(
            f"{size:3} rows: on the same wire {wire / feast:.0f}x Feast's server; /v1/vectors "
            f"{lean / feast:.0f}x, and {lean / empty:.2f} of an empty endpoint; "
            f"with on-demand features {computed / lean:.2f} of those without"
        )
    if not agree:
        sys.exit("our values and Feast's differ")


def main() -> None:
    """Read the options, and compare or serve."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seconds", type=float, default=4.0, help="of load, for each kind and size of request"
    )
    parser.add_argument(
        "--small", action="store_true", help="tiny data and little load, to see that all works"
    )
    parser.add_argument("--serve", choices=["feast", "empty"], help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, default=Path(f"data/bench/{ROWS}"), help="folder of the files")
    options = parser.parse_args()
    if options.serve == "feast":
        serve_feast(options.folder, options.port)
    elif options.serve == "empty":
        serve_empty(options.port)
    elif options.small:
        with TemporaryDirectory() as temporary:
            compare(Run(Path(temporary), SMALL_ROWS, 0.03))
    else:
        compare(Run(options.folder, ROWS, options.seconds))


if __name__ == "__main__":
    main()
