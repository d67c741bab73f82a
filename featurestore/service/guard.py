"""The guard around all routes: it admits requests, checks keys, limits sizes and times, and records each request."""

from __future__ import annotations

import asyncio
import base64
import binascii
import re
import secrets
import time
from functools import lru_cache, partial
from itertools import count
from typing import TYPE_CHECKING, Protocol

from starlette.requests import ClientDisconnect

from featurestore.errors import StoreError
from featurestore.service.answer import MarkedAnswer, answer_error, marks, problem, timed_out
from featurestore.service.at_once import STARTED
from featurestore.service.protocol import CROWDED
from featurestore.service.route import Admission
from featurestore.service.runtime.deadlines import Deadlines
from featurestore.service.runtime.key_scope import KeyScope
from featurestore.service.runtime.local import is_loopback, refuse_pages
from featurestore.service.runtime.refused import RefusedError
from featurestore.service.telemetry.journal import Entry
from featurestore.service.waiting import WaitingRequest

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from featurestore.service.lookup.active_release import ActiveRelease
    from featurestore.service.route import Route, RouteTable
    from featurestore.service.runtime.keys import ApiKey
    from featurestore.service.state import ServerState
    from featurestore.service.waiting import OnAnswer, Started

    class RoutedApp(Protocol):
        """Answers admitted requests."""

        def __call__(self, route: Route, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
            """Answer a request."""

        def answer_at_once(
            self, route: Route, release: ActiveRelease, scope: Scope, body: bytes
        ) -> bytes | Started | None:
            """Return the JSON of the answer, or the handler that waits for a store; None: it needs a task."""


# As nginx: the caller closed the connection.
CLOSED = 499
MAX_ID_LENGTH = 128
_HEAD = b"content-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\nx-release: %b\r\n\r\n"
# A request target that is its path: without a query, an escape or the name of a host.
PLAIN_TARGET = re.compile(rb"/[A-Za-z0-9_.-][A-Za-z0-9_./-]*")


class Guard:
    """The ASGI application around all routes.

    It finds the route of a request, decides by this route whether the request is admitted, and gives the same route to
    the application, so both always agree.

    Parameters
    ----------
    routes
        All routes.
    app
        Answers an admitted request by its route.
    lifespan
        ASGI application that starts and stops the server.
    state
        Options, keys and journal of the server.
    """

    def __init__(self, routes: RouteTable, app: RoutedApp, lifespan: ASGIApp, state: ServerState) -> None:
        options = state.options
        self._app = app
        self._lifespan = lifespan
        self.state = state
        self._routes = routes
        self._active = 0
        self._concurrency = options.concurrency
        self._max_bytes = options.max_bytes
        self._max_upload = options.max_upload
        self._upload_seconds = options.upload_timeout
        self._local = is_loopback(options.host) and not options.allow_anonymous
        self._names = {f"{name}:{options.port}".encode() for name in ("127.0.0.1", "localhost")}
        self._deadlines = Deadlines(options.timeout)
        # A request id is the random prefix of this process and a number.
        self._prefix = secrets.token_hex(6)
        self._numbers = count(1)
        self._at_once = lru_cache(maxsize=256)(self._find_at_once)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            # Lifespan messages. Starlette's router closes a websocket.
            await self._lifespan(scope, receive, send)
            return
        scope.setdefault(STARTED, time.perf_counter())
        headers = dict(scope["headers"])
        route, scope["path_params"] = self._routes.find(scope)
        entry = self._entry(scope, headers)
        scope["entry"] = entry
        answer = MarkedAnswer(send, entry)
        admitted = False
        try:
            if self._active >= self._concurrency or CROWDED in scope:
                _refuse_when_busy(scope, route)
            self._active += 1
            admitted = True
            scope["caller"] = self._caller(route, headers, entry)
            limited = _LimitedBody(receive, self._max_upload if route.streamed else self._max_bytes, headers)
            task = self._deadlines.begin(self._upload_seconds if route.streamed else None)
            try:
                await self._app(route, scope, limited, answer)
            finally:
                self._deadlines.end(task)
        except ClientDisconnect:
            entry.status = CLOSED
        except asyncio.CancelledError:
            if not self._deadlines.passed(task):
                entry.status = CLOSED
                raise
            task.uncancel()
            await answer_error(answer, timed_out(route), route, entry)
        except Exception as error:  # noqa: BLE001 - the caller gets an answer to every error
            await answer_error(answer, error, route, entry)
        finally:
            self._active -= admitted
            self._record(scope, entry)

    def may_answer_at_once(self, target: bytes) -> bool:
        """Return whether requests for a target may be answered at once."""
        return self._at_once(target) is not None

    def answer_at_once(
        self, scope: Scope, target: bytes, body: bytes, on_answer: OnAnswer
    ) -> bytes | WaitingRequest | None:
        """Answer a request whose body has arrived, if nothing about it is unusual.

        Returns
        -------
        bytes, WaitingRequest or None
            The headers and the body of an answer with status 200. `WaitingRequest`: the request waits for a store, and
            `on_answer` gets its answer, unless it is cancelled. None: answer by ASGI, as if this had not been called.
            That is the way of all requests that are refused, so that one place decides what they get.
        """
        match = self._at_once(target)
        release = self.state.active_release
        if match is None or self._active >= self._concurrency:
            return None
        if len(body) > self._max_bytes:
            return None
        route, scope["path_params"] = match
        scope["method"] = route.method
        headers = dict(scope["headers"])
        entry = self._entry(scope, headers)
        entry.status = 200
        scope["entry"] = entry
        try:
            scope["caller"] = self._caller(route, headers, entry)
            answer = self._app.answer_at_once(route, release, scope, body)
        except Exception:  # noqa: BLE001 - the long way fails too, and answers
            return None
        if answer is None:
            return None
        entry.size = len(body)
        if isinstance(answer, bytes):
            return self._complete(scope, entry, answer)
        waiting = WaitingRequest(
            answer, partial(self._end, route=route, scope=scope, entry=entry, on_answer=on_answer)
        )
        self._active += 1
        self._deadlines.limit(waiting)
        return waiting

    def _complete(self, scope: Scope, entry: Entry, answer: bytes) -> bytes:
        """Record a request that was answered at once, and return the headers and the body."""
        entry.size += len(answer)
        self._record(scope, entry)
        return _HEAD % (len(answer), entry.request_id.encode(), entry.release.encode()) + answer

    def _end(
        self,
        waiting: WaitingRequest,
        result: bytes | BaseException,
        *,
        route: Route,
        scope: Scope,
        entry: Entry,
        on_answer: OnAnswer,
    ) -> None:
        """Answer a request that has waited for a store."""
        self._active -= 1
        self._deadlines.end(waiting)
        is_late = self._deadlines.passed(waiting)
        if isinstance(result, bytes):
            on_answer(waiting, 200, self._complete(scope, entry, result))
        elif isinstance(result, Exception) or is_late:
            error = result if isinstance(result, Exception) else timed_out(route)
            entry.status, headers, body = problem(error, route, entry)
            entry.size = 0
            self._record(scope, entry)
            lines = [b"%b: %b\r\n" % pair for pair in (*headers, *marks(entry))]
            on_answer(waiting, entry.status, b"".join((*lines, b"\r\n", body)))
        else:
            entry.status, entry.size = CLOSED, 0
            self._record(scope, entry)

    def _record(self, scope: Scope, entry: Entry) -> None:
        entry.seconds = time.perf_counter() - scope[STARTED]
        self.state.journal.put(entry)

    def _find_at_once(self, target: bytes) -> tuple[Route, dict[str, str]] | None:
        if PLAIN_TARGET.fullmatch(target) is None:
            return None
        route, parameters = self._routes.find({"path": target.decode(), "raw_path": target})
        return (route, parameters) if route.at_once and route.method == "POST" else None

    def _caller(self, route: Route, headers: dict[bytes, bytes], entry: Entry) -> ApiKey | None:
        """Return the API key of a request, or None if no key is needed.

        Raises
        ------
        RefusedError
            If the key is missing or unknown, or lacks the scope of the route.
        """
        keys = self.state.keys
        if not keys.required:
            # A fast check for the usual names of this server. The slow one covers all others.
            if self._local and (headers.get(b"host") not in self._names or b"origin" in headers):
                refuse_pages(headers)
            return None
        key = self._key_of(route, headers)
        if key is None:
            if route.scope is Admission.ANYONE:
                return None
            raise RefusedError(
                401,
                "Unauthorized",
                "the API key is missing or unknown",
                hint="send it as: Authorization: Bearer fs_...; featurestore key add makes one",
                headers=((b"www-authenticate", b'Basic realm="the password is an API key"'),)
                if route.asks_browser
                else (),
            )
        entry.caller = key.name
        if isinstance(route.scope, KeyScope) and route.scope not in key.scopes:
            raise RefusedError(
                403,
                "Forbidden",
                f"API key {key.name!r} may not {route.scope}",
                hint=f"use a key with this scope: featurestore key add NAME --scope {route.scope}",
            )
        return key

    def _key_of(self, route: Route, headers: dict[bytes, bytes]) -> ApiKey | None:
        """Return the API key that a request sends, or None. A route for everyone works also without readable keys."""
        scheme, _, secret = headers.get(b"authorization", b"").partition(b" ")
        if scheme.lower() == b"basic" and route.asks_browser:
            secret = _password(secret)
        elif scheme.lower() != b"bearer":
            return None
        try:
            return self.state.keys.owner_of(secret.strip())
        except StoreError:
            if route.scope is Admission.ANYONE:
                return None
            raise

    def _entry(self, scope: Scope, headers: dict[bytes, bytes]) -> Entry:
        began = time.time() - (time.perf_counter() - scope[STARTED])
        return Entry(request_id=self._id(headers), at=began, method=scope["method"])

    def _id(self, headers: dict[bytes, bytes]) -> str:
        """Return the caller's request id if it is usable, or a new one."""
        sent = headers.get(b"x-request-id")
        if sent and len(sent) <= MAX_ID_LENGTH and sent.isascii() and sent.decode().isprintable():
            return sent.decode()
        return f"{self._prefix}-{next(self._numbers):x}"


class _LimitedBody:
    """Receives a body of at most `limit` bytes."""

    __slots__ = ("_left", "_limit", "_receive")

    def __init__(self, receive: Receive, limit: int, headers: dict[bytes, bytes]) -> None:
        self._receive = receive
        self._limit = limit
        self._left = limit
        declared = headers.get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > limit:
            raise self._refusal()

    async def __call__(self) -> Message:
        message = await self._receive()
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise self._refusal()
        return message

    def _refusal(self) -> RefusedError:
        return RefusedError(
            413,
            "TooLarge",
            f"the body is larger than {self._limit:,} bytes",
            hint="send several smaller requests",
        )


def _password(credentials: bytes) -> bytes:
    """Return the password of HTTP Basic credentials; empty if they cannot be read."""
    try:
        return base64.b64decode(credentials.strip(), validate=True).partition(b":")[2]
    except binascii.Error:
        return b""


def _refuse_when_busy(scope: Scope, route: Route) -> None:
    if route.admitted_when_busy:
        return
    message = "too many requests at the same time"
    headers: tuple[tuple[bytes, bytes], ...] = ()
    if CROWDED in scope:
        message = "too many connections at the same time"
        headers = ((b"connection", b"close"),)
    raise RefusedError(503, "Busy", message, hint="try again in a second", headers=headers)
