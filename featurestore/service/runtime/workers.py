"""Work that would block the event loop: a bounded number of threads, a bounded queue, a time limit."""

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
    """The queue is full. The caller may retry."""


class Workers:
    """Runs work for the event loop in threads.

    Parameters
    ----------
    name
        What the work is, for messages: ``"lookups"``.
    threads
        How many pieces of work run at the same time.
    queue
        How many pieces of work may wait for a thread. More are refused.
    seconds
        Time limit of one piece of work, from its submission.
    hint
        What the caller can do after the time limit.
    """

    def __init__(
        self, name: str, threads: int, queue: int, seconds: float, *, hint: str = "try again"
    ) -> None:
        self._name = name
        self._seconds = seconds
        self._hint = hint
        self._threads = Threads(threads, name)
        self._concurrency = threads
        self._capacity = threads + queue
        self._pending = 0
        self._late: set[Future[Any]] = set()

    async def run(self, work: Callable[[], T], *, spent: float = 0.0) -> T:
        """Run work in a thread.

        Parameters
        ----------
        spent
            Seconds of the time limit that have passed already.

        Raises
        ------
        BusyError
            If the queue is full.
        StoreError
            If the work exceeds its time limit, or all threads are busy with work that exceeded it.
        """
        if self._pending >= self._capacity:
            raise BusyError(f"too many {self._name} are waiting", hint="try again in a second", retry=True)
        if len(self._late) >= self._concurrency:
            raise self._late_error("this request was not tried: try again")
        self._pending += 1
        future = self._threads.submit(work)
        # A thread that hangs keeps its place after its caller has left.
        loop = asyncio.get_running_loop()
        result: asyncio.Future[T] = loop.create_future()
        future.add_done_callback(lambda done: self._release(loop, done, result))
        try:
            async with asyncio.timeout(self._seconds - spent) as limit:
                return await result
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise self._late_error(self._hint) from error
        finally:
            if not future.cancel() and not future.done():
                self._late.add(future)

    def close(self, seconds: float) -> None:
        """Wait at most `seconds` for the work that runs."""
        self._threads.close(seconds)

    def _late_error(self, hint: str) -> StoreError:
        return StoreError(
            f"the online store does not answer: {self._name} have not ended within {self._seconds:g} seconds",
            hint=hint,
            retry=True,
        )

    def _release(self, loop: asyncio.AbstractEventLoop, future: Future[T], result: asyncio.Future[T]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._leave, future, result)

    def _leave(self, future: Future[T], result: asyncio.Future[T]) -> None:
        self._pending -= 1
        self._late.discard(future)
        if result.done():
            return
        error = future.exception()
        if error is None:
            result.set_result(future.result())
        else:
            result.set_exception(error)
