"""A connection to Redis for an event loop: redis-py connects and signs in, hiredis writes commands and reads answers."""

from __future__ import annotations

import ssl
from selectors import EVENT_READ, EVENT_WRITE
from typing import TYPE_CHECKING, Any

from featurestore.errors import package_needed_by

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from featurestore.errors import StoreError
    from featurestore.ports import StoredRows, ViewKeys

with package_needed_by("the online store Redis", extra="redis"):
    import hiredis
    import redis

PART_BYTES = 1 << 16


class RedisChannel:
    """A channel of a `RedisStore`.

    Parameters
    ----------
    connection
        A connection of redis-py that is open.
    command
        Returns the command that reads keys.
    rows
        Returns the rows and states in the answer of the command.
    store_error
        Translates an error of redis-py.
    on_close
        Called when the channel closes.
    """

    def __init__(
        self,
        connection: Any,
        command: Callable[[ViewKeys], tuple[Any, ...]],
        rows: Callable[[ViewKeys, Any], StoredRows],
        store_error: Callable[[Exception], StoreError],
        on_close: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._socket = connection._sock  # noqa: SLF001 - redis-py offers no other way
        self._socket.settimeout(0)
        self._command, self._rows = command, rows
        self._store_error, self._on_close = store_error, on_close
        self._reader = hiredis.Reader()

    def fileno(self) -> int:
        """Return the number of the socket."""
        return int(self._socket.fileno())

    def read(self, views: ViewKeys) -> Generator[int, int, StoredRows]:
        """Look up keys, in steps."""
        try:
            yield from self._send(hiredis.pack_command(self._command(views)))
            answer = yield from self._receive()
            if isinstance(answer, hiredis.ReplyError):
                raise redis.ResponseError(str(answer))
            return self._rows(views, answer)
        # The causes are left out: their own messages may quote the password.
        except OSError as error:
            raise self._store_error(redis.ConnectionError(str(error))) from None
        except (redis.RedisError, ValueError) as error:
            raise self._store_error(error) from None

    def close(self) -> None:
        """Close the connection."""
        self._connection.disconnect()
        self._on_close()

    def _send(self, command: bytes) -> Generator[int, int, None]:
        left = memoryview(command)
        while left:
            try:
                left = left[self._socket.send(left) :]
            except (BlockingIOError, ssl.SSLWantWriteError):
                yield EVENT_READ | EVENT_WRITE
            except ssl.SSLWantReadError:
                yield EVENT_READ

    def _receive(self) -> Generator[int, int, Any]:
        yield EVENT_READ
        while True:
            try:
                part = self._socket.recv(PART_BYTES)
            except (BlockingIOError, ssl.SSLWantReadError):
                yield EVENT_READ
                continue
            except ssl.SSLWantWriteError:
                yield EVENT_READ | EVENT_WRITE
                continue
            if not part:
                raise redis.ConnectionError("Connection closed by server.")
            self._reader.feed(part)
            # False: the answer is not complete. A server's own message, which answers nothing, may come before it.
            answer: Any = self._reader.gets()
            while isinstance(answer, hiredis.PushNotification):
                answer = self._reader.gets()
            if answer is not False:
                return answer
