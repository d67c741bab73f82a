"""A network between a project and its Redis, which is lost before or after a command arrives."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import redis

from featurestore.adapters.redis import RedisStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from years.clock import Clock


class Network:
    """The way to a Redis server, whose clock is right.

    Attributes
    ----------
    commands
        How many commands were sent since `expect`.
    happened
        Whether the network is lost.
    """

    def __init__(self, url: str) -> None:
        self.url = url
        self.commands = 0
        self.happened = False
        self._at: int | None = None
        self._answer_lost = False

    def expect(self, at: int | None, *, answer_lost: bool = False) -> None:
        """Lose the network at a command from now on; with `answer_lost` the server still gets this one."""
        self.commands, self.happened, self._at, self._answer_lost = 0, False, at, answer_lost

    @contextmanager
    def watched(self, clock: Clock) -> Iterator[None]:
        """Watch every command while the block runs, and let the server's clock be a simulated one."""
        real_send, real_clock = redis.connection.Connection.send_packed_command, RedisStore.clock

        def send(connection: Any, command: Any, check_health: bool = True) -> None:  # noqa: FBT001, FBT002 - as redis has it
            if self.happened:
                raise redis.exceptions.ConnectionError("the network is lost")
            self.commands += 1
            if self._at is None or self.commands <= self._at:
                real_send(connection, command, check_health=check_health)
                return
            self.happened = True
            if self._answer_lost:
                real_send(connection, command, check_health=check_health)
                # The server has done it before anything else can be asked.
                connection.read_response()
            connection.disconnect()
            raise redis.exceptions.ConnectionError("the network is lost")

        redis.connection.Connection.send_packed_command = send  # type: ignore[method-assign]
        RedisStore.clock = lambda _: clock.right  # type: ignore[method-assign]
        try:
            yield
        finally:
            redis.connection.Connection.send_packed_command = real_send  # type: ignore[method-assign]
            RedisStore.clock = real_clock  # type: ignore[method-assign]

    def lose_rows(self, project: str, kind: int) -> None:
        """Remove all rows of a project, or one of them."""
        client = redis.Redis.from_url(self.url)
        hashes = [name for name in client.scan_iter(f"{project}:*") if name.count(b":") > 1]
        for name in hashes:
            if kind == 0:
                client.delete(name)
            else:
                client.hdel(name, *client.hkeys(name)[:kind])
        client.close()
