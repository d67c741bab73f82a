"""What was asked and answered: written down at once, told (metrics, log lines, served features) by a thread of its own.

A request pays for one small record. Where records come faster than they can be told, the newest are dropped and counted.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime
from threading import Event, Thread
from typing import Any, TypeAlias

import msgspec

from featurestore.service.endpoint import Endpoint
from featurestore.vectors.reader import Vectors

MOST = 20_000
PAUSE = 0.2


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
    endpoint, asked, moment, found
        Of a lookup: the service, its rows, the moment read and what was found.
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
    asked: Sequence[Sequence[Any]] = ()
    moment: datetime | None = None
    found: Vectors | None = None


Teller: TypeAlias = Callable[[list[Entry]], None]


class Journal:
    """Takes entries from the event loop and hands them, in batches, to those who tell of them.

    Parameters
    ----------
    tellers
        Each is called with every batch, in one thread.
    """

    def __init__(self, tellers: Sequence[Teller], *, most: int = MOST) -> None:
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
            self._tell()
        self._tell()

    def _tell(self) -> None:
        batch = [self._entries.popleft() for _ in range(len(self._entries))]
        for teller in self._tellers:
            try:
                teller(batch)
            except Exception as error:  # noqa: BLE001 - one that fails keeps neither the others nor the server from work
                log_line({"event": "journal_failed", "error": f"{type(error).__name__}: {error}"})


class RequestLog:
    """Writes one line of JSON for each request to standard error; values of keys only if told to."""

    def __init__(self, *, keys: bool) -> None:
        self._keys = keys

    def __call__(self, batch: list[Entry]) -> None:
        """Write the lines of a batch."""
        lines = []
        for entry in batch:
            line: dict[str, Any] = {
                "event": "request",
                "at": round(entry.at, 6),
                "request_id": entry.request_id,
                "method": entry.method,
                "route": entry.route,
                "status": entry.status,
                "ms": round(entry.seconds * 1000, 3),
                "caller": entry.caller,
                "release": entry.release,
            }
            if entry.error is not None:
                line["error"] = entry.error
            if entry.endpoint is not None:
                line |= {"service": entry.endpoint.name, "rows": len(entry.asked), "stale": entry.stale}
                if self._keys:
                    width = len(entry.endpoint.service.key_schema)
                    names = entry.endpoint.reader.columns[:width]
                    line["keys"] = [dict(zip(names, row, strict=False)) for row in entry.asked]
            lines.append(msgspec.json.encode(line))
        if lines:
            sys.stderr.buffer.write(b"\n".join(lines) + b"\n")
            sys.stderr.buffer.flush()


def log_line(line: dict[str, Any]) -> None:
    """Write one line of JSON to standard error."""
    sys.stderr.buffer.write(msgspec.json.encode(line) + b"\n")
    sys.stderr.buffer.flush()
