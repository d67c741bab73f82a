"""Locks between all processes of a machine, so that a view has one writer at a time."""

from __future__ import annotations

import fcntl
import time
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from featurestore.errors import StoreError
from featurestore.storage.durable import make_folder
from featurestore.storage.files import PRIVATE_FOLDER, translated_write_errors

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

POLL_SECONDS = 0.02
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)


@contextmanager
def patience(until: float) -> Iterator[None]:
    """Limit the wait for locks inside the block to a time of `time.monotonic`, in seconds."""
    before = _deadline.set(until)
    try:
        yield
    finally:
        _deadline.reset(before)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a file while the block runs.

    Waits while another process or thread holds the lock. The lock of a process that dies is
    released.

    Raises
    ------
    StoreError
        If the wait exceeds the limit (`patience`), or the file system refuses to write the file of
        the lock. The block did not run.
    """
    deadline = _deadline.get()
    with _opened(path) as file:
        if deadline is None:
            fcntl.flock(file, fcntl.LOCK_EX)
        else:
            _take(file, path, deadline)
        yield


@contextmanager
def try_locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a file while the block runs, if nobody holds it. Yields whether it is held.

    Raises
    ------
    StoreError
        If the file system refuses to write the file of the lock.
    """
    with _opened(path) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _opened(path: Path) -> IO[str]:
    with translated_write_errors(path):
        make_folder(path.parent, mode=PRIVATE_FOLDER)
        return path.open("w")


def _take(file: IO[str], path: Path, deadline: float) -> None:
    while time.monotonic() < deadline:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(POLL_SECONDS)
        else:
            return
    raise StoreError(
        f"{path.stem!r}: another process writes it and did not finish in time; it holds {path}",
        hint="nothing was written; try again when the other process has finished",
        retry=True,
    )
