"""The rows of windowed views in an online store: the events of each key that still count at a watermark."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import polars as pl

from featurestore.storage.views import deleted_keys
from featurestore.timing.columns import EVENT_TIMESTAMP, KNOWN_AT
from featurestore.timing.epoch import MICROSECOND, microseconds
from featurestore.timing.fold import known_rows
from featurestore.timing.known_at import known_at
from featurestore.timing.version import version
from featurestore.values.codec import encode_keys, require_intact, seal, storable, values_of
from featurestore.values.event_codec import Head, block_key, decode_head, encode_head, header
from featurestore.windows.blocks import FREED, KeyEvents
from featurestore.windows.intervals import UNTIL, with_intervals
from featurestore.windows.measures import Measures
from featurestore.windows.stored_columns import StoredColumns

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime, timedelta
    from pathlib import Path

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore
    from featurestore.storage.layout import Layout

_TIMESTAMP = "__timestamp"
Pair = tuple[bytes, bytes]


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
    """A key to write: its values, encoded bytes, stored row, and how many pushed rows and deletions there are."""

    values: tuple[Any, ...]
    name: bytes
    row: bytes | None
    head: Head
    pushed: int
    deleted: int


def window_rows(
    view: FeatureView,
    files: Sequence[Path],
    layout: Layout,
    store: OnlineStore,
    *,
    after: datetime | None,
    until: datetime,
) -> WindowRows:
    """Encode the events of the keys that changed since the last watermark.

    A key whose new events are later than all of its stored ones gets them at its end. The other keys are written from
    all of their events: those with late events, corrections or deletions.

    Parameters
    ----------
    files
        The built file, then the pushed ones.
    after
        The last watermark; None: all keys are written, for a store without rows of the view.
    """
    source = _Source(view, files, layout, until)
    changed = source.changed_keys(after)
    names = [storable(key) for key in encode_keys(changed, view.keys)]
    stored: list[bytes | None] = [None] * len(names)
    if after is not None:
        # Before the store is written: a store cannot be read within its own transaction.
        [(_, stored)] = store.read([(view.name, names)])
        require_intact(names, stored)
    keys: list[_Key] = []
    again: set[tuple[Any, ...]] = set()
    width = len(view.keys)
    for row, name, held in zip(changed.iter_rows(), names, stored, strict=True):
        built, pushed, new, deleted = row[width:]
        head = decode_head(held)
        if after is None or deleted != head.deleted or pushed - head.pushed != new:
            again.add(row[:width])
        elif not (built or new):
            continue
        keys.append(_Key(row[:width], name, held, head, pushed, deleted))
    if view.identity and after is not None:
        again |= source.replaced_keys(_but(keys, again), after)
    later = _but(keys, again)
    appended = source.events(later, after)
    again |= {
        key.values
        for key, events in _by_key(later, appended)
        if key.head.events and events and events[0][0] <= key.head.events[-1][0]
    }
    later = _but(keys, again)
    complete = [key for key in keys if key.values in again]
    rewritten = source.events(complete, None)
    pairs = _pairs(view, store, until, (later, appended), (complete, rewritten))
    if after is not None:
        pairs = iter(list(pairs))  # it reads the blocks of the keys
    return WindowRows(len(keys), appended.height + rewritten.height, pairs)


def _but(keys: Sequence[_Key], others: Collection[tuple[Any, ...]]) -> list[_Key]:
    """Return the keys that are not among others, in their order."""
    return [key for key in keys if key.values not in others]


def longest_window(view: FeatureView) -> timedelta | None:
    """Return the duration of the longest window of a view; None: one has no end."""
    durations = [window.duration for window in view.windows.values()]
    finite = [duration for duration in durations if duration is not None]
    return max(finite) if len(finite) == len(durations) else None


class _Source:
    """The events of a view at a watermark."""

    def __init__(self, view: FeatureView, files: Sequence[Path], layout: Layout, until: datetime) -> None:
        self._view, self._files, self._until = view, files, until
        self._deletions = deleted_keys(view, layout).filter(pl.col(EVENT_TIMESTAMP) <= until)

    def changed_keys(self, after: datetime | None) -> pl.DataFrame:
        """List the keys that may have changed: those with new built rows, and all with pushed rows or deletions.

        Writers of other releases, with other clocks, share the log of pushed rows, so it is counted each time.
        """
        view, keys = self._view, list(self._view.keys)
        built, *pushed = self._files
        new = pl.lit(value=True) if after is None else pl.col(KNOWN_AT) > after
        parts = [
            known_rows(pl.scan_parquet(built), view.timing, until=self._until, after=after).select(
                *keys, _built=1, _pushed=0, _new=0, _deleted=0
            ),
            self._deletions.lazy().select(*keys, _built=0, _pushed=0, _new=0, _deleted=1),
        ]
        if pushed:
            known = known_rows(pl.scan_parquet(pushed), view.timing, until=self._until)
            parts.append(known.select(*keys, _built=0, _pushed=1, _new=new.cast(pl.Int32), _deleted=0))
        counted = (
            pl.concat(parts, how="vertical")
            .group_by(keys)
            .agg(pl.col(name).sum() for name in ("_built", "_pushed", "_new", "_deleted"))
        )
        return counted.sort(keys).collect()

    def replaced_keys(self, keys: Sequence[_Key], after: datetime) -> set[tuple[Any, ...]]:
        """Return those of some keys of which an event of before a watermark was replaced since."""
        view = self._view
        columns = [*view.keys, *view.identity]
        known = known_at(view.timing)
        events = self._of_keys(keys)
        new = events.filter(known > after, known <= self._until).select(columns)
        earlier = events.filter(known <= after).select(columns)
        replaced = new.join(earlier, on=columns, how="semi", nulls_equal=True)
        return set(replaced.select(view.keys).unique().collect().iter_rows())

    def _of_keys(self, keys: Sequence[_Key]) -> pl.LazyFrame:
        view = self._view
        key_frame = pl.DataFrame([key.values for key in keys], schema=view.key_schema, orient="row")
        return pl.scan_parquet(list(self._files)).join(key_frame.lazy(), on=list(view.keys), how="semi")

    def events(self, keys: Sequence[_Key], after: datetime | None) -> pl.DataFrame:
        """Return the events of keys that still count at the watermark, in order of key and version.

        The newest event of a key is kept, however old it is: it decides whether the key is expired.

        Parameters
        ----------
        after
            Only events that became known after a watermark; None: all.

        Returns
        -------
        pl.DataFrame
            The keys, the timestamp of the event in microseconds since 1970-01-01 UTC, and the stored values and conditions.
        """
        view, until = self._view, self._until
        columns = StoredColumns.of(view.windows)
        is_known = known_at(view.timing) <= until
        if after is not None:
            is_known &= known_at(view.timing) > after
        events = with_intervals(
            self._of_keys(keys).filter(is_known),
            view.keys,
            view.timing,
            identity=view.identity,
            deletions=self._deletions.lazy(),
        )
        counting = events.filter(pl.col(UNTIL).is_null() | (pl.col(UNTIL) > until))
        longest = longest_window(view)
        if longest is not None:
            newest = pl.col(EVENT_TIMESTAMP) == pl.col(EVENT_TIMESTAMP).max().over(view.keys)
            counting = counting.filter(newest | (pl.col(EVENT_TIMESTAMP) > until - longest))
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


def _pairs(
    view: FeatureView,
    store: OnlineStore,
    until: datetime,
    later: tuple[list[_Key], pl.DataFrame],
    again: tuple[list[_Key], pl.DataFrame],
) -> Iterator[list[Pair]]:
    measures = Measures(view.windows, StoredColumns.of(view.windows), view.contract.schema)
    longest = longest_window(view)
    watermark = microseconds(until)
    for from_start, (keys, frame) in ((False, later), (True, again)):
        for key, events in _by_key(keys, frame):

            def fetch(blocks: Sequence[tuple[int, int]], key: _Key = key) -> list[bytes]:
                wanted = [block_key(key.name, number) for number, _ in blocks]
                [(_, rows)] = store.read([(view.name, wanted)])
                require_intact(wanted, rows)
                return [b"" if row is None else values_of(row) for row in rows]

            stored = KeyEvents(key.head, measures, fetch)
            if from_start:
                stored.clear()
            stored.append(events)
            if longest is not None:
                stored.forget(watermark - longest // MICROSECOND)
            yield _rows_of(key, stored, watermark)


def _rows_of(key: _Key, stored: KeyEvents, watermark: int) -> list[Pair]:
    """Return the rows of a key: new blocks first, then the head that lists them, then the blocks that it does not."""
    mark = header(watermark, key.row)
    head = encode_head(stored.head(key.pushed, key.deleted))
    contents = [
        *((block_key(key.name, number), block) for number, block in stored.written.items()),
        (key.name, head),
        *((block_key(key.name, number), FREED) for number in stored.freed),
    ]
    return [(name, seal(name, mark + content)) for name, content in contents]
