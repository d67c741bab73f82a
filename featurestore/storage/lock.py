"""Locks between all processes of a machine, so that a view has one writer at a time.

The threads of a process take turns in the order in which they came. Between processes, a second lock decides: one process
that waits holds it, and has the first lock next. So a process that takes the lock again and again lets others have it in between.
"""

from __future__ import annotations

import fcntl
import os
import time
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

from featurestore.errors import StoreError
from featurestore.storage.durable import make_folder
from featurestore.storage.files import PRIVATE_FOLDER, translated_write_errors
from featurestore.storage.turns import LateError, Turns

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from io import FileIO
    from pathlib import Path

    from featurestore.storage.turns import Waiter

POLL_SECONDS = 0.005
NEXT_SUFFIX = ".next.lock"
_deadline: ContextVar[float | None] = ContextVar("deadline", default=None)
_turns = Turns()
_open_files: set[FileIO] = set()
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


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

    Waits while another process or thread holds the lock. Threads get it in the order in which they came. The lock of a
    process that dies is released.

    Raises
    ------
    StoreError
        If the wait exceeds the limit (`patience`), or the file system refuses to write the file of
        the lock. The block did not run.
    """
    until = _deadline.get()
    with _opened(path) as file, _late_refused(path), _turns.turn(_key(file), until), _held(file, path, until):
        yield


def locked_together(
    path: Path,
    item: _Item,
    fits: Callable[[_Item], bool],
    work: Callable[[Callable[[], Sequence[_Item]]], Sequence[_Result]],
) -> _Result:
    """Hold the lock of a file while the work of this thread, and of threads that wait behind it, is done.

    Waits as `locked` does. If a thread before this one does the item meanwhile, its result is returned, or raised.

    Parameters
    ----------
    item
        What this thread wants to be done.
    fits
        Whether an item of a thread behind this one can be done together with this one.
    work
        Gets a function that takes the items and returns them: this one first, the others in the order in which they
        came. Does them, and returns a result for each. If it raises before it takes the items, only this one fails;
        after that, all of them fail.

    Raises
    ------
    StoreError
        As `locked` raises it: the item was not done.
    """
    until = _deadline.get()
    with _opened(path) as file, _late_refused(path), _turns.turn(key := _key(file), until, item) as waiting:
        if waiting.is_taken:
            if waiting.error is not None:
                raise waiting.error
            done: _Result = waiting.result
            return done
        behind: list[Waiter] = []

        def take() -> list[_Item]:
            behind.extend(_turns.take(key, fits))
            items: list[_Item] = [follower.item for follower in behind]
            return [item, *items]

        try:
            with _held(file, path, until):
                own, *results = work(take)
            for follower, result in zip(behind, results, strict=True):
                follower.result = result
        except BaseException as error:
            for follower in behind:
                follower.error = error
            raise
        finally:
            for follower in behind:
                follower.wake()
        return own


@contextmanager
def try_locked(path: Path) -> Iterator[bool]:
    """Hold the lock of a file while the block runs, if nobody holds it or waits for it. Yields whether it is held.

    Raises
    ------
    StoreError
        If the file system refuses to write the file of the lock.
    """
    with _opened(path) as file, ExitStack() as held:
        try:
            held.enter_context(_turns.turn(_key(file), time.monotonic()))
        except LateError:
            is_held = False
        else:
            is_held = _locks(file)
        if is_held:
            held.callback(_unlock, file, os.getpid())
        yield is_held


@contextmanager
def _opened(path: Path) -> Iterator[FileIO]:
    with translated_write_errors(path):
        make_folder(path.parent, mode=PRIVATE_FOLDER)
        file = path.open("wb", buffering=0)
    with file:
        _open_files.add(file)
        try:
            yield file
        finally:
            _open_files.discard(file)


def _close_files() -> None:
    """Close the files of locks in a fork: as long as one copy is open, a lock outlives the process that took it."""
    for file in _open_files:
        file.close()
    _open_files.clear()


os.register_at_fork(after_in_child=_close_files)


def _key(file: FileIO) -> tuple[int, int]:
    """Return the identity of a file, which all of its names share."""
    status = os.fstat(file.fileno())
    return status.st_dev, status.st_ino


@contextmanager
def _held(file: FileIO, path: Path, until: float | None) -> Iterator[None]:
    """Hold the lock of a file between processes while the block runs."""
    with ExitStack() as held:
        with _opened(path.with_name(path.name + NEXT_SUFFIX)) as turnstile, _taken(turnstile, until):
            held.enter_context(_taken(file, until))
        yield


@contextmanager
def _taken(file: FileIO, until: float | None) -> Iterator[None]:
    """Lock a file while the block runs."""
    # Not a wait in the kernel: it has no limit, and it always ends before a process that polls sees the lock free.
    while until is None or time.monotonic() < until:
        if _locks(file):
            break
        time.sleep(POLL_SECONDS)
    else:
        raise LateError
    owner = os.getpid()
    try:
        yield
    finally:
        _unlock(file, owner)


def _locks(file: FileIO) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _unlock(file: FileIO, owner: int) -> None:
    if os.getpid() == owner:  # a fork that leaves the block has closed the file
        fcntl.flock(file, fcntl.LOCK_UN)


@contextmanager
def _late_refused(path: Path) -> Iterator[None]:
    try:
        yield
    except LateError as error:
        raise StoreError(
            f"{path.stem!r}: another process or thread writes it and did not finish in time; it holds {path}",
            hint="nothing was written; try again when the other write has finished",
            retry=True,
        ) from error
