"""The last known rows of a store, for the time that it does not answer."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from featurestore.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.ports import RowReader, ViewState


class StaleCache:
    """What was last read of each key, up to a number of keys; the one not asked for longest goes first."""

    def __init__(self, most: int) -> None:
        self._most, self._lock = most, Lock()
        self._rows: OrderedDict[tuple[str, bytes], bytes | None] = OrderedDict()
        self._states: dict[str, ViewState | None] = {}

    def keep(
        self,
        views: Sequence[tuple[str, Sequence[bytes]]],
        found: Sequence[tuple[ViewState | None, Sequence[bytes | None]]],
    ) -> None:
        """Remember what a read found."""
        with self._lock:
            for (view, keys), (state, rows) in zip(views, found, strict=True):
                self._states[view] = state
                for key, row in zip(keys, rows, strict=True):
                    self._rows[view, key] = row
                    self._rows.move_to_end((view, key))
            while len(self._rows) > self._most:
                self._rows.popitem(last=False)

    def read(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[ViewState | None, list[bytes | None]]]:
        """Look up the last known rows.

        Raises
        ------
        StoreError
            If a key was never read, or is forgotten.
        """
        with self._lock:
            try:
                return [(self._states[view], [self._rows[view, key] for key in keys]) for view, keys in views]
            except KeyError:
                raise StoreError(
                    "the online store does not answer, and a key asked for has no last known value",
                    hint="try again",
                    retry=True,
                ) from None


class StaleCachingReader:
    """Reads a store, and remembers in `memory` what was found."""

    def __init__(self, store: RowReader, memory: StaleCache) -> None:
        self._store, self._memory = store, memory

    def read(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[ViewState | None, list[bytes | None]]]:
        """Look up keys."""
        found = self._store.read(views)
        self._memory.keep(views, found)
        return found
