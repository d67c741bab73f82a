"""The served-feature log: what was answered, as Parquet, ready to be replayed against the history."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from typing import TYPE_CHECKING
from zlib import crc32

import polars as pl

from featurestore.storage.files import write_parquet
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.join import status_column
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from featurestore.service.endpoint import Endpoint
    from featurestore.service.journal import Entry
    from featurestore.storage.layout import Layout

ROWS_A_FILE = 20_000
SECONDS_A_FILE = 10.0
REQUEST_ID, RELEASE, DEFINITION, STALE = "request_id", "release", "definition", "stale"


class ServedLog:
    """Writes answers of feature services to files of some thousand rows.

    Parameters
    ----------
    share
        Of the requests, chosen by their ids, so that services that pass an id on choose alike.
    """

    def __init__(self, layout: Layout, share: float) -> None:
        self._layout, self._limit = layout, int(share * 2**32)
        self._waiting: dict[Endpoint, list[pl.DataFrame]] = defaultdict(list)
        self._since = time.monotonic()

    def __call__(self, batch: list[Entry]) -> None:
        """Take a batch of requests; write what has waited long enough."""
        for entry in batch:
            if entry.endpoint is not None and entry.found is not None and self.wants(entry):
                self._waiting[entry.endpoint].append(frame_of(entry, entry.endpoint))
        late = time.monotonic() - self._since > SECONDS_A_FILE
        for endpoint in list(self._waiting):
            if late or sum(frame.height for frame in self._waiting[endpoint]) >= ROWS_A_FILE:
                self._write(endpoint)
        if late:
            self._since = time.monotonic()

    def wants(self, entry: Entry) -> bool:
        """Say whether the answer to a request goes to the log; features asked for one by one do not."""
        if not self._limit or entry.endpoint is None or not entry.endpoint.named:
            return False
        return crc32(entry.request_id.encode()) < self._limit

    def close(self) -> None:
        """Write what is left."""
        for endpoint in list(self._waiting):
            self._write(endpoint)

    def _write(self, endpoint: Endpoint) -> None:
        rows = pl.concat(self._waiting.pop(endpoint))
        day = rows[EVENT_TIMESTAMP][0].date()
        folder = self._layout.served(endpoint.name) / f"date={day}"
        write_parquet(rows, folder / f"{time.time_ns()}-{secrets.token_hex(4)}.parquet")


def frame_of(entry: Entry, endpoint: Endpoint) -> pl.DataFrame:
    """Set one answer in a frame: what was asked, the moment as ``event_timestamp``, the vector, statuses, versions."""
    service, found = endpoint.service, entry.found
    if found is None:
        raise ValueError("an answer has vectors")
    asked = {**service.key_schema, **service.request_schema}
    rows = pl.DataFrame(list(entry.asked), schema=asked, orient="row")
    vectors = pl.DataFrame(found.values, schema=service.feature_schema, orient="row")
    statuses = pl.DataFrame(
        found.statuses, schema={status_column(name): pl.UInt8 for name in found.features}, orient="row"
    )
    return pl.concat([rows, vectors, statuses], how="horizontal").with_columns(
        pl.lit(entry.moment, dtype=UTC_MICROSECONDS).alias(EVENT_TIMESTAMP),
        pl.lit(entry.request_id).alias(REQUEST_ID),
        pl.lit(entry.release).alias(RELEASE),
        pl.lit(endpoint.digest).alias(DEFINITION),
        pl.lit(entry.stale).alias(STALE),
    )
