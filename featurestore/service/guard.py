"""What every request passes: admission, its key, its size, its time; and what is written down of it."""

from __future__ import annotations

import asyncio
import functools
import re
import secrets
import time
import traceback
from itertools import count
from typing import TYPE_CHECKING

from starlette.requests import ClientDisconnect

from featurestore.service.api.problems import (
    UNSURE,
    RefusedError,
    body_of,
    feast_body,
    headers_of,
    kind_of,
    status_of,
)
from featurestore.service.runtime.deadlines import Deadlines
from featurestore.service.runtime.local import is_loopback, refuse_pages
from featurestore.service.runtime.options import KeyScope
from featurestore.service.runtime.protocol import CROWDED
from featurestore.service.telemetry.journal import Entry, log_line

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from featurestore.service.runtime.keys import ApiKey
    from featurestore.service.state import ServerState

CLOSED = 499  # as nginx: the caller went away
MAX_ID_LENGTH = 128
OPEN = frozenset({"/", "/docs", "/health", "/ready", "/openapi.json"})
WRITES = frozenset({"/push", "/write-to-online-store"})
# Whoever watches over a server that has too much to do must not be told that it is dead.
ALWAYS = frozenset({"/health", "/ready", "/metrics"})
UPLOAD = re.compile("/v1/datasets/[^/]+/validate")
FEAST = frozenset({"/get-online-features", *WRITES})


class Guard:
    """ASGI middleware around all routes.

    Parameters
    ----------
    state
        Options, keys and journal of the server.
    """

    def __init__(self, app: ASGIApp, state: ServerState) -> None:
        self._app, self.state = app, state
        self._active, self._most = 0, state.options.concurrency
        self._max_bytes, self._max_upload = state.options.max_bytes, state.options.max_upload
        self._upload_seconds = state.options.upload_timeout
        self._local = is_loopback(state.options.host) and not state.options.allow_anonymous
        self._names = {f"{name}:{state.options.port}".encode() for name in ("127.0.0.1", "localhost")}
        self._deadlines = Deadlines(state.options.timeout)
        # Requests of this process are told apart by a number, processes by chance.
        self._prefix, self._numbers = secrets.token_hex(6), count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        state, headers = self.state, dict(scope["headers"])
        entry = Entry(request_id=self._id(headers), at=time.time(), method=scope["method"])
        scope["entry"] = entry
        answering = _Answering(send, entry)
        admitted = False
        try:
            if self._active >= self._most or CROWDED in scope:
                self._refuse_more(scope)
            self._active += 1
            admitted = True
            scope["caller"] = self._authorized(scope["path"], headers, entry)
            upload = is_upload(scope["path"])
            limited = _Limited(receive, self._max_upload if upload else self._max_bytes, headers)
            task = self._deadlines.begin(self._upload_seconds if upload else None)
            try:
                await self._app(scope, limited, answering)
            finally:
                self._deadlines.end(task)
        except ClientDisconnect:
            entry.status = CLOSED
        except asyncio.CancelledError:
            if not self._deadlines.passed():
                entry.status = CLOSED
                raise
            hint = UNSURE if scope["path"] in WRITES else "send its body at once, or ask for fewer rows"
            late = RefusedError(503, "TimedOut", "the request took too long", hint=hint)
            await self._refuse(answering, late, scope["path"], entry)
        except Exception as error:  # noqa: BLE001 - whatever it is, the caller is answered
            await self._refuse(answering, error, scope["path"], entry)
        finally:
            self._active -= admitted
            entry.seconds = time.perf_counter() - start
            state.journal.put(entry)

    def _refuse_more(self, scope: Scope) -> None:
        if scope["path"] in ALWAYS:
            return
        busy = functools.partial(RefusedError, 503, "Busy", hint="try again in a second")
        if CROWDED in scope:
            raise busy("too many connections at once", headers=((b"connection", b"close"),))
        raise busy("too many requests at once")

    async def _refuse(self, answering: _Answering, error: Exception, path: str, entry: Entry) -> None:
        status = status_of(error)
        entry.error = kind_of(error)
        if status == 500:  # noqa: PLR2004
            log_line(
                {
                    "event": "failed",
                    "request_id": entry.request_id,
                    "error": "".join(traceback.format_exception(error))[-8_000:],
                }
            )
        if answering.started:
            # Too late to say so: the connection is cut, which the caller notices.
            raise error
        body = feast_body(error) if path in FEAST else body_of(error, entry.request_id)
        await answering(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [*headers_of(error), (b"content-length", str(len(body)).encode())],
            }
        )
        await answering({"type": "http.response.body", "body": body})

    def _authorized(self, path: str, headers: dict[bytes, bytes], entry: Entry) -> ApiKey | None:
        keys = self.state.keys
        if not keys.asked_for:
            # The names that this server goes by are looked up, all else is looked at.
            if self._local and (headers.get(b"host") not in self._names or b"origin" in headers):
                refuse_pages(headers)
            return None
        if path in OPEN:
            return None
        scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
        key = keys.of(secret.strip()) if scheme.lower() == b"bearer" else None
        if key is None:
            raise RefusedError(
                401,
                "Unauthorized",
                "no valid API key",
                hint="send it as: Authorization: Bearer fs_...; featurestore key add makes one",
            )
        entry.caller = key.name
        needed = _needed(path)
        if path != "/metrics" and needed not in key.scopes:
            raise RefusedError(403, "Forbidden", f"API key {key.name!r} may not {needed}")
        return key

    def _id(self, headers: dict[bytes, bytes]) -> str:
        given = headers.get(b"x-request-id")
        if given and len(given) <= MAX_ID_LENGTH and given.isascii() and given.decode().isprintable():
            return given.decode()
        return f"{self._prefix}-{next(self._numbers):x}"


def is_upload(path: str) -> bool:
    """Say whether a path takes whole datasets: more than a request's bytes, for longer than its time."""
    return UPLOAD.fullmatch(path) is not None


def _needed(path: str) -> KeyScope:
    if path in WRITES:
        return KeyScope.WRITE
    return KeyScope.VALIDATE if is_upload(path) else KeyScope.READ


class _Answering:
    """Sends the answer, marked with the request's id and the release."""

    __slots__ = ("_entry", "_send", "started")

    def __init__(self, send: Send, entry: Entry) -> None:
        self._send, self._entry, self.started = send, entry, False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            entry = self._entry
            entry.status = message["status"]
            message["headers"] = [
                *message["headers"],
                (b"x-request-id", entry.request_id.encode()),
                (b"x-release", entry.release.encode()),
            ]
        await self._send(message)


class _Limited:
    """Receives a body of so many bytes at the most."""

    __slots__ = ("_left", "_most", "_receive")

    def __init__(self, receive: Receive, most: int, headers: dict[bytes, bytes]) -> None:
        self._receive, self._most, self._left = receive, most, most
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > most:
            raise self._refusal()

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise self._refusal()
        return message

    def _refusal(self) -> RefusedError:
        return RefusedError(
            413, "TooLarge", f"the body is larger than {self._most:,} bytes", hint="ask in batches"
        )
