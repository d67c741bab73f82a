"""Time limits of requests: one timer checks all of them, because a timer for each request costs each request time."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

CHECKS = 10  # within the time limit of a request


class Cancellable(Protocol):
    """A task, or another object that waits."""

    def cancel(self) -> Any:
        """Raise CancelledError where it waits."""


class Deadlines:
    """Cancels tasks that exceed their time limit.

    Parameters
    ----------
    seconds
        Time limit of a task that does not set its own. The task is cancelled at the first check after it.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._ends: dict[Cancellable, float] = {}
        self._late: set[Cancellable] = set()
        self._checking = False

    def begin(self, seconds: float | None = None) -> asyncio.Task[Any]:
        """Start the time limit of the current task and return the task.

        Parameters
        ----------
        seconds
            Time limit in seconds. None: the default limit.

        Raises
        ------
        RuntimeError
            If no task is running.
        """
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a deadline needs a running task")
        self.limit(task, seconds)
        return task

    def limit(self, task: Cancellable, seconds: float | None = None) -> None:
        """Start the time limit of a task."""
        loop = asyncio.get_running_loop()
        self._ends[task] = loop.time() + (self._seconds if seconds is None else seconds)
        if not self._checking:
            self._checking = True
            loop.call_later(self._seconds / CHECKS, self._check, loop)

    def end(self, task: Cancellable) -> None:
        """Stop the time limit of a task."""
        self._ends.pop(task, None)

    def passed(self, task: Cancellable) -> bool:
        """Return, once, whether a task was cancelled by its deadline."""
        if task not in self._late:
            return False
        self._late.discard(task)
        return True

    def _check(self, loop: asyncio.AbstractEventLoop) -> None:
        now = loop.time()
        for task, end in list(self._ends.items()):
            if end < now:
                del self._ends[task]
                self._late.add(task)
                task.cancel()
        self._checking = bool(self._ends)
        if self._checking:
            loop.call_later(self._seconds / CHECKS, self._check, loop)
