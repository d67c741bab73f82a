"""Advance an online store to a watermark: every writer of a view does so, under the lock of the view."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import polars as pl

from featurestore.definitions.digest import view_digest
from featurestore.ports import ViewState
from featurestore.storage.fingerprint import file_fingerprint
from featurestore.storage.views import deleted_keys, files_of
from featurestore.timing.epoch import microseconds, timestamp_of
from featurestore.timing.fold import known_rows, newest_rows
from featurestore.values.codec import encode_deleted, encode_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from datetime import datetime

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore
    from featurestore.storage.layout import Layout

ROWS_PER_STEP = 1_000
Pair: TypeAlias = tuple[bytes, bytes]


class Advanced(NamedTuple):
    """The result of `advance_to`.

    Attributes
    ----------
    state
        The state of the view in the store.
    full
        Whether all rows of the view were rewritten.
    read, applied
        Number of rows that were read, and of those that changed the store.
    """

    state: ViewState
    full: bool
    read: int
    applied: int


def next_watermark(view: FeatureView, now: datetime, store: OnlineStore) -> datetime:
    """Return the watermark to advance a view to: `now`, or the view's watermark if that is later.

    The clocks of writers differ, and the answers of a store as of its watermark must not change afterwards.
    """
    before = store.state(view.name)
    return now if before is None else max(now, timestamp_of(before.watermark))


def advance_to(
    until: datetime,
    view: FeatureView,
    layout: Layout,
    store: OnlineStore,
    *,
    full: bool = False,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Advanced:
    """Apply every row of a view that is known at `until`, and no other row.

    Only the built rows that became known since the last watermark are read. All rows are rewritten if the definition or
    the built rows changed, if `until` is before the last watermark, or if `full` is True. The log of pushed rows and
    deleted keys is replayed each time, because writers of other releases, with other clocks, share it.

    Parameters
    ----------
    until
        The new watermark.
    full
        Rewrite all rows.
    progress
        Called from time to time with the number of rows written and the number of rows to write.

    Raises
    ------
    MissingDataError
        If the view is not built yet.
    StoreError
        If the store fails. It then holds the rows that it held before.
    """
    built, *pushed = files_of(view, layout)
    state = ViewState(
        definition=view_digest(view), source=file_fingerprint(built), watermark=microseconds(until)
    )
    before = store.state(view.name)
    full = (
        full
        or before is None
        or (before.definition, before.source) != (state.definition, state.source)
        or before.watermark > state.watermark
    )
    after = None if full or before is None else timestamp_of(before.watermark)
    fresh = known_rows(pl.scan_parquet(built), view.timing, until=until, after=after)
    if pushed:
        fresh = pl.concat([fresh, known_rows(pl.scan_parquet(pushed), view.timing, until=until)])
    newest = newest_rows(fresh, view.keys, view.timing)
    read, winners = pl.collect_all([fresh.select(pl.len()), newest])
    deleted = encode_deleted(deleted_keys(view, layout), view.keys)
    pairs = chain(encode_rows(winners, view.keys, view.feature_schema), deleted)
    with_progress = _with_progress(pairs, lambda done: progress(done, winners.height + len(deleted)))
    applied = store.write(view.name, with_progress, state, replace=full)
    return Advanced(state, full, read.item() + len(deleted), applied)


def _with_progress(rows: Iterable[Pair], progress: Callable[[int], None]) -> Iterator[Pair]:
    progress(0)
    done = 0
    for done, row in enumerate(rows, 1):
        yield row
        if done % ROWS_PER_STEP == 0:
            progress(done)
    progress(done)
