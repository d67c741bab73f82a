"""The routes of the server."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import msgspec
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route, Router

from featurestore.errors import ContractError, FeatureStoreError, SkewError
from featurestore.service.api import datasets, feast
from featurestore.service.api.openapi import docs, openapi
from featurestore.service.api.problems import RefusedError
from featurestore.service.guard import Guard
from featurestore.service.runtime.options import Options
from featurestore.service.state import ServerState
from featurestore.service.telemetry.journal import log_line
from featurestore.storage.lock import patience
from featurestore.timing.epoch import in_utc
from featurestore.vectors.pushed_rows import pushed_rows

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    import polars as pl
    from starlette.types import Receive, Scope, Send

    from featurestore.project import Project
    from featurestore.service.lookup.active_release import ActiveRelease
    from featurestore.service.lookup.endpoint import Endpoint
    from featurestore.service.telemetry.journal import Entry
    from featurestore.vectors.reader import Vectors

T = TypeVar("T")
EARLIEST, LATEST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
JSON = (b"content-type", b"application/json")
_online_request = msgspec.json.Decoder(feast.OnlineRequest)
_push_request = msgspec.json.Decoder(feast.PushRequest)
_write_request = msgspec.json.Decoder(feast.WriteRequest)


@dataclass(frozen=True)
class Call:
    """One request at work: what it asks, and the release that answers it whatever comes meanwhile.

    Attributes
    ----------
    body
        Whole; of those in `STREAMED` empty, they receive it themselves.
    """

    state: ServerState
    serving: ActiveRelease
    entry: Entry
    scope: Scope
    receive: Receive
    body: bytes


# A handler gives JSON as bytes, or a response of another kind.
Handler: TypeAlias = Callable[[Call], Awaitable[bytes | Response]]


async def vectors(call: Call) -> bytes:
    """Answer ``POST /v1/vectors/{service}``."""
    serving = call.serving
    endpoint = serving.endpoint(call.scope["path_params"]["service"])
    call.state.permit(call.scope["caller"], endpoint.name)
    rows, as_of = _decoded(endpoint.decode, call.body)
    moment = serving.now() if as_of is None else _asked_for(as_of)
    try:
        found, stale = await _looked_up(call, endpoint, rows, moment)
    except SkewError as error:
        if as_of is None:
            raise
        raise RefusedError(409, "SkewError", error.message, hint=error.hint) from error
    return endpoint.answer(found, moment, release=serving.release, stale=stale)


async def get_online_features(call: Call) -> bytes:
    """Answer ``POST /get-online-features``, as Feast's feature server does."""
    state, serving = call.state, call.serving
    asked = _decoded(_online_request.decode, call.body)
    state.permit(call.scope["caller"], asked.feature_service)
    if asked.feature_service is not None:
        endpoint = serving.endpoint(asked.feature_service)
    elif asked.features:
        endpoint = serving.requested(tuple(asked.features))
    else:
        raise ContractError("nothing is asked for", hint="give features or feature_service")
    rows = endpoint.wire.rows(asked.entities, most=state.options.max_rows)
    found, _ = await _looked_up(call, endpoint, rows, serving.now())
    return msgspec.json.encode(endpoint.wire.answer(found, rows, full_names=asked.full_feature_names))


async def push(call: Call) -> Response:
    """Answer ``POST /push``: rows for training and serving at once."""
    asked = _decoded(_push_request.decode, call.body)
    if asked.to not in feast.PUSHED:
        raise ContractError(
            f"to is {asked.to!r}: training would learn what serving never knew",
            hint=f"push to {' or '.join(feast.PUSHED)}; here both mean both",
        )
    await _pushed(call, asked.push_source_name, asked.df)
    return Response()


async def write_to_online_store(call: Call) -> bytes:
    """Answer ``POST /write-to-online-store``: a push by another name."""
    asked = _decoded(_write_request.decode, call.body)
    await _pushed(call, asked.feature_view_name, asked.df)
    return b"null"


async def health(_: Call) -> bytes:
    """Say that the process lives."""
    return b'{"status":"alive"}'


async def ready(call: Call) -> Response:
    """Say whether the store answers for every view that is served."""
    state, serving = call.state, call.serving
    try:
        faults = await state.lookups.run(serving.ready)
    except FeatureStoreError as error:
        faults = {"store": str(error)}
    if state.followed.fault is not None:
        faults["keys"] = state.followed.fault
    body: dict[str, Any] = {"status": "unready" if faults else "ready", "release": serving.release}
    body |= {"faults": faults} if faults else {}
    body |= {"refused": state.refused} if state.refused else {}
    headers = {"retry-after": "1"} if faults else {}
    return Response(
        msgspec.json.encode(body), 503 if faults else 200, headers=headers, media_type="application/json"
    )


async def services(call: Call) -> bytes:
    """List what is served."""
    listing = [
        {
            "name": name,
            "description": endpoint.service.description,
            "definition": endpoint.digest,
            "keys": {key: str(dtype) for key, dtype in endpoint.service.key_schema.items()},
            "request": {key: str(dtype) for key, dtype in endpoint.service.request_schema.items()},
            "features": {key: str(dtype) for key, dtype in endpoint.service.feature_schema.items()},
        }
        for name, endpoint in call.serving.endpoints.items()
    ]
    return msgspec.json.encode({"release": call.serving.release, "services": listing})


async def metrics(call: Call) -> Response:
    """Give Prometheus its metrics."""
    text = await asyncio.to_thread(call.state.metrics.text, call.state.journal)
    return Response(text, media_type="text/plain; version=0.0.4")


