"""Looks up the vectors of a request, and records the lookup for the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from featurestore.service.call import Call
    from featurestore.service.lookup.endpoint import Endpoint
    from featurestore.vectors.reader import Vectors


async def look_up(
    call: Call, endpoint: Endpoint, rows: Sequence[Sequence[Any]], as_of: datetime
) -> tuple[Vectors, bool]:
    """Look up rows.

    Parameters
    ----------
    as_of
        The instant, in UTC, at which the values hold.

    Returns
    -------
    tuple
        The vectors, and whether they come from the stale cache.

    Raises
    ------
    FeatureStoreError
        As `Lookups.read`.
    """
    vectors, stale = await call.state.lookups.read(endpoint, rows, as_of, local=call.release.local)
    entry = call.entry
    entry.endpoint = endpoint
    entry.as_of = as_of
    entry.stale = stale
    entry.row_count = len(rows)
    entry.events = vectors.events
    if call.state.records_rows(entry):
        entry.request_rows = rows
        entry.vectors = vectors
    return vectors, stale
