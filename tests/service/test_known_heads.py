"""A connection parses a head once: the same bytes, sent again as a whole request, are answered as they were."""

import asyncio
import json
from itertools import product

import uvicorn
from test_at_once import AS_OF, CHUNKED, Caller, http
from uvicorn.server import ServerState

from featurestore.service.run import settings
from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.keys import add_key, remove_key

OTHER = json.dumps({"rows": [{"customer": 99, "basket": 1.0}], "as_of": "2026-01-01T00:00:00Z"}).encode()
KNOWN = http(AS_OF)
LIMIT = 5_000
# As many bytes in one chunk as `AS_OF` has without chunks.
IN_ONE_CHUNK = b"41\r\n%b\r\n0\r\n\r\n" % b'{"rows": [{"customer": 3, "basket": 16.0}]}'.ljust(0x41)
assert len(IN_ONE_CHUNK) == len(AS_OF)
REQUESTS = (
    *(KNOWN, http(OTHER), http(AS_OF[:-1] + b"\r\n\r\n }"), http(AS_OF.replace(b"rows", b"rosw"))),
    *(http(AS_OF, "X-Request-Id: abc"), http(AS_OF, "Origin: http://evil.example"), b"\r\n" + KNOWN),
    *(http(body, "Transfer-Encoding: chunked") for body in (CHUNKED, IN_ONE_CHUNK)),
    *(http(AS_OF, "X: " + "x" * 3_000), http(AS_OF + b" " * 100)),
)
# It is refused before its body has arrived.
TOO_LARGE = http(b" " * LIMIT + KNOWN)


class Socket(asyncio.Transport):
    """Keeps what is written."""

    def __init__(self):
        super().__init__()
        self.written = b""

    def write(self, data):
        self.written += data

    def is_closing(self):
        return False

    def pause_reading(self):
        """Reads are sent by `exchange`."""

    def resume_reading(self):
        """Reads are sent by `exchange`."""

    def answers(self):
        """Return the status, the body, whether it has the caller's id, and the date of each answer."""
        result, rest = [], self.written
        while rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            status, *lines = head.split(b"\r\n")
            headers = dict(line.split(b": ") for line in lines)
            size = int(headers[b"content-length"])
            body, rest = rest[:size], rest[size:]
            named = headers[b"x-request-id"] == b"abc"
            content = body.replace(headers[b"x-request-id"], b"")
            result.append((status, content, named, headers.get(b"date")))
        return result


def exchange(app, reads, state=None):
    """Send reads over one connection, each after the answers to those before; return all answers.

    A function among the reads is called at its place.
    """

    async def answered():
        config = uvicorn.Config(app, **settings(app.state.options))
        config.load()
        connection = config.http_protocol_class(
            config=config, server_state=state or ServerState(), app_state={}
        )
        connection.connection_made(transport := Socket())
        for data in reads:
            if callable(data):
                await data()
                continue
            connection.data_received(data)
            if connection.tasks:
                await asyncio.wait(connection.tasks)
        return transport.answers()

    return asyncio.run(answered())


def test_a_request_after_others_is_answered_as_alone(stored):
    """In every order of two, before and after a usual one, each whole or cut; also a body with a request in it."""
    app = Caller(stored, max_bytes=LIMIT).app
    alone = {request: exchange(app, [request]) for request in (*REQUESTS, TOO_LARGE)}
    assert {answers[0][0].split()[1] for answers in alone.values()} == {b"200", b"403", b"413", b"422"}
    for first, second in product(REQUESTS, repeat=2):
        expected = [*alone[KNOWN], *alone[first], *alone[second], *alone[KNOWN]]
        assert exchange(app, [KNOWN, first, second, KNOWN]) == expected
        assert exchange(app, [KNOWN, first + second, KNOWN]) == expected
        assert exchange(app, [KNOWN, first, second[:-90], second[-90:], KNOWN]) == expected
    large = [KNOWN, TOO_LARGE[: -len(KNOWN)], KNOWN, KNOWN]
    assert exchange(app, large) == [*alone[KNOWN], *alone[TOO_LARGE], *alone[KNOWN]]


def test_a_known_head_is_checked_for_each_request(stored):
    """A key that is removed no longer admits a head that has it."""
    keys = stored.layout.keys
    secret = add_key(keys, "reader", scopes=(KeyScope.READ,))
    add_key(keys, "other", scopes=(KeyScope.READ,))
    app = Caller(stored).app
    request = http(AS_OF, f"Authorization: Bearer {secret}")

    async def without_key():
        remove_key(keys, "reader")
        await app.state.refresh()

    answers = exchange(app, [request, request, without_key, request])
    assert [status.split()[1] for status, *_ in answers] == [b"200", b"200", b"401"]


def test_an_answer_has_the_date_of_its_second(stored):
    """uvicorn replaces the headers of all answers once a second."""
    state = ServerState()
    state.default_headers = [(b"date", b"one")]

    async def next_second():
        state.default_headers = [(b"date", b"two")]

    answers = exchange(Caller(stored).app, [KNOWN, KNOWN, next_second, KNOWN], state)
    assert [date for *_, date in answers] == [b"one", b"one", b"two"]
