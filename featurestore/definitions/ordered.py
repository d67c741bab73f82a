"""Run code of Polars so that its result depends on its inputs alone, not on threads or hashes.

Polars may return rows of equal rank in any order, add up parts of a group by thread, and keep any
of several duplicates. Each of these changes the last bits of a sum or the row that is kept. Inside
`ordered_execution`, verbs keep the order of their input, ties go to the first row, and the engine
adds up each group from its first row to its last.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import wraps
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

from featurestore.definitions.ordered_verbs import ORDERED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Method = Callable[..., Any]

# The in-memory engine aggregates a group in the order of its rows, unless it first splits the rows
# among threads.
_ENVIRONMENT: Final = {"POLARS_NO_PARTITION": "1", "POLARS_ENGINE_AFFINITY": "in-memory"}

_lock = Lock()
_running = 0
_originals: dict[tuple[type, str], Method] = {}
_environment: dict[str, str | None] = {}


@contextmanager
def ordered_execution() -> Iterator[None]:
    """Make the verbs of Polars keep the order of rows, in this process, until the block ends.

    Blocks may be nested and may run in several threads. Expressions that were made before the block
    keep the verbs that they were made with.
    """
    global _running  # noqa: PLW0603 - the verbs of Polars belong to the process
    with _lock:
        if not _running:
            _install()
        _running += 1
    try:
        yield
    finally:
        with _lock:
            _running -= 1
            if not _running:
                _restore()


def _install() -> None:
    for variable, value in _ENVIRONMENT.items():
        _environment[variable] = os.environ.get(variable)
        os.environ[variable] = value
    for (cls, name), ordered in ORDERED.items():
        original = getattr(cls, name)
        _originals[cls, name] = original
        setattr(cls, name, wraps(original)(ordered(original)))


def _restore() -> None:
    for (cls, name), original in _originals.items():
        setattr(cls, name, original)
    _originals.clear()
    for variable, value in _environment.items():
        if value is None:
            del os.environ[variable]
        else:
            os.environ[variable] = value
