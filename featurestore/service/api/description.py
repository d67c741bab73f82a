"""``GET /openapi.json`` and ``GET /docs``: the server describes its other routes."""

from __future__ import annotations

import asyncio
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

import msgspec
from starlette.responses import HTMLResponse, RedirectResponse, Response

from featurestore.service.api.openapi import docs_page, openapi
from featurestore.service.route import Admission, Route

if TYPE_CHECKING:
    from featurestore.service.call import Call
    from featurestore.service.lookup.active_release import ActiveRelease


class Description(NamedTuple):
    """The description of a release, for programs and for people."""

    document: bytes
    page: str


class Descriptions:
    """Describes each release once: to find the samples takes up to a second of a processor."""

    def __init__(self, routes: tuple[Route, ...]) -> None:
        self._routes = routes
        self._by_release: WeakKeyDictionary[ActiveRelease, dict[bool, Description]] = WeakKeyDictionary()
        self._lock = Lock()

    async def of(self, call: Call) -> Description:
        """Return the description of the release that answers. Lookups go on while it is made, in a thread."""
        keys_required = call.state.keys.required
        description = self._by_release.get(call.release, {}).get(keys_required)
        if description is None:
            description = await asyncio.to_thread(self._describe, call.release, keys_required)
        return description

    def _describe(self, release: ActiveRelease, keys_required: bool) -> Description:  # noqa: FBT001 - an argument of a thread
        with self._lock:
            descriptions = self._by_release.setdefault(release, {})
            if keys_required not in descriptions:
                document = openapi(release, self._routes, keys_required=keys_required)
                descriptions[keys_required] = Description(msgspec.json.encode(document), docs_page(document))
            return descriptions[keys_required]


def description_routes(routes: tuple[Route, ...]) -> tuple[Route, ...]:
    """Return the routes that describe `routes`: for programs, for people, and the start page."""
    descriptions = Descriptions(routes)

    async def document(call: Call) -> bytes:
        return (await descriptions.of(call)).document

    async def page(call: Call) -> Response:
        return HTMLResponse((await descriptions.of(call)).page)

    return (
        Route("GET", "/openapi.json", document, scope=Admission.ANY_KEY),
        Route("GET", "/docs", page, scope=Admission.ANY_KEY, asks_browser=True),
        Route("GET", "/", _start_page, scope=Admission.ANYONE),
    )


async def _start_page(_: Call) -> Response:
    return RedirectResponse("/docs")
