"""Commits: which file of the log became known when, and when its writing to the online store had ended.

A row of the log is known from a timestamp that is taken before it is written. A request that arrives between the two
may not see it. `replay` tells such a request from one that a store answered wrongly.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from featurestore.storage.files import append_record, read_records

if TYPE_CHECKING:
    from pathlib import Path

    from featurestore.storage.layout import Layout

DELETED: Final = "deleted/"


class Commit(msgspec.Struct, frozen=True, kw_only=True):
    """A push or a deletion that the online store holds.

    Attributes
    ----------
    file
        Name of the file of pushed rows or, after `DELETED`, of deleted keys when it was written. Later it may be merged
        with others.
    known_at
        When its rows were known, by the project's clock.
    committed_at
        When the store had them, by the clock of the machine. Every later request is answered with them.
    """

    file: str
    known_at: datetime
    committed_at: datetime


def keep_commit(view: str, file: Path, known_at: datetime, layout: Layout) -> None:
    """Record that the online store holds a file of the log now. The caller holds the lock of the log.

    Raises
    ------
    StoreError
        If the file system refuses the write.
    """
    commit = Commit(
        file=file.relative_to(layout.pushed(view)).as_posix(),
        known_at=known_at,
        committed_at=datetime.now(UTC),
    )
    append_record(commit, layout.commits(view))


def commits_of(view: str, layout: Layout) -> list[Commit]:
    """List the commits of a view, the oldest first.

    Raises
    ------
    StoreError
        If the record cannot be read.
    """
    return read_records(layout.commits(view), Commit)
