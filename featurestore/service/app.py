"""The routes of the server."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from featurestore.errors import ContractError, FeatureStoreError, SkewError
from featurestore.service import feast
from featurestore.service.guard import Guard
from featurestore.service.openapi import docs, openapi
from featurestore.service.options import Options
from featurestore.service.problems import RefusedError
from featurestore.service.state import ServerState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from datetime import datetime

    from starlette.requests import Request

    from featurestore.service.endpoint import Endpoint
    from featurestore.service.journal import Entry
    from featurestore.service.serving import Serving
    from featurestore.vectors.reader import Vectors

JSON = "application/json"
_online_request = msgspec.json.Decoder(feast.OnlineRequest)
_push_request = msgspec.json.Decoder(feast.PushRequest)
_write_request = msgspec.json.Decoder(feast.WriteRequest)


async def vectors(request: Request) -> Response:
    """Answer ``POST /v1/vectors/{service}``."""
    state, serving, entry = _begun(request, "/v1/vectors/{service}")
    endpoint = serving.endpoint(request.path_params["service"])
    state.permit(request.scope["caller"], endpoint.name)
    rows, as_of = endpoint.decode(await request.body())
    moment = serving.now() if as_of is None else as_of.astimezone(UTC)
    try:
        found, stale = await _looked_up(state, serving, entry, endpoint=endpoint, rows=rows, moment=moment)
    except SkewError as error:
        if as_of is None:
            raise
        raise RefusedError(409, "SkewError", error.message, hint=error.hint) from error
    return Response(endpoint.answer(found, moment, release=serving.release, stale=stale), media_type=JSON)


async def get_online_features(request: Request) -> Response:
    """Answer ``POST /get-online-features``, as Feast's feature server does."""
    state, serving, entry = _begun(request, "/get-online-features")
    asked = _online_request.decode(await request.body())
    state.permit(request.scope["caller"], asked.feature_service)
    if asked.feature_service is not None:
        endpoint = serving.endpoint(asked.feature_service)
    elif asked.features:
        endpoint = serving.requested(tuple(asked.features))
    else:
        raise ContractError("nothing is asked for", hint="give features or feature_service")
    rows = feast.rows_of(asked, endpoint, most=state.options.max_rows)
    found, _ = await _looked_up(state, serving, entry, endpoint=endpoint, rows=rows, moment=serving.now())
    answer = feast.answer(found, rows, endpoint, full_names=asked.full_feature_names)
    return Response(msgspec.json.encode(answer), media_type=JSON)


async def push(request: Request) -> Response:
    """Answer ``POST /push``: rows for training and serving at once."""
    state, serving, _ = _begun(request, "/push")
    asked = _push_request.decode(await request.body())
    if asked.to not in feast.PUSHED:
        raise ContractError(
            f"to is {asked.to!r}: training would learn what serving never knew",
            hint=f"push to {' or '.join(feast.PUSHED)}; here both mean both",
        )
    await _pushed(state, serving, asked.push_source_name, asked.df)
    return Response()


async def write_to_online_store(request: Request) -> Response:
    """Answer ``POST /write-to-online-store``: a push by another name."""
    state, serving, _ = _begun(request, "/write-to-online-store")
    asked = _write_request.decode(await request.body())
    await _pushed(state, serving, asked.feature_view_name, asked.df)
    return Response(b"null", media_type=JSON)


async def health(request: Request) -> Response:
    """Say that the process lives."""
    _begun(request, "/health")
    return Response(b'{"status":"alive"}', media_type=JSON)


async def ready(request: Request) -> Response:
    """Say whether the store answers for every view that is served."""
    state, serving, _ = _begun(request, "/ready")
    try:
        faults = await state.lookups.run(serving.ready)
    except FeatureStoreError as error:
        faults = {"store": str(error)}
    body: dict[str, Any] = {"status": "unready" if faults else "ready", "release": serving.release}
    body |= {"faults": faults} if faults else {}
    body |= {"refused": state.refused} if state.refused else {}
    headers = {"retry-after": "1"} if faults else {}
    return Response(msgspec.json.encode(body), 503 if faults else 200, headers=headers, media_type=JSON)


