"""A usual request is answered in one step, and as by ASGI; all others take the long way."""

import asyncio
import json
import socket
from datetime import UTC, datetime

from asgi import ask
from serving import ROW, eventually, running

from featurestore.service.app import create_app
from featurestore.service.lookup.active_release import ProjectAsOf
from featurestore.service.runtime import connections
from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.keys import add_key
from featurestore.service.runtime.options import Options
from featurestore.service.telemetry.journal import Journal

VECTORS, WIRE = "/v1/vectors/buying", "/get-online-features"
ROWS = json.dumps({"rows": [ROW, {"customer": 99, "basket": 1.0}]}).encode()
COLUMNS = json.dumps({"features": ["last_order:amount"], "entities": {"customer": [3, 99]}}).encode()
ID = (b"x-request-id", b"abc")


class Caller:
    """The application of a project as of one timestamp, and the records of its requests."""

    def __init__(self, project, **options):
        served = ProjectAsOf(project, datetime(2026, 1, 1, tzinfo=UTC))
        self.app = create_app(Options(root=str(project.settings.root), log_requests=False, **options), served)
        self.entries = []
        self.app.state.journal = Journal([self.entries.extend])

    def at_once(self, path, body, *headers):
        scope = {"headers": [(b"host", b"localhost"), *headers], "started": 0.0}
        return self.app.answer_at_once(scope, path.encode(), body, None)

    def by_asgi(self, path, body, *headers):
        return asyncio.run(ask(self.app, "POST", path, body=body, headers=headers))

    def recorded(self):
        """Return what was recorded of each request, apart from its times."""
        self.app.state.journal.start()
        self.app.state.journal.close()
        return [(e.route, e.status, e.caller, e.row_count, e.request_id, e.size) for e in self.entries]


def test_an_answer_at_once_has_the_bytes_of_one_by_asgi(stored):
    """Its headers, its body and its record are the same."""
    reader = add_key(stored.layout.keys, "reader", scopes=(KeyScope.READ,))
    key = (b"authorization", b"Bearer " + reader.encode())
    subject = Caller(stored)
    for path, body in ((VECTORS, ROWS), (WIRE, COLUMNS)):
        head, _, content = subject.at_once(path, body, key, ID).partition(b"\r\n\r\n")
        answer = subject.by_asgi(path, body, key, ID)
        headers = dict(line.split(": ") for line in head.decode().splitlines())
        assert (answer.status, answer.headers, answer.body) == (200, headers, content)
    records = subject.recorded()
    assert records[::2] == records[1::2]
    assert [(record[2], record[3]) for record in records] == [("reader", 2)] * 4


def test_whatever_is_refused_takes_the_long_way(stored):
    """A wrong key, scope, service, host, value or size: ASGI decides what it gets, and records it once."""
    add_key(stored.layout.keys, "reader", scopes=(KeyScope.READ,))
    secrets = {
        "fs_wrong": 401,
        add_key(stored.layout.keys, "writer", scopes=(KeyScope.WRITE,)): 403,
        add_key(stored.layout.keys, "selling", scopes=(KeyScope.READ,), services=("selling",)): 403,
    }
    subject = Caller(stored)
    for secret, status in secrets.items():
        key = (b"authorization", b"Bearer " + secret.encode())
        for path, body in ((VECTORS, ROWS), (WIRE, COLUMNS)):
            assert subject.at_once(path, body, key) is None
            assert subject.by_asgi(path, body, key).status == status
    assert subject.at_once(VECTORS, ROWS) is None
    stored.layout.keys.unlink()
    free = Caller(stored, max_bytes=5_000)
    bodies = {
        (VECTORS, b"{"): 400,
        (VECTORS, b'{"rows":[{"customer":3,"customer":4,"basket":1.0}]}'): 422,
        (VECTORS, b'{"rows":[{"customer":"x"}]}'): 422,
        ("/v1/vectors/byuing", ROWS): 404,
        (WIRE, b'{"features":["last_order:amuont"],"entities":{"customer":[3]}}'): 404,
        (VECTORS, ROWS + b" " * 5_000): 413,
    }
    for (path, body), status in bodies.items():
        assert free.at_once(path, body) is None
        assert free.by_asgi(path, body).status == status
    page = (b"origin", b"http://evil.example")
    assert free.at_once(VECTORS, ROWS, page) is None
    assert free.by_asgi(VECTORS, ROWS, page).status == 403
    assert Caller(stored, concurrency=0).at_once(VECTORS, ROWS) is None
    assert [record[1] for record in free.recorded()] == [*bodies.values(), 403]


