"""The served-feature log: what was answered, as Parquet, ready to be replayed against the history."""

from __future__ import annotations

import secrets
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING
from zlib import crc32

import polars as pl

from featurestore.errors import StoreError
from featurestore.service.telemetry.journal import log_line
from featurestore.storage.files import write_parquet
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.join import status_column
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from featurestore.service.lookup.endpoint import Endpoint
    from featurestore.service.telemetry.journal import Entry
    from featurestore.storage.layout import Layout

ROWS_A_FILE = 20_000
MAX_ROWS = 3 * ROWS_A_FILE
SECONDS_A_FILE = 10.0
REQUEST_ID, RELEASE, DEFINITION, STALE = "request_id", "release", "definition", "stale"


class ServedLog:
    """Writes answers of feature services to files of some thousand rows.

    What the file system refuses waits for the next try; beyond `MAX_ROWS` the newest are dropped and counted.

    Parameters
    ----------
    share
        Of the requests, chosen by their ids, so that services that pass an id on choose alike.

    Attributes
    ----------
    dropped
        Rows that could not be written.
    """

    def __init__(self, layout: Layout, share: float) -> None:
        self._layout, self._limit = layout, int(share * 2**32)
        self._waiting: dict[Endpoint, list[pl.DataFrame]] = defaultdict(list)
        self._rows: Counter[Endpoint] = Counter()
        self._since, self._failing = time.monotonic(), False
        self.dropped = 0

    def __call__(self, batch: list[Entry]) -> None:
        """Take a batch of requests; write what has waited long enough."""
        for entry in batch:
            if entry.endpoint is not None and entry.found is not None and self.wants(entry):
                self._take(entry, entry.endpoint)
        if time.monotonic() - self._since > SECONDS_A_FILE:
            self._since = time.monotonic()
            self._try_to_write()

    def wants(self, entry: Entry) -> bool:
        """Say whether the answer to a request goes to the log; features asked for one by one do not."""
        if not self._limit or entry.endpoint is None or not entry.endpoint.named:
            return False
        return crc32(entry.request_id.encode()) < self._limit

    def close(self) -> None:
        """Write what is left."""
        self._try_to_write(last=True)

    def _take(self, entry: Entry, endpoint: Endpoint) -> None:
        frame = frame_of(entry, endpoint)
        if self._failing and self._rows.total() >= MAX_ROWS:
            self.dropped += frame.height
            return
        self._waiting[endpoint].append(frame)
        self._rows[endpoint] += frame.height
        if not self._failing and self._rows[endpoint] >= ROWS_A_FILE:
            self._try_to_write(endpoint)

    def _try_to_write(self, *endpoints: Endpoint, last: bool = False) -> None:
        self._failing = False
        for endpoint in endpoints or list(self._waiting):
            try:
                self._write(endpoint)
            except StoreError as error:
                # The next try is some seconds away: each costs time and a line.
                self._failing = True
                if last:
                    self.dropped += self._rows.pop(endpoint)
                told = {"waiting": self._rows.total(), "dropped": self.dropped}
                log_line({"event": "served_features_failed", "error": str(error), **told})

    def _write(self, endpoint: Endpoint) -> None:
        rows = pl.concat(self._waiting[endpoint])
        self._waiting[endpoint] = [rows]
        day = rows[EVENT_TIMESTAMP][0].date()
        folder = self._layout.served(endpoint.name) / f"date={day}"
        write_parquet(rows, folder / f"{time.time_ns()}-{secrets.token_hex(4)}.parquet")
        del self._waiting[endpoint], self._rows[endpoint]


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
