"""A connection to PostgreSQL that does not wait without end, and that sends keys in one step."""

from __future__ import annotations

import contextlib
import time
from functools import cached_property
from struct import Struct
from typing import TYPE_CHECKING, Any

from featurestore.errors import package_needed_by

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

with package_needed_by("the online store PostgreSQL", extra="postgres"):
    import psycopg

# TCP detects a lost connection; it takes at most ten seconds to detect that the other machine is down.
CONNECTING: dict[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 5,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
KEY_TYPE = psycopg.postgres.types["bytea"]
# An array: dimensions, flags, type of the items; for its dimension the number of items and the first index.
_ARRAY = Struct("!iiIii")
_NO_ITEMS = Struct("!iiI").pack(0, 0, KEY_TYPE.oid)
_LENGTH = Struct("!i")


def dump_keys(keys: Sequence[bytes]) -> bytes:
    """Write keys as PostgreSQL's binary format of ``bytea[]``, in one step."""
    if not keys:
        return _NO_ITEMS
    items = [part for key in keys for part in (_LENGTH.pack(len(key)), key)]
    return b"".join((_ARRAY.pack(1, 0, KEY_TYPE.oid, len(keys), 1), *items))


class Patient(psycopg.Connection[Any]):
    """A connection with a timeout for each answer.

    After the timeout it closes, because a proxy may have lost it.

    Attributes
    ----------
    seconds
        The timeout. None: no timeout.
    """

    seconds: float | None = None

    @cached_property
    def prepared(self) -> set[bytes]:
        """The names of the statements that were prepared."""
        return set()

    @cached_property
    def encoding(self) -> str:
        """The encoding of texts. It stays what it was when the connection was opened."""
        return self.info.encoding

    def wait(self, gen: Any, *args: Any, **named: Any) -> Any:
        """Wait for the server as psycopg does, but no longer than the timeout."""
        if self.seconds is None:
            return super().wait(gen, *args, **named)
        try:
            return super().wait(_within(gen, self.seconds), *args, **named)
        except SilenceError:
            if psycopg.capabilities.has_cancel_safe():
                # The cancellation uses another connection, and ends the statement on the server.
                with contextlib.suppress(psycopg.Error):
                    self.cancel_safe(timeout=1)
            self.close()
            raise


class SilenceError(psycopg.OperationalError):
    """The server did not answer in time."""


def _within(work: Any, seconds: float) -> Generator[Any, Any, Any]:
    """Run psycopg's generator, and raise after `seconds` without an answer."""
    end = time.monotonic() + seconds
    try:
        wait_for = next(work)
        while True:
            ready = yield wait_for
            if not ready and time.monotonic() > end:
                raise SilenceError(f"no answer within {seconds:g} seconds")
            wait_for = work.send(ready)
    except StopIteration as done:
        return done.value


def connect(url: str) -> Patient:
    """Connect to a database. Each statement is a transaction of its own."""
    return Patient.connect(url, autocommit=True, **CONNECTING)
