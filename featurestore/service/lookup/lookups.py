"""Lookups: short reads of an embedded store at once, all else by workers; the last known rows where the store is away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from featurestore.errors import StoreError
from featurestore.service.runtime.workers import BusyError, Workers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from featurestore.service.lookup.endpoint import Endpoint
    from featurestore.vectors.reader import Vectors

# A read of so many rows from memory takes less than to hand it to a thread and back costs others.
AT_ONCE = 200


class Lookups(Workers):
    """Workers that read the online store."""

    async def read(
        self, endpoint: Endpoint, rows: Sequence[Sequence[Any]], moment: datetime, *, local: bool
    ) -> tuple[Vectors, bool]:
        """Look up rows; True where the store did not answer and these are the last known values.

        Raises
        ------
        StoreError
            If the store does not answer, and the last known values are not kept.
        """
        if local and len(rows) <= AT_ONCE:
            return endpoint.reader.read_checked(rows, as_of=moment), False
        try:
            return await self.run(lambda: endpoint.reader.read_checked(rows, as_of=moment)), False
        except StoreError as error:
            if not error.retry or isinstance(error, BusyError) or endpoint.last_known is None:
                raise
            return endpoint.last_known.read_checked(rows, as_of=moment), True
