"""The ASGI application: it joins the route table, the handlers and the guard."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute
from starlette.routing import Router

from featurestore.service.api.routes import OTHER, ROUTES
from featurestore.service.call import Call
from featurestore.service.guard import Guard
from featurestore.service.runtime.refused import RefusedError
from featurestore.service.state import ServerState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from featurestore.service.lookup.active_release import ProjectAsOf
    from featurestore.service.route import Route
    from featurestore.service.runtime.options import Options

JSON = (b"content-type", b"application/json")


class RouteApp:
    """The ASGI application of one route: it reads the body, calls the handler and sends the answer.

    Parameters
    ----------
    checks_method
        False: the route takes every method.
    """

    def __init__(self, route: Route, state: ServerState, *, checks_method: bool = True) -> None:
        self._route = route
        self._state = state
        methods: set[str] = {route.method, "HEAD"} if route.method == "GET" else {route.method}
        self._methods = methods if checks_method else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        route = self._route
        release = self._state.active_release
        entry = scope["entry"]
        entry.route = route.path
        entry.release = release.name
        if self._methods is not None and scope["method"] not in self._methods:
            raise _wrong_method(route, scope["method"], self._methods)
        body = b"" if route.streamed else await _read_body(receive)
        answer = await route.handler(Call(self._state, release, entry, scope, receive, body))
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return
        entry.size = len(body) + len(answer)
        length = (b"content-length", b"%d" % len(answer))
        await send({"type": "http.response.start", "status": 200, "headers": [JSON, length]})
        await send({"type": "http.response.body", "body": answer})


def create_app(options: Options, served: ProjectAsOf | None = None) -> Guard:
    """Make the application of the server.

    Parameters
    ----------
    served
        What to serve. None: the releases of the project in the folder of the options.

    Raises
    ------
    FeatureStoreError
        If the definitions, training sets and online store do not belong together.
    """
    state = ServerState(options, served)

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        state.journal.start()
        watching = asyncio.create_task(state.watch())
        yield
        watching.cancel()
        await asyncio.to_thread(state.close)

    routes = [StarletteRoute(route.path, RouteApp(route, state)) for route in ROUTES]
    default = RouteApp(OTHER, state, checks_method=False)
    return Guard(Router(routes, lifespan=lifespan, default=default), state)


def _wrong_method(route: Route, method: str, allowed: set[str]) -> RefusedError:
    return RefusedError(
        405,
        "MethodNotAllowed",
        f"{route.path} does not take {method}",
        hint=f"use {route.method}",
        headers=((b"allow", ", ".join(sorted(allowed)).encode()),),
    )


async def _read_body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return body