async def services(request: Request) -> Response:
    """List what is served."""
    _, serving, _ = _begun(request, "/v1/services")
    listing = [
        {
            "name": name,
            "description": endpoint.service.description,
            "definition": endpoint.digest,
            "keys": {key: str(dtype) for key, dtype in endpoint.service.key_schema.items()},
            "request": {key: str(dtype) for key, dtype in endpoint.service.request_schema.items()},
            "features": {key: str(dtype) for key, dtype in endpoint.service.feature_schema.items()},
        }
        for name, endpoint in serving.endpoints.items()
    ]
    return Response(msgspec.json.encode({"release": serving.release, "services": listing}), media_type=JSON)


async def metrics(request: Request) -> Response:
    """Give Prometheus its metrics."""
    state, _, _ = _begun(request, "/metrics")
    text = await asyncio.to_thread(state.metrics.text, state.journal)
    return Response(text, media_type="text/plain; version=0.0.4")


async def description(request: Request) -> Response:
    """Give the OpenAPI document."""
    state, serving, _ = _begun(request, "/openapi.json")
    return Response(msgspec.json.encode(openapi(serving, keyed=state.keys.asked_for)), media_type=JSON)


async def documentation(request: Request) -> Response:
    """Show the OpenAPI document to people, with what is needed to try it."""
    state, serving, _ = _begun(request, "/docs")
    return HTMLResponse(docs(openapi(serving, keyed=state.keys.asked_for)))


async def home(request: Request) -> Response:
    """Lead people to the documentation."""
    _begun(request, "/")
    return RedirectResponse("/docs")


ROUTES = (
    Route("/v1/vectors/{service}", vectors, methods=["POST"]),
    Route("/get-online-features", get_online_features, methods=["POST"]),
    Route("/push", push, methods=["POST"]),
    Route("/write-to-online-store", write_to_online_store, methods=["POST"]),
    Route("/v1/services", services),
    Route("/health", health),
    Route("/ready", ready),
    Route("/metrics", metrics),
    Route("/openapi.json", description),
    Route("/docs", documentation),
    Route("/", home),
)


def create_app(options: Options) -> Starlette:
    """Make the server's application.

    Raises
    ------
    FeatureStoreError
        If what is to be served does not belong together.
    """
    state = ServerState(options)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        state.journal.start()
        following = asyncio.create_task(state.follow())
        yield
        following.cancel()
        await asyncio.to_thread(state.close)

    app = Starlette(routes=ROUTES, lifespan=lifespan, middleware=[Middleware(Guard, state=state)])
    app.state.server = state
    return app


def create_worker() -> Starlette:
    """Make the application of a worker process."""
    return create_app(Options.from_environment())


def _begun(request: Request, route: str) -> tuple[ServerState, Serving, Entry]:
    state: ServerState = request.app.state.server
    serving, entry = state.serving, request.scope["entry"]
    # One release answers the whole request, whatever comes meanwhile.
    entry.route, entry.release = route, serving.release
    return state, serving, entry


async def _looked_up(
    state: ServerState,
    serving: Serving,
    entry: Entry,
    *,
    endpoint: Endpoint,
    rows: Sequence[Sequence[Any]],
    moment: datetime,
) -> tuple[Vectors, bool]:
    found, stale = await state.lookups.read(endpoint, rows, moment, local=serving.local)
    entry.endpoint, entry.asked, entry.moment = endpoint, rows, moment
    entry.found, entry.stale = found, stale
    return found, stale


async def _pushed(state: ServerState, serving: Serving, view: str, columns: dict[str, list[Any]]) -> None:
    rows = feast.pushed_rows(serving.project.catalog.view(view), columns)
    if rows.height > state.options.max_rows:
        raise ContractError(
            f"{rows.height:,} rows, more than {state.options.max_rows:,}", hint="push in batches"
        )
    await state.lookups.run(lambda: serving.project.push(view, rows))
