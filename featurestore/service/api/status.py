"""``GET /health``, ``GET /ready`` and ``GET /metrics``: how the server is doing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from featurestore.errors import FeatureStoreError

if TYPE_CHECKING:
    from featurestore.service.call import Call


async def health(_: Call) -> bytes:
    """Answer that the process is alive."""
    return b'{"status":"alive"}'


async def ready(call: Call) -> Response:
    """Answer whether the store can answer for every view that is served, with status 200 or 503.

    The reasons name views and servers. If API keys are required, only a caller with a key gets them.
    """
    state = call.state
    release = call.release
    try:
        faults = await state.lookups.run(release.faults)
    except FeatureStoreError as error:
        faults = {"store": str(error)}
    if state.key_reload.fault is not None:
        faults["keys"] = state.key_reload.fault
    body: dict[str, Any] = {"status": "unready" if faults else "ready", "release": release.name}
    shown = call.caller is not None or not state.keys.required
    if faults and shown:
        body["faults"] = faults
    if state.release_reload.fault is not None and shown:
        body["refused"] = state.release_reload.fault
    return Response(
        msgspec.json.encode(body),
        503 if faults else 200,
        headers={"retry-after": "1"} if faults else {},
        media_type="application/json",
    )


async def metrics(call: Call) -> Response:
    """Answer with all metrics in Prometheus's text format."""
    text = await asyncio.to_thread(call.state.metrics.text, call.state.journal)
    return Response(text, media_type="text/plain; version=0.0.4")
