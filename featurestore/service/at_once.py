"""Answers a usual request in one step of the event loop, without a task and without the messages of ASGI.

Every other request takes the long way: uvicorn answers it by ASGI. So does a request that is refused, or whose body
is late. A usual request that waits for a store on a server is answered when the store has answered, in the same way.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from featurestore.service.protocol import PatientProtocol

if TYPE_CHECKING:
    from starlette.types import Scope

    from featurestore.service.runtime.connections import Connections
    from featurestore.service.runtime.late_bodies import LateBodies
    from featurestore.service.waiting import OnAnswer, WaitingRequest

# Larger bodies take the long way: a body of too many rows would be decoded here, and again by ASGI.
MAX_BYTES = 64 << 10
# In the scope of a request: `time.perf_counter` when its head was complete.
STARTED = "started"
# A caller sends the same few heads again and again. Longer ones are parsed each time.
MAX_HEADS = 16
MAX_HEAD_BYTES = 2 << 10
HEAD_END = b"\r\n\r\n"


class Head(NamedTuple):
    """What the parser read in the head of a request that was answered at once."""

    target: bytes
    headers: list[tuple[bytes, bytes]]
    body_size: int


class AtOnceApp(Protocol):
    """An ASGI application that answers some requests at once."""

    def may_answer_at_once(self, target: bytes) -> bool:
        """Return whether a POST request for a target may be answered at once."""

    def answer_at_once(
        self, scope: Scope, target: bytes, body: bytes, on_answer: OnAnswer
    ) -> bytes | WaitingRequest | None:
        """Return the application's headers and the body of an answer with status 200.

        `WaitingRequest`: `on_answer` gets them later, with their status, unless it is cancelled. None: answer by ASGI.
        """


class AtOnceProtocol(PatientProtocol):
    """The HTTP protocol of the server.

    Parameters
    ----------
    open_connections
        Counts this connection.
    late_bodies
        The connections that wait for the rest of a body.
    """

    app: AtOnceApp
    # The parts of the body of a request that may be answered at once. None: there is no such request.
    _parts: list[bytes] | None = None
    _bytes = 0
    # A caller who sends many requests in one read does not hold up the others.
    _answered = False
    # The parser has read all of one request, and waits for the next.
    _between = True
    # The request that waits for a store.
    _waiting: WaitingRequest | None = None

    def __init__(self, open_connections: Connections, late_bodies: LateBodies, **named: Any) -> None:
        super().__init__(open_connections, **named)
        self._late_bodies = late_bodies
        # The same bytes have the same meaning, so the heads of whole requests are parsed once.
        self._heads: dict[bytes, Head] = {}
        # uvicorn replaces its headers once a second. They are written once for each connection.
        self._default_headers: list[tuple[bytes, bytes]] = []
        self._header_lines = b""

    def data_received(self, data: bytes) -> None:
        """Answer a whole request with a known head, or parse bytes. A body that is incomplete after them is late."""
        was_between, self._answered = self._between, False
        head = data[: data.find(HEAD_END) + len(HEAD_END)] if was_between else b""
        known = self._heads.get(head)
        if known is not None and len(data) == len(head) + known.body_size and self._is_free():
            if self._answer(known.target, known.headers, time.perf_counter(), data[len(head) :]):
                return
            # ASGI decides what it gets.
            self._answered = True
        was_late = self._parts is not None
        super().data_received(data)
        if known is None and was_between and self._answered:
            self._keep_head(head, data)
        if was_late != (self._parts is not None):
            if was_late:
                self._late_bodies.forget(self)
            else:
                self._late_bodies.wait(self)

    def on_message_begin(self) -> None:
        """Note the start of a request."""
        super().on_message_begin()
        self._between = False

    def begin_request(self) -> None:
        """Wait for the body of a usual request; begin all others."""
        self.scope[STARTED] = time.perf_counter()  # type: ignore[literal-required]
        if self._is_usual():
            self._parts, self._bytes = [], 0
        else:
            super().begin_request()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        if self._parts is not None:
            self._parts.append(body)
            self._bytes += len(body)
            if self._bytes > MAX_BYTES:
                self.take_long_way()
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        """Answer a usual request, if it turns out to be one."""
        self._between = not self.parser.should_upgrade()
        if self._parts is None:
            super().on_message_complete()
        elif self._answer(self.url, self.headers, self.scope[STARTED], b"".join(self._parts)):  # type: ignore[literal-required]
            self._parts = None
        else:
            self.take_long_way()
            super().on_message_complete()

    def take_long_way(self) -> None:
        """Answer by ASGI the request that has arrived so far."""
        if self._parts is None:
            return
        body, self._parts = b"".join(self._parts), None
        super().begin_request()
        super().on_body(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Record a request whose caller left before its body arrived, or before its answer was sent."""
        self.take_long_way()
        if self._waiting is not None:
            self._waiting.cancel()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Answer a request that has begun to arrive, then close the connection."""
        self.take_long_way()
        super().shutdown()

    def _answer(self, target: bytes, headers: list[tuple[bytes, bytes]], started: float, body: bytes) -> bool:
        """Answer a request at once or when its store has answered, unless it has to take the long way."""
        scope = {"headers": headers, STARTED: started}
        answer = self.app.answer_at_once(scope, target, body, self._answer_waiting)
        if answer is None:
            return False
        self._answered = True
        if isinstance(answer, bytes):
            self._write(200, answer)
            self.server_state.total_requests += 1
            self._open_connections.idle(self)
        else:
            # Later requests of this connection wait for its end.
            self.cycle = self._waiting = answer  # type: ignore[assignment]
        return True

    def _answer_waiting(self, waiting: WaitingRequest, status: int, answer: bytes) -> None:
        """Answer a request that has waited."""
        self._waiting = None
        if self.transport.is_closing():
            return
        waiting.response_complete = True
        if waiting.keep_alive:
            self._write(status, answer)
        else:  # the server stops
            self._write(status, b"connection: close\r\n" + answer)
            self.transport.close()
        self.on_response_complete()

    def _write(self, status: int, answer: bytes) -> None:
        headers = self.server_state.default_headers
        if headers is not self._default_headers:
            self._default_headers = headers
            self._header_lines = b"".join(b"%b: %b\r\n" % pair for pair in headers)
        self.transport.write(b"".join([STATUS_LINE[status], self._header_lines, answer]))

    def _keep_head(self, head: bytes, data: bytes) -> None:
        """Keep the head of the request that was answered, if it came alone."""
        size = self._bytes
        if len(data) == len(head) + size and len(head) <= MAX_HEAD_BYTES:
            if len(self._heads) == MAX_HEADS:
                self._heads.clear()
            self._heads[head] = Head(self.url, self.headers, size)

    def _is_usual(self) -> bool:
        parser = self.parser
        return (
            not self._answered
            and self.app.may_answer_at_once(self.url)
            and self._is_free()
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not (parser.should_upgrade() or self.expect_100_continue)
        )

    def _is_free(self) -> bool:
        """Return whether the connection can answer a request at once."""
        return (
            (self.cycle is None or self.cycle.response_complete)
            and not (self.flow.write_paused or self.transport.is_closing())
            and not self._open_connections.crowded
        )
