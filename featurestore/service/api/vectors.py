"""``POST /v1/vectors/{service}``: vectors of a feature service, with statuses and ages."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from featurestore.errors import SkewError
from featurestore.service.api.lookup import look_up
from featurestore.service.api.permissions import require_service
from featurestore.service.runtime.refused import RefusedError
from featurestore.timing.epoch import in_utc

if TYPE_CHECKING:
    from featurestore.service.call import Call

MIN_TIMESTAMP = datetime.min.replace(tzinfo=UTC)
MAX_TIMESTAMP = datetime.max.replace(tzinfo=UTC)


async def vectors(call: Call) -> bytes:
    """Answer ``POST /v1/vectors/{service}``.

    Raises
    ------
    RefusedError
        If the key is for other services, or the store has rows that were not known at ``as_of``.
    UnknownNameError
        If the service is not served.
    ContractError
        If a request value breaks its contract.
    """
    release = call.release
    endpoint = release.endpoint(call.parameter("service"))
    require_service(call, endpoint.name)
    rows, requested = call.decode(endpoint.decode, endpoint.form, typed=True)
    try:
        result, as_of, stale = await look_up(
            call, endpoint, rows, None if requested is None else _utc(requested)
        )
    except SkewError as error:
        if requested is None:
            raise
        raise RefusedError(409, "SkewError", error.message, hint=error.hint) from error
    return endpoint.answer(result, as_of, release=release.name, stale=stale)


def _utc(as_of: datetime) -> datetime:
    try:
        return in_utc(as_of)
    except OverflowError:  # within a day of the first or the last possible timestamp
        return MIN_TIMESTAMP if as_of.year == 1 else MAX_TIMESTAMP
