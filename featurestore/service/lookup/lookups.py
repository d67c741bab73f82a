"""Lookups for requests, which never block the event loop; while the store is away: the stale cache or an error."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from featurestore.errors import StoreError
from featurestore.service.lookup.channels import Channels
from featurestore.service.lookup.shared_reads import SharedReads
from featurestore.service.runtime.workers import BusyError, Workers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from featurestore.service.lookup.endpoint import Endpoint
    from featurestore.vectors.reader import Vectors

# Reading this many rows from memory takes less time than handing them to a thread.
MAX_INLINE_ROWS = 200
# Of one view or several; a request with more keys has a read of its own.
MAX_SHARED_KEYS = 200
# Timeout of a read by a channel, but at most half of a lookup's time: a thread then has the other half.
CHANNEL_SECONDS = 1.0


class Lookups(Workers):
    """Workers that read the online store; the arguments are those of `Workers`."""

    def __init__(self, name: str, threads: int, queue: int, seconds: float) -> None:
        super().__init__(name, threads, queue, seconds)
        self._channels = Channels(self.run, min(CHANNEL_SECONDS, seconds / 2))
        self._shared_reads = SharedReads(self._channels.read, MAX_SHARED_KEYS)

    async def read(
        self, endpoint: Endpoint, rows: Sequence[Sequence[Any]], as_of: datetime, *, local: bool
    ) -> tuple[Vectors, bool]:
        """Look up rows.

        Parameters
        ----------
        as_of
            The instant, in UTC, at which the values hold.
        local
            True: the store is embedded in this process.

        Returns
        -------
        tuple
            The vectors, and whether they come from the stale cache.

        Raises
        ------
        StoreError
            If the store does not answer and the stale cache cannot.
        """
        if local and len(rows) <= MAX_INLINE_ROWS:
            return endpoint.reader.read_checked(rows, as_of=as_of), False
        reader = endpoint.reader
        is_shared = not local and reader.reads_once and len(rows) <= MAX_INLINE_ROWS
        if not is_shared:
            # A thread needs the task that ASGI runs in. This yields before it begins anything: then
            # `RouteApp.answer_at_once` leaves the request to ASGI.
            await asyncio.sleep(0)
        try:
            if is_shared:
                wanted = reader.wanted(rows)
                answers = await self._shared_reads.read(endpoint.store, wanted)
                if endpoint.stale_cache is not None:
                    endpoint.stale_cache.keep(wanted, answers)
                return reader.vectors(rows, wanted, answers, as_of=as_of), False
            return await self.run(lambda: reader.read_checked(rows, as_of=as_of)), False
        except StoreError as error:
            if not error.retry or isinstance(error, BusyError) or endpoint.stale_reader is None:
                raise
            return endpoint.stale_reader.read_checked(rows, as_of=as_of), True

    def close_channels(self) -> None:
        """Close the connections of the event loop. Called in it."""
        self._channels.close()
