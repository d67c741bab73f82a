"""The journal: it records each request, and a thread of its own delivers the records to observers.

Observers are metrics, the request log and the served-feature log. A request pays for one small record. If records
arrive faster than observers take them, the newest are dropped and counted.
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
PAUSE = 0.02  # seconds
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


Observer: TypeAlias = Callable[[list[Entry]], None]


class Journal:
    """Takes entries from the event loop and delivers them to observers in batches.

    Parameters
    ----------
    observers
        Each is called with every batch, in one thread.
    limit
        Entries that may wait for delivery. Later entries are dropped.

    Attributes
    ----------
    dropped
        Number of entries that were dropped.
    """

    def __init__(self, observers: Sequence[Observer], *, limit: int = MAX_ENTRIES) -> None:
        self._observers = observers
        self._limit = limit
        self._entries: deque[Entry] = deque()
        self._closing = Event()
        self._thread = Thread(target=self._run, name="journal", daemon=True)
        self.dropped = 0

    def start(self) -> None:
        """Start the thread that delivers entries."""
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Record a request."""
        if len(self._entries) < self._limit:
            self._entries.append(entry)
        else:
            self.dropped += 1

    def close(self) -> None:
        """Deliver the remaining entries, and end the thread."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(PAUSE):
            # Small batches with pauses: observers take the interpreter from the event loop.
            for _ in range(0, len(self._entries), BATCH):
                self._deliver(BATCH)
                time.sleep(0.001)
        self._deliver(self._limit)

    def _deliver(self, limit: int) -> None:
        batch = [self._entries.popleft() for _ in range(min(limit, len(self._entries)))]
        for observer in self._observers:
            try:
                observer(batch)
            except Exception as error:  # noqa: BLE001 - one failing observer stops neither the others nor the server
                log_line({"event": "journal_failed", "error": f"{type(error).__name__}: {error}"})
