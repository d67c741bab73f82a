"""The rows of windowed views in an online store: the events of each key that still count at a watermark."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import polars as pl

from featurestore.errors import StoreError
from featurestore.storage.parquet import scan_files
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import MICROSECOND, microseconds
from featurestore.timing.known_at import known_at
from featurestore.timing.version import version
from featurestore.values.codec import (
    REBUILD,
    encode_keys,
    require_intact,
    seal,
    storable,
    values_of,
)
from featurestore.values.event_codec import Head, block_keys, checksum, decode_head, encode_head, header
from featurestore.windows.blocks import FREED, KeyEvents
from featurestore.windows.intervals import UNTIL, with_intervals
from featurestore.windows.measures import Measures
from featurestore.windows.stored_columns import StoredColumns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore
    from featurestore.windows.measures import StoredEvent

_TIMESTAMP = "__timestamp"
Pair = tuple[bytes, bytes]
# By timestamp, the events that a key has there from now on.
_Changes: TypeAlias = "dict[int, list[StoredEvent]]"


class WindowRows(NamedTuple):
    """What is written for the keys of a windowed view.

    Attributes
    ----------
    keys
        Number of keys.
    events
        Number of events that were read.
    pairs
        For each key, the keys and rows to write, in an order that never shows a reader half of them.
    """

    keys: int
    events: int
    pairs: Iterator[list[Pair]]


class _Key(NamedTuple):
    """A key to write: its values, encoded bytes and stored row."""

    values: tuple[Any, ...]
    name: bytes
    row: bytes | None
    head: Head


def window_rows(
    view: FeatureView,
    files: Sequence[Path],
    deletions: pl.DataFrame,
    store: OnlineStore,
    *,
    fresh: pl.LazyFrame,
    deleted: pl.DataFrame | None,
    until: datetime,
) -> WindowRows:
    """Encode the events of the keys that changed.

    Of a key with new rows, those timestamps are written again at which it has a new event, or had one that was replaced.
    Of a key that was deleted, the events up to that time are removed.

    Parameters
    ----------
    files
        The built file, then the pushed ones.
    deletions
        The deleted keys, and the time of each deletion as ``event_timestamp``, up to `until`.
    fresh
        The rows that the store may lack. A row that it has already changes nothing.
    deleted
        The deletions that the store may lack. None: all keys are written, for a store without rows of the view.
    """
    source = _Source(view, files, deletions, until)
    changed = fresh.select(view.keys)
    if deleted is not None:
        changed = pl.concat([changed, deleted.lazy().select(view.keys)])
    keys = _keys(view, changed.unique().sort(view.keys).collect(), None if deleted is None else store)
    if deleted is None:
        events = source.events(keys, None)
        writer = _Writer(view, store, until)
        pairs_of_keys = (writer.complete(key, of_key) for key, of_key in _by_key(keys, events))
        return WindowRows(len(keys), events.height, pairs_of_keys)
    timestamps = source.touched(keys, fresh)
    at_timestamps = source.events(keys, timestamps)
    changes = _changes(timestamps, at_timestamps, len(view.keys))
    deleted_at = _deleted_at(view, deleted)
    # They read blocks. A store cannot be read within its own transaction.
    pairs: list[list[Pair]] = []
    incomplete: list[_Key] = []
    writer = _Writer(view, store, until)
    for key in keys:
        rows = writer.changed(key, changes.get(key.values, {}), deleted_at.get(key.values))
        if rows is None:
            incomplete.append(key)
        else:
            pairs.append(rows)
    events = source.events(incomplete, None)
    pairs += [writer.complete(key, of_key) for key, of_key in _by_key(incomplete, events)]
    return WindowRows(len(keys), at_timestamps.height + events.height, iter(pairs))


def _keys(view: FeatureView, changed: pl.DataFrame, store: OnlineStore | None) -> list[_Key]:
    names = [storable(key) for key in encode_keys(changed, view.keys)]
    rows: list[bytes | None] = [None] * len(names)
    if store is not None:
        [(_, rows)] = store.read([(view.name, names)])
        require_intact(names, rows)
    return [
        _Key(values, name, row, decode_head(row))
        for values, name, row in zip(changed.iter_rows(), names, rows, strict=True)
    ]


def _deleted_at(view: FeatureView, deleted: pl.DataFrame) -> dict[tuple[Any, ...], int]:
    """Return for each key that was deleted the last time, in microseconds."""
    at = deleted.group_by(view.keys).agg(pl.col(EVENT_TIMESTAMP).max().dt.epoch("us"))
    return {row[:-1]: row[-1] for row in at.select(*view.keys, EVENT_TIMESTAMP).iter_rows()}


def _changes(timestamps: pl.DataFrame, events: pl.DataFrame, width: int) -> dict[tuple[Any, ...], _Changes]:
    """Return by key and timestamp the events that count from now on; both frames are in this order."""
    changes: dict[tuple[Any, ...], _Changes] = {}
    in_microseconds = timestamps.with_columns(pl.col(EVENT_TIMESTAMP).dt.epoch("us"))
    for *values, timestamp in in_microseconds.iter_rows():
        changes.setdefault(tuple(values), {})[timestamp] = []
    for row in events.iter_rows():
        changes[row[:width]][row[width]].append(row[width:])
    return changes


def longest_window(view: FeatureView) -> timedelta | None:
    """Return the duration of the longest window of a view; None: one has no end."""
    durations = [window.duration for window in view.windows.values()]
    finite = [duration for duration in durations if duration is not None]
    return max(finite) if len(finite) == len(durations) else None


class _Source:
    """The events of a view at a watermark."""

    def __init__(
        self, view: FeatureView, files: Sequence[Path], deletions: pl.DataFrame, until: datetime
    ) -> None:
        self._view, self._files, self._deletions, self._until = view, files, deletions, until

    def touched(self, keys: Sequence[_Key], fresh: pl.LazyFrame) -> pl.DataFrame:
        """Return the timestamps at which keys have a row of `fresh`, or had an event that one replaces, in order."""
        view = self._view
        names = [*view.keys, *view.identity]
        if view.identity:
            rows = self._of_keys(keys).join(fresh.select(names), on=names, how="semi", nulls_equal=True)
        else:
            rows = self._only(keys, fresh)
        return (
            rows.filter(known_at(view.timing) <= self._until)
            .select(*view.keys, EVENT_TIMESTAMP)
            .unique()
            .sort(*view.keys, EVENT_TIMESTAMP)
            .collect()
        )

    def _of_keys(self, keys: Sequence[_Key]) -> pl.LazyFrame:
        return self._only(keys, scan_files(self._files))

    def _only(self, keys: Sequence[_Key], rows: pl.LazyFrame) -> pl.LazyFrame:
        view = self._view
        key_frame = pl.DataFrame([key.values for key in keys], schema=view.key_schema, orient="row")
        return rows.join(key_frame.lazy(), on=list(view.keys), how="semi")

    def _at(self, keys: Sequence[_Key], timestamps: pl.DataFrame) -> pl.LazyFrame:
        """Return all rows of the events that are or were at timestamps of keys."""
        view = self._view
        rows = self._of_keys(keys)
        at = [*view.keys, EVENT_TIMESTAMP]
        first, last = timestamps[EVENT_TIMESTAMP].min(), timestamps[EVENT_TIMESTAMP].max()
        there = rows.filter(pl.col(EVENT_TIMESTAMP).is_between(pl.lit(first), pl.lit(last))).join(
            timestamps.lazy(), on=at, how="semi"
        )
        if not view.identity:
            return there
        names = [*view.keys, *view.identity]
        return rows.join(there.select(names), on=names, how="semi", nulls_equal=True)

    def events(self, keys: Sequence[_Key], timestamps: pl.DataFrame | None) -> pl.DataFrame:
        """Return the events of keys that still count at the watermark, in order of key and version.

        The newest event of a key is kept, however old it is: it decides whether the key is expired.

        Parameters
        ----------
        timestamps
            Keys and timestamps: only the events there. None: all.

        Returns
        -------
        pl.DataFrame
            The keys, the timestamp of the event in microseconds since 1970-01-01 UTC, and the stored values and conditions.
        """
        view, until = self._view, self._until
        columns = StoredColumns.of(view.windows)
        rows = self._of_keys(keys) if timestamps is None else self._at(keys, timestamps)
        events = with_intervals(
            rows.filter(known_at(view.timing) <= until),
            view.keys,
            view.timing,
            identity=view.identity,
            deletions=self._deletions.lazy(),
        )
        counting = events.filter(pl.col(UNTIL).is_null() | (pl.col(UNTIL) > until))
        if timestamps is not None:
            counting = counting.join(timestamps.lazy(), on=[*view.keys, EVENT_TIMESTAMP], how="semi")
        longest = longest_window(view)
        if longest is not None:
            newest = pl.col(EVENT_TIMESTAMP) == pl.col(EVENT_TIMESTAMP).max().over(view.keys)
            # Of integers: a window may be longer than the time since the year 1.
            limit = microseconds(until) - longest // MICROSECOND
            counting = counting.filter(newest | (pl.col(EVENT_TIMESTAMP).dt.epoch("us") > limit))
        # Events of one version are ordered by their values, as the join does.
        others = [name for name in view.contract.schema if name not in view.keys]
        return (
            counting.sort([*view.keys, *version(view.timing), *others], maintain_order=True)
            .select(
                *view.keys,
                pl.col(EVENT_TIMESTAMP).dt.epoch("us").alias(_TIMESTAMP),
                *columns.values(view.contract.schema),
                *columns.held(),
            )
            .collect()
        )


def _by_key(keys: Sequence[_Key], events: pl.DataFrame) -> Iterator[tuple[_Key, list[tuple[Any, ...]]]]:
    """Yield each key with its events. Both are in the order of the keys; other keys may have events too."""
    width = len(keys[0].values) if keys else 0
    wanted = {key.values for key in keys}
    groups = (
        (values, [row[width:] for row in rows])
        for values, rows in groupby(events.iter_rows(), key=itemgetter(slice(0, width)))
        if values in wanted
    )
    group = next(groups, None)
    for key in keys:
        if group is not None and group[0] == key.values:
            yield key, group[1]
            group = next(groups, None)
        else:
            yield key, []


class _Writer:
    """Writes the rows of keys at a watermark."""

    def __init__(self, view: FeatureView, store: OnlineStore, until: datetime) -> None:
        self._view, self._store = view, store
        self._measures = Measures(view.windows, StoredColumns.of(view.windows), view.contract.schema)
        longest = longest_window(view)
        self._watermark = microseconds(until)
        # Up to here, events are in no window; None: windows have no end.
        self._limit = None if longest is None else self._watermark - longest // MICROSECOND

    def complete(self, key: _Key, events: Sequence[StoredEvent]) -> list[Pair]:
        """Return the rows of a key, from all of its events."""
        stored = self._opened(key)
        stored.clear()
        stored.append(events)
        return self._rows(key, stored)

    def changed(self, key: _Key, changes: _Changes, deleted_at: int | None) -> list[Pair] | None:
        """Return the rows of a key after changes. None: the event that is the newest from now on may not be stored.

        Parameters
        ----------
        deleted_at
            The key was deleted at this time: of the stored events, those up to it are removed.
        """
        stored = self._opened(key)
        if deleted_at is not None:
            stored.remove(deleted_at)
        newest = stored.newest
        _apply(stored, changes, self._limit)
        if newest is not None and self._limit is not None and changes.get(newest) == []:
            # Events that are in no window may have been let go of, and changes to them are not applied.
            now = stored.newest
            if now is None or now <= self._limit:
                return None
        return self._rows(key, stored)

    def _opened(self, key: _Key) -> KeyEvents:
        name_of, store, view = block_keys(key.name), self._store, self._view.name

        def fetch(blocks: Sequence[tuple[int, int]]) -> list[bytes]:
            wanted = [name_of(number) for number, _ in blocks]
            [(_, rows)] = store.read([(view, wanted)])
            require_intact(wanted, rows)
            contents = [b"" if row is None else values_of(row) for row in rows]
            if [checksum(content) for content in contents] != [check for _, check in blocks]:
                raise StoreError(f"view {view!r}: stored events do not belong together", hint=REBUILD)
            return contents

        return KeyEvents(key.head, self._measures, fetch)

    def _rows(self, key: _Key, stored: KeyEvents) -> list[Pair]:
        """Return the rows of a key: new blocks first, then the head that lists them, then the blocks that it does not."""
        if self._limit is not None:
            stored.forget(self._limit)
        mark, name_of = header(self._watermark, key.row), block_keys(key.name)
        head = encode_head(stored.head())
        contents = [
            *((name_of(number), block) for number, block in stored.written.items()),
            (key.name, head),
            *((name_of(number), FREED) for number in stored.freed),
        ]
        return [(name, seal(name, mark + content)) for name, content in contents]


def _apply(stored: KeyEvents, changes: _Changes, limit: int | None) -> None:
    """Change the events at timestamps; events up to a limit are in no window, and are left as they are."""
    newest = stored.newest
    if newest is not None:
        stored.change(
            [
                (timestamp, events)
                for timestamp, events in changes.items()
                if timestamp == newest or (timestamp < newest and (limit is None or timestamp > limit))
            ]
        )
    stored.append(
        [event for t, events in changes.items() if newest is None or t > newest for event in events]
    )
