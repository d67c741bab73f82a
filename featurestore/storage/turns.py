"""Turns: the threads of a process that wait for one lock get it in the order in which they came.

The thread that has the turn may also do the work of the threads directly behind it. They leave the queue then.
"""

from __future__ import annotations

import os
import time
from collections import defaultdict
from contextlib import contextmanager
from itertools import islice, takewhile
from threading import Event, Lock
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator


class LateError(Exception):
    """The turn did not come in time."""


class Waiter:
    """A thread that waits for its turn.

    Attributes
    ----------
    item
        What the thread wants to be done, which another thread may do for it. None: only the thread itself can.
    is_taken
        Whether a thread before it does its item. It is set while the queue is locked.
    result
        The result of the item.
    error
        Why the item failed.
    """

    __slots__ = ("_ready", "error", "is_taken", "item", "result")

    def __init__(self, item: Any) -> None:
        self.item = item
        self.is_taken = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._ready = Event()

    def wake(self) -> None:
        """Tell the thread that it has the turn, or that its item is done."""
        self._ready.set()

    def wait(self, until: float | None) -> bool:
        """Wait to be woken until a time of `time.monotonic`; returns whether it was."""
        return self._ready.wait(None if until is None else max(0.0, until - time.monotonic()))


class Turns:
    """The queues of a process, one for each lock that a thread holds or waits for."""

    def __init__(self) -> None:
        self._forget()
        # A fork has none of the threads that wait.
        os.register_at_fork(after_in_child=self._forget)

    @contextmanager
    def turn(self, key: Hashable, until: float | None, item: object = None) -> Iterator[Waiter]:
        """Have the turn for a lock while the block runs, unless a thread before this one did its item.

        Parameters
        ----------
        until
            A time of `time.monotonic` to wait for. An item that is taken by then is waited for, however long it takes.

        Raises
        ------
        LateError
            If the turn did not come in time.
        """
        waiting = Waiter(item)
        try:
            self._join(key, waiting)
            if not waiting.wait(until):
                self._require_taken(waiting)
                waiting.wait(None)
            yield waiting
        finally:
            self._leave(key, waiting)

    def take(self, key: Hashable, fits: Callable[[Any], bool]) -> list[Waiter]:
        """Take the items directly behind the thread that has the turn, as long as they fit. They leave the queue.

        The caller does their items, sets the result or the error of each, and wakes them.
        """
        with self._mutex:
            behind = islice(self._queues[key], 1, None)
            taken = list(takewhile(lambda waiting: waiting.item is not None and fits(waiting.item), behind))
            for waiting in taken:
                waiting.is_taken = True
            del self._queues[key][1 : 1 + len(taken)]
            return taken

    def _join(self, key: Hashable, waiting: Waiter) -> None:
        with self._mutex:
            queue = self._queues[key]
            queue.append(waiting)
            if queue[0] is waiting:
                waiting.wake()

    def _require_taken(self, waiting: Waiter) -> None:
        with self._mutex:
            if not waiting.is_taken:
                # From now on nobody may take it.
                waiting.item = None
                raise LateError

    def _leave(self, key: Hashable, waiting: Waiter) -> None:
        """Take a thread out of its queue. The next one has the turn, if this one had it."""
        with self._mutex:
            queue = self._queues[key]
            if waiting in queue:
                queue.remove(waiting)
            if queue:
                queue[0].wake()
            else:
                del self._queues[key]

    def _forget(self) -> None:
        self._mutex = Lock()
        self._queues: defaultdict[Hashable, list[Waiter]] = defaultdict(list)
