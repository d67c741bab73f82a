"""A usual request that waits for a store has the answer, the record and the limits that a task of ASGI would give it."""

import asyncio
import json
import threading
from contextlib import asynccontextmanager

import pytest
import uvicorn
from serving import ROW
from test_at_once import ROWS, VECTORS, http
from uvicorn.server import ServerState

from featurestore.service.app import create_app
from featurestore.service.run import settings
from featurestore.service.runtime.deadlines import Deadlines
from featurestore.service.runtime.options import Options
from featurestore.service.telemetry.journal import Journal

WIRE = b'{"features":["last_order:amount"],"entities":{"customer":[3,99]}}'
BEFORE = json.dumps({"rows": [ROW], "as_of": "2000-01-01T00:00:00Z"}).encode()
NOW = json.dumps({"rows": [ROW], "as_of": "2026-01-01T00:00:00Z"}).encode()
REQUESTS = [(VECTORS, NOW, 200), (VECTORS, BEFORE, 409), ("/get-online-features", WIRE, 200)]


class Caller(asyncio.Transport):
    """A connection that keeps what is written to it."""

    def __init__(self, app):
        super().__init__()
        self.writes, self.closed = [], False
        config = uvicorn.Config(app, **settings(app.state.options))
        config.load()
        self.server = ServerState()
        self.protocol = config.http_protocol_class(
            config=config, server_state=self.server, app_state={}, _loop=asyncio.get_running_loop()
        )
        self.protocol.connection_made(self)

    def write(self, data):
        self.writes.append(bytes(data))

    def close(self):
        self.closed = True

    def is_closing(self):
        return self.closed

    def pause_reading(self):
        """Nothing is read."""

    def resume_reading(self):
        """Nothing is read."""

    def ask(self, path, body):
        self.protocol.data_received(http(body, "X-Request-Id: abc", path=path))

    async def answered(self, count=1):
        """Wait for answers; return the bytes that were written."""
        async with asyncio.timeout(30):
            while self.server.total_requests < count:  # noqa: ASYNC110 - uvicorn counts its answers, and tells nobody
                await asyncio.sleep(0.001)
        return b"".join(self.writes)


@pytest.fixture
def app(stored):
    """The application, for which the store is one that it has to wait for."""
    return remote_app(stored)


def remote_app(stored, **options):
    app = create_app(Options(root=str(stored.settings.root), log_requests=False, **options))
    app.state.active_release.local = False
    app.entries = []
    app.state.journal = Journal([app.entries.extend])
    return app


def recorded(app):
    """Return what was recorded of each request, apart from its times."""
    app.state.journal.start()
    app.state.journal.close()
    return [(e.route, e.status, e.error, e.row_count, e.size, e.release) for e in app.entries]


@asynccontextmanager
async def hanging(app):
    """Keep the one thread of the lookups busy."""
    release = threading.Event()
    task = asyncio.ensure_future(app.state.lookups.run(lambda: release.wait(30)))
    try:
        yield
    finally:
        release.set()
        await asyncio.wait([task])


def test_an_answer_has_the_bytes_and_the_record_of_the_long_way(app):
    """An error, too. A query sends the same request the long way, which has a task."""

    async def check():
        for path, body, status in REQUESTS:
            usual, general = Caller(app), Caller(app)
            usual.ask(path, body)
            assert not usual.server.tasks
            assert not usual.writes
            answer = await usual.answered()
            general.ask(f"{path}?", body)
            assert general.server.tasks
            assert answer == await general.answered()
            assert answer.startswith(b"HTTP/1.1 %d " % status)
            assert len(usual.writes) == 1

    asyncio.run(check())
    records = recorded(app)
    assert records[::2] == records[1::2]
    assert [record[1] for record in records[::2]] == [status for *_, status in REQUESTS]


def test_many_rows_take_a_task(app):
    """Nothing has begun before: a thread reads them for a task of ASGI."""

    async def check():
        for rows, has_task in ((200, False), (201, True)):
            caller = Caller(app)
            caller.ask(VECTORS, json.dumps({"rows": [ROW] * rows}).encode())
            assert bool(caller.server.tasks) == has_task
            assert (await caller.answered()).startswith(b"HTTP/1.1 200 ")

    asyncio.run(check())
    assert [record[3] for record in recorded(app)] == [200, 201]


def test_answers_keep_the_order_of_requests(app):
    """Requests of one connection that arrive while another one waits are answered after it, also one that is refused."""
    requests = [REQUESTS[0], (VECTORS, b"{", 400), *REQUESTS[1:]]

    async def check():
        alone = []
        for path, body, _ in requests:
            caller = Caller(app)
            caller.ask(path, body)
            alone.append(await caller.answered())
        caller = Caller(app)
        for path, body, _ in requests:
            caller.ask(path, body)
        assert await caller.answered(len(requests)) == b"".join(alone)

    asyncio.run(check())


def test_a_server_that_stops_ends_the_connection_with_the_answer(app):
    """The caller reads that this answer is the last one."""

    async def check():
        caller = Caller(app)
        caller.ask(VECTORS, NOW)
        caller.protocol.shutdown()
        assert not caller.closed
        head, _, body = (await caller.answered()).partition(b"\r\n\r\n")
        assert b"connection: close" in head.split(b"\r\n")
        assert json.loads(body)["values"]
        assert caller.closed

    asyncio.run(check())


def test_a_caller_who_leaves_gets_no_answer_and_frees_its_place(stored):
    """The record says that it left; the next request is answered."""
    app = remote_app(stored, concurrency=1, threads=1)

    async def check():
        async with hanging(app):
            left, busy = Caller(app), Caller(app)
            left.ask(VECTORS, NOW)
            await asyncio.sleep(0)
            busy.ask(VECTORS, NOW)
            assert (await busy.answered()).startswith(b"HTTP/1.1 503 ")
            left.protocol.connection_lost(None)
        caller = Caller(app)
        await asyncio.sleep(0)
        caller.ask(VECTORS, NOW)
        assert (await caller.answered()).startswith(b"HTTP/1.1 200 ")
        assert not left.writes

    asyncio.run(check())
    assert [record[1] for record in recorded(app)] == [503, 499, 200]


def test_a_request_that_takes_too_long_gets_503(stored):
    """The connection goes on."""
    app = remote_app(stored, threads=1)

    async def check():
        app._deadlines = Deadlines(0.02)
        caller = Caller(app)
        async with hanging(app):
            caller.ask(VECTORS, ROWS)
            assert b"the request took too long" in await caller.answered()
        app._deadlines = Deadlines(30)
        caller.ask(VECTORS, ROWS)
        assert (await caller.answered(2)).partition(b"}}HTTP")[2].startswith(b"/1.1 200 ")

    asyncio.run(check())
    assert [record[1:3] for record in recorded(app)] == [(503, "TimedOut"), (200, None)]


def test_a_store_that_does_not_answer_gives_503(stored):
    """Within the time of a lookup, which is less than that of the request."""
    app = remote_app(stored, timeout=0.1, threads=1)

    async def check():
        app._deadlines = Deadlines(30)
        async with hanging(app):
            caller = Caller(app)
            caller.ask(VECTORS, ROWS)
            assert b"lookups have not ended within" in await caller.answered()

    asyncio.run(check())
    assert [record[1:3] for record in recorded(app)] == [(503, "StoreError")]
