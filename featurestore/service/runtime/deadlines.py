"""Requests end in time: one look at all of them now and then, where a timer for each would cost each."""

from __future__ import annotations

import asyncio
from typing import Any

LOOKS = 10  # in the time that a request may take


class Deadlines:
    """Cancels tasks that take longer than they may.

    Parameters
    ----------
    seconds
        What a task may take, unless it says otherwise; it is cancelled at the first look after that.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._looking = False

    def begin(self, seconds: float | None = None) -> asyncio.Task[Any]:
        """Begin the time of the running task, of so many seconds if they are given."""
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("there is no task whose time could begin")
        loop = task.get_loop()
        self._ends[task] = loop.time() + (self._seconds if seconds is None else seconds)
        if not self._looking:
            self._looking = True
            loop.call_later(self._seconds / LOOKS, self._look, loop)
        return task

    def end(self, task: asyncio.Task[Any]) -> None:
        """End the time of a task."""
        self._ends.pop(task, None)

    def passed(self) -> bool:
        """Say whether the running task was cancelled because its time was over; it may then go on."""
        task = asyncio.current_task()
        if task not in self._late:
            return False
        self._late.discard(task)
        task.uncancel()
        return True

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, end in list(self._ends.items()):
            if end < now:
                del self._ends[task]
                self._late.add(task)
                task.cancel()
        self._looking = bool(self._ends)
        if self._looking:
            loop.call_later(self._seconds / LOOKS, self._look, loop)
