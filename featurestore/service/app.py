"""The ASGI application: it joins the route table, the handlers and the guard."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NoReturn

from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Router

from featurestore.service.api.routes import OTHER, ROUTES
from featurestore.service.call import Call
from featurestore.service.guard import Guard
from featurestore.service.route import RouteTable
from featurestore.service.runtime.refused import RefusedError
from featurestore.service.state import ServerState

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from featurestore.service.lookup.active_release import ActiveRelease, ProjectAsOf
    from featurestore.service.route import Route
    from featurestore.service.runtime.options import Options
    from featurestore.service.waiting import Started

JSON = (b"content-type", b"application/json")


class RouteApp:
    """Answers a request by the route that the guard found: it reads the body, calls the handler and sends the answer."""

    def __init__(self, state: ServerState) -> None:
        self._state = state

    async def __call__(self, route: Route, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        release = self._state.active_release
        entry = scope["entry"]
        entry.route = route.path
        entry.release = release.name
        if not route.takes(scope["method"]):
            raise _wrong_method(route, scope["method"])
        body = b"" if route.streamed else await _read_body(receive)
        answer = await route.handler(Call(self._state, release, entry, scope, receive, body))
        if isinstance(answer, Response):
            await answer(scope, receive, send)
            return
        entry.size = len(body) + len(answer)
        length = (b"content-length", b"%d" % len(answer))
        await send({"type": "http.response.start", "status": 200, "headers": [JSON, length]})
        await send({"type": "http.response.body", "body": answer})

    def answer_at_once(
        self, route: Route, release: ActiveRelease, scope: Scope, body: bytes
    ) -> bytes | Started | None:
        """Run a handler in this step of the event loop, to its end or until it waits for a store on a server.

        None: it would wait for something else, and has begun nothing.
        """
        entry = scope["entry"]
        entry.route = route.path
        entry.release = release.name
        handler = route.handler(Call(self._state, release, entry, scope, _nothing, body))
        try:
            waits_for = handler.send(None)
        except StopIteration as end:
            answer: bytes = end.value
            return answer
        if waits_for is not None:
            return handler, waits_for
        handler.close()
        return None


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
        state.lookups.close_channels()
        await asyncio.to_thread(state.close)

    # Starlette's router starts and stops the server. Requests never reach it: the guard finds their routes.
    return Guard(RouteTable(ROUTES, OTHER), RouteApp(state), Router(lifespan=lifespan), state)


def _wrong_method(route: Route, method: str) -> RefusedError:
    return RefusedError(
        405,
        "MethodNotAllowed",
        f"{route.path} does not take {method}",
        hint=f"use {route.method}",
        headers=((b"allow", b"GET, HEAD" if route.method == "GET" else route.method.encode()),),
    )


async def _nothing() -> NoReturn:
    raise RuntimeError("the body has arrived already")


async def _read_body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    return body
