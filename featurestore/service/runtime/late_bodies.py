"""Requests whose body follows their head a moment later: one timer for all, because a timer for each costs each time."""

from __future__ import annotations

import asyncio
from typing import Protocol

# Many clients send the head and the body one after the other.
PATIENCE_SECONDS = 0.01


class Waiting(Protocol):
    """A connection that waits for the rest of a body."""

    def take_long_way(self) -> None:
        """Begin to answer the request before its body has arrived."""


class LateBodies:
    """Connections that wait for the rest of a body. They take the long way at the next check."""

    def __init__(self) -> None:
        self._waiting: dict[Waiting, None] = {}
        self._checking = False

    def wait(self, connection: Waiting) -> None:
        """Wait for the rest of the body of a connection."""
        self._waiting[connection] = None
        if not self._checking:
            self._checking = True
            asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._check)

    def forget(self, connection: Waiting) -> None:
        """Wait for a connection no longer."""
        self._waiting.pop(connection, None)

    def _check(self) -> None:
        self._checking = False
        waiting, self._waiting = self._waiting, {}
        for connection in waiting:
            connection.take_long_way()
