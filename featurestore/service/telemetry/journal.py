"""What was asked and answered: written down at once, told (metrics, log lines, served features) by a thread of its own.

A request pays for one small record. Where records come faster than they can be told, the newest are dropped and counted.
"""

from __future__ import annotations

import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Event, Thread
from typing import Any, TypeAlias

import msgspec

from featurestore.quality.gate.verdict import Verdict
from featurestore.service.lookup.endpoint import Endpoint
from featurestore.vectors.reader import Vectors

MAX_ITEMS = 20_000
PAUSE = 0.02
BATCH = 1_000


class Entry(msgspec.Struct, kw_only=True):
    """One request.

    Attributes
    ----------
    at
        Seconds since 1970 at which its head had arrived.
    route
        The path's pattern, never the path: that of an unknown path is ``other``.
    caller
        Name of the API key.
    error
        Kind of the error answered with.
    endpoint, moment, rows, events
        Of a lookup: the service, the moment read, how many rows, and when the events were (`Vectors.events`).
    verdict
        Of rows that were judged.
    asked, found
        The rows themselves and what was found, only where someone is to be told: to keep them all would cost more
        than to answer.
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
    moment: datetime | None = None
    rows: int = 0
    events: Sequence[Sequence[int | None]] = ()
    asked: Sequence[Sequence[Any]] = ()
    found: Vectors | None = None
    verdict: Verdict | None = None


Teller: TypeAlias = Callable[[list[Entry]], None]


class Journal:
    """Takes entries from the event loop and hands them, in batches, to those who tell of them.

    Parameters
    ----------
    tellers
        Each is called with every batch, in one thread.
    """

    def __init__(self, tellers: Sequence[Teller], *, most: int = MAX_ITEMS) -> None:
        self._tellers, self._most = tellers, most
        self._entries: deque[Entry] = deque()
        self._ending = Event()
        self._thread = Thread(target=self._run, name="journal", daemon=True)
        self.dropped = 0

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def put(self, entry: Entry) -> None:
        """Write down a request."""
        if len(self._entries) < self._most:
            self._entries.append(entry)
        else:
            self.dropped += 1

    def close(self) -> None:
        """Tell what is left, and end."""
        self._ending.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ending.wait(PAUSE):
            # A little at a time: whoever tells keeps those who answer from working.
            for _ in range(0, len(self._entries), BATCH):
                self._tell(BATCH)
                time.sleep(0.001)
        self._tell(self._most)

    def _tell(self, most: int) -> None:
        batch = [self._entries.popleft() for _ in range(min(most, len(self._entries)))]
        for teller in self._tellers:
            try:
                teller(batch)
            except Exception as error:  # noqa: BLE001 - one that fails keeps neither the others nor the server from work
                log_line({"event": "journal_failed", "error": f"{type(error).__name__}: {error}"})


class RequestLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line of the log."""

    event: str
    at: float
    request_id: str
    method: str
    route: str
    status: int
    ms: float
    release: str
    caller: str | None = None
    error: str | None = None
    service: str | None = None
    dataset: str | None = None
    decision: str | None = None
    rows: int = 0
    stale: bool = False
    keys: list[dict[str, Any]] | None = None


class RequestLog:
    """Writes one line of JSON for each request to standard error; values of keys only if told to."""

    def __init__(self, *, keys: bool) -> None:
        self._keys, self._encoder = keys, msgspec.json.Encoder()

    def __call__(self, batch: list[Entry]) -> None:
        """Write the lines of a batch."""
        sys.stderr.buffer.write(self._encoder.encode_lines([self._line(entry) for entry in batch]))
        sys.stderr.buffer.flush()

    def _line(self, entry: Entry) -> RequestLine:
        return RequestLine(
            event="request",
            at=entry.at,
            request_id=entry.request_id,
            method=entry.method,
            route=entry.route,
            status=entry.status,
            ms=round(entry.seconds * 1000, 3),
            release=entry.release,
            caller=entry.caller,
            error=entry.error,
            service=None if entry.endpoint is None else entry.endpoint.name,
            dataset=None if entry.verdict is None else entry.verdict.dataset,
            decision=None if entry.verdict is None else entry.verdict.decision,
            rows=entry.rows,
            stale=entry.stale,
            keys=_keys_of(entry) if self._keys else None,
        )


def _keys_of(entry: Entry) -> list[dict[str, Any]] | None:
    if entry.endpoint is None:
        return None
    names = list(entry.endpoint.service.key_schema)
    return [dict(zip(names, row, strict=False)) for row in entry.asked]


def log_line(line: dict[str, Any]) -> None:
    """Write one line of JSON to standard error."""
    sys.stderr.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stderr.buffer.flush()
