"""The open connections of a server process: a bounded number, and those without a request make room for new ones."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

KEEP_ALIVE_SECONDS = 5.0
# One timer looks at all idle connections: a timer for each answer costs each request time.
CHECK_SECONDS = 1.0


class Connection(Protocol):
    """A connection that can be closed at once, without waiting for the other side."""

    def abort(self) -> None:
        """Close the connection, and forget what was not sent."""


class IdleConnection(Connection, Protocol):
    """A connection that may wait for a further request.

    Attributes
    ----------
    idle_since
        Time of the event loop since which it waits. None: a part of a request has arrived.
    """

    idle_since: float | None

    def close(self) -> None:
        """Close the connection after what was written is sent."""


class Connections:
    """Counts connections from their beginning, before a TLS handshake, and closes one for a new one.

    The first to close is the oldest that has never sent a complete head: no caller waits for its answer. Then follow
    those that wait for a further request. A connection whose request is answered is never closed.

    A connection that waits for a further request for `KEEP_ALIVE_SECONDS` is closed at the next check.

    Parameters
    ----------
    limit
        How many connections may be open.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        # Dictionaries keep their order: the first has been in it for the longest time.
        self._new: dict[Connection, None] = {}
        self._idle: dict[IdleConnection, None] = {}
        self._active: dict[Connection, None] = {}
        self._checking = False

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
            self._active[connection] = None

    def idle(self, connection: IdleConnection) -> None:
        """Note that the connection waits for a further request."""
        if not self._forget(connection):
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle[connection] = None
        if not self._checking:
            self._checking = True
            loop.call_later(CHECK_SECONDS, self._check, loop)

    def closed(self, connection: Connection) -> None:
        """Count a connection no longer."""
        self._forget(connection)

    def _forget(self, connection: Connection) -> bool:
        """Return whether the connection was counted."""
        places: tuple[dict[Any, None], ...] = (self._idle, self._active, self._new)
        for place in places:
            if connection in place:
                del place[connection]
                return True
        return False

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        late = loop.time() - KEEP_ALIVE_SECONDS
        for connection in list(self._idle):
            if connection.idle_since is None:
                continue
            if connection.idle_since > late:
                break
            connection.close()
        self._checking = bool(self._idle)
        if self._checking:
            loop.call_later(CHECK_SECONDS, self._check, loop)

    def _count(self) -> int:
        return len(self._new) + len(self._idle) + len(self._active)
