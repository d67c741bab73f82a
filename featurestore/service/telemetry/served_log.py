"""The served-feature log: requests and their answers as Parquet, for `featurestore replay`."""

from __future__ import annotations

import secrets
import time
from collections import Counter, defaultdict
from typing import TYPE_CHECKING
from zlib import crc32

import polars as pl

from featurestore.errors import StoreError
from featurestore.service.runtime.log import log_line
from featurestore.storage import served_columns as columns
from featurestore.storage.files import write_parquet
from featurestore.timing.columns import EVENT_SUFFIX, EVENT_TIMESTAMP
from featurestore.timing.epoch import microseconds
from featurestore.timing.join import status_column
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.service.lookup.endpoint import Endpoint
    from featurestore.service.telemetry.journal import Entry
    from featurestore.storage.layout import Layout

ROWS_PER_FILE = 20_000
MAX_ROWS = 3 * ROWS_PER_FILE
SECONDS_PER_FILE = 10.0


class ServedLog:
    """An observer of the journal that writes answers of feature services to files of `ROWS_PER_FILE` rows.

    If the file system refuses a write, the rows wait for the next try. Beyond `MAX_ROWS` waiting rows, the newest are
    dropped and counted.

    Parameters
    ----------
    share
        Share of the requests to log, from 0 to 1. Request ids decide which, so that servers which pass an id on log
        the same requests.

    Attributes
    ----------
    dropped
        Number of rows that were not written.
    """

    def __init__(self, layout: Layout, share: float) -> None:
        self._layout = layout
        self._limit = int(share * 2**32)
        self._waiting: dict[Endpoint, list[pl.DataFrame]] = defaultdict(list)
        self._rows: Counter[Endpoint] = Counter()
        self._last_write = time.monotonic()
        self._failing = False
        self.dropped = 0

    def __call__(self, batch: list[Entry]) -> None:
        """Take a batch of requests, and write rows that have waited for `SECONDS_PER_FILE`."""
        for entry in batch:
            if entry.endpoint is not None and entry.vectors is not None and self.wants(entry):
                self._take(entry, entry.endpoint)
        if time.monotonic() - self._last_write > SECONDS_PER_FILE:
            self._last_write = time.monotonic()
            self._try_to_write()

    def wants(self, entry: Entry) -> bool:
        """Return whether the answer to a request is logged. Requests for single features are not."""
        if not self._limit or entry.endpoint is None or not entry.endpoint.named:
            return False
        return crc32(entry.request_id.encode()) < self._limit

    def close(self) -> None:
        """Write the remaining rows."""
        self._try_to_write(last=True)

    def _take(self, entry: Entry, endpoint: Endpoint) -> None:
        frame = frame_of(entry, endpoint)
        if self._failing and self._rows.total() >= MAX_ROWS:
            self.dropped += frame.height
            return
        self._waiting[endpoint].append(frame)
        self._rows[endpoint] += frame.height
        if not self._failing and self._rows[endpoint] >= ROWS_PER_FILE:
            self._try_to_write(endpoint)

    def _try_to_write(self, *endpoints: Endpoint, last: bool = False) -> None:
        self._failing = False
        for endpoint in endpoints or list(self._waiting):
            try:
                self._write(endpoint)
            except StoreError as error:
                # The next try is `SECONDS_PER_FILE` away: each costs time and a log line.
                self._failing = True
                if last:
                    self.dropped += self._rows.pop(endpoint)
                counts = {"waiting": self._rows.total(), "dropped": self.dropped}
                log_line({"event": "served_features_failed", "error": str(error), **counts})

    def _write(self, endpoint: Endpoint) -> None:
        rows = pl.concat(self._waiting[endpoint])
        self._waiting[endpoint] = [rows]
        day = rows[EVENT_TIMESTAMP][0].date()
        folder = self._layout.served(endpoint.name) / f"date={day}"
        write_parquet(rows, folder / f"{time.time_ns()}-{secrets.token_hex(4)}.parquet")
        del self._waiting[endpoint], self._rows[endpoint]


def frame_of(entry: Entry, endpoint: Endpoint) -> pl.DataFrame:
    """Return one answer as a frame.

    Its columns are the keys and request values, the features and their statuses, the instant of the answer in UTC as
    ``event_timestamp``, the versions that answered, and for each view the state of the store and the event of the row
    that answered.

    Raises
    ------
    ValueError
        If the entry has no vectors.
    """
    service = endpoint.service
    vectors = entry.vectors
    if vectors is None:
        raise ValueError("the entry has no vectors")
    request_schema = {**service.key_schema, **service.request_schema}
    rows = pl.DataFrame(list(entry.request_rows), schema=request_schema, orient="row")
    values = pl.DataFrame(vectors.values, schema=service.feature_schema, orient="row")
    status_schema = {status_column(name): pl.UInt8 for name in vectors.features}
    statuses = pl.DataFrame(vectors.statuses, schema=status_schema, orient="row")
    # Series and not expressions: planning a query takes longer than making the frame.
    states = [
        column
        for label, events, state in zip(vectors.views, vectors.events, vectors.states, strict=True)
        for column in (
            _timestamps(f"{label}{EVENT_SUFFIX}", events),
            _timestamps(columns.watermark(label), [state.watermark] * rows.height),
            pl.Series(columns.source(label), [state.source] * rows.height, dtype=pl.String),
        )
    ]
    as_of = None if entry.as_of is None else microseconds(entry.as_of)
    logged = [
        *rows.get_columns(),
        *values.get_columns(),
        *statuses.get_columns(),
        _timestamps(EVENT_TIMESTAMP, [as_of] * rows.height),
        pl.Series(columns.REQUEST_ID, [entry.request_id] * rows.height, dtype=pl.String),
        _timestamps(columns.ARRIVED, [int(entry.at * 1_000_000)] * rows.height),
        pl.Series(columns.RELEASE, [entry.release] * rows.height, dtype=pl.String),
        pl.Series(columns.DEFINITION, [endpoint.digest] * rows.height, dtype=pl.String),
        pl.Series(columns.STALE, [entry.stale] * rows.height, dtype=pl.Boolean),
        *states,
    ]
    # A feature with the name of a column of the log is left out.
    return pl.DataFrame({column.name: column for column in logged})


def _timestamps(name: str, values: Sequence[int | None]) -> pl.Series:
    return pl.Series(name, values, dtype=pl.Int64).cast(UTC_MICROSECONDS)
