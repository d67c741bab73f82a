"""The served log: requests and their answers as Parquet, for `featurestore replay`.

A row is in a file at most `SECONDS_PER_FILE` after its answer, and one of the journal's idle intervals; a process that is
killed loses no others. Waiting rows are bounded by their number and by their bytes.
"""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from typing import TYPE_CHECKING, Any
from zlib import crc32

import polars as pl

from featurestore.errors import StoreError
from featurestore.service.runtime.log import log_line
from featurestore.service.telemetry.journal import size_of
from featurestore.storage import served_columns as columns
from featurestore.storage.files import write_parquet
from featurestore.timing.columns import EVENT_SUFFIX, EVENT_TIMESTAMP
from featurestore.timing.epoch import microseconds
from featurestore.timing.join import status_column
from featurestore.values.table import UTC_MICROSECONDS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from featurestore.service.lookup.endpoint import Endpoint
    from featurestore.service.telemetry.journal import Entry
    from featurestore.storage.layout import Layout

ROWS_PER_FILE = 20_000
MAX_ROWS = 3 * ROWS_PER_FILE
# Of the waiting rows, as Polars holds them; text and lists may be large.
BYTES_PER_FILE = 16 << 20
MAX_BYTES = 3 * BYTES_PER_FILE
SECONDS_PER_FILE = 10.0


class ServedLog:
    """An observer of the journal that writes answers of feature services to files.

    A file has at most about `ROWS_PER_FILE` rows or `BYTES_PER_FILE` bytes. If the file system refuses a write, the rows
    wait for the next try. Beyond `MAX_ROWS` or `MAX_BYTES` of waiting rows, the newest are dropped and counted.

    Parameters
    ----------
    share
        Share of the requests to log, from 0 to 1. Request ids decide which, so that servers which pass an id on log
        the same requests.
    on_lost_rows
        Called with the service and the number of rows that were dropped.

    Attributes
    ----------
    dropped
        Number of rows that were not written.
    """

    def __init__(
        self, layout: Layout, share: float, on_lost_rows: Callable[[str, int], None] = lambda *_: None
    ) -> None:
        self._layout = layout
        self._limit = int(share * 2**32)
        self._on_lost_rows = on_lost_rows
        self._waiting: dict[Endpoint, list[pl.DataFrame]] = defaultdict(list)
        self._rows: dict[Endpoint, int] = defaultdict(int)
        self._bytes: dict[Endpoint, int] = defaultdict(int)
        self._next_write = 0.0
        self._failing = False
        self.dropped = 0

    def __call__(self, batch: list[Entry]) -> None:
        """Take a batch of requests, and write rows that have waited for `SECONDS_PER_FILE`."""
        by_endpoint: dict[Endpoint, list[Entry]] = defaultdict(list)
        for entry in batch:
            if entry.endpoint is not None and entry.vectors is not None and self.wants(entry):
                by_endpoint[entry.endpoint].append(entry)
        for endpoint, entries in by_endpoint.items():
            for part in _parts(entries):
                self._take(part, endpoint)
        if self._waiting and time.monotonic() >= self._next_write:
            self._next_write = time.monotonic() + SECONDS_PER_FILE
            self._try_to_write()

    def wants(self, entry: Entry) -> bool:
        """Return whether the answer to a request is logged. Requests for single features are not."""
        if not self._limit or entry.endpoint is None or not entry.endpoint.named:
            return False
        return crc32(entry.request_id.encode()) < self._limit

    def close(self) -> None:
        """Write the remaining rows."""
        self._try_to_write(last=True)

    def _take(self, entries: Sequence[Entry], endpoint: Endpoint) -> None:
        rows = sum(entry.row_count for entry in entries)
        is_full = sum(self._rows.values()) >= MAX_ROWS or sum(self._bytes.values()) >= MAX_BYTES
        if self._failing and is_full:
            self._drop(endpoint, rows)
            return
        if not self._waiting:
            self._next_write = time.monotonic() + SECONDS_PER_FILE
        frame = frame_of(entries, endpoint)
        self._waiting[endpoint].append(frame)
        self._rows[endpoint] += frame.height
        self._bytes[endpoint] += int(frame.estimated_size())
        if not self._failing and (
            self._rows[endpoint] >= ROWS_PER_FILE or self._bytes[endpoint] >= BYTES_PER_FILE
        ):
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
                    self._drop(endpoint, self._rows.pop(endpoint))
                counts = {"waiting": sum(self._rows.values()), "dropped": self.dropped}
                log_line({"event": "served_features_failed", "error": str(error), **counts})

    def _write(self, endpoint: Endpoint) -> None:
        rows = pl.concat(self._waiting[endpoint])
        self._waiting[endpoint] = [rows]
        day = rows[EVENT_TIMESTAMP][0].date()
        folder = self._layout.served(endpoint.name) / f"date={day}"
        write_parquet(rows, folder / f"{time.time_ns()}-{secrets.token_hex(4)}.parquet")
        del self._waiting[endpoint], self._rows[endpoint], self._bytes[endpoint]

    def _drop(self, endpoint: Endpoint, rows: int) -> None:
        self.dropped += rows
        self._on_lost_rows(endpoint.name, rows)


