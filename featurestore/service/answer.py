"""What all answers have in common: the headers that mark them, and the form of errors."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from featurestore.service.api.problems import (
    INTERNAL_ERROR,
    body_of,
    feast_body,
    headers_of,
    kind_of,
    status_of,
)
from featurestore.service.runtime.log import log_line
from featurestore.service.runtime.refused import RefusedError

if TYPE_CHECKING:
    from typing import TypeAlias

    from starlette.types import Message, Send

    from featurestore.service.route import Route
    from featurestore.service.telemetry.journal import Entry

    Header: TypeAlias = tuple[bytes, bytes]

MAX_TRACEBACK = 8_000  # characters


class MarkedAnswer:
    """Sends the answer with the request id and the release in its headers."""

    __slots__ = ("_entry", "_send", "started")

    def __init__(self, send: Send, entry: Entry) -> None:
        self._send = send
        self._entry = entry
        self.started = False

    async def __call__(self, message: Message) -> None:
        """Send one message."""
        if message["type"] == "http.response.start":
            self.started = True
            entry = self._entry
            entry.status = message["status"]
            message["headers"] = [*message["headers"], *marks(entry)]
        await self._send(message)


def marks(entry: Entry) -> tuple[Header, Header]:
    """Return the headers that every answer has."""
    return (b"x-request-id", entry.request_id.encode()), (b"x-release", entry.release.encode())


def timed_out(route: Route) -> RefusedError:
    """Return the error of a request that exceeded its time limit."""
    return RefusedError(503, "TimedOut", "the request took too long", hint=route.timeout_hint)


def problem(error: Exception, route: Route, entry: Entry) -> tuple[int, list[Header], bytes]:
    """Note an error in the record of a request, and return the status, the headers and the body of the answer."""
    status, entry.error = status_of(error), kind_of(error)
    if status == INTERNAL_ERROR:
        text = "".join(traceback.format_exception(error))[-MAX_TRACEBACK:]
        log_line({"event": "failed", "request_id": entry.request_id, "error": text})
    body = feast_body(error) if route.feast_errors else body_of(error, entry.request_id)
    return status, [*headers_of(error), (b"content-length", str(len(body)).encode())], body


async def answer_error(answer: MarkedAnswer, error: Exception, route: Route, entry: Entry) -> None:
    """Answer a request that failed.

    Raises
    ------
    Exception
        The error, if a part of an answer was sent already.
    """
    status, headers, body = problem(error, route, entry)
    if answer.started:
        # The status is sent already. The server cuts the connection, which the caller notices.
        raise error
    await answer({"type": "http.response.start", "status": status, "headers": headers})
    await answer({"type": "http.response.body", "body": body})
