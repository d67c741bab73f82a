"""One writer of a view at a time, over all processes of a machine."""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from featurestore.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

LOOK = 0.02
_until: ContextVar[float | None] = ContextVar("until", default=None)


@contextmanager
def patience(until: float) -> Iterator[None]:
    """Wait for locks in this block until a moment of `time.monotonic`, and not for ever: somebody waits for the answer."""
    before = _until.set(until)
    try:
        yield
    finally:
        _until.reset(before)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock, named by a file, while the block runs; waits for whoever holds it. It vanishes with its holder.

    Raises
    ------
    StoreError
        If patience ends before: nothing was done, and it may be tried again.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    until = _until.get()
    with path.open("w") as file:
        if until is None:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            _take(file, path, until)
        yield


def _take(file: IO[str], path: Path, until: float) -> None:
    while time.monotonic() < until:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(LOOK)
        else:
            return
    raise StoreError(
        f"{path.stem!r} is being written by another, and the turn did not come in time: {path} is held",
        hint="nothing was done: try again when the other has ended",
        retry=True,
    )
