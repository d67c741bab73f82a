"""Materialize: bring the online store to a moment, by knowledge time."""

from __future__ import annotations

from datetime import datetime
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import polars as pl

from featurestore.definitions.digest import view_digest
from featurestore.ports import ViewState
from featurestore.storage.files import read_lines
from featurestore.storage.fingerprint import file_fingerprint
from featurestore.storage.views import deleted_keys, files_of
from featurestore.timing.epoch import microseconds, moment_of
from featurestore.timing.fold import known_rows, newest_rows
from featurestore.values.codec import encode_deleted, encode_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore
    from featurestore.storage.layout import Layout


ROWS_A_STEP = 1_000
Pair: TypeAlias = tuple[bytes, bytes]
Progress: TypeAlias = "Callable[[str, int, int], None]"


class Materialized(msgspec.Struct, frozen=True, kw_only=True):
    """What a materialization did for one view.

    Attributes
    ----------
    until
        Every row known by this moment is applied.
    full
        True where the view was written anew: its definition or rows changed, or the moment lies before the last.
    rows_read
        Built rows that became known since the last time (all, if full); and all that was pushed and deleted.
    rows_applied
        Rows written: the newest of each key, where newer than the stored one.
    rows_older
        Rows passed over: as new a row of their key was read as well, or stored already.
    """

    view: str
    until: datetime
    full: bool
    rows_read: int
    rows_applied: int
    rows_older: int


class MaterializeRun(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history of materializations.

    Attributes
    ----------
    at
        When it ended, by the clock.
    since
        Where each view stood before; None: nowhere.
    """

    at: datetime
    since: dict[str, datetime | None]
    views: tuple[Materialized, ...]


class MaterializeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the last materialization did."""

    until: datetime
    views: tuple[Materialized, ...]


def materialize(
    view: FeatureView,
    until: datetime,
    layout: Layout,
    store: OnlineStore,
    *,
    full: bool = False,
    progress: Progress = lambda *_: None,
) -> Materialized:
    """Apply to the online store every row of a view that is known at `until`, and no other.

    Only built rows that became known since the last run are read, unless the definition or the rows changed, or `until`
    goes back, or `full` asks for it: then the view is written anew, in one transaction, and readers see the state before or after.
    What was pushed and deleted is replayed each time: writers to other releases, with other clocks, share that log.
    A run that is killed at any moment leaves a store that answers, and the next run makes good.

    Parameters
    ----------
    progress
        Called now and then with the view's name, how many rows are written, and of how many.

    Raises
    ------
    MissingDataError
        If the view is not built yet.
    StoreError
        If the store fails; it then holds what it held before.
    """
    built, *pushed = files_of(view, layout)
    watermark = microseconds(until)
    state = ViewState(definition=view_digest(view), source=file_fingerprint(built), watermark=watermark)
    before = store.state(view.name)
    full = (
        full
        or before is None
        or (before.definition, before.source) != (state.definition, state.source)
        or before.watermark > watermark
    )
    after = None if full or before is None else moment_of(before.watermark)
    fresh = known_rows(pl.scan_parquet(built), view.timing, until=until, after=after)
    if pushed:
        fresh = pl.concat([fresh, known_rows(pl.scan_parquet(pushed), view.timing, until=until)])
    newest = newest_rows(fresh, view.keys, view.timing)
    read, winners = pl.collect_all([fresh.select(pl.len()), newest])
    deleted = encode_deleted(deleted_keys(view, layout), view.keys)
    pairs = chain(encode_rows(winners, view.keys, view.feature_schema), deleted)
    counted = _counted(pairs, lambda done: progress(view.name, done, winners.height + len(deleted)))
    applied, total = store.write(view.name, counted, state, replace=full), read.item() + len(deleted)
    return Materialized(
        view=view.name,
        until=until,
        full=full,
        rows_read=total,
        rows_applied=applied,
        rows_older=total - applied,
    )


def standing(view: FeatureView, now: datetime, store: OnlineStore) -> datetime:
    """Return the moment to bring a view to: now, or where it stands already.

    Clocks of writers differ, and what the store was read at must not change afterwards.
    """
    before = store.state(view.name)
    return now if before is None else max(now, moment_of(before.watermark))


def history(layout: Layout) -> list[MaterializeRun]:
    """List all runs so far, the oldest first."""
    return read_lines(layout.materializations, MaterializeRun)


def _counted(rows: Iterable[Pair], tell: Callable[[int], None]) -> Iterator[Pair]:
    tell(0)
    done = 0
    for done, row in enumerate(rows, 1):
        yield row
        if done % ROWS_A_STEP == 0:
            tell(done)
    tell(done)
