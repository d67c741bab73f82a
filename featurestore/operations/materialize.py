"""Materialize: bring feature views to a timestamp in the online store, by the time at which rows became known."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from featurestore.adapters.stores import remove_damaged_store
from featurestore.errors import MissingDataError
from featurestore.ports import StoreClock
from featurestore.storage.files import append_record, read_records, write_record
from featurestore.storage.lock import locked, try_locked
from featurestore.storage.online import advance_to, current_time, plan_advance
from featurestore.storage.views import compact_log
from featurestore.timing.clock import MAX_SKEW, ClockError
from featurestore.timing.epoch import timestamp_of
from featurestore.values.wording import duration_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from featurestore.definitions.feature_view import FeatureView
    from featurestore.ports import OnlineStore
    from featurestore.workspace import Workspace


Progress: TypeAlias = "Callable[[str, int, int], None]"


class PlannedView(msgspec.Struct, frozen=True, kw_only=True):
    """What `materialize` does to one view.

    Attributes
    ----------
    since
        The watermark of the view now; None: the store does not hold the view.
    full
        Why the view is written in full; None: only rows that became known after `since` are applied.
    """

    view: str
    since: datetime | None
    full: str | None


class MaterializePlan(msgspec.Struct, frozen=True, kw_only=True):
    """What `materialize` does.

    Attributes
    ----------
    until
        The timestamp that the views are brought to, in UTC.
    """

    until: datetime
    views: tuple[PlannedView, ...]


class Materialized(msgspec.Struct, frozen=True, kw_only=True):
    """What a materialization did to one view.

    Attributes
    ----------
    until
        Every row known by this timestamp is applied.
    full
        True if the view was written in full: its definition or rows changed, or the timestamp is before the watermark.
    rows_read
        Built rows that became known since the last run (all rows, if full), and all pushed and deleted rows.
    rows_applied
        Rows written: the newest row of each key, if it is newer than the stored row.
    rows_older
        Rows not written: a row of the same key that is at least as new was read too, or is stored already. None: the
        view has windows, in which each event counts, and the number written is that of the keys and blocks.
    definition, source
        Digests of the view's definition and of the file of built rows: what the store holds now.
    """

    view: str
    until: datetime
    full: bool
    rows_read: int
    rows_applied: int
    rows_older: int | None
    definition: str = ""
    source: str = ""


class MaterializeRun(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the history of materializations.

    Attributes
    ----------
    at
        When the run ended, by the clock, in UTC.
    since
        The watermark of each view before the run; None: the store did not hold the view.
    """

    at: datetime
    since: dict[str, datetime | None]
    views: tuple[Materialized, ...]


class MaterializeRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What the last materialization did."""

    until: datetime
    views: tuple[Materialized, ...]


def plan_materialize(
    workspace: Workspace,
    views: Iterable[str] = (),
    *,
    until: datetime | str | None = None,
    full: bool = False,
) -> MaterializePlan:
    """Plan a materialization without changing anything. Parameters and errors as of `materialize`."""
    timestamp = workspace.settings.require_reached(workspace.timestamp(until))
    try:
        store = workspace.store()
    except MissingDataError:
        store = None
    planned = []
    for view in _views(workspace, views):
        _, before, reason = plan_advance(timestamp, view, workspace.layout, store, full=full)
        since = None if before is None else timestamp_of(before.watermark)
        planned.append(PlannedView(view=view.name, since=since, full=reason))
    return MaterializePlan(until=timestamp, views=tuple(planned))


def materialize(
    workspace: Workspace,
    views: Iterable[str] = (),
    *,
    until: datetime | str | None = None,
    full: bool = False,
    progress: Progress = lambda *_: None,
) -> MaterializeRecord:
    """Apply to the online store every row that is known at a timestamp, and no other row.

    Each view is written in one transaction: readers see its state before or after. A run that is killed leaves a store
    that answers, and the next run completes it.

    Parameters
    ----------
    views
        Names of feature views; all, if none are given.
    until
        The timestamp, with a time zone; the current time, if none is given.
    full
        True: write the views in full. An embedded store that is damaged is made again.
    progress
        Called now and then with the name of a view, the number of rows written, and the number of rows to write.

    Raises
    ------
    ConfigError
        If `until` is in the future, and the settings have no fixed timestamp.
    ClockError
        If `until` is far ahead of the clock of the online store.
    MissingDataError
        If a view is not built yet.
    SkewError
        If another definition of a view built its rows.
    StoreError
        If the store fails; the view that was being written is as it was before.
    """
    required = workspace.settings.require_reached(workspace.timestamp(until))
    definitions = _views(workspace, views)
    if full:
        remove_damaged_store(workspace.settings)
    store = workspace.store(create=True)
    timestamp = current_time(workspace.settings, store) if until is None else required
    _require_reached(workspace, timestamp, store)
    done: list[Materialized] = []
    since: dict[str, datetime | None] = {}
    for view in definitions:
        with locked(workspace.layout.lock(view.name)):
            before = store.state(view.name)
            since[view.name] = None if before is None else timestamp_of(before.watermark)
            done.append(materialize_view(workspace, view, timestamp, store, full=full, progress=progress))
        with try_locked(workspace.layout.pushing(view.name)) as is_ours:
            if is_ours:
                compact_log(view, workspace.layout, complete=True)
    record = MaterializeRecord(until=timestamp, views=tuple(done))
    run = MaterializeRun(at=datetime.now(UTC), since=since, views=record.views)
    append_record(run, workspace.layout.materializations)
    write_record(record, workspace.layout.materialized)
    return record


def materialize_view(
    workspace: Workspace,
    view: FeatureView,
    until: datetime,
    store: OnlineStore,
    *,
    full: bool = False,
    progress: Progress = lambda *_: None,
) -> Materialized:
    """Materialize one view; the caller holds the lock of the view. Parameters and errors as of `materialize`."""
    done = advance_to(
        until,
        view,
        workspace.layout,
        store,
        full=full,
        progress=lambda written, total: progress(view.name, written, total),
    )
    return Materialized(
        view=view.name,
        until=until,
        full=done.full,
        rows_read=done.read,
        rows_applied=done.applied,
        rows_older=None if view.windows else done.read - done.applied,
        definition=done.state.definition,
        source=done.state.source,
    )


def materializations(workspace: Workspace) -> list[MaterializeRun]:
    """List all runs, the oldest first."""
    return read_records(workspace.layout.materializations, MaterializeRun)


def _require_reached(workspace: Workspace, until: datetime, store: OnlineStore) -> None:
    """Refuse a watermark that is far ahead of the store's clock."""
    now = current_time(workspace.settings, store)
    if workspace.settings.as_of is None and until - now > MAX_SKEW:
        clock = (
            "the clock of the online store" if isinstance(store, StoreClock) else "the clock of this machine"
        )
        raise ClockError(
            f"{until.isoformat()} is {duration_text(until - now)} ahead of {clock}, which says {now.isoformat()}: readers would refuse "
            "the store until then",
            hint="set the clock that is wrong; or leave the timestamp out, to take that of the store",
            clock=clock,
            now=now,
            timestamp=until,
        )


def _views(workspace: Workspace, names: Iterable[str]) -> list[FeatureView]:
    catalog = workspace.catalog
    return [catalog.view(name) for name in names] or list(catalog.views.values())
