"""The journal: it records each request, and a thread of its own delivers the records to observers.

Observers are metrics, the request log and the served log. A request pays for one small record. If records
arrive faster than observers take them, the newest are dropped and counted. Rows and vectors may be large, so they have
a limit of their own: beyond it a record waits without them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Event, Thread
from typing import Any, TypeAlias

import msgspec

from featurestore.quality.gate.verdict import Verdict
from featurestore.service.lookup.endpoint import Endpoint
from featurestore.service.runtime.log import log_line
from featurestore.vectors.reader import Vectors

MAX_ENTRIES = 20_000
# Of rows and vectors that wait for delivery, as `size_of` estimates them.
MAX_ROW_BYTES = 64 << 20
# A value in memory: its place in a list, and the object.
VALUE_BYTES = 48
PAUSE = 0.02  # seconds
# Observers are also called when nothing happens, so that they can write what has waited for long enough.
IDLE_SECONDS = 1.0
BATCH = 1_000  # entries


class Entry(msgspec.Struct, kw_only=True):
    """One request.

    Attributes
    ----------
    at
        Seconds since 1970 at which the head of the request had arrived.
    route
        Pattern of the path, and never the path itself. Unknown paths have ``"other"``.
    caller
        Name of the API key.
    error
        Kind of the error in the answer.
    endpoint, as_of, row_count, events
        Of a lookup: its service, the instant in UTC that it was answered for, the number of rows, and the events
        (`Vectors.events`).
    verdict
        Of rows that were validated.
    request_rows, vectors
        Rows and vectors of a lookup. They are recorded only if an observer needs them, because recording all of them
        costs more than the answers.
    size
        Bytes of the body and of the answer.
    """

    request_id: str
    at: float
    method: str
    route: str = "other"
    status: int = 0
    seconds: float = 0.0
    caller: str | None = None
    error: str | None = None
    release: str = ""
    stale: bool = False
    endpoint: Endpoint | None = None
    as_of: datetime | None = None
    row_count: int = 0
    events: Sequence[Sequence[int | None]] = ()
    request_rows: Sequence[Sequence[Any]] = ()
    vectors: Vectors | None = None
    verdict: Verdict | None = None
    size: int = 0


Observer: TypeAlias = Callable[[list[Entry]], None]


class Journal:
    """Takes entries from the event loop and delivers them to observers in batches.

    Parameters
    ----------
    observers
        Each is called with every batch, in one thread; and with an empty batch after `IDLE_SECONDS` without entries.
    limit
        Entries that may wait for delivery. Later entries are dropped.
    max_bytes
        Bytes of rows and vectors that may wait for delivery. Later entries wait without theirs.
    on_lost_rows
        Called with the service and the number of rows of an entry that waits without them.

    Attributes
    ----------
    dropped
        Number of entries that were dropped.
    """

    def __init__(
        self,
        observers: Sequence[Observer],
        *,
        limit: int = MAX_ENTRIES,
        max_bytes: int = MAX_ROW_BYTES,
        on_lost_rows: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        self._observers = observers
        self._limit = limit
        self._max_bytes = max_bytes
        self._on_lost_rows = on_lost_rows
        self._entries: deque[Entry] = deque()
        self._closing = Event()
        self._thread = Thread(target=self._run, name="journal", daemon=True)
        self._put_bytes = 0
        self._delivered_bytes = 0
        self.dropped = 0

    @property
    def waiting_bytes(self) -> int:
        """Bytes of rows and vectors that wait for delivery, as `size_of` estimates them."""
        # Each of the two numbers is written by one thread only.
        return self._put_bytes - self._delivered_bytes

    def start(self) -> None:
        """Start the thread that delivers entries."""
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Record a request."""
        if len(self._entries) >= self._limit:
            self.dropped += 1
            self._lose_rows(entry)
            return
        if size := size_of(entry):
            if self.waiting_bytes + size > self._max_bytes:
                self._lose_rows(entry)
            else:
                self._put_bytes += size
        self._entries.append(entry)

    def close(self) -> None:
        """Deliver the remaining entries, and end the thread."""
        self._closing.set()
        self._thread.join()

    def _lose_rows(self, entry: Entry) -> None:
        if entry.endpoint is not None and entry.vectors is not None:
            self._on_lost_rows(entry.endpoint.name, entry.row_count)
        entry.request_rows, entry.vectors = (), None

    def _run(self) -> None:
        idle_since = time.monotonic()
        while not self._closing.wait(PAUSE):
            if not self._entries:
                if time.monotonic() - idle_since >= IDLE_SECONDS:
                    idle_since = time.monotonic()
                    self._deliver(0)
                continue
            # Small batches with pauses: observers take the interpreter from the event loop.
            for _ in range(0, len(self._entries), BATCH):
                self._deliver(BATCH)
                time.sleep(0.001)
            idle_since = time.monotonic()
        self._deliver(self._limit)

    def _deliver(self, limit: int) -> None:
        batch = [self._entries.popleft() for _ in range(min(limit, len(self._entries)))]
        size = sum(map(size_of, batch))
        for observer in self._observers:
            try:
                observer(batch)
            except Exception as error:  # noqa: BLE001 - one failing observer stops neither the others nor the server
                log_line({"event": "journal_failed", "error": f"{type(error).__name__}: {error}"})
        # Entries take memory until the last observer has them.
        self._delivered_bytes += size


def size_of(entry: Entry) -> int:
    """Estimate the bytes that the rows and vectors of an entry take in memory. An entry without them takes none."""
    if entry.vectors is None and not entry.request_rows:
        return 0
    width = len(entry.request_rows[0]) if entry.request_rows else 0
    features = 0 if entry.vectors is None else len(entry.vectors.features)
    return entry.size + VALUE_BYTES * entry.row_count * (width + features)
