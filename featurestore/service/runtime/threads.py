"""A bounded number of daemon threads: the process can end while one of them hangs.

The interpreter waits at its end for the threads of `concurrent.futures`, however long they take.
"""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import suppress
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")


class Threads:
    """Runs work in threads. A thread starts when there is work and no thread is free.

    Parameters
    ----------
    limit
        Maximum number of threads.
    name
        Prefix of the threads' names.
    """

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._free = Semaphore(0)

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run work as soon as a thread is free. Work that is cancelled before that never runs."""
        future: Future[T] = Future()
        self._work.put((future, work))
        if not self._free.acquire(blocking=False) and len(self._threads) < self._limit:
            thread = Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def close(self, seconds: float) -> None:
        """Start no more work, and wait at most `seconds` for the work that runs."""
        end = monotonic() + seconds
        with suppress(Empty):
            while (waiting := self._work.get_nowait()) is not None:
                waiting[0].cancel()
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join(max(0.0, end - monotonic()))

    def _run(self) -> None:
        while (task := self._work.get()) is not None:
            future, work = task
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(work())
                except BaseException as error:  # noqa: BLE001 - the future hands every error to its waiter
                    future.set_exception(error)
            # A waiting thread keeps no result alive.
            del task, future, work
            self._free.release()
