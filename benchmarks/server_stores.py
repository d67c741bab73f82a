"""Processor time of one request over Redis and PostgreSQL, in one process and without sockets to its callers.

``make bench-online`` asks for 30 features of one row, one request at a time and 8 at a time, and prints the CPU time of
the process for each request: the smallest and the median of its rounds. The time of the store's server is not in it. A
round is short, so that on a busy machine some rounds have a core for themselves.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn
import uvloop
from http_load import post_request
from online import END, ROWS
from peers import print_skipped
from serving import VECTORS_PATH, PostgresServer, RedisServer, Run, project_on_server, run_server
from uvicorn.server import ServerState
from workload import SMALL_ROWS, make_data

from featurestore.service.app import create_app
from featurestore.service.run import freeze_memory, settings
from featurestore.service.runtime.options import Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from featurestore.project import Project

PORT = 8566
AT_A_TIME = (1, 8)
STORES = (("Redis", RedisServer, "RedisOnlineStore"), ("PostgreSQL", PostgresServer, "PostgresOnlineStore"))


class Caller(asyncio.Transport):
    """A connection that sends its next request when an answer is complete."""

    def __init__(self, on_answer: Callable[[], None]) -> None:
        super().__init__()
        self._on_answer = on_answer
        self._answer = b""

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return the addresses of the connection."""
        return ("127.0.0.1", PORT) if name in ("peername", "sockname") else default

    def is_closing(self) -> bool:
        """Return False."""
        return False

    def write(self, data: Any) -> None:
        """Take bytes of an answer."""
        self._answer += data
        head, _, body = self._answer.partition(b"\r\n\r\n")
        length = head.partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if length and len(body) >= int(length):
            if not head.startswith(b"HTTP/1.1 200"):
                raise RuntimeError(self._answer.decode())
            self._answer = b""
            self._on_answer()

    def pause_reading(self) -> None:
        """Nothing is read."""

    def resume_reading(self) -> None:
        """Nothing is read."""

    def close(self) -> None:
        """Nothing is open."""


async def processor_time(
    project: Project, body: bytes, at_a_time: int, rounds: int, count: int
) -> list[float]:
    """Return the microseconds of a request in each round."""
    app = create_app(Options(root=str(project.settings.root), port=PORT, log_requests=False))
    config = uvicorn.Config(app, **settings(app.state.options))
    config.load()
    loop = asyncio.get_running_loop()
    request = post_request(PORT, VECTORS_PATH, body)
    left = 0
    ended: asyncio.Future[None] = loop.create_future()

    def next_request(place: int) -> None:
        nonlocal left
        left -= 1
        if left >= at_a_time:
            loop.call_soon(protocols[place].data_received, request)
        elif left == 0:
            ended.set_result(None)

    protocols = []
    for place in range(at_a_time):
        protocol: Any = config.http_protocol_class(
            config=config, server_state=ServerState(), app_state={}, _loop=loop
        )
        protocol.connection_made(Caller(lambda place=place: next_request(place)))
        protocols.append(protocol)
    app.state.journal.start()
    freeze_memory()
    figures = []
    for _ in range(rounds):
        left, ended = count, loop.create_future()
        start = time.process_time()
        for protocol in protocols:
            loop.call_soon(protocol.data_received, request)
        await ended
        figures.append(1e6 * (time.process_time() - start) / count)
    app.state.lookups.close_channels()
    await asyncio.to_thread(app.state.close)
    return figures


def compare(run: Run, rounds: int, count: int) -> None:
    """Measure each store, and print a line for it."""
    make_data(run.folder, run.rows)
    print("CPU of a request for one row, us: the smallest and the median of the rounds")
    print(f"{'store':12}{'at a time':>10}{'smallest':>10}{'median':>10}")
    for name, kind, store_type in STORES:
        try:
            with run_server(kind) as store:
                project = project_on_server(run.folder, store_type, store.url)
                project.materialize(until=END)
                for at_a_time in AT_A_TIME:
                    work = processor_time(project, run.vectors_body(1), at_a_time, rounds, count)
                    figures = uvloop.run(work)
                    print(f"{name:12}{at_a_time:10}{min(figures):10,.0f}{median(figures):10,.0f}", flush=True)
        except pytest.skip.Exception as reason:
            print_skipped(name, str(reason))


def main() -> None:
    """Read the options and measure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200, help="of 64 requests each")
    parser.add_argument(
        "--small", action="store_true", help="tiny data and two rounds, to see that all works"
    )
    options = parser.parse_args()
    if options.small:
        with TemporaryDirectory() as temporary:
            compare(Run(Path(temporary), SMALL_ROWS, 0), rounds=2, count=24)
    else:
        compare(Run(Path(f"data/bench/{ROWS}"), ROWS, 0), options.rounds, 64)


if __name__ == "__main__":
    sys.exit(main())
