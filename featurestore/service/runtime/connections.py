"""The open connections of a server process: a bounded number, and those without a request make room for new ones."""

from __future__ import annotations

from typing import Protocol


class Connection(Protocol):
    """A connection that can be closed at once, without waiting for the other side."""

    def abort(self) -> None:
        """Close the connection, and forget what was not sent."""


class Connections:
    """Counts connections from their beginning, before a TLS handshake, and closes one for a new one.

    The first to close is the oldest that has never sent a complete head: no caller waits for its answer. Then follow
    those that wait for a further request. A connection whose request is answered is never closed.

    Parameters
    ----------
    limit
        How many connections may be open.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Dictionaries keep their order: the first has been in it for the longest time.
        self._new: dict[Connection, None] = {}
        self._idle: dict[Connection, None] = {}
        self._active: set[Connection] = set()

    @property
    def crowded(self) -> bool:
        """Whether there are more connections than the limit, because all of them have requests."""
        return self._count() > self._limit

    def opened(self, connection: Connection) -> None:
        """Count a new connection, and close another one if there are too many."""
        while self._count() >= self._limit:
            oldest = next(iter(self._new), None) or next(iter(self._idle), None)
            if oldest is None:
                break
            self.closed(oldest)
            oldest.abort()
        self._new[connection] = None

    def active(self, connection: Connection) -> None:
        """Note that a request of the connection is answered."""
        if self._forget(connection):
            self._active.add(connection)

    def idle(self, connection: Connection) -> None:
        """Note that the connection waits for a further request."""
        if self._forget(connection):
            self._idle[connection] = None

    def closed(self, connection: Connection) -> None:
        """Count a connection no longer."""
        self._forget(connection)

    def _forget(self, connection: Connection) -> bool:
        """Return whether the connection was counted."""
        before = self._count()
        self._new.pop(connection, None)
        self._idle.pop(connection, None)
        self._active.discard(connection)
        return self._count() < before

    def _count(self) -> int:
        return len(self._new) + len(self._idle) + len(self._active)
