"""Work that would hold up the event loop: in a bounded number of threads, for a bounded time, with a bounded queue."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, TypeVar

from featurestore.errors import StoreError
from featurestore.service.runtime.threads import Threads

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

T = TypeVar("T")


class BusyError(StoreError):
    """More is asked for than can be answered now."""


class Workers:
    """Runs work for the event loop.

    Parameters
    ----------
    name
        What the work is: ``lookups``.
    threads
        How much of it runs at once.
    waiting
        How much may wait for a thread; more is refused.
    seconds
        How long its caller waits for it.
    hint
        What to do when that was too short.
    """

    def __init__(
        self, name: str, threads: int, waiting: int, seconds: float, *, hint: str = "try again"
    ) -> None:
        self._name, self._seconds, self._hint = name, seconds, hint
        self._threads, self._at_once = Threads(threads, name), threads
        self._most, self._taken = threads + waiting, 0
        self._late: set[Future[Any]] = set()

    async def run(self, work: Callable[[], T]) -> T:
        """Run work in a thread.

        Raises
        ------
        BusyError
            If too much waits already.
        StoreError
            If it has not ended in time, or if nothing that ran before has: then nobody waits for it.
        """
        if self._taken >= self._most:
            raise BusyError(f"too many {self._name} wait already", hint="try again in a second", retry=True)
        if len(self._late) >= self._at_once:
            raise self._lateness("it was not tried: try again")
        self._taken += 1
        future = self._threads.submit(work)
        # A thread that hangs keeps its place also when nobody waits for it any more.
        loop = asyncio.get_running_loop()
        future.add_done_callback(lambda done: self._release(loop, done))
        try:
            async with asyncio.timeout(self._seconds) as limit:
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise self._lateness(self._hint) from error
        finally:
            if not future.cancel() and not future.done():
                self._late.add(future)

    def close(self, seconds: float) -> None:
        """Let what runs end, for so long at the most."""
        self._threads.close(seconds)

    def _lateness(self, hint: str) -> StoreError:
        return StoreError(
            f"the online store does not answer: {self._name} have not ended within {self._seconds:g} seconds",
            hint=hint,
            retry=True,
        )

    def _release(self, loop: asyncio.AbstractEventLoop, future: Future[Any]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._leave, future)

    def _leave(self, future: Future[Any]) -> None:
        self._taken -= 1
        self._late.discard(future)
