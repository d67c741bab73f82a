"""Advance an online store to a watermark, as each writer of a view does under its lock."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import polars as pl

from featurestore.definitions.fingerprint import fingerprint
from featurestore.ports import ViewState
from featurestore.storage.fingerprint import file_fingerprint
from featurestore.storage.made_by import keep_fingerprint
from featurestore.storage.views import deleted_keys, files_of
from featurestore.timing.epoch import microseconds, timestamp_of
from featurestore.timing.fold import known_rows, newest_rows
from featurestore.values.codec import ROW_FORMAT, encode_deleted, encode_rows

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


class Advance(NamedTuple):
    """How a view is to be brought to a timestamp.

    Attributes
    ----------
    state
        The state that the store has afterwards.
    before
        The state that the store has now; None: it does not hold the view.
    reason
        Why the view is written in full; None: only rows that became known since `before` are applied.
    """

    state: ViewState
    before: ViewState | None
    reason: str | None


def next_watermark(view: FeatureView, now: datetime, store: OnlineStore) -> datetime:
    """Return the watermark to advance a view to: `now`, or the view's watermark if that is later.

    The clocks of writers differ, and the answers of a store as of its watermark must not change
    afterwards.
    """
    before = store.state(view.name)
    return now if before is None else max(now, timestamp_of(before.watermark))


def plan_advance(
    until: datetime, view: FeatureView, layout: Layout, store: OnlineStore | None, *, full: bool = False
) -> Advance:
    """Decide how `advance_to` brings a view to a timestamp, without changing anything.

    Parameters
    ----------
    store
        The online store; None: it does not exist yet.

    Raises
    ------
    MissingDataError
        If the view is not built yet.
    SkewError
        If another definition of the view built its rows.
    """
    built, *_ = files_of(view, layout)
    state = ViewState(
        definition=fingerprint(view).digest,
        source=file_fingerprint(built),
        watermark=microseconds(until),
        row_format=ROW_FORMAT,
    )
    before = None if store is None else store.state(view.name)
    return Advance(state, before, _reason_for_full(before, state, full=full))


def _reason_for_full(before: ViewState | None, state: ViewState, *, full: bool) -> str | None:
    if before is None:
        return "the store does not hold the view"
    if before.row_format != state.row_format:
        return "the format of stored rows changed"
    if before.definition != state.definition:
        return "the definition changed"
    if before.source != state.source:
        return "the built rows changed"
    if before.watermark > state.watermark:
        return "the timestamp is before the watermark"
    return "a full run is requested" if full else None


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

    Only the built rows that became known since the last watermark are read. All rows are rewritten
    if the definition or the built rows changed, if `until` is before the last watermark, or if
    `full` is True. The log of pushed rows and deleted keys is replayed each time, because writers
    of other releases, with other clocks, share it.

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
    SkewError
        If another definition of the view built its rows.
    StoreError
        If the store fails. It then holds the rows that it held before.
    """
    built, *pushed = files_of(view, layout)
    state, before, reason = plan_advance(until, view, layout, store, full=full)
    after = None if reason is not None or before is None else timestamp_of(before.watermark)
    fresh = known_rows(pl.scan_parquet(built), view.timing, until=until, after=after)
    if pushed:
        fresh = pl.concat([fresh, known_rows(pl.scan_parquet(pushed), view.timing, until=until)])
    newest = newest_rows(fresh, view.keys, view.timing)
    read, winners = pl.collect_all([fresh.select(pl.len()), newest])
    deleted = encode_deleted(deleted_keys(view, layout), view.keys)
    pairs = chain(encode_rows(winners, view.keys, view.feature_schema), deleted)
    keep_fingerprint(fingerprint(view), layout)
    counted = _with_progress(pairs, lambda done: progress(done, winners.height + len(deleted)))
    applied = store.write(view.name, counted, state, replace=reason is not None)
    return Advanced(state, reason is not None, read.item() + len(deleted), applied)


def _with_progress(rows: Iterable[Pair], progress: Callable[[int], None]) -> Iterator[Pair]:
    progress(0)
    done = 0
    for done, row in enumerate(rows, 1):
        yield row
        if done % ROWS_PER_STEP == 0:
            progress(done)
    progress(done)
