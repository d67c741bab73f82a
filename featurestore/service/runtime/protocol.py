"""HTTP itself: uvicorn's parser, with a time and a size for a request's head, and our own form of refusals."""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from featurestore.service.api.problems import RefusedError, body_of

if TYPE_CHECKING:
    import asyncio

HEAD_SECONDS = 10.0
HEAD_BYTES = 64 * 1024
LINGER_SECONDS = 1.0
CROWDED = "crowded"  # in a request's scope: there are more connections than there may be


class PatientProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, which waits for a request's head for a while and not for ever, and takes no more than fits."""

    _late: asyncio.TimerHandle | None = None
    _in_head = False
    # Bytes of the last read, and of the reads before it that brought nothing but the head that is to come.
    _read = _head = 0
    _too_large = False

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        # uvicorn would answer beyond it by itself: without a word in the log, or when to come again.
        self._most, self.limit_concurrency = self.limit_concurrency or sys.maxsize, None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._late = self.loop.call_later(HEAD_SECONDS, transport.close)

    def data_received(self, data: bytes) -> None:
        """Begin to wait for the rest of a head, if it has not come whole."""
        self._read = len(data)
        super().data_received(data)
        if self._in_head:
            self._wait_for_head()

    def on_message_begin(self) -> None:
        """Note that a head has begun."""
        super().on_message_begin()
        self._in_head = True

    def on_headers_complete(self) -> None:
        """Wait no more: the body has its own limit."""
        self._in_head = False
        if self._head + self._read > HEAD_BYTES and self._length() > HEAD_BYTES:
            self._too_large = True
            raise ValueError("the head is too large")
        if self._late is not None:
            self._wait_no_more()
        if len(self.connections) > self._most:
            self.scope[CROWDED] = True  # type: ignore[literal-required]
        super().on_headers_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more: nobody is there."""
        self._wait_no_more()
        super().connection_lost(exc)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP as every other fault is refused: in JSON, with an id."""
        refused = RefusedError(400, "InvalidRequest", msg, hint="send HTTP/1.1")
        if self._too_large:
            refused = RefusedError(
                431, "TooLarge", f"the request's head is larger than {HEAD_BYTES:,} bytes", hint="send less"
            )
        request_id = secrets.token_hex(8)
        body = body_of(refused, request_id)
        head = {
            b"content-type": b"application/json",
            b"content-length": str(len(body)).encode(),
            b"x-request-id": request_id.encode(),
            b"connection": b"close",
        }
        lines = [b"%b: %b\r\n" % pair for pair in (*self.server_state.default_headers, *head.items())]
        self.transport.write(b"".join([STATUS_LINE[refused.status], *lines, b"\r\n", body]))
        # To close at once what still sends would reset it, and the answer would be lost: the rest is not looked at.
        self._in_head = False
        self.parser = Deaf()  # type: ignore[assignment]
        self.loop.call_later(LINGER_SECONDS, self.transport.close)

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

    def _wait_no_more(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late, self._head = None, 0


class Deaf:
    """Reads what comes after a refusal."""

    def feed_data(self, data: bytes) -> None:
        """Do nothing."""
