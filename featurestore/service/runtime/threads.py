"""A bounded number of threads that keep nobody waiting: the process ends also while one of them hangs.

Those of `concurrent.futures` are waited for when the interpreter ends, however long they take.
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
    """Runs work in so many threads at the most; one is started when there is work and none is free."""

    def __init__(self, most: int, name: str) -> None:
        self._most, self._name = most, name
        self._work: SimpleQueue[tuple[Future[Any], Callable[[], Any]] | None] = SimpleQueue()
        self._threads: list[Thread] = []
        self._free = Semaphore(0)

    def submit(self, work: Callable[[], T]) -> Future[T]:
        """Run work as soon as a thread is free; what is cancelled before that is never run."""
        future: Future[T] = Future()
        self._work.put((future, work))
        if not self._free.acquire(blocking=False) and len(self._threads) < self._most:
            thread = Thread(target=self._run, name=f"{self._name}-{len(self._threads)}", daemon=True)
            self._threads.append(thread)
            thread.start()
        return future

    def close(self, seconds: float) -> None:
        """Begin nothing more, and let what runs end, for so long at the most."""
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
                except BaseException as error:  # noqa: BLE001 - whoever waits is told
                    future.set_exception(error)
            # Nothing is held while it waits for more.
            del task, future, work
            self._free.release()
