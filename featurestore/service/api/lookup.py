"""Looks up the vectors of a request, and records the lookup for the journal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from featurestore.errors import SkewError
from featurestore.timing.clock import MAX_SKEW, ClockError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from featurestore.service.call import Call
    from featurestore.service.lookup.endpoint import Endpoint
    from featurestore.vectors.reader import Vectors


MAX_TRIES: Final = 3


async def look_up(
    call: Call, endpoint: Endpoint, rows: Sequence[Sequence[Any]], requested: datetime | None
) -> tuple[Vectors, datetime, bool]:
    """Look up rows.

    Parameters
    ----------
    requested
        The instant, in UTC, at which the values hold. None: now. If a push is written between taking the time and
        reading the store, the time is taken again. If the store is ahead of it by a small skew, its watermark counts.

    Returns
    -------
    tuple
        The vectors, the instant at which they hold, and whether they come from the stale cache.

    Raises
    ------
    FeatureStoreError
        As `Lookups.read`.
    """
    lookups = call.state.lookups
    tries = 1
    as_of = call.release.now() if requested is None else requested
    while True:
        try:
            vectors, stale = await lookups.read(endpoint, rows, as_of, local=call.release.local)
            break
        except SkewError as error:
            if requested is not None or tries == MAX_TRIES:
                raise
            tries += 1
            as_of = call.release.now()
            if isinstance(error, ClockError) and error.timestamp - as_of <= MAX_SKEW:
                as_of = max(as_of, error.timestamp)  # the clock of a writer is a little ahead
    entry = call.entry
    entry.endpoint = endpoint
    entry.as_of = as_of
    entry.stale = stale
    entry.row_count = len(rows)
    entry.events = vectors.events
    if call.state.records_rows(entry):
        entry.request_rows = rows
        entry.vectors = vectors
    return vectors, as_of, stale
