"""Advance an online store to a watermark, as each writer of a view does under its lock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import polars as pl

from featurestore.definitions.fingerprint import fingerprint
from featurestore.ports import StoreClock, ViewState
from featurestore.storage.fingerprint import file_fingerprint
from featurestore.storage.log import footer, last_number, log_files, next_number
from featurestore.storage.made_by import keep_fingerprint
from featurestore.storage.parquet import scan_files
from featurestore.storage.views import deleted_keys, files_of
from featurestore.storage.window_rows import window_rows
from featurestore.timing.clock import MAX_SKEW
from featurestore.timing.columns import EVENT_TIMESTAMP
from featurestore.timing.epoch import MICROSECOND, microseconds, timestamp_of
from featurestore.timing.fold import known_rows, newest_rows
from featurestore.values.codec import ROW_FORMAT, encode_deleted, encode_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from featurestore.config import Settings
    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore
    from featurestore.storage.layout import Layout
    from featurestore.timing.known_at import Timing

ROWS_PER_STEP = 1_000
_Row = TypeVar("_Row")


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


def current_time(settings: Settings, store: OnlineStore) -> datetime:
    """Return the time that a writer stamps rows and watermarks with, in UTC.

    It is that of the store's own clock, which all writers share. An embedded store has the clock of
    its machine. A fixed timestamp in the settings counts before both.
    """
    if settings.as_of is not None:
        return settings.now()
    return store.clock() if isinstance(store, StoreClock) else datetime.now(UTC)


def next_watermark(view: FeatureView, now: datetime, store: OnlineStore, *, settings: Settings) -> datetime:
    """Return the watermark to advance a view to: `now`, or the view's watermark if that is later.

    The clocks of writers differ, and the answers of a store as of its watermark must not change
    afterwards. A watermark that is far ahead of the clock does not count: a writer with a wrong
    clock set it, no reader accepts it, and the next write brings the view back to `now`.
    """
    before = store.state(view.name)
    if before is None:
        return now
    watermark = timestamp_of(before.watermark)
    is_wrong = settings.as_of is None and watermark - now > MAX_SKEW
    return now if is_wrong else max(now, watermark)


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
        pushed=next_number(log_files(layout.pushed(view.name))),
        deleted=next_number(log_files(layout.deleted(view.name))),
        row_format=ROW_FORMAT,
    )
    before = None if store is None else store.state(view.name)
    return Advance(state, before, _reason_for_full(before, state, full=full))


def _reason_for_full(before: ViewState | None, state: ViewState, *, full: bool) -> str | None:
    if before is None:
        return "the store does not hold the view"
    reasons = {
        "the format of stored rows changed": before.row_format != state.row_format,
        "the definition changed": before.definition != state.definition,
        "the built rows changed": before.source != state.source,
        "the timestamp is before the watermark": before.watermark > state.watermark,
        "the log of pushed rows is not the one that the store was brought to": (
            before.pushed > state.pushed or before.deleted > state.deleted
        ),
        "a full run is requested": full,
    }
    return next((reason for reason, holds in reasons.items() if holds), None)


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
    `full` is True. Of the log of pushed rows and deleted keys, the writes are read that the last
    writer of this store did not know, whenever their rows were known: writers of other releases,
    with other clocks, share the log. Of older writes, the rows are read that became known since.

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
    fresh = [known_rows(scan_files(built), view.timing, until=until, after=after)]
    unseen, seen = _by_writer(pushed, None if after is None else before)
    if unseen:
        fresh.append(known_rows(scan_files(unseen), view.timing, until=until))
    pending = [path for path in seen if after is not None and _may_be_known_after(path, view.timing, after)]
    if pending:
        fresh.append(known_rows(scan_files(pending), view.timing, until=until, after=after))
    rows = pl.concat(fresh)
    if view.windows:
        known_before = None if after is None else before
        return _advance_windows(view, layout, store, rows, (state, known_before), progress=progress)
    newest = newest_rows(rows, view.keys, view.timing)
    read, winners = pl.collect_all([rows.select(pl.len()), newest])
    since = 0 if after is None or before is None else before.deleted
    deleted = encode_deleted(deleted_keys(view, layout, since=since), view.keys)
    pairs = chain(encode_rows(winners, view.keys, view.feature_schema), deleted)
    keep_fingerprint(fingerprint(view), layout)
    counted = _with_progress(pairs, lambda done: progress(done, winners.height + len(deleted)))
    applied = store.write(view.name, counted, state, replace=reason is not None)
    return Advanced(state, reason is not None, read.item() + len(deleted), applied)


def _advance_windows(
    view: FeatureView,
    layout: Layout,
    store: OnlineStore,
    fresh: pl.LazyFrame,
    states: tuple[ViewState, ViewState | None],
    *,
    progress: Callable[[int, int], None],
) -> Advanced:
    state, before = states
    until = timestamp_of(state.watermark)
    deletions = deleted_keys(view, layout).filter(pl.col(EVENT_TIMESTAMP) <= until)
    deleted = None
    if before is not None:
        unseen = deleted_keys(view, layout, since=before.deleted).filter(pl.col(EVENT_TIMESTAMP) <= until)
        since = deletions.filter(pl.col(EVENT_TIMESTAMP) > timestamp_of(before.watermark))
        deleted = pl.concat([unseen, since])
    written = window_rows(
        view, files_of(view, layout), deletions, store, fresh=fresh, deleted=deleted, until=until
    )
    rows = _with_progress(written.pairs, lambda done: progress(done, written.keys))
    keep_fingerprint(fingerprint(view), layout)
    applied = store.write(view.name, chain.from_iterable(rows), state, replace=before is None)
    return Advanced(state, before is None, written.events, applied)


def _by_writer(pushed: list[Path], before: ViewState | None) -> tuple[list[Path], list[Path]]:
    """Separate the files of pushed rows that the last writer of a store did not know from those that it knew."""
    numbers = {path: last_number(path.name) for path in pushed}
    seen = (
        []
        if before is None
        else [p for p, last in numbers.items() if last is not None and last < before.pushed]
    )
    return [path for path in pushed if path not in seen], seen


def _may_be_known_after(path: Path, timing: Timing, timestamp: datetime) -> bool:
    """Return whether a file of pushed rows may hold one that is known after a timestamp."""
    ends = footer(path)
    if ends.last_event is None or ends.last_created is None:
        return True
    # Of integers: a file of a former version may have events at the end of the year 9999.
    known = max(ends.last_event + timing.delay // MICROSECOND, ends.last_created)
    return known + (timing.every or timedelta(0)) // MICROSECOND > microseconds(timestamp)


def _with_progress(rows: Iterable[_Row], progress: Callable[[int], None]) -> Iterator[_Row]:
    progress(0)
    done = 0
    for done, row in enumerate(rows, 1):
        yield row
        if done % ROWS_PER_STEP == 0:
            progress(done)
    progress(done)