def frame_of(entries: Sequence[Entry], endpoint: Endpoint) -> pl.DataFrame:
    """Return answers of one service as a frame: one for many answers takes little more memory than one for each.

    Its columns are the keys and request values, the features and their statuses, the instant of the answer in UTC as
    ``event_timestamp``, the versions that answered, and for each view the state of the store and the event of the row
    that answered.

    Raises
    ------
    ValueError
        If an entry has no vectors.
    """
    service = endpoint.service
    answers = [entry.vectors for entry in entries if entry.vectors is not None]
    if len(answers) < len(entries) or not answers:
        raise ValueError("an entry has no vectors")
    heights = [len(entry.request_rows) for entry in entries]
    first = answers[0]

    def repeated(values: Iterable[Any]) -> list[Any]:
        """Return the value of each answer once for each of its rows."""
        return [value for value, height in zip(values, heights, strict=True) for _ in range(height)]

    request_schema = {**service.key_schema, **service.request_schema}
    rows = pl.DataFrame([row for e in entries for row in e.request_rows], schema=request_schema, orient="row")
    values = pl.DataFrame(
        [row for a in answers for row in a.values], schema=service.feature_schema, orient="row"
    )
    status_schema = {status_column(name): pl.UInt8 for name in first.features}
    statuses = pl.DataFrame([row for a in answers for row in a.statuses], schema=status_schema, orient="row")
    # Series and not expressions: planning a query takes longer than making the frame.
    states = [
        column
        for place, label in enumerate(first.views)
        for column in (
            _timestamps(f"{label}{EVENT_SUFFIX}", [e for a in answers for e in a.events[place]]),
            _timestamps(columns.watermark(label), repeated(a.states[place].watermark for a in answers)),
            pl.Series(
                columns.source(label), repeated(a.states[place].source for a in answers), dtype=pl.String
            ),
        )
    ]
    as_of = (None if entry.as_of is None else microseconds(entry.as_of) for entry in entries)
    logged = [
        *rows.get_columns(),
        *values.get_columns(),
        *statuses.get_columns(),
        _timestamps(EVENT_TIMESTAMP, repeated(as_of)),
        pl.Series(columns.REQUEST_ID, repeated(entry.request_id for entry in entries), dtype=pl.String),
        _timestamps(columns.ARRIVED, repeated(int(entry.at * 1_000_000) for entry in entries)),
        pl.Series(columns.RELEASE, repeated(entry.release for entry in entries), dtype=pl.String),
        pl.Series(columns.DEFINITION, [endpoint.digest] * rows.height, dtype=pl.String),
        pl.Series(columns.STALE, repeated(entry.stale for entry in entries), dtype=pl.Boolean),
        *states,
    ]
    # A feature with the name of a column of the log is left out.
    return pl.DataFrame({column.name: column for column in logged})


def _parts(entries: Sequence[Entry]) -> Iterable[list[Entry]]:
    """Divide answers into parts of about `ROWS_PER_FILE` rows or `BYTES_PER_FILE` bytes."""
    part: list[Entry] = []
    rows = size = 0
    for entry in entries:
        part.append(entry)
        rows += entry.row_count
        size += size_of(entry)
        if rows >= ROWS_PER_FILE or size >= BYTES_PER_FILE:
            yield part
            part, rows, size = [], 0, 0
    if part:
        yield part


def _timestamps(name: str, values: Sequence[int | None]) -> pl.Series:
    return pl.Series(name, values, dtype=pl.Int64).cast(UTC_MICROSECONDS)