async def description(call: Call) -> bytes:
    """Give the OpenAPI document."""
    return msgspec.json.encode(openapi(call.serving, keyed=call.state.keys.asked_for))


async def documentation(call: Call) -> Response:
    """Show the OpenAPI document to people, with what is needed to try it."""
    return HTMLResponse(docs(openapi(call.serving, keyed=call.state.keys.asked_for)))


async def home(_: Call) -> Response:
    """Lead people to the documentation."""
    return RedirectResponse("/docs")


async def nowhere(_: Call) -> bytes:
    """Answer for a path that is none."""
    raise RefusedError(404, "NotFound", "there is no such path", hint="GET /docs lists them")


ROUTES: tuple[tuple[str, str, Handler], ...] = (
    ("POST", "/v1/vectors/{service}", vectors),
    ("POST", "/get-online-features", get_online_features),
    ("POST", "/push", push),
    ("POST", "/write-to-online-store", write_to_online_store),
    ("POST", "/v1/datasets/{dataset}/validate", datasets.validate),
    ("GET", "/v1/datasets/{dataset}/history", datasets.history),
    ("GET", "/v1/datasets", datasets.listing),
    ("GET", "/v1/services", services),
    ("GET", "/health", health),
    ("GET", "/ready", ready),
    ("GET", "/metrics", metrics),
    ("GET", "/openapi.json", description),
    ("GET", "/docs", documentation),
    ("GET", "/", home),
)
STREAMED = frozenset({datasets.validate})


class Answering:
    """A handler as an ASGI application: reads the body, sends the answer."""

    def __init__(self, route: str, handler: Handler, state: ServerState, method: str | None = None) -> None:
        self._route, self._handler, self._state = route, handler, state
        self._method = method
        self._methods = None if method is None else {method, "HEAD"} if method == "GET" else {method}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        serving, entry = self._state.serving, scope["entry"]
        entry.route, entry.release = self._route, serving.release
        if self._methods is not None and scope["method"] not in self._methods:
            raise self._refusal(scope["method"])
        body = b"" if self._handler in STREAMED else await _whole(receive)
        answer = await self._handler(Call(self._state, serving, entry, scope, receive, body))
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return
        length = (b"content-length", b"%d" % len(answer))
        await send({"type": "http.response.start", "status": 200, "headers": [JSON, length]})
        await send({"type": "http.response.body", "body": answer})

    def _refusal(self, method: str) -> RefusedError:
        allowed = ", ".join(sorted(self._methods or ()))
        return RefusedError(
            405,
            "MethodNotAllowed",
            f"{self._route} is not for {method}",
            hint=f"use {self._method}",
            headers=((b"allow", allowed.encode()),),
        )


def create_app(options: Options) -> Guard:
    """Make the server's application.

    Raises
    ------
    FeatureStoreError
        If what is to be served does not belong together.
    """
    state = ServerState(options)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        state.journal.start()
        following = asyncio.create_task(state.follow())
        yield
        following.cancel()
        await asyncio.to_thread(state.close)

    routes = [Route(path, Answering(path, handler, state, method)) for method, path, handler in ROUTES]
    return Guard(Router(routes, lifespan=lifespan, default=Answering("other", nowhere, state)), state)


def create_worker() -> Guard:
    """Make the application of a worker process; one that cannot begin ends, and is begun anew."""
    try:
        app = create_app(Options.from_environment())
    except FeatureStoreError as error:
        log_line({"event": "worker_failed", "error": str(error)})
        # Not 3, at which uvicorn would end the other workers too.
        raise SystemExit(1) from error
    settle()
    return app


def settle() -> None:
    """Set aside what is loaded: looking through it for garbage would hold up requests by tens of milliseconds."""
    gc.collect()
    gc.freeze()


async def _whole(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return body


def _decoded(decode: Callable[[bytes], T], body: bytes) -> T:
    try:
        return decode(body)
    except RecursionError as error:
        raise RefusedError(400, "InvalidRequest", "the body is nested too deep") from error


def _asked_for(as_of: datetime) -> datetime:
    try:
        return in_utc(as_of)
    except OverflowError:  # within a day of the first or the last moment that there is
        return EARLIEST if as_of.year == 1 else LATEST


async def _looked_up(
    call: Call, endpoint: Endpoint, rows: Sequence[Sequence[Any]], moment: datetime
) -> tuple[Vectors, bool]:
    found, stale = await call.state.lookups.read(endpoint, rows, moment, local=call.serving.local)
    entry = call.entry
    entry.endpoint, entry.moment, entry.stale = endpoint, moment, stale
    entry.rows, entry.events = len(rows), found.events
    if call.state.keeps(entry):
        entry.asked, entry.found = rows, found
    return found, stale


async def _pushed(call: Call, view: str, columns: dict[str, list[Any]]) -> None:
    state, project = call.state, call.serving.project
    state.permit_push(call.scope["caller"], view, call.serving)
    rows = pushed_rows(project.catalog.view(view), columns)
    if rows.height > state.options.max_rows:
        raise ContractError(
            f"{rows.height:,} rows, more than {state.options.max_rows:,}", hint="push in batches"
        )
    # Its turn has come in the first half of its time or never: what is answered with 503 is not applied later.
    asked = time.time() - call.entry.at
    until = time.monotonic() + state.options.timeout / 2 - asked
    await state.pushes.run(lambda: _in_turn(project, view, rows, until))


def _in_turn(project: Project, view: str, rows: pl.DataFrame, until: float) -> None:
    with patience(until):
        project.push(view, rows)
