"""An online store in memory, for tests: it behaves as the stores for production."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from featurestore.values.codec import is_intact, is_tombstone, version_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from featurestore.ports import ViewState


class _View(NamedTuple):
    state: ViewState
    rows: dict[bytes, bytes]


class MemoryStore:
    """An online store (`featurestore.ports.OnlineStore`) that holds its rows in this process.

    It passes `featurestore.testing.stores.require_store`, as the stores for production do. Any
    number of threads can use one store. Each read sees one snapshot of all views, and each write is
    complete or has no effect.

    Examples
    --------
    >>> from featurestore.ports import ViewState
    >>> from featurestore.testing import MemoryStore
    >>> from featurestore.values.codec import HEADER
    >>> store = MemoryStore()
    >>> row = HEADER.pack(1, 1) + b"values"
    >>> state = ViewState(definition="d", source="s", watermark=1)
    >>> store.write("view", [(b"key", row)], state, replace=False)
    1
    >>> store.read([("view", [b"key"])])[0][1] == [row]
    True
    """

    def __init__(self) -> None:
        self._writing = Lock()
        # Never changed in place: a write puts a new dictionary here, so that a read has a snapshot without a lock.
        self._views: dict[str, _View] = {}

    def state(self, view: str) -> ViewState | None:
        """Return the state of a view. None: the store does not hold the view."""
        held = self._views.get(view)
        return None if held is None else held.state

    def read(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[ViewState | None, list[bytes | None]]]:
        """Look up keys of several views in one snapshot."""
        snapshot = self._views
        return [
            (None, [None] * len(keys))
            if (held := snapshot.get(view)) is None
            else (held.state, [held.rows.get(key) for key in keys])
            for view, keys in views
        ]

    def write(
        self, view: str, rows: Iterable[tuple[bytes, bytes]], state: ViewState, *, replace: bool
    ) -> int:
        """Apply rows and the state of the view in one step. The greater version wins."""
        pairs = list(rows)
        applied = 0
        with self._writing:
            held = self._views.get(view)
            kept = {} if held is None else dict(held.rows)
            if replace:
                kept = {key: row for key, row in kept.items() if is_tombstone(row) and is_intact(key, row)}
            for key, row in pairs:
                current = kept.get(key)
                if current is None or version_of(row) > version_of(current):
                    kept[key] = row
                    applied += 1
            self._views = {**self._views, view: _View(state, kept)}
        return applied

    def scan(self, view: str) -> Iterator[tuple[bytes, bytes]]:
        """Return all keys and rows of a view, in the order of the keys."""
        held = self._views.get(view)
        yield from () if held is None else sorted(held.rows.items())

    def drop(self, views: Sequence[str]) -> None:
        """Remove the rows and the states of views."""
        with self._writing:
            self._views = {name: held for name, held in self._views.items() if name not in views}