def test_many_rows_take_the_long_way(stored):
    """A thread reads them, so that other requests go on."""
    subject = Caller(stored)
    for rows, is_at_once in ((200, True), (201, False)):
        body = json.dumps({"rows": [ROW] * rows}).encode()
        assert (subject.at_once(VECTORS, body) is not None) == is_at_once


OTHER_TARGETS = (
    *("/v1/vectors/buying?a=1", "/v1/vectors/b%75ying", "//v1/vectors/buying", "/v1/vectors/buying/"),
    *("http://localhost/v1/vectors/buying", "/v1/vectors/buying#a", "/v1/vectors/", "/v1/../push", "*"),
    *("/push", "/health", "/v1/datasets/orders/history", "/v1/vectors/buying\x00", "/v1/vectors/b\xfc"),
)


def test_only_the_plain_path_of_a_lookup_is_answered_at_once(stored):
    """Every other spelling is left to the parser that decides for all routes."""
    app = Caller(stored).app
    assert app.may_answer_at_once(VECTORS.encode())
    assert not any(app.may_answer_at_once(target.encode("latin-1")) for target in OTHER_TARGETS)


def http(body, *headers, path=VECTORS, version="1.1"):
    head = [f"POST {path} HTTP/{version}", "Host: localhost", *headers]
    if not any(header.startswith("Transfer") for header in headers):
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*head, "", ""]).encode() + body


def answers(connection, count):
    """Read answers: the status and the body of each."""
    file = connection.makefile("rb")
    read = []
    for _ in range(count):
        status = int(file.readline().split()[1])
        headers = dict(line.lower().split(b": ") for line in iter(file.readline, b"\r\n"))
        read.append((status, file.read(int(headers.get(b"content-length", b"0")))))
    return read


AS_OF = json.dumps({"rows": [ROW], "as_of": "2026-01-01T00:00:00Z"}).encode()
CHUNKED = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (AS_OF[:9], AS_OF[9:])) + b"0\r\n\r\n"


def test_a_request_is_answered_however_it_arrives(stored):
    """Cut anywhere, in chunks, after others in one read, or by an old client: the body of the answer is the same."""
    with running(stored.settings.root) as client:

        def sent(*parts, count=1):
            with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for part in parts:
                    connection.sendall(part)
                return answers(connection, count)

        request = http(AS_OF)
        [expected] = sent(request)
        assert expected[0] == 200
        for cut in (*range(1, len(request), 23), len(request) - len(AS_OF)):
            assert sent(request[:cut], request[cut:]) == [expected]
        assert sent(http(CHUNKED, "Transfer-Encoding: chunked")) == [expected]
        assert sent(http(AS_OF, "Connection: close")) == [expected]
        assert sent(http(AS_OF, version="1.0")) == [expected]
        padded = AS_OF + b" " * 70_000
        assert sent(http(padded)) == [expected]
        health = b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"
        several = sent(request + health + request + request + http(b"{") + request, count=6)
        assert [status for status, _ in several] == [200, 200, 200, 200, 400, 200]
        assert several[0] == several[2] == several[3] == several[5] == expected
        waiting = http(AS_OF, "Expect: 100-continue")
        assert sent(waiting[: -len(AS_OF)], AS_OF, count=2) == [(100, b""), expected]
        with socket.create_connection(("127.0.0.1", client.port), timeout=20) as connection:
            connection.sendall(request[:-1])
        left = ("featurestore_requests_total", "/v1/vectors/{service}", "499")
        eventually(lambda: client.metrics().get(left), "the caller was not missed")


def test_an_idle_connection_is_closed_and_one_that_sends_is_not(stored, monkeypatch):
    """One timer looks at all connections. The first bytes of a further request count as sending."""
    monkeypatch.setattr(connections, "KEEP_ALIVE_SECONDS", 0.2)
    monkeypatch.setattr(connections, "CHECK_SECONDS", 0.05)
    with running(stored.settings.root) as client:
        idle, sending = (socket.create_connection(("127.0.0.1", client.port), timeout=20) for _ in range(2))
        with idle, sending:
            sending.sendall(http(AS_OF) + http(AS_OF)[:20])
            assert answers(sending, 1)[0][0] == 200
            idle.sendall(http(AS_OF))
            assert answers(idle, 1)[0][0] == 200
            assert idle.recv(1) == b""
            sending.sendall(http(AS_OF)[20:])
            assert answers(sending, 1)[0][0] == 200
