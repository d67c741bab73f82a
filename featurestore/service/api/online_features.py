"""``POST /get-online-features``: lookups in Feast's wire format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from featurestore.errors import ContractError
from featurestore.service.api.lookup import look_up
from featurestore.service.api.permissions import require_service
from featurestore.service.lookup.feast_wire import OnlineRequest
from featurestore.values.json_keys import require_unique_keys

if TYPE_CHECKING:
    from featurestore.service.call import Call

_FORM: Final = (
    '{"features": ["view:feature"], "entities": {"key": [...]}}, or "feature_service" for "features"'
)
_request = msgspec.json.Decoder(OnlineRequest)


async def get_online_features(call: Call) -> bytes:
    """Answer ``POST /get-online-features`` as Feast's feature server does.

    Raises
    ------
    RefusedError
        If the key is for other services.
    UnknownNameError
        If the service, a view or a feature does not exist.
    ContractError
        If the request names no features, a value breaks its contract, or an object names a key twice.
    """
    release = call.release
    request = call.decode(_request.decode, _FORM, columns="entities")
    require_service(call, request.feature_service)
    fields = (request.feature_service is not None, bool(request.features), request.full_feature_names)
    require_unique_keys(call.body, 1 + sum(fields) + len(request.entities), "request for online features")
    if request.feature_service is not None:
        endpoint = release.endpoint(request.feature_service)
    elif request.features:
        endpoint = release.endpoint_of_features(
            tuple(request.features), full_names=request.full_feature_names
        )
    else:
        raise ContractError("the request names no features", hint="send features or feature_service")
    rows = endpoint.wire.rows(request.entities, limit=call.state.options.max_rows)
    vectors, _, _ = await look_up(call, endpoint, rows, None)
    return endpoint.wire.answer(vectors, rows, full_names=request.full_feature_names)
