"""Where lookups and writes run: short reads of an embedded store at once, all else in a bounded number of threads."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from featurestore.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from featurestore.service.endpoint import Endpoint
    from featurestore.vectors.reader import Vectors

T = TypeVar("T")

# A read of so many rows from memory takes less than to hand it to a thread and back costs others.
AT_ONCE = 200


class BusyError(StoreError):
    """More is asked for than can be answered now."""


class Lookups:
    """Runs lookups for the event loop.

    Parameters
    ----------
    threads
        How many run at once.
    waiting
        How many may wait for a thread; more are refused.
    """

    def __init__(self, threads: int, waiting: int) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="lookup")
        self._most, self._taken = threads + waiting, 0

    async def read(
        self, endpoint: Endpoint, rows: Sequence[Sequence[Any]], moment: datetime, *, local: bool
    ) -> tuple[Vectors, bool]:
        """Look up rows; True where the store did not answer and these are the last known values.

        Raises
        ------
        StoreError
            If the store does not answer, and the last known values are not kept.
        """
        if local and len(rows) <= AT_ONCE:
            return endpoint.reader.read_checked(rows, moment=moment), False
        try:
            return await self.run(lambda: endpoint.reader.read_checked(rows, moment=moment)), False
        except StoreError as error:
            if not error.retry or isinstance(error, BusyError) or endpoint.last_known is None:
                raise
            return endpoint.last_known.read_checked(rows, moment=moment), True

    async def run(self, work: Callable[[], T]) -> T:
        """Run work in a thread.

        Raises
        ------
        BusyError
            If too many wait already.
        """
        if self._taken >= self._most:
            raise BusyError("too many requests wait for the store", hint="try again in a second", retry=True)
        self._taken += 1
        future = self._executor.submit(work)
        # A thread that hangs keeps its place also when nobody waits for it any more.
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda done: self._release(loop, done))
        return await asyncio.wrap_future(future)

    def close(self) -> None:
        """Let what runs end."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _release(self, loop: asyncio.AbstractEventLoop, _: Future[Any]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._leave)

    def _leave(self) -> None:
        self._taken -= 1
