"""``GET /v1/services``: the feature services that this server answers for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from featurestore.service.call import Call


async def services(call: Call) -> bytes:
    """Answer with the keys, request values and features of each service, and with their dtypes."""
    listing = [
        {
            "name": name,
            "description": endpoint.service.description,
            "definition": endpoint.digest,
            "keys": {key: str(dtype) for key, dtype in endpoint.service.key_schema.items()},
            "request": {key: str(dtype) for key, dtype in endpoint.service.request_schema.items()},
            "features": {key: str(dtype) for key, dtype in endpoint.service.feature_schema.items()},
        }
        for name, endpoint in call.release.endpoints.items()
    ]
    return msgspec.json.encode({"release": call.release.name, "services": listing})
