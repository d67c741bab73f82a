"""The stale cache: keeps the last known rows of keys. `lookups` decides when they answer."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import TYPE_CHECKING

from featurestore.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from featurestore.ports import RowReader, ViewState


class StaleCache:
    """The row that was last read of each key.

    Parameters
    ----------
    limit
        Maximum number of keys. The key that was not used for the longest time is dropped first.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._lock = Lock()
        self._rows: OrderedDict[tuple[str, bytes], bytes | None] = OrderedDict()
        self._states: dict[str, ViewState | None] = {}

    def keep(
        self,
        views: Sequence[tuple[str, Sequence[bytes]]],
        results: Sequence[tuple[ViewState | None, Sequence[bytes | None]]],
    ) -> None:
        """Keep the results of a read: for each view its state, and one row or None for each key."""
        with self._lock:
            for (view, keys), (state, rows) in zip(views, results, strict=True):
                self._states[view] = state
                for key, row in zip(keys, rows, strict=True):
                    self._rows[view, key] = row
                    self._rows.move_to_end((view, key))
            while len(self._rows) > self._limit:
                self._rows.popitem(last=False)

    def read(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[ViewState | None, list[bytes | None]]]:
        """Return the last known rows.

        Raises
        ------
        StoreError
            If a key was never read, or was dropped.
        """
        with self._lock:
            try:
                return [(self._states[view], [self._rows[view, key] for key in keys]) for view, keys in views]
            except KeyError:
                raise StoreError(
                    "the online store does not answer, and a requested key has no last known value",
                    hint="try again",
                    retry=True,
                ) from None


class StaleCachingReader:
    """Reads a store, and keeps the results in a stale cache."""

    def __init__(self, store: RowReader, cache: StaleCache) -> None:
        self._store = store
        self._cache = cache

    def read(
        self, views: Sequence[tuple[str, Sequence[bytes]]]
    ) -> list[tuple[ViewState | None, list[bytes | None]]]:
        """Look up keys."""
        results = self._store.read(views)
        self._cache.keep(views, results)
        return results
