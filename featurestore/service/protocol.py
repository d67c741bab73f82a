"""The HTTP parser of uvicorn, with limits on the time and size of a request's head, and with our own error bodies."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from featurestore.service.api.problems import body_of
from featurestore.service.runtime.refused import RefusedError

if TYPE_CHECKING:
    import asyncio

    from featurestore.service.runtime.connections import Connections

HEAD_SECONDS = 10.0
HEAD_BYTES = 64 * 1024
LINGER_SECONDS = 1.0
# In the scope of a request: there are more connections than the limit.
CROWDED = "crowded"


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol, which limits the time and the size of a request's head.

    Attributes
    ----------
    idle_since
        As of `IdleConnection`.
    """

    idle_since: float | None = None
    _late: asyncio.TimerHandle | None = None
    _in_head = False
    # Bytes of the last read.
    _read = 0
    # Bytes of the earlier reads that brought only parts of an incomplete head.
    _head = 0
    _too_large = False

    def __init__(self, open_connections: Connections, **named: Any) -> None:
        super().__init__(**named)
        self._open_connections = open_connections

    def abort(self) -> None:
        """Close the connection at once."""
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time limit of the first head."""
        super().connection_made(transport)
        self._open_connections.opened(self)
        self._late = self.loop.call_later(HEAD_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        """Start the time limit of a head that is incomplete."""
        self._read = len(data)
        super().data_received(data)
        if self._in_head:
            self.idle_since = None
            self._wait_for_head()

    def on_message_begin(self) -> None:
        """Note the start of a head."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """Stop the time limit: the body has its own. Mark a request that exceeds the connections."""
        self._in_head = False
        if self._head + self._read > HEAD_BYTES and self._length() > HEAD_BYTES:
            self._too_large = True
            raise ValueError("the head is too large")
        if self._late is not None:
            self._stop_waiting()
        self._open_connections.active(self)
        if self._open_connections.crowded:
            self.scope[CROWDED] = True  # type: ignore[literal-required]
        self.begin_request()

    def begin_request(self) -> None:
        """Begin to answer the request whose head is complete."""
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """Begin the next request if it has arrived already. Otherwise the connection waits for it."""
        self.server_state.total_requests += 1
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
        if self.cycle.response_complete:
            self._open_connections.idle(self)
            if self._in_head:
                self.idle_since = None

    def close(self) -> None:
        """Close the connection after what was written is sent."""
        self.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time limit: the caller has left."""
        self._stop_waiting()
        self._open_connections.closed(self)
        if self.transport is None:
            # The caller left in the handshake.
            return
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Answer a malformed request as every other error: in JSON, with a request id."""
        error = RefusedError(400, "InvalidRequest", msg, hint="send HTTP/1.1")
        if self._too_large:
            error = RefusedError(
                431,
                "TooLarge",
                f"the request's head is larger than {HEAD_BYTES:,} bytes",
                hint="send a smaller head",
            )
        request_id = secrets.token_hex(8)
        body = body_of(error, request_id)
        head = {
            b"content-type": b"application/json",
            b"content-length": str(len(body)).encode(),
            b"x-request-id": request_id.encode(),
            b"connection": b"close",
        }
        lines = [b"%b: %b\r\n" % pair for pair in (*self.server_state.default_headers, *head.items())]
        self.transport.write(b"".join([STATUS_LINE[error.status], *lines, b"\r\n", body]))
        # Closing at once would reset a connection that still sends, and the answer would be lost.
        self._in_head = False
        self.parser = IgnoringParser()  # type: ignore[assignment]
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

    def _unset_keepalive_if_required(self) -> None:
        # uvicorn calls this when bytes arrive. `Connections` has one timer for all, so each answer does without.
        self.idle_since = None

    def _wait_for_head(self) -> None:
        if self._late is None:
            self._late = self.loop.call_later(HEAD_SECONDS, self.transport.close)
            return
        self._head += self._read
        if self._head > HEAD_BYTES:
            self._too_large = True
            self.logger.warning("A request's head is too large.")
            self.send_400_response("")

    def _length(self) -> int:
        return len(self.url) + sum(len(name) + len(value) for name, value in self.headers)

    def _stop_waiting(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late, self._head = None, 0


class IgnoringParser:
    """Ignores the bytes that arrive after a refusal."""

    def feed_data(self, data: bytes) -> None:
        """Ignore the bytes."""
