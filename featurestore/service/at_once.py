"""Answers a usual request in one step of the event loop, without a task and without the messages of ASGI.

Everything unusual takes the long way: uvicorn's, by ASGI. So does a request whose body is late, and one that is refused.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from featurestore.service.protocol import PatientProtocol

if TYPE_CHECKING:
    from starlette.types import Scope

    from featurestore.service.runtime.connections import Connections
    from featurestore.service.runtime.late_bodies import LateBodies

# Larger bodies take the long way: that of too many rows is decoded twice.
MAX_BYTES = 64 << 10
OK = STATUS_LINE[200]
# In the scope of a request: `time.perf_counter` when its head was complete.
STARTED = "started"


class AtOnceApp(Protocol):
    """An ASGI application that answers some requests at once."""

    def answers_at_once(self, target: bytes) -> bool:
        """Return whether a request of POST for a target may be answered at once."""

    def answer_at_once(self, scope: Scope, target: bytes, body: bytes) -> bytes | None:
        """Return the application's headers and the body of an answer with status 200. None: answer by ASGI."""


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

    def __init__(self, open_connections: Connections, late_bodies: LateBodies, **named: Any) -> None:
        super().__init__(open_connections, **named)
        self._late_bodies = late_bodies

    def data_received(self, data: bytes) -> None:
        """Parse bytes. A body that is incomplete after them is late."""
        self._answered = False
        was_late = self._parts is not None
        super().data_received(data)
        if was_late != (self._parts is not None):
            if was_late:
                self._late_bodies.forget(self)
            else:
                self._late_bodies.wait(self)

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
        if self._parts is None:
            super().on_message_complete()
            return
        answer = self.app.answer_at_once(self.scope, self.url, b"".join(self._parts))  # type: ignore[arg-type]
        if answer is None:
            self.take_long_way()
            super().on_message_complete()
            return
        self._parts = None
        self._answered = True
        lines = [b"%b: %b\r\n" % pair for pair in self.server_state.default_headers]
        self.transport.write(b"".join([OK, *lines, answer]))
        self.server_state.total_requests += 1
        self._open_connections.idle(self)

    def take_long_way(self) -> None:
        """Answer by ASGI the request that has arrived so far."""
        if self._parts is None:
            return
        body, self._parts = b"".join(self._parts), None
        super().begin_request()
        super().on_body(body)

    def connection_lost(self, exc: Exception | None) -> None:
        """Record a request whose caller left before its body arrived."""
        self.take_long_way()
        super().connection_lost(exc)

    def shutdown(self) -> None:
        """Answer a request that has begun to arrive, then close the connection."""
        self.take_long_way()
        super().shutdown()

    def _is_usual(self) -> bool:
        parser = self.parser
        return (
            not self._answered
            and self.app.answers_at_once(self.url)
            and (self.cycle is None or self.cycle.response_complete)
            and parser.get_method() == b"POST"
            and parser.get_http_version() == "1.1"
            and parser.should_keep_alive()
            and not (parser.should_upgrade() or self.expect_100_continue or self.flow.write_paused)
            and not (self.transport.is_closing() or self._open_connections.crowded)
        )
