"""``GET /openapi.json`` and ``GET /docs``: the server describes its other routes."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import HTMLResponse, RedirectResponse, Response

from featurestore.service.api.openapi import docs_page, openapi
from featurestore.service.route import Admission, Route

if TYPE_CHECKING:
    from featurestore.service.call import Call


def description_routes(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """Return the routes that describe `routes`: for programs, for people, and the start page."""

    def described(call: Call) -> dict[str, Any]:
        return openapi(call.release, routes, keys_required=call.state.keys.required)

    # The samples take up to a second to find, so other requests go on meanwhile.
    async def document(call: Call) -> bytes:
        return msgspec.json.encode(await asyncio.to_thread(described, call))

    async def page(call: Call) -> Response:
        return HTMLResponse(docs_page(await asyncio.to_thread(described, call)))

    return (
        Route("GET", "/openapi.json", document, scope=Admission.ANYONE),
        Route("GET", "/docs", page, scope=Admission.ANYONE),
        Route("GET", "/", _start_page, scope=Admission.ANYONE),
    )


async def _start_page(_: Call) -> Response:
    return RedirectResponse("/docs")
